//! What `gobgp -j neighbor ADDRESS` and its tables say of one neighbor: times and numbers of routes.
//!
//! What lives here: what status displays need. The state of sessions is in `answers`.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::Value;

use super::answers::{Path, SessionState};
use crate::speakers::neighbor::{AfiSafi, ESTABLISHED, Neighbor};

/// One neighbor, for a status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The session's state.
    pub state: Option<SessionState>,
    /// The AS number it has: that of its OPEN, or that of the configuration.
    pub asn: Option<u32>,
    /// Negotiated hold time in seconds; 0 while it is not up.
    pub hold: u64,
    /// Keepalive interval in seconds; 0 while it is not up.
    pub keepalive: u64,
    /// Since when the session is up, in seconds since 1970.
    pub up_since: Option<u64>,
    /// Whether graceful restart is in force both ways.
    pub graceful_restart: bool,
    /// Routes that came from it, by address family in GoBGP's numbers (AFI, SAFI).
    pub received: BTreeMap<(u64, u64), u64>,
}

/// Reads the answer about one neighbor.
///
/// # Errors
/// When it is not what GoBGP prints.
pub fn standing(json: &[u8]) -> Result<Standing, serde_json::Error> {
    let value: Value = serde_json::from_slice(json)?;
    // An object for one neighbor; a list where the version answers all the same.
    let value = value.get(0).cloned().unwrap_or(value);
    let raw: Neighbor = serde_json::from_value(value)?;
    let up = raw.state.session_state == ESTABLISHED;
    let families = raw.afi_safis.iter().filter_map(|one| {
        let family = one.state.family.as_ref().or(one.config.family.as_ref())?;
        Some(((family.afi, family.safi), one.state.received))
    });
    let restart = |one: &AfiSafi| {
        let state = &one.mp_graceful_restart.state;
        state.received && state.advertised
    };
    let asn = [raw.state.peer_asn, raw.conf.peer_asn].into_iter().find(|asn| *asn > 0);
    let timers = &raw.timers.state;
    let in_force = |seconds: u64| if up { seconds } else { 0 };
    Ok(Standing {
        state: Some(SessionState::from_number(raw.state.session_state)),
        asn: asn.and_then(|asn| u32::try_from(asn).ok()),
        hold: in_force(timers.negotiated_hold_time),
        keepalive: in_force(timers.keepalive_interval),
        up_since: timers.uptime.as_ref().filter(|_| up).map(|uptime| uptime.seconds as u64),
        graceful_restart: raw.afi_safis.iter().any(restart),
        received: families.collect(),
    })
}

/// The number of prefixes in a table of which a path goes out or came in.
pub fn prefixes(table: &BTreeMap<IpNet, Vec<Path>>) -> usize {
    table.values().filter(|paths| !paths.is_empty()).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEIGHBORS: &[u8] =
        include_bytes!("../../../../../fixtures/recorded/gobgp-3.10/neighbor-established.json");

    #[test]
    fn a_neighbor_that_is_up() {
        let read = standing(NEIGHBORS).unwrap();
        assert_eq!((read.state, read.asn), (Some(SessionState::Established), Some(65010)));
        assert_eq!((read.hold, read.keepalive), (90, 30));
        assert!(read.up_since.is_some() && !read.graceful_restart);
        assert_eq!(read.received.keys().copied().collect::<Vec<_>>(), [(1, 1), (2, 1)]);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = standing(text.as_bytes());
        }
    }
}
