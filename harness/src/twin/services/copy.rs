//! A copy of what the API server has of one kind, kept up to date by a watch.
//!
//! What lives here: the copy, and waiting for its next change. What does not: what is done with it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use kube::ResourceExt;
use kube::api::Api;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use serde::de::DeserializeOwned;

/// Namespace and name; no namespace for cluster-wide kinds.
pub(super) type Key = (String, String);

/// The key of an object.
pub(super) fn key<K: ResourceExt>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// All objects of a kind.
pub(super) struct Copy<K> {
    /// In a mutex that is never locked: it makes a copy shareable, which a stream alone is not.
    events: Mutex<BoxStream<'static, Result<Event<K>, Error>>>,
    current: BTreeMap<Key, K>,
    /// What a list that has not ended yet has brought.
    listing: BTreeMap<Key, K>,
    synced: bool,
}

impl<K> Copy<K>
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    /// A copy of everything of this kind, empty until it has been listed.
    pub(super) fn of(api: Api<K>) -> Self {
        let events = Mutex::new(watcher(api, Config::default()).boxed());
        Self { events, current: BTreeMap::new(), listing: BTreeMap::new(), synced: false }
    }

    /// Waits for a change, and takes in all that are there. False when there will be no more.
    pub(super) async fn changed(&mut self) -> bool {
        let Some(event) = self.events().next().await else { return false };
        self.take(event);
        while let Some(Some(event)) = self.events().next().now_or_never() {
            self.take(event);
        }
        true
    }

    fn events(&mut self) -> &mut BoxStream<'static, Result<Event<K>, Error>> {
        self.events.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&mut self, event: Result<Event<K>, Error>) {
        match event {
            Ok(Event::Init) => self.listing.clear(),
            Ok(Event::InitApply(object)) => drop(self.listing.insert(key(&object), object)),
            Ok(Event::InitDone) => {
                self.current = std::mem::take(&mut self.listing);
                self.synced = true;
            }
            Ok(Event::Apply(object)) => drop(self.current.insert(key(&object), object)),
            Ok(Event::Delete(object)) => drop(self.current.remove(&key(&object))),
            Err(error) => tracing::debug!(%error, kind = std::any::type_name::<K>(), "a watch is made again"),
        }
    }

    /// Whether everything has been seen once.
    pub(super) fn synced(&self) -> bool {
        self.synced
    }

    /// An object we have just written ourselves: the next decision must not wait for the watch.
    pub(super) fn wrote(&mut self, object: K) {
        self.current.insert(key(&object), object);
    }

    /// An object we have just removed ourselves.
    pub(super) fn removed(&mut self, key: &Key) {
        self.current.remove(key);
    }

    pub(super) fn get(&self, key: &Key) -> Option<&K> {
        self.current.get(key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Key, &K)> {
        self.current.iter()
    }

    /// Those of one namespace.
    pub(super) fn within<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a K> {
        let from = (namespace.to_owned(), String::new());
        self.current.range(from..).take_while(move |(key, _)| key.0 == namespace).map(|(_, object)| object)
    }
}
