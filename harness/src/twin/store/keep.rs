//! The shelves: objects by collection, one counter of revisions for all of them.
//!
//! What lives here: get, list, create, replace, remove. Every change takes the next revision and leaves an event in the
//! collection's history. What does not: waiting for events (`watch`), or any opinion about what an object says.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch as signal;

use super::limits::Limits;
use super::object::{Collection, Key, Object, rendered, weight};
use super::watch::{Event, EventKind, Watch};

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Nothing is kept under that key.
    #[error("{0} is not there; list its collection to see what is")]
    Missing(Key),
    /// Something is kept under that key already.
    #[error("{0} is already there; replace it, or choose another name")]
    Exists(Key),
    /// The object has moved on since it was read.
    #[error("{key} is at revision {found}, not {expected}; read it again and repeat the change")]
    Stale {
        /// The object.
        key: Key,
        /// The revision the caller had seen.
        expected: u64,
        /// The revision it is at.
        found: u64,
    },
    /// The object is larger than an object may be.
    #[error("{key} is {size} bytes of JSON, and no object may be larger than {limit}; make it smaller")]
    TooLarge {
        /// The object.
        key: Key,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// There is no room for another object.
    #[error("there is no room for {0}: the cluster holds as much as it may; delete what is not needed")]
    Full(Key),
}

/// Objects in the order of namespace and name, and the revision the list stands for.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The objects.
    pub objects: Vec<Arc<Object>>,
    /// The store's revision when they were read: watch from here to miss nothing.
    pub revision: u64,
}

/// The place of an object in its collection: namespace, then name.
pub type Position = (String, String);

/// Objects, their revisions, their history. Cheap to clone: every clone is the same store.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) revision: u64,
    limits: Limits,
    /// What the objects that are there weigh.
    kept: usize,
    /// What everything that is remembered weighs.
    remembered: usize,
    shelves: HashMap<Collection, Shelf>,
}

#[derive(Debug)]
pub(super) struct Shelf {
    objects: BTreeMap<Position, Arc<Object>>,
    pub(super) events: VecDeque<Event>,
    /// What the events weigh.
    weight: usize,
    /// The revision of the last event that fell out of the history; 0 while none has.
    pub(super) forgotten: u64,
    pub(super) tip: signal::Sender<u64>,
}

impl Shelf {
    fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            events: VecDeque::new(),
            weight: 0,
            forgotten: 0,
            tip: signal::Sender::new(0),
        }
    }
}

impl Shelf {
    /// Forgets the oldest event but never the last one; the answer is what it weighed.
    fn forget(&mut self) -> Option<usize> {
        if self.events.len() < 2 {
            return None;
        }
        let old = self.events.pop_front()?;
        self.forgotten = old.object.revision;
        self.weight -= old.weight();
        Some(old.weight())
    }
}

impl Inner {
    pub(super) fn shelf(&mut self, collection: &Collection) -> &mut Shelf {
        self.shelves.entry(collection.clone()).or_insert_with(Shelf::new)
    }

    fn record(&mut self, key: &Key, kind: EventKind, object: &Arc<Object>, previous: Option<Arc<Object>>) {
        let limits = self.limits;
        self.kept += if kind == EventKind::Deleted { 0 } else { object.weight };
        self.kept = self.kept.saturating_sub(previous.as_ref().map_or(0, |old| old.weight));
        let event = Event { kind, object: Arc::clone(object), previous };
        self.remembered += event.weight();
        let shelf = self.shelf(&key.collection);
        shelf.weight += event.weight();
        shelf.events.push_back(event);
        let mut forgotten = 0;
        while shelf.events.len() > limits.events || shelf.weight > limits.collection {
            let Some(gone) = shelf.forget() else { break };
            forgotten += gone;
        }
        shelf.tip.send_replace(object.revision);
        self.remembered -= forgotten;
        while self.remembered > limits.history {
            let oldest = self.shelves.values_mut().filter(|shelf| shelf.events.len() > 1);
            let oldest = oldest.min_by_key(|shelf| shelf.events.front().map(|event| event.object.revision));
            let Some(gone) = oldest.and_then(Shelf::forget) else { break };
            self.remembered -= gone;
        }
    }

