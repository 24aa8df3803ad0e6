//! How often each session came up and went down: BIRD keeps no count, so it is kept here, from what each reading says.
//!
//! A session that is up is known by its protocol and by since when it is up. Where that differs from the last reading, it was
//! lost in between, at least once. What happened before the first reading is not known, and is not counted.

use std::collections::BTreeMap;

use super::protocols::Protocol;
use super::sessions::by_key;
use crate::router::session::Sessions;

/// What was seen of one session.
#[derive(Debug, Clone, Default)]
struct Seen {
    established: u64,
    dropped: u64,
    /// Of the session that was up at the last reading: its protocol's name, and since when.
    up: Option<(String, String)>,
}

/// The counts of a router, by key of the session.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<String, Seen>);

impl Counts {
    /// Takes a reading, and puts the counts into its sessions.
    pub(super) fn take(&mut self, protocols: &[Protocol], sessions: &mut Sessions) {
        let by_key = by_key(protocols);
        // One that is not told of any more was lost, if it was up.
        for (key, seen) in self.0.iter_mut().filter(|(key, _)| !by_key.contains_key(*key)) {
            let _ = key;
            seen.dropped += u64::from(seen.up.take().is_some());
        }
        for (key, protocol) in by_key {
            let Some(session) = sessions.get_mut(&key) else { continue };
            let seen = self.0.entry(key).or_default();
            let up = session.is_up().then(|| (protocol.name.clone(), protocol.since.clone()));
            if up != seen.up {
                seen.dropped += u64::from(seen.up.is_some());
                seen.established += u64::from(up.is_some());
                seen.up = up;
            }
            (session.established_count, session.dropped_count) = (seen.established, seen.dropped);
        }
    }
}
