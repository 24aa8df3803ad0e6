//! CiliumBGPPeeringPolicy (`cilium.io/v2alpha1`) as Cilium 1.18, its last version, defines it.
//!
//! What lives here: the type and, through it, the schema. What earlier versions lack is in `crd::fields`; what a policy
//! does to a node is in `twin::agent`.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::bgp::{self, FamilyName, GracefulRestart, ServiceAddress};

/// Which nodes speak BGP with whom, and what they advertise.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2alpha1",
    kind = "CiliumBGPPeeringPolicy",
    plural = "ciliumbgppeeringpolicies",
    singular = "ciliumbgppeeringpolicy",
    shortname = "bgpp",
    category = "cilium",
    category = "ciliumbgp",
    doc = "Tells cilium-agent on the selected nodes which BGP neighbors to peer with and what to advertise to them.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CiliumBGPPeeringPolicySpec {
    /// The nodes this policy is for. Without it no node is selected; an empty one selects every node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LabelSelector")]
    pub node_selector: Option<LabelSelector>,
    /// The BGP speakers to run on each selected node, one per local AS number.
    #[schemars(length(min = 1))]
    pub virtual_routers: Vec<VirtualRouter>,
}

/// One BGP speaker of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualRouter {
    /// The speaker's own AS number: 0 to 4294967295.
    #[serde(rename = "localASN")]
    #[schemars(schema_with = "asn")]
    pub local_asn: i64,
    /// Whether the node's pod CIDRs are advertised. False unless said.
    #[serde(rename = "exportPodCIDR", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool", extend("default" = false))]
    pub export_pod_cidr: Option<bool>,
    /// The services whose addresses are advertised; none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_selector: Option<LabelSelector>,
    /// Which of their addresses; those of load balancers unless said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "service_addresses")]
    pub service_advertisements: Vec<ServiceAddress>,
    /// The CiliumPodIPPools of which the node's parts are advertised.
    #[serde(rename = "podIPPoolSelector", default, skip_serializing_if = "Option::is_none")]
    pub pod_ip_pool_selector: Option<LabelSelector>,
    /// Whom to peer with.
    #[schemars(length(min = 1))]
    pub neighbors: Vec<Neighbor>,
}

/// One neighbor of a speaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Neighbor {
    /// The neighbor's address, written as a CIDR (`10.0.0.1/32`); only the address counts.
    #[schemars(extend("format" = "cidr"))]
    pub peer_address: String,
    /// The neighbor's AS number: 0 to 4294967295.
    #[serde(rename = "peerASN")]
    #[schemars(schema_with = "asn")]
    pub peer_asn: i64,
    /// The neighbor's TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535), extend("default" = 179))]
    pub peer_port: Option<i32>,
    /// Time to live of packets to an eBGP neighbor.
    #[serde(rename = "eBGPMultihopTTL", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255), extend("default" = 1))]
    pub ebgp_multihop_ttl: Option<i32>,
    /// ConnectRetry time in seconds (RFC 4271 section 8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647), extend("default" = 120))]
    pub connect_retry_time_seconds: Option<i32>,
    /// Hold time to offer, in seconds (RFC 4271 section 4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 3, max = 65535), extend("default" = 90))]
    pub hold_time_seconds: Option<i32>,
    /// Keepalive interval in seconds; not above the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535), extend("default" = 30))]
    pub keep_alive_time_seconds: Option<i32>,
    /// Graceful restart (RFC 4724); off unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graceful_restart: Option<GracefulRestart>,
    /// Address families to negotiate; IPv4 and IPv6 unicast unless said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<FamilyName>,
    /// What else to say of routes, by where they come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advertised_path_attributes: Vec<AdvertisedPathAttributes>,
    /// The name of the Secret whose key `password` is the TCP MD5 password (RFC 2385).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<String>,
}

/// Path attributes for some of the advertised routes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdvertisedPathAttributes {
    /// What the routes come from: `PodCIDR`, `CiliumLoadBalancerIPPool` or `CiliumPodIPPool`.
    #[schemars(extend("enum" = ["PodCIDR", "CiliumLoadBalancerIPPool", "CiliumPodIPPool"]))]
    pub selector_type: String,
    /// Which nodes or pools; all when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// Communities to add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub communities: Option<bgp::Communities>,
    /// LOCAL_PREF for iBGP neighbors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "preference")]
    pub local_preference: Option<i64>,
}

/// Selects objects by their labels. All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be there with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "match_labels")]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on single labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Requirement>,
}

/// A condition on one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// The label's name.
    pub key: String,
    /// How the label relates to the values.
    #[schemars(schema_with = "operator")]
    pub operator: Operator,
    /// The values of In and NotIn; empty for the other two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label relates to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Operator {
    /// The label is there and has one of the values.
    In,
    /// The label is not there, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

fn asn(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 })
}

fn preference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": 4_294_967_295_u32 })
}

fn service_addresses(_: &mut SchemaGenerator) -> Schema {
    let kinds = json_schema!({ "type": "string", "enum": ["LoadBalancerIP", "ClusterIP", "ExternalIP"] });
    json_schema!({ "type": "array", "items": kinds })
}

fn operator(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"] })
}

/// The values are label values: at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn match_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        },
    })
}
