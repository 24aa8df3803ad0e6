//! Which resources there are: the built-in ones, and those that CustomResourceDefinitions in the store make.
//!
//! What lives here: re-exports and the lookup. `resource` is what is known of one, `builtin` and `custom` make them.

mod builtin;
mod custom;
mod resource;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use custom::{check as check_definition, complete as complete_definition, rank};
pub(super) use resource::{Check, Column, Flavor, Resource};

use crate::twin::store::{Collection, Store};

/// The collection of CustomResourceDefinitions.
pub(super) fn definitions() -> Collection {
    Collection::new("apiextensions.k8s.io", "customresourcedefinitions")
}

/// What a definition made at some revision.
type Compiled = (u64, Vec<Arc<Resource>>);

/// Finds resources. A definition in the store is compiled once per revision, whoever put it there.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    store: Store,
    compiled: Arc<Mutex<HashMap<String, Compiled>>>,
}

impl Registry {
    /// A registry over what the store holds now and later.
    pub(super) fn new(store: Store) -> Self {
        Self { store, compiled: Arc::default() }
    }

    /// The resource served at a group, version and plural.
    pub(super) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        let built_in = builtin::all().iter().find(|r| r.group == group && r.plural == plural);
        if let Some(resource) = built_in {
            return (resource.version == version).then(|| Arc::clone(resource));
        }
        let found = self.defined(&format!("{plural}.{group}"));
        found.into_iter().find(|resource| resource.version == version)
    }

    /// Any served version of a collection: enough to delete or count its objects.
    pub(super) fn any_version(&self, collection: &Collection) -> Option<Arc<Resource>> {
        let built_in = builtin::all().iter().find(|r| r.collection == *collection).cloned();
        built_in.or_else(|| self.defined(&collection.to_string()).into_iter().next())
    }

    /// The resource of a group, version and kind.
    pub(super) fn of_kind(&self, group: &str, version: &str, kind: &str) -> Option<Arc<Resource>> {
        let is = |r: &&Arc<Resource>| r.group == group && r.version == version && r.kind == kind;
        if let Some(resource) = builtin::all().iter().find(is) {
            return Some(Arc::clone(resource));
        }
        let listing = self.store.list(&definitions(), None, None);
        let mut definitions = listing.objects.iter().filter(|definition| {
            let spec = &definition.value["spec"];
            spec["group"] == group && spec["names"]["kind"] == kind
        });
        definitions.find_map(|definition| self.defined(definition.meta("name")).iter().find(is).cloned())
    }

    /// Every resource that is served, built-in ones first.
    pub(super) fn all(&self) -> Vec<Arc<Resource>> {
        let mut all: Vec<_> = builtin::all().to_vec();
        for definition in self.store.list(&definitions(), None, None).objects {
            all.extend(self.defined(definition.meta("name")));
        }
        all
    }

    /// The served versions of one definition, the preferred one first.
    fn defined(&self, name: &str) -> Vec<Arc<Resource>> {
        let Some(definition) = self.store.get(&definitions().key("", name)) else {
            return Vec::new();
        };
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        match compiled.get(name) {
            Some((revision, resources)) if *revision == definition.revision => resources.clone(),
            _ => {
                let resources = custom::compile(&definition.value);
                // What is no longer defined is no longer kept.
                compiled.retain(|name, _| self.store.get(&definitions().key("", name)).is_some());
                compiled.insert(name.to_owned(), (definition.revision, resources.clone()));
                resources
            }
        }
    }
}
