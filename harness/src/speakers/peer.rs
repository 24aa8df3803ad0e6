//! A peer as Cilium's API has it (`BgpPeer`), from what `gobgp -j neighbor` says.
//!
//! What lives here: the type, whose fields are in the order in which Cilium prints them, and what is in which. As in
//! Cilium's API, a field that is zero or empty is left out.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::Value;

use super::capabilities::wire;
use super::neighbor::{AfiSafi, Capability, ESTABLISHED, FamilyState, Neighbor};

/// A peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Peer {
    /// Hold time in force, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub applied_hold_time_seconds: u64,
    /// Keepalive interval in force, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub applied_keep_alive_time_seconds: u64,
    /// Hold time offered, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub configured_hold_time_seconds: u64,
    /// Keepalive interval configured, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub configured_keep_alive_time_seconds: u64,
    /// ConnectRetry time, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub connect_retry_time_seconds: u64,
    /// TTL of packets to an external peer; 1 unless multihop is configured.
    pub ebgp_multihop_ttl: u64,
    /// The address families.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<PeerFamily>,
    /// Graceful restart as configured.
    pub graceful_restart: GracefulRestart,
    /// Our AS number.
    #[serde(skip_serializing_if = "is_zero")]
    pub local_asn: u64,
    /// What our OPEN offered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub local_capabilities: Vec<WireCapability>,
    /// Its name in the second BGP API.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its address.
    pub peer_address: String,
    /// Its AS number.
    #[serde(skip_serializing_if = "is_zero")]
    pub peer_asn: u64,
    /// Its port.
    #[serde(skip_serializing_if = "is_zero")]
    pub peer_port: u64,
    /// What its OPEN offered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remote_capabilities: Vec<WireCapability>,
    /// The session's state, in Cilium's words: `established`, `open_sent`.
    pub session_state: String,
    /// Whether TCP segments are signed (RFC 2385).
    #[serde(skip_serializing_if = "is_false")]
    pub tcp_password_enabled: bool,
    /// How long the session has been up, in nanoseconds; GoBGP says whole seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub uptime_nanoseconds: u64,
}

/// One address family of a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PeerFamily {
    /// Routes accepted.
    #[serde(skip_serializing_if = "is_zero")]
    pub accepted: u64,
    /// Routes advertised.
    #[serde(skip_serializing_if = "is_zero")]
    pub advertised: u64,
    /// `ipv4` or `ipv6`.
    pub afi: String,
    /// Routes received.
    #[serde(skip_serializing_if = "is_zero")]
    pub received: u64,
    /// `unicast`.
    pub safi: String,
}

/// Graceful restart as configured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct GracefulRestart {
    /// Whether it is on.
    #[serde(skip_serializing_if = "is_false")]
    pub enabled: bool,
    /// For how long the peer is asked to keep our routes, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub restart_time_seconds: u64,
}

/// A capability as the OPEN has it: base64 of code, length and value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WireCapability {
    /// The bytes.
    pub capabilities: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The addresses in a list of neighbors.
pub(super) fn addresses(answer: &Value) -> Result<Vec<IpAddr>, String> {
    let Some(list) = answer.as_array() else { return Ok(Vec::new()) };
    let address = |one: &Value| one.pointer("/conf/neighbor_address")?.as_str()?.parse().ok();
    let all: Option<Vec<IpAddr>> = list.iter().map(address).collect();
    let mut all = all.ok_or_else(|| "a neighbor has no address".to_owned())?;
    all.sort_unstable();
    Ok(all)
}

/// Reads one neighbor; `now` is in seconds since 1970.
pub(super) fn peer(answer: &Value, now: f64) -> Result<Peer, String> {
    let raw: Neighbor = serde_json::from_value(answer.clone()).map_err(|error| error.to_string())?;
    let up = raw.state.session_state == ESTABLISHED;
    let peer_asn = [raw.conf.peer_asn, raw.state.peer_asn].into_iter().find(|asn| *asn > 0);
    let since = raw.timers.state.uptime.map(|uptime| uptime.seconds).filter(|_| up);
    Ok(Peer {
        applied_hold_time_seconds: raw.timers.state.negotiated_hold_time,
        applied_keep_alive_time_seconds: raw.timers.state.keepalive_interval,
        configured_hold_time_seconds: raw.timers.config.hold_time,
        configured_keep_alive_time_seconds: raw.timers.config.keepalive_interval,
        connect_retry_time_seconds: raw.timers.config.connect_retry,
        ebgp_multihop_ttl: if raw.ebgp_multihop.enabled { raw.ebgp_multihop.multihop_ttl } else { 1 },
        families: raw.afi_safis.iter().filter_map(family).collect(),
        graceful_restart: GracefulRestart {
            enabled: raw.graceful_restart.enabled,
            restart_time_seconds: raw.graceful_restart.restart_time,
        },
        local_asn: raw.conf.local_asn,
        local_capabilities: capabilities(&raw.state.local_cap),
        name: name(&raw.conf.description),
        peer_address: raw.conf.neighbor_address,
        peer_asn: peer_asn.unwrap_or_default(),
        // Unset is BGP's own port.
        peer_port: if raw.transport.remote_port == 0 { BGP_PORT } else { raw.transport.remote_port },
        remote_capabilities: capabilities(&raw.state.remote_cap),
        session_state: state(raw.state.session_state).to_owned(),
        tcp_password_enabled: !raw.conf.auth_password.is_empty(),
        uptime_nanoseconds: since.map_or(0, |since| nanoseconds(now - since)),
    })
}

