//! The shapes of what does not speak BGP itself: interfaces, cluster nodes, pods, and the names of addresses.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In the place of any state that could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unreadable {
    /// Why.
    pub unreadable: String,
}

/// A state of kind `links`: the interfaces of a box.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Links")]
pub struct Links(pub Vec<Link>);

/// An interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Interface")]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Whether it is set up by the administrator.
    pub up: bool,
    /// Whether the other end is up, too.
    pub carrier: bool,
    /// The largest packet, in bytes.
    pub mtu: u32,
}

/// A state of kind `addresses`: the addresses of a box.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Addresses")]
pub struct Addresses(pub Vec<Address>);

/// An address of an interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Address {
    /// The interface.
    pub interface: String,
    /// The address with its prefix length.
    pub address: String,
    /// Whether it is still in duplicate address detection, and not to be used yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tentative: bool,
}

/// A state of kind `node`: a node of the cluster, as its object tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClusterNode {
    /// Whether it is Ready.
    pub ready: bool,
    /// Why it is not, in kubelet's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether pods are kept away from it (`kubectl cordon`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unschedulable: bool,
    /// Its pod CIDRs.
    pub pod_cidrs: Vec<String>,
    /// Its own addresses.
    pub addresses: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints, as `key=value:effect`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<String>,
}

/// A state of kind `pod`: a pod, as its object tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Pod {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// The node it is on, once it is on one.
    pub node: Option<String>,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// Why it is on no node, or does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A state of kind `names`, of node `fabric`: what addresses and prefixes are called at this moment, in the words of
/// lab.yaml. A run gives pods, pod CIDRs and links other addresses than the run before; by their names they are known
/// again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Names {
    /// Address to name: `10.0.1.1` to `tor0:net1`.
    pub addresses: BTreeMap<String, String>,
    /// Prefix to name: `10.1.2.0/24` to `podCIDR(worker)`.
    pub prefixes: BTreeMap<String, String>,
    /// By pod, without its namespace if that is `default`: where it is.
    pub pods: BTreeMap<String, PodPlace>,
}

/// Where a pod is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PodPlace {
    /// The node, by its name without the cluster's.
    pub node: String,
    /// The addresses of the router that the node is wired to.
    pub gateways: Vec<String>,
}
