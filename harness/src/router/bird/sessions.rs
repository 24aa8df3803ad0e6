//! The sessions among BIRD's protocols.
//!
//! BIRD knows its protocols by name; a session goes by what a lab calls it: the neighbor's address, or the interface of an
//! unnumbered one. `neighbor range fe80::/10` listens for an unnumbered neighbor, and what comes is a protocol of its own:
//! until then the range stands for it, by its protocol's name. So whoever calls that protocol as the interface always finds
//! the session under one key.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::control::Reply;
use super::protocols::{Channel, Protocol};
use super::reasons;
use crate::router::session::{Family, FamilyState, Session, SessionState, SessionType, Sessions};
use crate::router::traits::{PeerPulse, Pulse};

/// What `show status` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// `BIRD 2.0.12`.
    pub(super) version: String,
    /// The router's identifier.
    pub(super) router_id: Option<std::net::Ipv4Addr>,
    /// The clock that stamps everything else.
    pub(super) now: Option<NaiveDateTime>,
}

/// Reads the answer to `show status`.
pub(super) fn status(reply: &Reply) -> Status {
    let version = reply.under(&[1000]).next().unwrap_or_default().to_owned();
    let mut status = Status { version, ..Status::default() };
    for line in reply.under(&[1011]) {
        if let Some(id) = line.strip_prefix("Router ID is ") {
            status.router_id = id.parse().ok();
        } else if let Some(now) = line.strip_prefix("Current server time is ") {
            status.now = moment(now, None);
        }
    }
    status
}

/// A moment as BIRD writes it: `22:10:34.301` (today), `2026-11-24` (earlier), or both. Of a day alone the end is meant, so
/// that nothing seems older than it is.
fn moment(text: &str, now: Option<NaiveDateTime>) -> Option<NaiveDateTime> {
    let time = |text: &str| text.parse::<NaiveTime>().ok();
    let day = |text: &str| text.parse::<NaiveDate>().ok();
    match text.trim().split_once(' ') {
        Some((date, rest)) => Some(day(date)?.and_time(time(rest)?)),
        None => match (time(text), now) {
            (Some(time), Some(now)) => {
                let today = now.date().and_time(time);
                // Within the last hours, and yet later in the day than now: yesterday.
                Some(if today > now { today - chrono::Days::new(1) } else { today })
            }
            (Some(_), None) => None,
            (None, _) => Some(day(text)?.and_hms_opt(23, 59, 59)?),
        },
    }
}

/// How long ago a protocol came into its state.
fn since(protocol: &Protocol, now: Option<NaiveDateTime>) -> Option<Duration> {
    (now? - moment(&protocol.since, now)?).to_std().ok()
}

/// The sessions by key, each with its protocol. A range gives way to what came to it.
pub(super) fn by_key(protocols: &[Protocol]) -> BTreeMap<String, &Protocol> {
    let mut all: BTreeMap<String, &Protocol> = BTreeMap::new();
    for protocol in protocols.iter().filter(|protocol| protocol.is_bgp()) {
        let key = key(protocol);
        let waits = |protocol: &Protocol| protocol.fact("Neighbor range").is_some();
        let better = all.get(&key).is_none_or(|held| waits(held) || (!is_up(held) && is_up(protocol)));
        if better && !(all.contains_key(&key) && waits(protocol)) {
            all.insert(key, protocol);
        }
    }
    all
}

fn key(protocol: &Protocol) -> String {
    match protocol.neighbor() {
        (Some(_), Some(interface)) => interface.to_owned(),
        (Some(address), None) => address.to_string(),
        (None, _) => protocol.name.clone(),
    }
}

fn is_up(protocol: &Protocol) -> bool {
    protocol.fact("BGP state") == Some("Established")
}

/// Reads the sessions; how often each came and went is not among what BIRD says (`counts`).
pub(super) fn sessions(protocols: &[Protocol], now: Option<NaiveDateTime>) -> Sessions {
    by_key(protocols).into_iter().map(|(key, protocol)| (key.clone(), session(key, protocol, now))).collect()
}