/// Cilium keeps a peer's name in the neighbor's description, as JSON.
fn name(description: &str) -> String {
    let read: Option<Value> = serde_json::from_str(description).ok();
    read.and_then(|said| said.get("name")?.as_str().map(str::to_owned)).unwrap_or_default()
}

const BGP_PORT: u64 = 179;

/// A span in seconds as nanoseconds; clocks that went back make it none.
pub(super) fn nanoseconds(seconds: f64) -> u64 {
    u64::try_from(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_nanos())
        .unwrap_or(u64::MAX)
}

/// GoBGP's number of a state (api/gobgp.proto) in Cilium's word.
fn state(number: u64) -> &'static str {
    ["unknown", "idle", "connect", "active", "open_sent", "open_confirm", "established"]
        .get(usize::try_from(number).unwrap_or(usize::MAX))
        .unwrap_or(&"unknown")
}

fn family(raw: &AfiSafi) -> Option<PeerFamily> {
    let FamilyState { family, received, accepted, advertised } = &raw.state;
    let family = family.as_ref()?;
    Some(PeerFamily {
        accepted: *accepted,
        advertised: *advertised,
        afi: match family.afi {
            1 => "ipv4".into(),
            2 => "ipv6".into(),
            other => format!("unknown ({other})"),
        },
        received: *received,
        safi: if family.safi == 1 { "unicast".into() } else { format!("unknown ({})", family.safi) },
    })
}

fn capabilities(all: &[Capability]) -> Vec<WireCapability> {
    let wires = all.iter().filter_map(|one| wire(&one.type_url, &one.value));
    wires.map(|bytes| WireCapability { capabilities: BASE64.encode(bytes) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `gobgp -j neighbor 10.0.0.1` on worker of the article's lab.
    const RECORDED: &str = include_str!("../../../fixtures/recorded/gobgp-3.10/neighbor-of-worker.json");

    #[test]
    fn a_peer_reads_as_in_ciliums_api() {
        let answer: Value = serde_json::from_str(RECORDED).unwrap();
        // 8.766 s after it came up, as where Cilium's own answer was recorded.
        let read = peer(&answer, 1_795_634_788.766).unwrap();
        let json = serde_json::to_value(&read).unwrap();
        let uptime = json["uptime-nanoseconds"].as_u64().unwrap();
        assert!((8_765_000_000..8_767_000_000).contains(&uptime), "{uptime}");
        for (field, wanted) in [
            ("applied-hold-time-seconds", 9),
            ("applied-keep-alive-time-seconds", 3),
            ("configured-hold-time-seconds", 90),
            ("configured-keep-alive-time-seconds", 30),
            ("connect-retry-time-seconds", 120),
            ("ebgp-multihop-ttl", 1),
            ("local-asn", 65010),
            ("peer-asn", 65010),
            ("peer-port", 179),
        ] {
            assert_eq!(json[field], wanted, "{field}");
        }
        assert_eq!(json["session-state"], "established");
        assert_eq!(json["graceful-restart"], serde_json::json!({}));
        let ipv4 = serde_json::json!({"accepted": 11, "advertised": 1, "afi": "ipv4", "received": 11, "safi": "unicast"});
        assert_eq!(json["families"][0], ipv4);
        // Nothing is left of zeros but the names.
        assert_eq!(json["families"][1], serde_json::json!({"afi": "ipv6", "safi": "unicast"}));
        assert!(
            json["remote-capabilities"]
                .as_array()
                .unwrap()
                .contains(&serde_json::json!({"capabilities": "SQYEdG9yMAA="}))
        );
        let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert!(fields.is_sorted(), "{fields:?}");
    }

    #[test]
    fn gobgp_3_36_is_read_as_3_10_is() {
        let text = include_str!("../../../fixtures/recorded/gobgp-3.36/neighbor-of-worker.json");
        let read = peer(&serde_json::from_str(text).unwrap(), 1_795_636_612.0).unwrap();
        assert_eq!((read.session_state.as_str(), read.uptime_nanoseconds), ("established", 5_000_000_000));
        assert_eq!((read.families[0].received, read.families[0].advertised), (11, 1));
        let ours: Vec<&str> = read.local_capabilities.iter().map(|one| one.capabilities.as_str()).collect();
        // Its software version, which 3.10 did not tell.
        assert!(ours.contains(&"Sw0MR29CR1AvMy4zNi4w"), "{ours:?}");
    }

    #[test]
    fn a_session_that_is_down_has_no_uptime() {
        let answer = serde_json::json!({"conf": {"neighbor_address": "10.0.0.1", "local_asn": 1, "peer_asn": 2,
                "description": "{\"name\":\"tor0\"}"},
            "state": {"session_state": 3}, "timers": {"state": {"uptime": {"seconds": 5}}}});
        let read = peer(&answer, 100.0).unwrap();
        assert_eq!((read.session_state.as_str(), read.uptime_nanoseconds), ("active", 0));
        assert_eq!(read.name, "tor0");
        assert!(serde_json::to_value(&read).unwrap().get("uptime-nanoseconds").is_none());
    }

    proptest! {
        #[test]
        fn never_panics(number: u64, text in ".{0,8}") {
            let _ = peer(&serde_json::json!({"state": {"session_state": number, "local_cap": [{"type_url": text}]},
                "timers": {"state": {"uptime": {"seconds": number}}}}), 0.0);
            let _ = addresses(&serde_json::json!([{"conf": {"neighbor_address": text}}]));
        }
    }
}
