//! CiliumBGPClusterConfig: which nodes speak BGP with whom.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::shape;
use crate::cilium::LabelSelector;

/// Which nodes speak BGP, and with whom.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2",
    kind = "CiliumBGPClusterConfig",
    plural = "ciliumbgpclusterconfigs",
    singular = "ciliumbgpclusterconfig",
    shortname = "cbgpcluster",
    category = "cilium",
    category = "ciliumbgp",
    status = "Conditions",
    doc = "BGP instances and their peers for the nodes that it selects.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CiliumBGPClusterConfigSpec {
    /// The nodes it is for; all nodes when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<LabelSelector>,
    /// The speakers of each node.
    #[schemars(
        length(min = 1, max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub bgp_instances: Vec<ClusterInstance>,
}

/// One speaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterInstance {
    /// Its name, by which overrides and statuses know it.
    #[schemars(schema_with = "shape::name")]
    pub name: String,
    /// Its AS number; may be left to the override of each node.
    #[serde(rename = "localASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::local_asn")]
    pub local_asn: Option<i64>,
    /// Where it listens; nowhere unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::port")]
    pub local_port: Option<i32>,
    /// Whom it peers with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub peers: Vec<ClusterPeer>,
}

/// One neighbor of a speaker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterPeer {
    /// Its name.
    #[schemars(schema_with = "shape::name")]
    pub name: String,
    /// Its address; nothing is dialed without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::ip")]
    pub peer_address: Option<String>,
    /// Its AS number; 0 takes whatever its OPEN says.
    #[serde(rename = "peerASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::peer_asn_or_any")]
    pub peer_asn: Option<i64>,
    /// How to find it without an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_discovery: Option<AutoDiscovery>,
    /// The rest of its configuration; the defaults where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_config_ref: Option<PeerConfigRef>,
}

/// How a neighbor is found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoDiscovery {
    /// `DefaultGateway`.
    #[schemars(extend("enum" = ["DefaultGateway"]))]
    pub mode: String,
    /// Which default route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_gateway: Option<DefaultGateway>,
}

/// Which default route shows the neighbor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultGateway {
    /// `ipv4` or `ipv6`.
    #[schemars(extend("enum" = ["ipv4", "ipv6"]))]
    pub address_family: String,
}

/// Names a CiliumBGPPeerConfig.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerConfigRef {
    /// `cilium.io`; v2alpha1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "cilium.io"))]
    pub group: Option<String>,
    /// `CiliumBGPPeerConfig`; v2alpha1 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "CiliumBGPPeerConfig"))]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
}

/// A status of nothing but conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conditions {
    /// The conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}
