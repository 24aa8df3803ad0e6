//! Emptying what is being deleted: namespaces of their objects, definitions of theirs.
//!
//! What lives here: what it means to be going, and letting the last thing out turn off the light. What does not: deleting one
//! object (`delete`).

use serde_json::{Value, json};

use super::{DeleteOptions, Rules, Step};
use crate::twin::api::{registry::definitions, time};
use crate::twin::store::{Collection, Key};

/// What keeps a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Whether an object is being deleted.
pub(super) fn going(value: &Value) -> bool {
    !value["metadata"]["deletionTimestamp"].is_null()
}

/// Whether nothing keeps an object that is being deleted any more: no finalizer, no grace.
pub(super) fn finished(value: &Value) -> bool {
    let metadata = &value["metadata"];
    going(value)
        && metadata["finalizers"].as_array().is_none_or(Vec::is_empty)
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        // A namespace is kept by its own `spec.finalizers` until it is empty.
        && value["status"]["phase"] != "Terminating"
}

impl Rules {
    /// Whether the definition of a collection is being deleted.
    pub(super) fn definition_going(&self, collection: &Collection) -> bool {
        let key = definitions().key("", &collection.to_string());
        self.store.get(&key).is_some_and(|definition| going(&definition.value))
    }

    /// Marks a namespace or a definition as going and deletes what is in it. It goes itself with the last of that.
    pub(super) fn drain(&self, key: &Key) -> Result<Value, super::ApiError> {
        let namespace = *key.collection.plural == *"namespaces";
        let marked = self.change(key, false, |old| {
            if going(&old.value) {
                return Ok(Step::Keep);
            }
            let mut value = old.value.clone();
            value["metadata"]["deletionTimestamp"] = json!(time::now());
            if namespace {
                value["status"]["phase"] = json!("Terminating");
            } else {
                let finalizers = &mut value["metadata"]["finalizers"];
                match finalizers.as_array_mut() {
                    Some(list) => list.push(json!(CLEANUP)),
                    None => *finalizers = json!([CLEANUP]),
                }
            }
            Ok(Step::Replace(value))
        })?;
        let inside = if namespace { Some(key.name.as_str()) } else { None };
        let collections = match inside {
            Some(namespace) => self.store.collections_in(namespace),
            None => defined(&marked.value).into_iter().collect(),
        };
        for collection in collections {
            let Some(resource) = self.registry.any_version(&collection) else { continue };
            for object in self.store.list(&collection, inside, None).objects {
                // One that is gone already, or that a finalizer keeps, is no failure of this deletion.
                let _ = self.delete(
                    &resource,
                    object.meta("namespace"),
                    object.meta("name"),
                    &DeleteOptions::default(),
                );
            }
        }
        match inside {
            Some(namespace) => self.settle_namespace(namespace),
            None => self.settle_definition(key),
        }
        Ok(marked.value.clone())
    }

    /// After an object is gone: its namespace or its definition may be waiting for that.
    pub(super) fn settle(&self, collection: &Collection, namespace: &str) {
        if !namespace.is_empty() {
            self.settle_namespace(namespace);
        }
        self.settle_definition(&definitions().key("", &collection.to_string()));
    }

    fn settle_namespace(&self, namespace: &str) {
        let key = Collection::new("", "namespaces").key("", namespace);
        if let Some(found) = self.store.get(&key)
            && going(&found.value)
            && !self.store.inhabited(namespace)
        {
            // Lost only to another who removes it or changes it; whoever comes last does this again.
            let _ = self.store.remove(&key, found.revision);
        }
    }

    fn settle_definition(&self, key: &Key) {
        let Some(found) = self.store.get(key).filter(|found| going(&found.value)) else { return };
        let empty = defined(&found.value).is_none_or(|c| self.store.list(&c, None, None).objects.is_empty());
        if !empty {
            return;
        }
        let change = self.change(key, false, |old| {
            let mut value = old.value.clone();
            if let Some(list) = value["metadata"]["finalizers"].as_array_mut() {
                list.retain(|finalizer| finalizer != CLEANUP);
            }
            Ok(if finished(&value) { Step::Remove } else { Step::Replace(value) })
        });
        if let Err(error) = change {
            tracing::debug!(%error, definition = %key, "a definition went by another way");
        }
    }
}

fn defined(definition: &Value) -> Option<Collection> {
    let spec = &definition["spec"];
    Some(Collection::new(spec["group"].as_str()?, spec["names"]["plural"].as_str()?))
}
