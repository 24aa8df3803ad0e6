//! What `gobgp -j` answers, GoBGP 3 and 4.
//!
//! The fourth has other ways to say two things: a capability is `{"Cap": {NAME: ...}}` instead of a typed message, and
//! whom a path came from is `peer-address` instead of `neighbor-ip`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The state of a session, in RFC 4271's words (section 8.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names are the RFC's
pub enum SessionState {
    Unknown,
    Idle,
    Connect,
    Active,
    OpenSent,
    OpenConfirm,
    Established,
}

impl SessionState {
    /// The word Cilium has for it.
    pub fn in_cilium(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Idle => "idle",
            Self::Connect => "connect",
            Self::Active => "active",
            Self::OpenSent => "open_sent",
            Self::OpenConfirm => "open_confirm",
            Self::Established => "established",
        }
    }

    /// GoBGP's number (api/gobgp.proto, PeerState.SessionState).
    pub(super) fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Idle,
            2 => Self::Connect,
            3 => Self::Active,
            4 => Self::OpenSent,
            5 => Self::OpenConfirm,
            6 => Self::Established,
            _ => Self::Unknown,
        }
    }
}

/// A neighbor as its speaker sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeighborState {
    /// Its address.
    pub address: IpAddr,
    /// The AS number it is configured with.
    pub asn: u32,
    /// The session's state.
    pub state: SessionState,
    /// The neighbor's BGP identifier, once it sent an OPEN.
    pub router_id: Option<String>,
    /// Negotiated hold time in seconds, once up.
    pub hold: Option<u64>,
    /// Keepalive interval in seconds, once up.
    pub keepalive: Option<u64>,
    /// Names of the capabilities we offer, in the order of the OPEN.
    pub offered: Vec<String>,
}

#[derive(Deserialize)]
struct RawNeighbor {
    conf: RawConf,
    #[serde(default)]
    state: RawState,
    #[serde(default)]
    timers: RawTimers,
}