fn session(key: String, protocol: &Protocol, now: Option<NaiveDateTime>) -> Session {
    let (address, interface) = protocol.neighbor();
    let state = state(protocol);
    let up = state == SessionState::Established;
    let age = since(protocol, now);
    let timer = |name: &str| protocol.fact(name).map(pair).unwrap_or_default();
    let local_as = protocol.number("Local AS").unwrap_or_default();
    let remote_as = protocol.number("Neighbor AS").filter(|number| *number != 0);
    let range = protocol.fact("Neighbor range").is_some();
    Session {
        interface: interface.map(str::to_owned).or_else(|| range.then(|| key.clone())),
        neighbor: key,
        handle: Some(protocol.name.clone()),
        address,
        local_address: protocol.fact("Source address").and_then(|text| text.parse::<IpAddr>().ok()),
        hostname: protocol.hostname.clone().filter(|_| up),
        remote_as,
        local_as,
        state,
        kind: kind(protocol, local_as, remote_as),
        remote_id: protocol.router_id(),
        hold: timer("Hold timer").1.filter(|_| up),
        keepalive: timer("Keepalive timer").1.filter(|_| up),
        configured_hold: None,
        configured_keepalive: None,
        connect_retry: None,
        next_connect: timer("Connect delay").0,
        next_start: timer("Error wait").0,
        uptime: age.filter(|_| up),
        established_count: u64::from(up),
        dropped_count: 0,
        last_reset: protocol.fact("Last error").map(|said| {
            let mut reset = reasons::reset(said);
            // A protocol starts anew when its session is lost.
            reset.ago = age.filter(|_| !up);
            reset
        }),
        peer_group: None,
        shutdown: protocol.state == "down",
        defers: false,
        families: protocol.channels.iter().map(|channel| family(channel, up)).collect(),
    }
}

/// BIRD adds two words of its own: a passive neighbor that is waited for is Active in RFC 4271's words, and one that was
/// switched off is Idle.
fn state(protocol: &Protocol) -> SessionState {
    match protocol.fact("BGP state").unwrap_or_default() {
        "Passive" => SessionState::Active,
        "Down" => SessionState::Idle,
        "Close" => SessionState::Clearing,
        word => SessionState::from_word(word),
    }
}

/// As negotiated; before that equal AS numbers decide. Of a range, whose neighbor's AS is not said, none are equal.
fn kind(protocol: &Protocol, local: u32, remote: Option<u32>) -> SessionType {
    let internal = match protocol.fact("Session").and_then(|text| text.split_whitespace().next()) {
        Some(word) => word == "internal",
        None => remote == Some(local),
    };
    if internal { SessionType::Internal } else { SessionType::External }
}

fn family(channel: &Channel, up: bool) -> (Family, FamilyState) {
    let name = match channel.name.as_str() {
        "ipv4" => Family::Ipv4Unicast,
        "ipv6" => Family::Ipv6Unicast,
        other => Family::Other(other.to_owned()),
    };
    let negotiated = up && channel.up;
    let state = FamilyState {
        negotiated,
        accepted: channel.imported,
        sent: negotiated.then_some(channel.exported),
        end_of_rib_received: false,
    };
    (name, state)
}

/// `7.681/9`: what is left of a timer, and its whole; a timer that does not run has a word in place of the first.
fn pair(text: &str) -> (Option<Duration>, Option<Duration>) {
    let seconds = |text: &str| Duration::try_from_secs_f64(text.trim().parse().ok()?).ok();
    match text.split_once('/') {
        Some((left, whole)) => (seconds(left), seconds(whole)),
        None => (seconds(text), None),
    }
}

/// The cheap answer: states, counts of routes, and counts of changes; no timers.
pub(super) fn pulse(protocols: &[Protocol]) -> Pulse {
    let mut pulse = Pulse::default();
    let bgp = |protocol: &&Protocol| protocol.is_bgp();
    for channel in protocols.iter().filter(bgp).flat_map(|protocol| &protocol.channels) {
        let (family, _) = family(channel, true);
        pulse.tables.entry(family).or_default();
    }
    // Whatever any protocol did to a table shows, also what is not BGP's.
    for channel in protocols.iter().flat_map(|protocol| &protocol.channels) {
        if let Some((version, entries)) = pulse.tables.get_mut(&family(channel, true).0) {
            *version = version.wrapping_add(channel.changes);
            *entries += channel.imported;
        }
    }
    for (key, protocol) in by_key(protocols) {
        for channel in &protocol.channels {
            let (family, counts) = family(channel, is_up(protocol));
            let peer = PeerPulse {
                state: state(protocol),
                established: 0,
                dropped: 0,
                received: counts.accepted,
                sent: counts.sent.unwrap_or_default(),
            };
            pulse.peers.insert((family, key.clone()), peer);
        }
    }
    pulse
}
