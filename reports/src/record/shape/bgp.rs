//! The shapes of what speaks BGP: a router's sessions, RIB and FIB, and Cilium's speakers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A state of kind `sessions`: all sessions of a router, by the key they are configured under (`net0`, `10.0.1.2`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Sessions")]
pub struct Sessions(pub BTreeMap<String, Session>);

/// One BGP session, as the router sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Session {
    /// The key, once more.
    pub neighbor: String,
    /// The interface, for an unnumbered neighbor.
    pub interface: Option<String>,
    /// What the router's own commands call it, where that is not the key (BIRD: the protocol's name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The neighbor's address; null for an unnumbered neighbor that was not heard of yet.
    pub address: Option<String>,
    /// The router's end of the TCP connection, while there is one.
    pub local_address: Option<String>,
    /// The name the peer gave in its OPEN.
    pub hostname: Option<String>,
    /// The peer's AS number; null when it was never heard and is not configured as a number.
    pub remote_as: Option<u32>,
    /// The router's AS number on this session.
    pub local_as: u32,
    /// Where the session stands: `Idle`, `Connect`, `Active`, `OpenSent`, `OpenConfirm`, `Established` (RFC 4271), or
    /// FRR's `Clearing`, `Deleted`, or `Unknown`.
    pub state: String,
    /// `internal` or `external`, as configured.
    pub kind: String,
    /// The peer's BGP identifier; null while the session is down.
    pub remote_id: Option<String>,
    /// The hold time in force; null unless Established.
    pub hold: Option<Span>,
    /// The keepalive interval in force; null unless Established.
    pub keepalive: Option<Span>,
    /// The hold time configured on this side.
    pub configured_hold: Option<Span>,
    /// The keepalive interval configured on this side.
    pub configured_keepalive: Option<Span>,
    /// The connect retry time configured on this side.
    pub connect_retry: Option<Span>,
    /// How long until the next attempt to connect, where that timer runs.
    pub next_connect: Option<Span>,
    /// How long until it leaves Idle, where that timer runs.
    pub next_start: Option<Span>,
    /// How long it has been Established; null when it is not.
    pub uptime: Option<Span>,
    /// How many times it came up.
    pub established_count: u64,
    /// How many times it went down.
    pub dropped_count: u64,
    /// How it was lost the last time, or, before the first time, what it is waiting for.
    pub last_reset: Option<Reset>,
    /// The peer group it belongs to.
    pub peer_group: Option<String>,
    /// Whether it is shut down by configuration.
    pub shutdown: bool,
    /// Whether the router may defer its choice of routes after it was restarted (RFC 4724, section 4.1).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub defers: bool,
    /// The address families that are configured: `Ipv4Unicast`, `Ipv6Unicast`, or the router's own word.
    pub families: BTreeMap<String, Family>,
}

/// A length of time: the sum of its two fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Whole seconds.
    pub secs: u64,
    /// Nanoseconds beside them.
    pub nanos: u32,
}

/// How a session was lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Reset {
    /// The router's own reason.
    pub reason: String,
    /// The NOTIFICATION behind it (`Cease/Peer De-configured`), when there was one.
    pub notification: Option<String>,
    /// Error code and subcode of that NOTIFICATION (RFC 4271, section 6.1).
    pub code: Option<(u8, u8)>,
    /// How long ago, when it was read.
    pub ago: Option<Span>,
}

/// One address family of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Family {
    /// Whether both ends announced it in their OPEN; false while the session is down.
    pub negotiated: bool,
    /// Prefixes received and kept by the policy.
    pub accepted: u64,
    /// Prefixes sent; null while the session is down.
    pub sent: Option<u64>,
    /// Whether the peer's end-of-RIB marker was received (RFC 4724, section 2).
    pub end_of_rib_received: bool,
}

/// A state of kind `rib`: the BGP table of a router, IPv4 and IPv6 unicast together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Rib {
    /// The router's AS number; 0 when it runs no BGP.
    pub local_as: u32,
    /// The router's BGP identifier.
    pub router_id: Option<String>,
    /// Every prefix with its paths, in the router's order.
    pub routes: BTreeMap<String, Vec<RibPath>>,
}

