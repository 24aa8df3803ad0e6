//! What changed from one reading to the next, with the time it was seen: the story of a router for the record.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Snapshot;
use crate::router::fib::Fib;
use crate::router::rib::Rib;
use crate::router::session::{Session, SessionState, Sessions};

/// The oldest changes are forgotten beyond this many.
const KEPT: usize = 1024;

/// Something that changed on a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When it was seen: at most one tick (50 ms) after it happened.
    pub at: DateTime<Utc>,
    /// What it was.
    pub what: What,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum What {
    /// A session changed its state. Two flaps within one tick are one change; the counters in the session tell.
    Session {
        /// The session's key.
        neighbor: String,
        /// From this state; `None` when the neighbor was not configured before.
        from: Option<SessionState>,
        /// To this state; `None` when the neighbor is not configured any more.
        to: Option<SessionState>,
        /// The router's reason, for a session that was lost.
        reason: Option<String>,
    },
    /// A prefix entered (or left) the BGP table.
    Rib {
        /// The prefix.
        prefix: IpNet,
        /// False when it left.
        present: bool,
        /// Where its best path comes from.
        from: Option<String>,
    },
    /// The paths to a prefix changed.
    RibPaths {
        /// The prefix.
        prefix: IpNet,
        /// Where its best path comes from now.
        from: Option<String>,
    },
    /// A prefix entered (or left) the kernel's table.
    Fib {
        /// The prefix.
        prefix: IpNet,
        /// False when it left.
        present: bool,
    },
    /// The kernel's way to a prefix changed.
    FibRoute {
        /// The prefix.
        prefix: IpNet,
    },
    /// The router stopped answering.
    Lost {
        /// Why.
        why: String,
    },
    /// The router answers again, or for the first time.
    Answers,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session { neighbor, from, to, reason } => {
                let word = |state: &Option<SessionState>| {
                    state.map_or_else(|| "not configured".to_owned(), |state| state.to_string())
                };
                write!(f, "session {neighbor}: {} -> {}", word(from), word(to))?;
                reason.iter().try_for_each(|reason| write!(f, " ({reason})"))
            }
            Self::Rib { prefix, present: true, from } => {
                write!(f, "{prefix} entered the BGP table")?;
                from.iter().try_for_each(|from| write!(f, ", from {from}"))
            }
            Self::Rib { prefix, present: false, .. } => write!(f, "{prefix} left the BGP table"),
            Self::RibPaths { prefix, from } => {
                write!(f, "the paths to {prefix} changed")?;
                from.iter().try_for_each(|from| write!(f, ", the best is from {from}"))
            }
            Self::Fib { prefix, present: true } => write!(f, "{prefix} entered the kernel's table"),
            Self::Fib { prefix, present: false } => write!(f, "{prefix} left the kernel's table"),
            Self::FibRoute { prefix } => write!(f, "the kernel's way to {prefix} changed"),
            Self::Lost { why } => write!(f, "the router stopped answering: {why}"),
            Self::Answers => f.write_str("the router answers"),
        }
    }
}

/// The last changes.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Change>);

impl History {
    pub(super) fn extend(&mut self, list: Vec<What>) {
        let at = Utc::now();
        self.0.extend(list.into_iter().map(|what| Change { at, what }));
        let excess = self.0.len().saturating_sub(KEPT);
        self.0.drain(..excess);
    }

    pub(super) fn last(&self) -> Option<Change> {
        self.0.back().cloned()
    }

    pub(super) fn all(&self) -> Vec<Change> {
        self.0.iter().cloned().collect()
    }
}

/// The outcome of a comparison.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changes {
    /// Nothing but clocks moved.
    None,
    /// Something moved; the list holds what of it is worth telling, and may be empty (a counter of prefixes).
    These(Vec<What>),
}

/// Compares two readings.
pub(super) fn compare(before: &Snapshot, after: &Snapshot) -> Changes {
    let mut list = Vec::new();
    let mut moved = false;
    moved |= part(&before.sessions, &after.sessions, &mut list, true, sessions);
    moved |= part(&before.rib, &after.rib, &mut list, false, rib);
    moved |= part(&before.fib, &after.fib, &mut list, false, fib);
    if moved { Changes::These(list) } else { Changes::None }
}

/// Compares one part. A part that was unreadable is compared against nothing at all, so that what is found when the
/// router is back is told; the sessions speak for the whole router when it is lost.
fn part<T: Default>(
    before: &Result<std::sync::Arc<T>, String>,
    after: &Result<std::sync::Arc<T>, String>,
    list: &mut Vec<What>,
    speaks: bool,
    differences: fn(&T, &T, &mut Vec<What>) -> bool,
) -> bool {
    match (before, after) {
        (Ok(before), Ok(after)) => differences(before, after, list),
        (Err(_), Ok(after)) => {
            list.extend(speaks.then_some(What::Answers));
            differences(&T::default(), after, list);
            true
        }
        (Ok(_), Err(why)) => {
            list.extend(speaks.then(|| What::Lost { why: why.clone() }));
            true
        }
        (Err(before), Err(after)) => before != after,
    }
}

fn sessions(before: &Sessions, after: &Sessions, list: &mut Vec<What>) -> bool {
    let mut moved = false;
    for key in keys(before, after) {
        let (old, new) = (before.get(key), after.get(key));
        if old.map(Session::without_clocks) == new.map(Session::without_clocks) {
            continue;
        }
        moved = true;
        let (from, to) = (old.map(|s| s.state), new.map(|s| s.state));
        if from != to {
            let lost = from == Some(SessionState::Established);
            let reason = new.filter(|_| lost).and_then(|s| s.last_reset.as_ref()).map(ToString::to_string);
            list.push(What::Session { neighbor: key.clone(), from, to, reason });
        }
    }
    moved
}

fn rib(before: &Rib, after: &Rib, list: &mut Vec<What>) -> bool {
    let mut moved = (before.local_as, before.router_id) != (after.local_as, after.router_id);
    for prefix in keys(&before.routes, &after.routes) {
        let (old, new) = (before.routes.get(prefix), after.routes.get(prefix));
        if old == new {
            continue;
        }
        moved = true;
        let prefix = *prefix;
        let from = after.best(&prefix).map(|best| best.peer.to_string());
        list.push(match (old, new) {
            (Some(_), Some(_)) => What::RibPaths { prefix, from },
            (_, new) => What::Rib { prefix, present: new.is_some(), from },
        });
    }
    moved
}

fn fib(before: &Fib, after: &Fib, list: &mut Vec<What>) -> bool {
    let mut moved = false;
    for prefix in keys(&before.routes, &after.routes) {
        let (old, new) = (before.routes.get(prefix), after.routes.get(prefix));
        if old == new {
            continue;
        }
        moved = true;
        let prefix = *prefix;
        list.push(match (old, new) {
            (Some(_), Some(_)) => What::FibRoute { prefix },
            (_, new) => What::Fib { prefix, present: new.is_some() },
        });
    }
    moved
}

/// The keys of both, in order, each once.
fn keys<'a, K: Ord, V>(before: &'a BTreeMap<K, V>, after: &'a BTreeMap<K, V>) -> Vec<&'a K> {
    let mut keys: Vec<&K> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    keys
}
