//! CiliumBGPNodeConfig and CiliumBGPNodeConfigOverride: what one node speaks, and how it differs from the others.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::cluster::{AutoDiscovery, PeerConfigRef};
use super::condition::Condition;
use super::peer::{afi, safi};
use super::shape;

/// What one node speaks. Made by Cilium's operator, never by hand.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2",
    kind = "CiliumBGPNodeConfig",
    plural = "ciliumbgpnodeconfigs",
    singular = "ciliumbgpnodeconfig",
    shortname = "cbgpnode",
    category = "cilium",
    category = "ciliumbgp",
    status = "NodeConfigStatus",
    doc = "The BGP instances of the node of the same name, and how they are doing.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CiliumBGPNodeConfigSpec {
    /// The speakers.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub bgp_instances: Vec<NodeInstance>,
}

/// One speaker of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeInstance {
    /// Its name.
    #[schemars(schema_with = "shape::name")]
    pub name: String,
    /// Its AS number.
    #[serde(rename = "localASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::local_asn")]
    pub local_asn: Option<i64>,
    /// Its BGP identifier; the node's IPv4 address unless said.
    #[serde(rename = "routerID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::ipv4")]
    pub router_id: Option<String>,
    /// Where it listens; nowhere unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::port")]
    pub local_port: Option<i32>,
    /// Whom it peers with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub peers: Vec<NodePeer>,
}

/// One neighbor of a node's speaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePeer {
    /// Its name.
    pub name: String,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::ip")]
    pub peer_address: Option<String>,
    /// Its AS number; 0 takes whatever its OPEN says.
    #[serde(rename = "peerASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::peer_asn")]
    pub peer_asn: Option<i64>,
    /// How to find it without an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_discovery: Option<AutoDiscovery>,
    /// The address connections come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::ip")]
    pub local_address: Option<String>,
    /// The rest of its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_config_ref: Option<PeerConfigRef>,
}

/// How the speakers of a node are doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeConfigStatus {
    /// The speakers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub bgp_instances: Vec<InstanceStatus>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One speaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceStatus {
    /// Its name.
    pub name: String,
    /// Its AS number.
    #[serde(rename = "localASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int64")]
    pub local_asn: Option<i64>,
    /// Its neighbors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub peers: Vec<PeerStatus>,
}

/// One neighbor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerStatus {
    /// Its name.
    pub name: String,
    /// Its address.
    pub peer_address: String,
    /// Its AS number.
    #[serde(rename = "peerASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int64")]
    pub peer_asn: Option<i64>,
    /// The state of the session, in small letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peering_state: Option<String>,
    /// The timers in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timers: Option<TimersState>,
    /// Since when the session is established, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub established_time: Option<String>,
    /// Routes by address family.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub route_count: Vec<RouteCount>,
}

/// The timers in force, in seconds; 0 while the session is not up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimersState {
    /// Negotiated hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int32")]
    pub applied_hold_time_seconds: Option<i32>,
    /// Keepalive interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int32")]
    pub applied_keepalive_seconds: Option<i32>,
}

/// Routes of one address family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteCount {
    /// `ipv4`, `ipv6`, ...
    #[schemars(schema_with = "afi")]
    pub afi: String,
    /// `unicast`, ...
    #[schemars(schema_with = "safi")]
    pub safi: String,
    /// How many came from the neighbor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int32")]
    pub received: Option<i32>,
    /// How many went to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int32")]
    pub advertised: Option<i32>,
}

/// How the node of the same name differs from what the cluster's configuration says.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2",
    kind = "CiliumBGPNodeConfigOverride",
    plural = "ciliumbgpnodeconfigoverrides",
    singular = "ciliumbgpnodeconfigoverride",
    shortname = "cbgpnodeoverride",
    category = "cilium",
    category = "ciliumbgp",
    doc = "Settings of single nodes, over those of the cluster's configuration.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CiliumBGPNodeConfigOverrideSpec {
    /// The speakers to change, by name.
    #[schemars(
        length(min = 1),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub bgp_instances: Vec<InstanceOverride>,
}

/// How one speaker differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceOverride {
    /// The speaker.
    #[schemars(schema_with = "shape::name")]
    pub name: String,
    /// Its BGP identifier on this node.
    #[serde(rename = "routerID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::ipv4")]
    pub router_id: Option<String>,
    /// Where it listens on this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int32")]
    pub local_port: Option<i32>,
    /// Its AS number on this node.
    #[serde(rename = "localASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::local_asn")]
    pub local_asn: Option<i64>,
    /// Its neighbors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub peers: Vec<PeerOverride>,
}

/// How one neighbor differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerOverride {
    /// The neighbor.
    #[schemars(schema_with = "shape::name")]
    pub name: String,
    /// The address connections come from on this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::ip")]
    pub local_address: Option<String>,
    /// In the API, and without effect in any version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "int32")]
    pub local_port: Option<i32>,
}

fn int64(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64" })
}

fn int32(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int32" })
}
