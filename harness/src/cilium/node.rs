//! CiliumNode (`cilium.io/v2`): what cilium-agent writes down about its node.
//!
//! What lives here: the part of the type that a BGP fabric needs, which is also all that Cilium 1.12 fills in when
//! Kubernetes hands out the pod CIDRs. Cloud providers' parts are kept, unread.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// What cilium-agent knows of its node.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2",
    kind = "CiliumNode",
    plural = "ciliumnodes",
    singular = "ciliumnode",
    shortname = "cn",
    shortname = "ciliumn",
    doc = "A node as cilium-agent sees it: its addresses and the pod CIDRs it hands addresses out of.",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct CiliumNodeSpec {
    /// The node's addresses, each with its type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<CiliumNodeAddress>,
    /// Where pod addresses come from.
    #[serde(default)]
    #[schemars(with = "CiliumNodeIpam")]
    pub ipam: CiliumNodeIpam,
    /// Always written, empty unless encryption is on.
    #[serde(default)]
    #[schemars(schema_with = "anything")]
    pub encryption: serde_json::Map<String, serde_json::Value>,
}

/// One address of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CiliumNodeAddress {
    /// `InternalIP`, `ExternalIP` or `CiliumInternalIP` (the address of cilium_host).
    #[serde(rename = "type")]
    pub kind: String,
    /// The address.
    pub ip: String,
}

/// Where the addresses of a node's pods come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CiliumNodeIpam {
    /// The node's pod CIDRs.
    #[serde(rename = "podCIDRs", default, skip_serializing_if = "Vec::is_empty")]
    pub pod_cidrs: Vec<String>,
}

fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}
