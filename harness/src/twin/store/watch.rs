//! Watching: a cursor into a collection's bounded history.
//!
//! What lives here: events and the wait for them. The history is the only buffer there is: a watcher keeps a number,
//! not a queue, so a slow one costs nothing and is told [`TooOld`] once the history has moved past it. What does not:
//! selectors and framing (`api`).

use std::sync::Arc;

use tokio::sync::watch as signal;

use super::keep::Store;
use super::object::{Collection, Object};

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It was not there before.
    Added,
    /// It was there before and is different now.
    Modified,
    /// It is not there any more.
    Deleted,
}

/// One change of one object.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after the change; for a deletion its last state, at the revision of the deletion.
    pub object: Arc<Object>,
    /// The object before the change: a selector that matched then and does not now makes a deletion of a change.
    pub previous: Option<Arc<Object>>,
}

impl Event {
    /// What keeping it costs, in bytes of memory. The object before is counted too: it may be kept by nothing else.
    pub(super) fn weight(&self) -> usize {
        self.object.weight + self.previous.as_ref().map_or(0, |old| old.weight)
    }
}

/// The history no longer reaches back to where the watcher stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "revision {asked} is no longer in the history, which begins after {oldest}; list again and watch from there"
)]
pub struct TooOld {
    /// Where the watcher stands.
    pub asked: u64,
    /// The last revision that was forgotten.
    pub oldest: u64,
}

/// How many events one wait hands out at most; the rest follow with the next.
const BATCH: usize = 256;
/// How much they may weigh together, in bytes, so that a watcher that stops reading holds on to no more than this. The last
/// one may be over it.
const HEAVY: usize = 1 << 20;

/// A place in a collection's history.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    collection: Collection,
    namespace: Option<String>,
    cursor: u64,
    tip: signal::Receiver<u64>,
}

impl Watch {
    pub(super) fn new(
        store: Store,
        collection: Collection,
        namespace: Option<String>,
        since: u64,
        tip: signal::Receiver<u64>,
    ) -> Self {
        Self { store, collection, namespace, cursor: since, tip }
    }

    /// The next events, oldest first, at least one. Safe to drop and call again: the cursor moves only with the answer.
    ///
    /// # Errors
    /// [`TooOld`] when events after the cursor have been forgotten.
    pub async fn next(&mut self) -> Result<Vec<Event>, TooOld> {
        loop {
            self.tip.mark_unchanged();
            let events = self.ready()?;
            if !events.is_empty() {
                return Ok(events);
            }
            if self.tip.changed().await.is_err() {
                // The shelf lives as long as the store, which this watch holds: there is always a sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The events that are there already, perhaps none.
    ///
    /// # Errors
    /// [`TooOld`] as for [`Watch::next`].
    pub fn ready(&mut self) -> Result<Vec<Event>, TooOld> {
        let mut inner = self.store.lock();
        let shelf = inner.shelf(&self.collection);
        if self.cursor < shelf.forgotten {
            return Err(TooOld { asked: self.cursor, oldest: shelf.forgotten });
        }
        let from = shelf.events.partition_point(|event| event.object.revision <= self.cursor);
        let mut found = Vec::new();
        let mut weight = 0;
        for event in shelf.events.range(from..) {
            if found.len() == BATCH || weight >= HEAVY {
                break;
            }
            self.cursor = event.object.revision;
            if self.namespace.as_deref().is_none_or(|ns| event.object.meta("namespace") == ns) {
                weight += event.weight();
                found.push(event.clone());
            }
        }
        Ok(found)
    }

    /// A revision up to which this watcher has seen everything, as new as can be; `None` while events are waiting.
    pub fn bookmark(&mut self) -> Option<u64> {
        let mut inner = self.store.lock();
        let revision = inner.revision;
        let last = inner.shelf(&self.collection).events.back().map_or(0, |event| event.object.revision);
        if last > self.cursor {
            return None;
        }
        self.cursor = self.cursor.max(revision);
        Some(self.cursor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(n: u32) -> serde_json::Value {
        json!({"metadata": {"name": "a", "namespace": "default"}, "n": n})
    }

    #[tokio::test]
    async fn a_watcher_sees_every_change_once_and_bookmarks_reach_the_store() {
        let store = Store::new();
        let pods = Collection::new("", "pods");
        let key = pods.key("default", "a");
        let mut watch = store.watch(&pods, None, store.revision());
        let mut elsewhere = store.watch(&pods, Some("other"), store.revision());
        let one = store.create(&key, value(1)).unwrap();
        let two = store.replace(&key, one.revision, value(2)).unwrap();
        assert_eq!(watch.bookmark(), None);
        let seen = watch.next().await.unwrap();
        assert_eq!(seen.iter().map(|e| e.object.revision).collect::<Vec<_>>(), [one.revision, two.revision]);
        assert_eq!(seen[1].previous.as_ref().unwrap().revision, one.revision);
        assert_eq!(watch.bookmark(), Some(two.revision));
        assert!(elsewhere.ready().unwrap().is_empty());
        let waiting = tokio::spawn(async move { watch.next().await.map(|e| e[0].kind) });
        store.remove(&key, two.revision).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(EventKind::Deleted));
    }

    #[test]
    fn a_watcher_behind_the_history_is_cut_off() {
        let store = Store::with_history(2);
        let pods = Collection::new("", "pods");
        let key = pods.key("default", "a");
        let mut slow = store.watch(&pods, None, store.revision());
        let mut last = store.create(&key, value(0)).unwrap();
        for n in 1..4 {
            last = store.replace(&key, last.revision, value(n)).unwrap();
        }
        let error = slow.ready().unwrap_err();
        assert_eq!(error.oldest, last.revision - 2);
        assert_eq!(store.watch(&pods, None, last.revision - 2).ready().unwrap().len(), 2);
    }
}