    /// Whether an object of this weight has room where one of weight `old` is, or none.
    fn has_room(&self, weight: usize, old: usize) -> bool {
        // What shrinks is always welcome: it is how room is made.
        weight <= old || self.kept - old + weight <= self.limits.objects
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    /// An empty store whose collections remember `events` changes each.
    pub fn with_history(events: usize) -> Self {
        Self::with_limits(Limits { events: events.max(1), ..Limits::default() })
    }

    /// An empty store with bounds of its own.
    pub fn with_limits(limits: Limits) -> Self {
        let (kept, remembered) = (0, 0);
        let inner = Inner { revision: 1, limits, kept, remembered, shelves: HashMap::new() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Whether the object is small enough to be kept; found out before the lock is taken.
    fn fits(&self, key: &Key, value: &Value) -> Result<usize, StoreError> {
        let limit = self.lock().limits.object;
        let weight = weight(value);
        // Escaping makes at most six bytes of one, so a light object need not be counted.
        if weight > limit / 6 {
            let size = rendered(value);
            if size > limit {
                return Err(StoreError::TooLarge { key: key.clone(), size, limit });
            }
        }
        Ok(weight)
    }

    /// Nothing under the lock runs foreign code, so a poisoned lock still guards whole data.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events each collection remembers, and what all of them weigh.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> (Vec<usize>, usize) {
        let inner = self.lock();
        let weighed =
            inner.shelves.values().flat_map(|shelf| &shelf.events).map(Event::weight).sum::<usize>();
        assert_eq!(weighed, inner.remembered, "the sum is kept");
        let objects = inner.shelves.values().flat_map(|shelf| shelf.objects.values());
        assert_eq!(objects.map(|object| object.weight).sum::<usize>(), inner.kept, "and that of the objects");
        (inner.shelves.values().map(|shelf| shelf.events.len()).collect(), weighed)
    }

    /// The revision of the last change.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<Arc<Object>> {
        let inner = self.lock();
        let shelf = inner.shelves.get(&key.collection)?;
        shelf.objects.get(&(key.namespace.clone(), key.name.clone())).cloned()
    }

    /// The objects of a collection, of one namespace or of all, those after `after` when it is given.
    pub fn list(
        &self,
        collection: &Collection,
        namespace: Option<&str>,
        after: Option<&Position>,
    ) -> Listing {
        let inner = self.lock();
        let revision = inner.revision;
        let Some(shelf) = inner.shelves.get(collection) else {
            return Listing { objects: Vec::new(), revision };
        };
        let start = match (after, namespace) {
            (Some(after), _) => Bound::Excluded(after.clone()),
            (None, Some(namespace)) => Bound::Included((namespace.to_owned(), String::new())),
            (None, None) => Bound::Unbounded,
        };
        let objects = shelf
            .objects
            .range((start, Bound::Unbounded))
            .take_while(|((ns, _), _)| namespace.is_none_or(|wanted| ns == wanted))
            .map(|(_, object)| Arc::clone(object))
            .collect();
        Listing { objects, revision }
    }

    /// Whether any collection has an object in the namespace.
    pub fn inhabited(&self, namespace: &str) -> bool {
        let inner = self.lock();
        let first = (namespace.to_owned(), String::new());
        inner.shelves.values().any(|shelf| {
            shelf.objects.range(first.clone()..).next().is_some_and(|((ns, _), _)| ns == namespace)
        })
    }

    /// Every collection that has an object in the namespace.
    pub fn collections_in(&self, namespace: &str) -> Vec<Collection> {
        let inner = self.lock();
        let first = (namespace.to_owned(), String::new());
        let has = |shelf: &Shelf| {
            shelf.objects.range(first.clone()..).next().is_some_and(|((ns, _), _)| ns == namespace)
        };
        let mut found: Vec<_> =
            inner.shelves.iter().filter(|(_, shelf)| has(shelf)).map(|(c, _)| c.clone()).collect();
        found.sort();
        found
    }

    /// The objects, of whatever collection, that name the object with this `uid` as an owner.
    pub fn owned_by(&self, uid: &str) -> Vec<(Key, Arc<Object>)> {
        let inner = self.lock();
        let owned = |object: &Object| {
            let owners = object.value["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == uid))
        };
        let shelves = inner.shelves.iter();
        let all =
            shelves.flat_map(|(of, shelf)| shelf.objects.iter().map(move |(at, object)| (of, at, object)));
        all.filter(|(_, _, object)| owned(object))
            .map(|(collection, (namespace, name), object)| {
                (collection.key(namespace, name), Arc::clone(object))
            })
            .collect()
    }

    /// Keeps a new object. `metadata.uid` and `metadata.creationTimestamp` are given when they are not there.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the key is taken, [`StoreError::TooLarge`], [`StoreError::Full`].
    pub fn create(&self, key: &Key, mut value: Value) -> Result<Arc<Object>, StoreError> {
        stamp(&mut value);
        let weight = self.fits(key, &value)?;
        let mut inner = self.lock();
        let revision = inner.revision + 1;
        let place = (key.namespace.clone(), key.name.clone());
        let shelf = inner.shelf(&key.collection);
        if shelf.objects.contains_key(&place) {
            return Err(StoreError::Exists(key.clone()));
        }
        if !inner.has_room(weight, 0) {
            return Err(StoreError::Full(key.clone()));
        }
        let object = Object::new(value, revision);
        inner.shelf(&key.collection).objects.insert(place, Arc::clone(&object));
        inner.revision = revision;
        inner.record(key, EventKind::Added, &object, None);
        Ok(object)
    }

    /// Replaces an object that is still at revision `expected`.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Stale`], [`StoreError::TooLarge`], [`StoreError::Full`].
    pub fn replace(&self, key: &Key, expected: u64, value: Value) -> Result<Arc<Object>, StoreError> {
        let weight = self.fits(key, &value)?;
        let mut inner = self.lock();
        let revision = inner.revision + 1;
        let place = (key.namespace.clone(), key.name.clone());
        let shelf = inner.shelf(&key.collection);
        let previous = current(shelf, key, &place, expected)?;
        if !inner.has_room(weight, previous.weight) {
            return Err(StoreError::Full(key.clone()));
        }
        let object = Object::new(value, revision);
        inner.shelf(&key.collection).objects.insert(place, Arc::clone(&object));
        inner.revision = revision;
        inner.record(key, EventKind::Modified, &object, Some(previous));
        Ok(object)
    }

    /// Removes an object that is still at revision `expected`; the answer is its last state, at the revision of its end.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Stale`].
    pub fn remove(&self, key: &Key, expected: u64) -> Result<Arc<Object>, StoreError> {
        let mut inner = self.lock();
        let revision = inner.revision + 1;
        let place = (key.namespace.clone(), key.name.clone());
        let shelf = inner.shelf(&key.collection);
        let previous = current(shelf, key, &place, expected)?;
        shelf.objects.remove(&place);
        let object = Object::new(previous.value.clone(), revision);
        inner.revision = revision;
        inner.record(key, EventKind::Deleted, &object, Some(previous));
        Ok(object)
    }

    /// Follows a collection: every change after revision `since`, of one namespace or of all.
    pub fn watch(&self, collection: &Collection, namespace: Option<&str>, since: u64) -> Watch {
        let tip = self.lock().shelf(collection).tip.subscribe();
        Watch::new(self.clone(), collection.clone(), namespace.map(str::to_owned), since, tip)
    }
}

fn current(shelf: &Shelf, key: &Key, place: &Position, expected: u64) -> Result<Arc<Object>, StoreError> {
    match shelf.objects.get(place) {
        None => Err(StoreError::Missing(key.clone())),
        Some(found) if found.revision != expected => {
            Err(StoreError::Stale { key: key.clone(), expected, found: found.revision })
        }
        Some(found) => Ok(Arc::clone(found)),
    }
}

fn stamp(value: &mut Value) {
    let Some(object) = value.as_object_mut() else { return };
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    let Some(metadata) = metadata.as_object_mut() else { return };
    if metadata.get("uid").is_none_or(Value::is_null) {
        metadata.insert("uid".into(), json!(uuid::Uuid::new_v4().to_string()));
    }
    if metadata.get("creationTimestamp").is_none_or(Value::is_null) {
        metadata.insert("creationTimestamp".into(), json!(now()));
    }
}

/// This moment as Kubernetes writes it: RFC 3339, UTC, whole seconds.
fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "default"}})
    }

    #[test]
    fn a_change_takes_the_next_revision_and_a_stale_one_is_refused() {
        let store = Store::new();
        let key = Collection::new("", "pods").key("default", "a");
        let made = store.create(&key, pod("a")).unwrap();
        assert_eq!(store.create(&key, pod("a")).unwrap_err(), StoreError::Exists(key.clone()));
        assert_eq!(made.meta("resourceVersion"), made.revision.to_string());
        assert!(!made.meta("uid").is_empty());
        let next = store.replace(&key, made.revision, pod("a")).unwrap();
        assert_eq!(next.revision, made.revision + 1);
        assert!(matches!(store.remove(&key, made.revision), Err(StoreError::Stale { .. })));
        let last = store.remove(&key, next.revision).unwrap();
        assert_eq!(last.revision, next.revision + 1);
        assert!(store.get(&key).is_none());
        assert_eq!(store.remove(&key, 1).unwrap_err(), StoreError::Missing(key));
    }

    #[test]
    fn a_list_is_ordered_and_can_go_on_after_a_position() {
        let store = Store::new();
        let pods = Collection::new("", "pods");
        for (ns, name) in [("b", "x"), ("a", "z"), ("a", "y")] {
            store.create(&pods.key(ns, name), json!({"metadata": {"name": name, "namespace": ns}})).unwrap();
        }
        let names = |l: Listing| l.objects.iter().map(|o| o.meta("name").to_owned()).collect::<Vec<_>>();
        assert_eq!(names(store.list(&pods, None, None)), ["y", "z", "x"]);
        assert_eq!(names(store.list(&pods, Some("a"), None)), ["y", "z"]);
        assert_eq!(names(store.list(&pods, Some("a"), Some(&("a".into(), "y".into())))), ["z"]);
        assert!(store.inhabited("a") && !store.inhabited("aa"));
        assert_eq!(store.collections_in("b"), [pods]);
    }
}
