//! CiliumBGPPeerConfig: timers, transport, password and address families of neighbors.

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::cluster::Conditions;
use super::shape;
use crate::cilium::LabelSelector;

/// How to speak with the neighbors that refer to it.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2",
    kind = "CiliumBGPPeerConfig",
    plural = "ciliumbgppeerconfigs",
    singular = "ciliumbgppeerconfig",
    shortname = "cbgppeer",
    category = "cilium",
    category = "ciliumbgp",
    status = "Conditions",
    doc = "What peers have in common: timers, transport, password, address families.",
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CiliumBGPPeerConfigSpec {
    /// Ports and addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// Timers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timers: Option<PeerTimers>,
    /// The name of the Secret whose key `password` is the TCP MD5 password (RFC 2385).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_secret_ref: Option<String>,
    /// Graceful restart (RFC 4724); off unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graceful_restart: Option<GracefulRestart>,
    /// Time to live of packets to eBGP neighbors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "ttl")]
    pub ebgp_multihop: Option<i32>,
    /// Address families to negotiate, and what is advertised in each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<FamilyWithAdvertisements>,
}

/// Ports and addresses of the TCP connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transport {
    /// v2alpha1 only, and without effect from 1.18 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shape::port")]
    pub local_port: Option<i32>,
    /// The neighbor's TCP port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp_port")]
    pub peer_port: Option<i32>,
    /// The interface whose address connections come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_interface: Option<String>,
}

/// Timers of a session, in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerTimers {
    /// ConnectRetry time (RFC 4271 section 8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "connect_retry")]
    pub connect_retry_time_seconds: Option<i32>,
    /// Hold time to offer (RFC 4271 section 4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "hold")]
    pub hold_time_seconds: Option<i32>,
    /// Keepalive interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "keepalive")]
    pub keep_alive_time_seconds: Option<i32>,
}

/// Graceful restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GracefulRestart {
    /// Whether the capability is offered.
    pub enabled: bool,
    /// Restart time to announce, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "restart")]
    pub restart_time_seconds: Option<i32>,
}

/// An address family by its two names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FamilyName {
    /// `ipv4`, `ipv6`, ...
    #[schemars(schema_with = "afi")]
    pub afi: String,
    /// `unicast`, ...
    #[schemars(schema_with = "safi")]
    pub safi: String,
}

/// An address family, and which advertisements it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FamilyWithAdvertisements {
    /// `ipv4`, `ipv6`, ...
    #[schemars(schema_with = "afi")]
    pub afi: String,
    /// `unicast`, ...
    #[schemars(schema_with = "safi")]
    pub safi: String,
    /// The labels of the CiliumBGPAdvertisements to advertise; none when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertisements: Option<LabelSelector>,
}

pub(super) fn afi(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["ipv4", "ipv6", "l2vpn", "ls", "opaque"] })
}

pub(super) fn safi(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": [
        "unicast", "multicast", "mpls_label", "encapsulation", "vpls", "evpn", "ls", "sr_policy", "mup", "mpls_vpn",
        "mpls_vpn_multicast", "route_target_constraints", "flowspec_unicast", "flowspec_vpn", "key_value",
    ] })
}

fn ttl(_: &mut SchemaGenerator) -> Schema {
    within(1, 255, 1)
}

fn bgp_port(_: &mut SchemaGenerator) -> Schema {
    within(1, 65535, 179)
}

fn connect_retry(_: &mut SchemaGenerator) -> Schema {
    within(1, i32::MAX, 120)
}

fn hold(_: &mut SchemaGenerator) -> Schema {
    within(3, 65535, 90)
}

fn keepalive(_: &mut SchemaGenerator) -> Schema {
    within(1, 65535, 30)
}

fn restart(_: &mut SchemaGenerator) -> Schema {
    within(1, 4095, 120)
}

/// Sources of the bounds and defaults: pkg/k8s/apis/cilium.io/v2/bgp_peer_types.go.
fn within(least: i32, most: i32, default: i32) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "minimum": least, "maximum": most, "default": default })
}
