//! A BGP session as one router sees it. No parsing here: each router's words are read in its own folder.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All sessions of a router, by the key they are configured under (`net0`, `10.0.1.2`).
pub type Sessions = BTreeMap<String, Session>;

/// Where the finite state machine of a session stands (RFC 4271, section 8.2.2, and two words of FRR's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SessionState {
    /// Nothing is tried: no address yet, shut down, or waiting for the start timer.
    Idle,
    /// A TCP connection is under way.
    Connect,
    /// The last TCP connection failed; waiting for the connect timer or for the other side to dial.
    Active,
    /// OPEN was sent.
    OpenSent,
    /// OPEN was received; waiting for the first KEEPALIVE.
    OpenConfirm,
    /// Routes flow.
    Established,
    /// FRR: the session is being cleared.
    Clearing,
    /// FRR: the neighbor was taken out of the configuration.
    Deleted,
    /// A word we do not know.
    Unknown,
}

impl SessionState {
    /// Reads FRR's word for a state; a word nobody knows becomes [`SessionState::Unknown`].
    pub fn from_word(word: &str) -> Self {
        // The summary adds the reason behind it: `Idle (Admin)`, `Idle (PfxCt)`.
        match word.split_whitespace().next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "idle" => Self::Idle,
            "connect" => Self::Connect,
            "active" => Self::Active,
            "opensent" => Self::OpenSent,
            "openconfirm" => Self::OpenConfirm,
            "established" => Self::Established,
            "clearing" => Self::Clearing,
            "deleted" => Self::Deleted,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Whether both ends are in one AS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionType {
    /// iBGP.
    Internal,
    /// eBGP.
    External,
}

/// What kind of routes a session carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4 unicast (AFI 1, SAFI 1).
    Ipv4Unicast,
    /// IPv6 unicast (AFI 2, SAFI 1).
    Ipv6Unicast,
    /// Any other, by the router's own name (`l2VpnEvpn`).
    #[serde(untagged)]
    Other(String),
}

impl Family {
    /// Reads FRR's name of a family (`ipv4Unicast`, `IPv4 Unicast`).
    pub fn from_word(word: &str) -> Self {
        match word.replace([' ', '-', '_'], "").to_ascii_lowercase().as_str() {
            "ipv4unicast" => Self::Ipv4Unicast,
            "ipv6unicast" => Self::Ipv6Unicast,
            _ => Self::Other(word.to_owned()),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4Unicast => f.write_str("ipv4 unicast"),
            Self::Ipv6Unicast => f.write_str("ipv6 unicast"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

/// One family of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyState {
    /// True when both ends announced the family in their OPEN (RFC 4760). False while the session is down.
    pub negotiated: bool,
    /// Prefixes received and kept by the policy.
    pub accepted: u64,
    /// Prefixes sent; `None` while the session is down.
    pub sent: Option<u64>,
    /// The peer's end-of-RIB marker was received (RFC 4724, section 2). BIRD does not say: false.
    pub end_of_rib_received: bool,
}

/// How a session was lost the last time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reset {
    /// The router's own reason (`Peer closed the session`, `Hold Timer Expired`, `BGP Notification received`).
    pub reason: String,
    /// The NOTIFICATION behind it (`Cease/Peer De-configured`), when there was one.
    pub notification: Option<String>,
    /// Error code and subcode of that NOTIFICATION (RFC 4271, section 6.1).
    pub code: Option<(u8, u8)>,
    /// How long ago, when it was read.
    pub ago: Option<Duration>,
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.notification {
            Some(notification) => write!(f, "{} ({notification})", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// One BGP session. Durations have the router's own resolution (FRR: whole seconds in most fields).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The key as configured: an interface (`net0`) or an address (`10.0.1.2`).
    pub neighbor: String,
    /// The interface, for an unnumbered neighbor.
    pub interface: Option<String>,
    /// What the router's own commands call it, where that is not the key (BIRD: the protocol's name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// The neighbor's address; `None` for an unnumbered neighbor that was not heard of yet.
    pub address: Option<IpAddr>,
    /// Our end of the TCP connection, while there is one.
    pub local_address: Option<IpAddr>,
    /// The name the peer gave in its OPEN (FQDN capability).
    pub hostname: Option<String>,
    /// The peer's AS; `None` when it was never heard and is not configured as a number.
    pub remote_as: Option<u32>,
    /// Our AS on this session.
    pub local_as: u32,
    /// Where the session stands.
    pub state: SessionState,
    /// iBGP or eBGP, as configured.
    pub kind: SessionType,
    /// The peer's BGP identifier; `None` while the session is down.
    pub remote_id: Option<Ipv4Addr>,
    /// Hold time in force; negotiated (RFC 4271, section 4.2) and therefore `None` unless Established.
    pub hold: Option<Duration>,
    /// Keepalive interval in force; `None` unless Established.
    pub keepalive: Option<Duration>,
    /// Hold time configured on our side.
    pub configured_hold: Option<Duration>,
    /// Keepalive interval configured on our side.
    pub configured_keepalive: Option<Duration>,
    /// Connect retry time configured on our side (`timers connect`).
    pub connect_retry: Option<Duration>,
    /// The connect timer that is running now: how long until the next attempt, when it was read.
    pub next_connect: Option<Duration>,
    /// The start timer that is running now (a session in Idle): how long until it leaves Idle, when it was read.
    pub next_start: Option<Duration>,
    /// How long the session has been Established; `None` when it is not.
    pub uptime: Option<Duration>,
    /// How many times it came up. FRR counts; for BIRD, which does not, what was seen to happen is counted.
    pub established_count: u64,
    /// How many times it went down, counted in the same way.
    pub dropped_count: u64,
    /// How it was lost the last time, or, before the first time, what it is waiting for.
    pub last_reset: Option<Reset>,
    /// The peer group it belongs to.
    pub peer_group: Option<String>,
    /// True when it is shut down by configuration.
    pub shutdown: bool,
    /// True when the router may defer its choice of routes after it was restarted, to wait for its neighbors (RFC 4724,
    /// section 4.1): it is configured to restart gracefully.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub defers: bool,
    /// The address families that are configured.
    pub families: BTreeMap<Family, FamilyState>,
}

impl Session {
    /// True in state Established.
    pub fn is_up(&self) -> bool {
        self.state == SessionState::Established
    }

    /// The same session without what changes while nothing happens (uptimes, running timers), to compare two readings.
    #[must_use]
    pub fn without_clocks(&self) -> Self {
        let mut still = self.clone();
        still.uptime = None;
        still.next_connect = None;
        still.next_start = None;
        if let Some(reset) = &mut still.last_reset {
            reset.ago = None;
        }
        still
    }
}