/// One path of the BGP table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RibPath {
    /// Whether it is the one the router chose.
    pub best: bool,
    /// Whether it could be chosen.
    pub valid: bool,
    /// Whether it is used beside the best one (ECMP).
    pub multipath: bool,
    /// ORIGIN: `igp`, `egp` or `incomplete`.
    pub origin: Option<String>,
    /// AS_PATH, nearest first.
    pub as_path: Vec<u32>,
    /// Next hops, as the router lists them.
    pub next_hops: Vec<NextHop>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Weight: local to the router.
    pub weight: u32,
    /// Who said it.
    pub peer: PathPeer,
    /// `local`, `internal` or `external`.
    pub source: String,
    /// Communities, standard then large.
    pub communities: Vec<String>,
    /// Why the router prefers it, in its words.
    pub why_best: Option<String>,
}

/// A next hop of a path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NextHop {
    /// The address; unspecified for a path sourced on the router.
    pub ip: String,
    /// The interface, where it is known.
    pub interface: Option<String>,
    /// Whether it is the one of a pair that is forwarded by.
    pub used: bool,
    /// Whether the router can reach it; null where it does not say.
    pub accessible: Option<bool>,
}

/// Who told a router of a path; all null for one sourced on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PathPeer {
    /// The neighbor's address.
    pub address: Option<String>,
    /// The key of the session.
    pub neighbor: Option<String>,
    /// The name the peer gave in its OPEN.
    pub hostname: Option<String>,
}

/// A state of kind `fib`: the main table of a router's kernel, IPv4 and IPv6 together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Fib {
    /// Every prefix with its routes, the one in force first.
    pub routes: BTreeMap<String, Vec<KernelRoute>>,
}

/// A route of a kernel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KernelRoute {
    /// Who put it there, by iproute2's names: `bgp`, `kernel`, `static`.
    pub protocol: String,
    /// What it does: `unicast`, `blackhole`, `unreachable`, `prohibit` or `other`.
    pub kind: String,
    /// Metric: the lower wins.
    pub metric: u32,
    /// The source address of the box's own packets.
    pub source: Option<String>,
    /// Where it leads; none for a route that drops.
    pub next_hops: Vec<KernelHop>,
}

/// Where a kernel's route leads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KernelHop {
    /// The next router; null when the destination is on the link.
    pub via: Option<String>,
    /// The interface.
    pub dev: Option<String>,
}

/// A state of kind `speaker`: Cilium's agent on a cluster node, and what it speaks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Speaker {
    /// Whether the agent has acted on the policies at least once; null where it does not say.
    pub running: Option<bool>,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
    /// Why something is not spoken though nothing is wrong, one sentence each.
    pub silences: Vec<String>,
    /// Its speakers, one per virtual router.
    pub speakers: Vec<Announcer>,
}

/// One BGP speaker of Cilium's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Announcer {
    /// Its AS number; null where it does not say.
    pub asn: Option<u32>,
    /// The name of its instance in the second BGP API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Its BGP identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router_id: Option<String>,
    /// The port it listens on, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_port: Option<u16>,
    /// Whether its gobgpd runs.
    pub running: bool,
    /// How often gobgpd had to be started again after it ended by itself.
    pub restarts: u32,
    /// The prefixes it advertises.
    pub advertised: Vec<String>,
    /// Its peers.
    pub peers: Vec<AnnouncerPeer>,
}

/// A peer of one of Cilium's speakers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AnnouncerPeer {
    /// Its address.
    pub address: String,
    /// The box that has this address, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The AS number it must have; 0 for any.
    pub remote_as: u32,
    /// `established` or `down`; on clusters of others, Cilium's own word for the state.
    pub state: String,
    /// For how many seconds it has been established.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<f64>,
    /// How often it came up.
    pub established_count: u32,
    /// Why it last went down, in GoBGP's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reset: Option<String>,
    /// The address families that are offered to it: `ipv4/unicast`.
    pub families: Vec<String>,
    /// How many prefixes were sent to it, by family, where that is told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sent: BTreeMap<String, u32>,
    /// How many came from it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub received: BTreeMap<String, u32>,
}

/// Whether a router's words for why it prefers a path ([`RibPath::why_best`]) are those that FRR has when everything else is
/// equal. Between paths of eBGP the one heard first stays (RFC 5004); of two heard in one moment the router IDs decide. Either
/// way another start may choose otherwise.
pub fn is_last_reason(why: &str) -> bool {
    ["older path", "router id", "cluster length", "neighbor ip"]
        .iter()
        .any(|last| why.eq_ignore_ascii_case(last))
}
