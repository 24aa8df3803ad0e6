//! The table: one row a line of Cilium, each changing the one above it, so that a difference stands where it begins.
//!
//! What lives here: the facts, each with its source. What does not: what follows from them.
//!
//! Sources are commits of cilium/cilium unless another repository is named.
//!
//! | fact | since | source |
//! |---|---|---|
//! | CiliumBGPPeeringPolicy | 1.12 | 62f4ea507f, 353b7a8f68 |
//! | serviceSelector; CiliumLoadBalancerIPPool | 1.13 | fd508cb619; c278055efc |
//! | timers; graceful restart; eBGP multihop; peer port | 1.14 | 3c44393bf5; 5596464596; 7b0ae2aa26; 6b8adacb30 |
//! | a stopping agent says nothing | 1.14 | pull request 25660, and measured on 1.12.1 and 1.20-dev |
//! | `cilium bgp peers`; `cilium bgp routes` | 1.14; 1.15 | 4b9c234074; c384cc4ece |
//! | families; path attributes; podIPPoolSelector; MD5 | 1.15 | 2183c9db97; 07d3926560; 660f2f26f2; f50d292dcd |
//! | BGPv2 documented, v2alpha1; the policy wins | 1.16 | ce024450db; the mode table of pkg/bgpv1/agent/controller.go |
//! | ClusterIP, ExternalIP of services in the policy | 1.16 | 7e4ad4ace8, 54c01e231b |
//! | routes of neighbors refused | 1.16 | f7dc70f783 |
//! | status conditions; peerASN optional | 1.17 | upgrade notes of 1.17; 34fef5b8f7 |
//! | a switch for status reports | 1.17 | 88c5cb2800 |
//! | BGPv2 as v2; instance localPort; per-node localASN | 1.18 | f07d111b69, e7512dc417; ee59e0bfb7; e478cf7efa |
//! | overlapping selectors; aggregation; DefaultGateway | 1.18 | f520d9ed7b; 9e1e31a9fa; d0f54e5cd9 |
//! | the policy is gone | 1.19 | b74e51b715, 6e4f3dc47c |
//! | sourceInterface; type Interface | 1.19 | c7ae6e7e57; 9caf085e9f |
//! | a service without endpoints stays advertised | each | pull request 40717: so before it, and after it by default |
//! | a switch to have it withdrawn | 1.19 | 77737c18d1, 9c8c6b9f40; pkg/svcrouteconfig/cell.go |
//! | a route lost by one neighbor alone is withdrawn | 1.20 | osrg/gobgp pull request 3434 (in 4.7); before, `softResetOut` of pkg/server/server.go passes over what is filtered |
//! | `tunnel` gone from the chart | 1.15 | 39324b279c, 835183f484 |
//! | GoBGP's line | each | go.mod |

use super::AgentStop;
use super::Promises;
use super::fields::{BgpV2, PolicyFields, V2Fields, Winner};
use super::gobgp::Generation;

/// Every line there is something known of, oldest first.
pub(super) static ROWS: [Promises; 9] = TABLE;

const TABLE: [Promises; 9] = {
    let v1_12 = Promises {
        line: (1, 12),
        gobgp: "3.3 to 3.4",
        policy: PolicyFields::FIRST,
        peering_policy: true,
        timers_configurable: false,
        bgp_v2: BgpV2::Absent,
        v2: V2Fields::FIRST,
        winner: Winner::OnlyPolicy,
        stop: AgentStop::Cease,
        rejects_inbound: false,
        withdraws_filtered: false,
        endpoints_switch: false,
        peers_command: false,
        routes_command: false,
        status_report_switch: false,
        helm_tunnel: true,
        ..Promises::speaking(Generation::V3)
    };
    let v1_13 = Promises {
        line: (1, 13),
        gobgp: "3.5",
        policy: PolicyFields {
            service_selector: true,
            service_addresses: &["LoadBalancerIP"],
            ..v1_12.policy
        },
        ..v1_12
    };
    let v1_14 = Promises {
        line: (1, 14),
        gobgp: "3.15",
        policy: PolicyFields {
            timers: true,
            graceful_restart: true,
            multihop: true,
            peer_port: true,
            ..v1_13.policy
        },
        timers_configurable: true,
        stop: AgentStop::Close,
        peers_command: true,
        ..v1_13
    };
    let v1_15 = Promises {
        line: (1, 15),
        gobgp: "3.21",
        policy: PolicyFields {
            families: true,
            path_attributes: true,
            auth_secret: true,
            pod_ip_pool_selector: true,
            load_balancer_class: true,
            ..v1_14.policy
        },
        routes_command: true,
        helm_tunnel: false,
        ..v1_14
    };
    let v1_16 = Promises {
        line: (1, 16),
        gobgp: "3.27",
        policy: PolicyFields {
            service_advertisements: true,
            well_known_communities: true,
            service_addresses: &["LoadBalancerIP", "ClusterIP", "ExternalIP"],
            ..v1_15.policy
        },
        bgp_v2: BgpV2::V2alpha1,
        winner: Winner::Policy,
        rejects_inbound: true,
        ..v1_15
    };
    let v1_17 = Promises {
        line: (1, 17),
        gobgp: "3.32",
        v2: V2Fields {
            optional_peer_asn: true,
            cluster_conditions: &[
                "cilium.io/NoMatchingNode",
                "cilium.io/MissingPeerConfigs",
                "cilium.io/ConflictingClusterConfig",
            ],
            peer_conditions: &["cilium.io/MissingAuthSecret"],
            ..v1_16.v2
        },
        status_report_switch: true,
        ..v1_16
    };
    let v1_18 = Promises {
        line: (1, 18),
        gobgp: "3.37",
        bgp_v2: BgpV2::V2,
        v2: V2Fields {
            transport_local_port: false,
            instance_local_port: true,
            node_local_asn: true,
            aggregation_length: true,
            auto_discovery: true,
            overlapping_advertisements: true,
            node_conditions: &["cilium.io/BGPReconcileError"],
            ..v1_17.v2
        },
        ..v1_17.with_speaker(Generation::V3_35)
    };
    let v1_19 = Promises {
        line: (1, 19),
        gobgp: "3.37 (Cilium's fork)",
        policy: PolicyFields::FIRST,
        peering_policy: false,
        v2: V2Fields { source_interface: true, interface_advertisement: true, ..v1_18.v2 },
        winner: Winner::OnlyV2,
        endpoints_switch: true,
        ..v1_18
    };
    let v1_20 = Promises {
        line: (1, 20),
        gobgp: "4.7",
        withdraws_filtered: true,
        ..v1_19.with_speaker(Generation::V4)
    };
    [v1_12, v1_13, v1_14, v1_15, v1_16, v1_17, v1_18, v1_19, v1_20]
};
