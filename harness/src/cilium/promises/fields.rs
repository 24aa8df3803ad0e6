//! Which fields of Cilium's BGP resources exist, by version.
//!
//! What lives here: the shape of the rows' parts. What does not: the rows (`table`), and the types of the resources.

use serde::Serialize;

/// Whether and how the BGPv2 resources (CiliumBGPClusterConfig and its kin) are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BgpV2 {
    /// Not there, or not documented.
    Absent,
    /// `cilium.io/v2alpha1`.
    V2alpha1,
    /// `cilium.io/v2`, with v2alpha1 deprecated.
    V2,
}

/// Which API a node follows when CiliumBGPPeeringPolicy and CiliumBGPClusterConfig both select it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Winner {
    /// There is only the policy.
    OnlyPolicy,
    /// The policy, until no policy selects the node any more.
    Policy,
    /// There is only BGPv2.
    OnlyV2,
}

/// The kinds of addresses of a Service that can be advertised, by the words of `serviceAdvertisements`.
pub type ServiceAddresses = &'static [&'static str];

/// The fields of CiliumBGPPeeringPolicy that came after 1.12: those of a neighbor unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PolicyFields {
    /// `connectRetryTimeSeconds`, `holdTimeSeconds`, `keepAliveTimeSeconds`.
    pub timers: bool,
    /// `gracefulRestart`.
    pub graceful_restart: bool,
    /// `eBGPMultihopTTL`.
    pub multihop: bool,
    /// `peerPort`.
    pub peer_port: bool,
    /// `families`.
    pub families: bool,
    /// `advertisedPathAttributes`: communities and local preference.
    pub path_attributes: bool,
    /// `advertisedPathAttributes[].communities.wellKnown`.
    pub well_known_communities: bool,
    /// `authSecretRef`: TCP MD5 (RFC 2385).
    pub auth_secret: bool,
    /// `serviceSelector` of a virtual router.
    pub service_selector: bool,
    /// `serviceAdvertisements` of a virtual router.
    pub service_advertisements: bool,
    /// `podIPPoolSelector` of a virtual router.
    pub pod_ip_pool_selector: bool,
    /// What a selected service has advertised.
    pub service_addresses: ServiceAddresses,
    /// Whether a service of another LoadBalancer class is passed over.
    pub load_balancer_class: bool,
}

impl PolicyFields {
    /// As 1.12 has it: `peerAddress`, `peerASN`, `localASN`, `exportPodCIDR`, and nothing else.
    pub(super) const FIRST: Self = Self {
        timers: false,
        graceful_restart: false,
        multihop: false,
        peer_port: false,
        families: false,
        path_attributes: false,
        well_known_communities: false,
        auth_secret: false,
        service_selector: false,
        service_advertisements: false,
        pod_ip_pool_selector: false,
        service_addresses: &[],
        load_balancer_class: false,
    };
}

/// The fields of the BGPv2 resources that differ between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct V2Fields {
    /// Whether `transport.localPort` of a CiliumBGPPeerConfig is acted upon.
    pub transport_local_port: bool,
    /// Whether a peer may leave `peerASN` out, so that whatever AS it has is taken.
    pub optional_peer_asn: bool,
    /// `localPort` of an instance (and of its override): the port the speaker listens on.
    pub instance_local_port: bool,
    /// `localASN` of an instance in CiliumBGPNodeConfigOverride.
    pub node_local_asn: bool,
    /// `service.aggregationLengthIPv4` and `aggregationLengthIPv6` of an advertisement.
    pub aggregation_length: bool,
    /// `autoDiscovery` of a peer, with the mode DefaultGateway.
    pub auto_discovery: bool,
    /// Whether advertisements whose selectors overlap are merged; before, the last one's attributes count.
    pub overlapping_advertisements: bool,
    /// `transport.sourceInterface` of a CiliumBGPPeerConfig.
    pub source_interface: bool,
    /// The advertisement type `Interface`.
    pub interface_advertisement: bool,
    /// The condition types in the status of a CiliumBGPClusterConfig.
    pub cluster_conditions: &'static [&'static str],
    /// The condition types in the status of a CiliumBGPPeerConfig.
    pub peer_conditions: &'static [&'static str],
    /// The condition types in the status of a CiliumBGPNodeConfig.
    pub node_conditions: &'static [&'static str],
}

impl V2Fields {
    /// As 1.16 documents them first; also stands in the rows of versions that have no BGPv2.
    pub(super) const FIRST: Self = Self {
        transport_local_port: true,
        optional_peer_asn: false,
        instance_local_port: false,
        node_local_asn: false,
        aggregation_length: false,
        auto_discovery: false,
        overlapping_advertisements: false,
        source_interface: false,
        interface_advertisement: false,
        cluster_conditions: &[],
        peer_conditions: &[],
        node_conditions: &[],
    };
}
