//! CiliumBGPAdvertisement: what is advertised, and with which path attributes.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::path::PathAttributes;
use crate::cilium::LabelSelector;

/// What to advertise to the neighbors whose peer configuration selects it.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2",
    kind = "CiliumBGPAdvertisement",
    plural = "ciliumbgpadvertisements",
    singular = "ciliumbgpadvertisement",
    shortname = "cbgpadvert",
    category = "cilium",
    category = "ciliumbgp",
    doc = "Prefixes to advertise, by where they come from.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    derive = "PartialEq"
)]
pub struct CiliumBGPAdvertisementSpec {
    /// The advertisements.
    pub advertisements: Vec<Advertisement>,
}

/// One kind of prefixes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Advertisement {
    /// Where the prefixes come from.
    #[schemars(schema_with = "types")]
    pub advertisement_type: AdvertisementType,
    /// Which addresses of services; with `Service` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceOptions>,
    /// Which interface; with `Interface` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<InterfaceOptions>,
    /// Which services, or which pools. None is selected when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// What else to say of the routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<PathAttributes>,
}

/// Where advertised prefixes come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdvertisementType {
    /// The node's pod CIDRs.
    #[default]
    PodCIDR,
    /// The node's parts of CiliumPodIPPools.
    CiliumPodIPPool,
    /// Addresses of services.
    Service,
    /// Addresses of an interface of the node.
    Interface,
}

/// Which addresses of a service, and how much of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceOptions {
    /// The kinds of addresses.
    #[schemars(schema_with = "addresses")]
    pub addresses: Vec<ServiceAddress>,
    /// Length of the advertised IPv4 prefixes instead of 32.
    #[serde(rename = "aggregationLengthIPv4", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "below_32")]
    pub aggregation_length_ipv4: Option<u8>,
    /// Length of the advertised IPv6 prefixes instead of 128.
    #[serde(rename = "aggregationLengthIPv6", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "below_128")]
    pub aggregation_length_ipv6: Option<u8>,
}

/// A kind of address of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(clippy::enum_variant_names, reason = "the names are Cilium's")]
pub enum ServiceAddress {
    /// `status.loadBalancer.ingress`.
    LoadBalancerIP,
    /// `spec.clusterIPs`.
    ClusterIP,
    /// `spec.externalIPs`.
    ExternalIP,
}

/// Which interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InterfaceOptions {
    /// Its name on the node.
    pub name: String,
}

fn types(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["PodCIDR", "CiliumPodIPPool", "Service", "Interface"] })
}

fn addresses(_: &mut SchemaGenerator) -> Schema {
    let kinds = json_schema!({ "type": "string", "enum": ["LoadBalancerIP", "ClusterIP", "ExternalIP"] });
    json_schema!({ "type": "array", "minItems": 1, "items": kinds })
}

fn below_32(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": 31 })
}

fn below_128(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": 127 })
}
