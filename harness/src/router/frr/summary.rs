//! `show bgp summary json`: small enough to be asked twenty times a second.

use serde_json::Value;

use super::lenient;
use crate::router::session::{Family, SessionState};
use crate::router::traits::{PeerPulse, Pulse};

/// Reads the answer; clocks and message counters are left out on purpose.
pub(in crate::router) fn pulse(answer: &Value) -> Pulse {
    let mut pulse = Pulse::default();
    let Some(families) = answer.as_object() else { return pulse };
    for (name, value) in families {
        let Some(fields) = value.as_object() else { continue };
        let family = Family::from_word(name);
        let version = lenient::number(fields.get("tableVersion")).unwrap_or_default();
        let entries = lenient::number(fields.get("ribCount")).unwrap_or_default();
        pulse.tables.insert(family.clone(), (version, entries));
        for (neighbor, peer) in lenient::object(fields, "peers").into_iter().flatten() {
            let Some(peer) = peer.as_object() else { continue };
            let count = |name: &str| lenient::number(peer.get(name)).unwrap_or_default();
            let state = SessionState::from_word(lenient::text(peer, "state").unwrap_or_default());
            let peer = PeerPulse {
                state,
                established: count("connectionsEstablished"),
                dropped: count("connectionsDropped"),
                received: count("pfxRcd"),
                sent: count("pfxSnt"),
            };
            pulse.peers.insert((family.clone(), neighbor.clone()), peer);
        }
    }
    pulse
}