#[derive(Deserialize)]
struct RawConf {
    neighbor_address: IpAddr,
    #[serde(default)]
    peer_asn: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawState {
    session_state: u64,
    router_id: Option<String>,
    local_cap: Vec<RawCapability>,
}

#[derive(Deserialize)]
struct RawCapability {
    #[serde(default)]
    type_url: String,
    #[serde(default, rename = "Cap")]
    named: BTreeMap<String, Value>,
}

impl RawCapability {
    /// Its name, the same for both: `MultiProtocol`, `FourOctetASN`.
    fn name(&self) -> String {
        let name = match self.named.keys().next() {
            Some(name) => name,
            None => self.type_url.rsplit('.').next().unwrap_or_default().trim_end_matches("Capability"),
        };
        if name == "FourOctetAsn" { "FourOctetASN".to_owned() } else { name.to_owned() }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawTimers {
    state: RawTimersState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawTimersState {
    keepalive_interval: Option<u64>,
    negotiated_hold_time: Option<u64>,
}

/// Reads the answer to `gobgp -j neighbor`.
///
/// # Errors
/// When it is not what GoBGP 3 or 4 prints.
pub fn neighbors(json: &[u8]) -> Result<Vec<NeighborState>, serde_json::Error> {
    let raw: Vec<RawNeighbor> = serde_json::from_slice(json)?;
    Ok(raw.into_iter().map(NeighborState::from).collect())
}

impl From<RawNeighbor> for NeighborState {
    fn from(raw: RawNeighbor) -> Self {
        Self {
            address: raw.conf.neighbor_address,
            asn: raw.conf.peer_asn,
            state: SessionState::from_number(raw.state.session_state),
            router_id: raw.state.router_id,
            hold: raw.timers.state.negotiated_hold_time,
            keepalive: raw.timers.state.keepalive_interval,
            offered: raw.state.local_cap.iter().map(RawCapability::name).collect(),
        }
    }
}

/// A speaker's routing table: the paths of each prefix.
pub type Rib = BTreeMap<IpNet, Vec<Path>>;

/// One path to a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Path {
    /// Whether it is the best.
    pub best: bool,
    /// ORIGIN: 0 IGP, 1 EGP, 2 incomplete (RFC 4271 section 5.1.1).
    pub origin: Option<u8>,
    /// NEXT_HOP, or the next hop of MP_REACH_NLRI; unspecified for a path of our own, which then goes out with the
    /// address its session uses.
    pub next_hop: Option<IpAddr>,
    /// LOCAL_PREF.
    pub local_preference: Option<u32>,
    /// Whom it came from; `None` for a path of our own.
    pub neighbor: Option<IpAddr>,
}

#[derive(Deserialize)]
struct RawPath {
    #[serde(default)]
    best: bool,
    #[serde(default)]
    attrs: Vec<RawAttribute>,
    #[serde(default, rename = "neighbor-ip", alias = "peer-address")]
    neighbor: Option<String>,
}

#[derive(Deserialize)]
struct RawAttribute {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    nexthop: Option<IpAddr>,
}

/// Reads the answer to `gobgp -j global rib`.
///
/// # Errors
/// When it is not what GoBGP 3 or 4 prints.
pub fn rib(json: &[u8]) -> Result<Rib, serde_json::Error> {
    let raw: BTreeMap<IpNet, Vec<RawPath>> = serde_json::from_slice(json)?;
    Ok(raw.into_iter().map(|(prefix, paths)| (prefix, paths.into_iter().map(Path::from).collect())).collect())
}

impl From<RawPath> for Path {
    fn from(raw: RawPath) -> Self {
        // Type codes of RFC 4271 and RFC 4760: ORIGIN 1, NEXT_HOP 3, LOCAL_PREF 5, MP_REACH_NLRI 14.
        let number =
            |kind: u8| raw.attrs.iter().find(|attr| attr.kind == kind).and_then(|attr| attr.value.as_u64());
        Self {
            best: raw.best,
            origin: number(1).and_then(|origin| u8::try_from(origin).ok()),
            next_hop: raw
                .attrs
                .iter()
                .filter(|attr| matches!(attr.kind, 3 | 14))
                .find_map(|attr| attr.nexthop),
            local_preference: number(5).and_then(|preference| u32::try_from(preference).ok()),
            neighbor: raw.neighbor.and_then(|address| address.parse().ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Recorded of one version.
    macro_rules! recorded {
        ($version:literal, $file:literal) => {
            include_bytes!(concat!("../../../../../fixtures/recorded/gobgp-", $version, "/", $file))
                .as_slice()
        };
    }

    // The order and the choice of the OPEN that cilium-agent 1.12.1 sends.
    const THEN: &[&str] =
        &["RouteRefresh", "Fqdn", "MultiProtocol", "MultiProtocol", "FourOctetASN", "ExtendedNexthop"];
    // Cilium 1.20-dev's has the software version too.
    const LATER: &[&str] = &[
        "RouteRefresh",
        "Fqdn",
        "SoftwareVersion",
        "MultiProtocol",
        "MultiProtocol",
        "FourOctetASN",
        "ExtendedNexthop",
    ];
    const FOURTH: &[&str] = &[
        "RouteRefresh",
        "Fqdn",
        "SoftwareVersion",
        "ExtendedMessage",
        "MultiProtocol",
        "MultiProtocol",
        "FourOctetASN",
        "ExtendedNexthop",
    ];

    #[rstest]
    #[case(recorded!("3.10", "neighbor-established.json"), THEN)]
    #[case(recorded!("3.36", "neighbor-established.json"), LATER)]
    #[case(recorded!("4.8", "neighbor-established.json"), FOURTH)]
    fn a_neighbor_that_is_up(#[case] recorded: &[u8], #[case] open: &[&str]) {
        let read = neighbors(recorded).unwrap();
        let [neighbor] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((neighbor.address, neighbor.asn), ("10.9.0.2".parse().unwrap(), 65010));
        assert_eq!(
            (neighbor.state, neighbor.hold, neighbor.keepalive),
            (SessionState::Established, Some(90), Some(30))
        );
        assert_eq!(neighbor.router_id.as_deref(), Some("10.9.0.2"));
        assert_eq!(neighbor.offered, open);
    }

    #[rstest]
    #[case(recorded!("3.10", "global-rib-ipv4.json"), recorded!("3.10", "global-rib-ipv6.json"))]
    #[case(recorded!("3.36", "global-rib-ipv4.json"), recorded!("3.36", "global-rib-ipv6.json"))]
    #[case(recorded!("4.8", "global-rib-ipv4.json"), recorded!("4.8", "global-rib-ipv6.json"))]
    fn routes_of_our_own(#[case] ipv4: &[u8], #[case] ipv6: &[u8]) {
        let read = rib(ipv4).unwrap();
        let path = &read[&"10.1.1.0/24".parse().unwrap()][0];
        assert_eq!((path.best, path.origin, path.neighbor), (true, Some(0), None));
        assert_eq!(path.next_hop, Some("0.0.0.0".parse().unwrap()));
        let read = rib(ipv6).unwrap();
        assert_eq!(read[&"fd00:1::/64".parse().unwrap()][0].next_hop, Some("::".parse().unwrap()));
        assert!(rib(b"{}").unwrap().is_empty());
    }

    #[rstest]
    #[case(recorded!("3.36", "global-rib-received.json"))]
    #[case(recorded!("4.8", "global-rib-received.json"))]
    fn a_route_of_a_neighbors(#[case] recorded: &[u8]) {
        let path = &rib(recorded).unwrap()[&"10.1.1.0/24".parse().unwrap()][0];
        assert_eq!(path.neighbor, "10.9.0.1".parse().ok());
        assert_eq!((path.next_hop, path.local_preference), ("10.9.0.1".parse().ok(), Some(100)));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = neighbors(text.as_bytes());
            let _ = rib(text.as_bytes());
        }
    }
}
