//! A copy of what the API server has of one kind, kept up to date by a watch.
//!
//! What lives here: the copy. What does not: the watch itself (`kube::runtime`) and what is done with it.

use std::collections::BTreeMap;

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

use super::status::Contents;
use crate::cilium::bgp::content;

/// Objects by name; those of a namespace as `NAMESPACE/NAME`.
pub(in crate::twin) struct Objects<K> {
    current: BTreeMap<String, K>,
    /// What a list that has not ended yet has brought: it replaces `current` at once when it ends, so that an object
    /// is not missed for a moment only because the watch was restarted.
    listing: BTreeMap<String, K>,
    synced: bool,
}

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self { current: BTreeMap::new(), listing: BTreeMap::new(), synced: false }
    }
}

impl<K: Resource> Objects<K> {
    /// Takes in an event of the watch.
    pub(in crate::twin) fn take(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(object) => {
                self.listing.insert(key(&object), object);
            }
            Event::InitDone => {
                self.current = std::mem::take(&mut self.listing);
                self.synced = true;
            }
            Event::Apply(object) => {
                self.current.insert(key(&object), object);
            }
            Event::Delete(object) => drop(self.current.remove(&key(&object))),
        }
    }

    /// Whether a whole list has been seen.
    pub(in crate::twin) fn synced(&self) -> bool {
        self.synced
    }

    /// The object of this name.
    pub(in crate::twin) fn get(&self, name: &str) -> Option<&K> {
        self.current.get(name)
    }

    /// All objects, by name.
    pub(in crate::twin) fn iter(&self) -> impl Iterator<Item = (&str, &K)> {
        self.current.iter().map(|(name, object)| (name.as_str(), object))
    }

    /// What the content of each is known by, by name.
    pub(in crate::twin) fn contents(&self) -> Contents {
        self.current.iter().map(|(name, object)| (name.clone(), content(object.meta()))).collect()
    }

    /// All objects.
    pub(in crate::twin) fn values(&self) -> impl Iterator<Item = &K> {
        self.current.values()
    }
}

fn key<K: Resource>(object: &K) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Node;

    use super::*;

    fn named(name: &str) -> Node {
        let mut node = Node::default();
        node.metadata.name = Some(name.to_owned());
        node
    }

    fn names(objects: &Objects<Node>) -> Vec<&str> {
        objects.iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_list_counts_when_it_is_whole() {
        let mut objects = Objects::default();
        objects.take(Event::Init);
        objects.take(Event::InitApply(named("a")));
        assert!(!objects.synced() && objects.get("a").is_none());
        objects.take(Event::InitDone);
        objects.take(Event::Apply(named("b")));
        assert!(objects.synced());
        assert_eq!(names(&objects), ["a", "b"]);
    }

    #[test]
    fn a_second_list_replaces_the_first_at_once() {
        let mut objects = Objects::default();
        for event in
            [Event::Init, Event::InitApply(named("a")), Event::InitApply(named("b")), Event::InitDone]
        {
            objects.take(event);
        }
        objects.take(Event::Delete(named("a")));
        objects.take(Event::Init);
        objects.take(Event::InitApply(named("c")));
        assert_eq!(names(&objects), ["b"]);
        objects.take(Event::InitDone);
        assert_eq!(names(&objects), ["c"]);
    }
}
