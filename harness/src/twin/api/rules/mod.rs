//! What becomes of an object between the wire and the store.
//!
//! What lives here: the rules' owner, the options of a write, and the loop that makes a change stick. `create`, `update` and
//! `delete` are the verbs; `conform` reads an object as its resource, `defaults` adds, `check` forbids, `drain` empties what is
//! being deleted, `collect` deletes what belonged to what is gone, `services` gives Services their addresses, `rehearse` judges before there is a server. What does not: HTTP.

mod check;
mod collect;
mod conform;
mod create;
mod defaults;
mod delete;
mod drain;
mod names;
mod rehearse;
mod services;
mod update;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use serde::Serialize;
use serde_json::Value;

pub(super) use conform::review;
pub(super) use delete::{Cascade, DeleteOptions, Deleted};
pub use rehearse::{Rehearsal, Wrong};
pub(super) use update::Part;

use super::patch::{Lists, Manager};
use super::registry::{Flavor, Registry, Resource};
use super::{ApiError, Cause};
use crate::twin::store::{Key, Object, Store, StoreError};

/// What to do about a field the resource does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Drop it.
    Ignore,
    /// Drop it and say so.
    #[default]
    Warn,
    /// Refuse the object.
    Refuse,
}

/// Options of a write.
#[derive(Debug, Clone, Default)]
pub(super) struct WriteOptions {
    /// Who writes, for field ownership.
    pub manager: String,
    /// Judge, and keep nothing.
    pub dry_run: bool,
    /// What to do about unknown fields.
    pub unknown: Unknown,
    /// Server-side apply: take fields from other managers.
    pub force: bool,
    /// The fields that the body says twice.
    pub repeated: Vec<String>,
}

/// What a write made.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// The object as it is now, or would be.
    pub value: Value,
    /// Whether it was not there before.
    pub created: bool,
    /// What the client should hear although the write was done.
    pub warnings: Vec<String>,
}

/// The rules over one store.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Where objects are kept.
    pub store: Store,
    /// Which resources there are.
    pub registry: Registry,
    /// Held while a Service is given addresses nobody else has.
    services: Arc<Mutex<()>>,
}

/// What a change comes to, once the object has been looked at.
enum Step {
    /// Nothing is different.
    Keep,
    /// This is the object now.
    Replace(Value),
    /// The object goes.
    Remove,
}

/// How often a change is tried again when another one comes between reading and writing. Each try loses only to a change that
/// was made, so this many losses in a row mean a client that writes without rest.
const TRIES: usize = 64;

impl Rules {
    /// The rules over a store.
    pub(super) fn new(store: Store) -> Self {
        Self { registry: Registry::new(store.clone()), store, services: Arc::default() }
    }

    fn key(resource: &Resource, namespace: &str, name: &str) -> Key {
        resource.collection.key(if resource.namespaced { namespace } else { "" }, name)
    }

    /// One object, as its resource's version shows it.
    ///
    /// # Errors
    /// 404.
    pub(super) fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Arc<Object>, ApiError> {
        let key = Self::key(resource, namespace, name);
        self.store.get(&key).ok_or_else(|| ApiError::not_found(&resource.collection, name))
    }

    /// Looks at an object, decides, and does so if nothing came between; otherwise looks again. `step` decides.
    fn change(
        &self,
        key: &Key,
        dry_run: bool,
        mut step: impl FnMut(&Arc<Object>) -> Result<Step, ApiError>,
    ) -> Result<Arc<Object>, ApiError> {
        for _ in 0..TRIES {
            let old = self.store.get(key).ok_or_else(|| ApiError::not_found(&key.collection, &key.name))?;
            let done = match step(&old)? {
                Step::Keep => return Ok(old),
                Step::Replace(value) if dry_run => return Ok(old.with(value)),
                Step::Remove if dry_run => return Ok(old),
                Step::Replace(value) => self.store.replace(key, old.revision, value),
                Step::Remove => self.store.remove(key, old.revision),
            };
            match done {
                Err(StoreError::Stale { .. }) => {}
                other => return other.map_err(ApiError::from),
            }
        }
        Err(ApiError::stale(&key.collection, &key.name))
    }

    fn manager(resource: &Resource, options: &WriteOptions, applies: bool, subresource: &str) -> Manager {
        let name = if options.manager.is_empty() { "unknown" } else { &options.manager };
        Manager {
            name: name.to_owned(),
            applies,
            subresource: subresource.to_owned(),
            api_version: resource.api_version(),
        }
    }
}

/// Who knows how the lists of a resource's objects are owned.
fn lists(resource: &Resource) -> Lists<'_> {
    match &resource.flavor {
        Flavor::Builtin(_) => Lists::BuiltIn,
        Flavor::Custom { schema, .. } => Lists::Custom(schema),
    }
}

/// The refusal of an object with something wrong, if anything is.
fn refuse(resource: &Resource, name: &str, causes: Vec<Cause>) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(&resource.group, &resource.kind, name, causes))
}

/// Puts an object into a store as a `POST` would: judged, completed, stamped. For whoever makes a cluster: its namespaces,
/// nodes and definitions. An object that is there already stays as it is.
///
/// # Errors
/// The refusal a client would get.
pub fn install(store: &Store, object: &impl Serialize) -> Result<Value, ApiError> {
    let value = serde_json::to_value(object).map_err(ApiError::internal)?;
    let rules = Rules::new(store.clone());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (api_version, kind) = (text(&value["apiVersion"]), text(&value["kind"]));
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let Some(resource) = rules.registry.of_kind(group, version, &kind) else {
        let message = format!(
            "no matches for kind \"{kind}\" in version \"{api_version}\"; install its definition first"
        );
        return Err(ApiError::bad_request(message));
    };
    let namespace = if resource.namespaced {
        value["metadata"]["namespace"].as_str().unwrap_or("default").to_owned()
    } else {
        String::new()
    };
    let name = text(&value["metadata"]["name"]);
    let options =
        WriteOptions { manager: "fabric".into(), unknown: Unknown::Refuse, ..WriteOptions::default() };
    match rules.create(&resource, &namespace, value, &options) {
        Err(error) if error.reason == "AlreadyExists" => {
            Ok(rules.get(&resource, &namespace, &name)?.value.clone())
        }
        done => done.map(|outcome| outcome.value),
    }
}
