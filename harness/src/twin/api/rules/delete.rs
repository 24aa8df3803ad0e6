//! Deleting objects: at once, with grace, or when their finalizers allow.
//!
//! What lives here: one object. What does not: emptying namespaces and definitions (`drain`), what belonged to it (`collect`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Rules, Step, drain};
use crate::twin::api::ApiError;
use crate::twin::api::registry::Resource;
use crate::twin::api::time;
use crate::twin::store::Object;

/// What keeps an object until its dependents are gone, or until they are orphans.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
pub(super) const ORPHAN: &str = "orphan";

/// What becomes of an object's dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::twin::api) enum Cascade {
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay, without an owner.
    Orphan,
}

/// How and on which conditions to delete.
#[derive(Debug, Clone, Default)]
pub(in crate::twin::api) struct DeleteOptions {
    /// Seconds a pod gets to end; its own when not said.
    pub grace: Option<i64>,
    /// Only this object, not a later one of its name.
    pub uid: Option<String>,
    /// Only in this state.
    pub revision: Option<String>,
    /// What becomes of its dependents; what its finalizers say when not said.
    pub cascade: Option<Cascade>,
    /// Judge, and delete nothing.
    pub dry_run: bool,
}

/// What a deletion came to.
#[derive(Debug)]
pub(in crate::twin::api) struct Deleted {
    /// The object as it was last, or as it is while it goes.
    pub value: Value,
    /// The same with its place in history.
    pub(super) object: Arc<Object>,
    /// Whether it is gone.
    pub gone: bool,
}

impl Rules {
    /// Deletes one object, and what belongs to it as the options say.
    ///
    /// # Errors
    /// 404; 409 when it is not the one or not in the state that was asked for; 403 for a namespace every cluster has.
    pub(in crate::twin::api) fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let mut deleted = self.delete_one(resource, namespace, name, options)?;
        if options.dry_run {
            return Ok(deleted);
        }
        if deleted.gone {
            self.collect(&deleted.object);
            return Ok(deleted);
        }
        let key = Self::key(resource, namespace, name);
        self.collect_going(&key, &deleted.value);
        deleted.gone = self.store.get(&key).is_none_or(|now| now.meta("uid") != deleted.object.meta("uid"));
        Ok(deleted)
    }

    /// Deletes one object, and leaves what belongs to it to `collect`.
    pub(super) fn delete_one(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let key = Self::key(resource, namespace, name);
        if resource.is("", "namespaces") && matches!(name, "default" | "kube-system" | "kube-public") {
            let why = "this namespace may not be deleted";
            return Err(ApiError::forbidden(&resource.collection, name, why));
        }
        let mut gone = false;
        let mut drains = false;
        let object = self.change(&key, options.dry_run, |old| {
            preconditions(resource, name, &old.value, options)?;
            drains = !drain::going(&old.value) && self.holds_others(resource, &old.value);
            let step = if drains { Step::Keep } else { decide(resource, &old.value, options) };
            gone = matches!(step, Step::Remove);
            Ok(step)
        })?;
        if options.dry_run {
            return Ok(Deleted { value: object.value.clone(), object, gone });
        }
        if drains {
            let value = self.drain(&key)?;
            return Ok(Deleted { value, object, gone: false });
        }
        if gone {
            self.settle(&key.collection, &key.namespace);
        }
        Ok(Deleted { value: object.value.clone(), object, gone })
    }

    /// Whether an object is a namespace or a definition: those are emptied before they go.
    fn holds_others(&self, resource: &Resource, value: &Value) -> bool {
        let name = value["metadata"]["name"].as_str().unwrap_or_default();
        if resource.is("", "namespaces") {
            return self.store.inhabited(name);
        }
        resource.is("apiextensions.k8s.io", "customresourcedefinitions")
    }
}

fn preconditions(
    resource: &Resource,
    name: &str,
    old: &Value,
    options: &DeleteOptions,
) -> Result<(), ApiError> {
    for (what, field, wanted) in
        [("UID", "uid", &options.uid), ("ResourceVersion", "resourceVersion", &options.revision)]
    {
        let found = old["metadata"][field].as_str().unwrap_or_default();
        if let Some(wanted) = wanted
            && wanted != found
        {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might \
                 have been deleted and then recreated"
            );
            return Err(ApiError::conflict(&resource.collection, name, &why));
        }
    }
    Ok(())
}

fn decide(resource: &Resource, old: &Value, options: &DeleteOptions) -> Step {
    let metadata = &old["metadata"];
    let grace = if resource.is("", "pods") { grace(old, options.grace) } else { 0 };
    let before = metadata["deletionGracePeriodSeconds"].as_i64();
    let finalizers = finalizers(metadata, options.cascade);
    let kept = !finalizers.is_empty();
    if grace == 0 && !kept {
        return Step::Remove;
    }
    let same = metadata["finalizers"].as_array().map_or(&[][..], Vec::as_slice) == finalizers;
    if drain::going(old) && same && before.is_none_or(|before| before <= grace) {
        return Step::Keep;
    }
    let mut value = old.clone();
    if !same {
        value["metadata"]["finalizers"] = json!(finalizers);
    }
    let end = chrono::Utc::now() + chrono::TimeDelta::try_seconds(grace).unwrap_or_default();
    value["metadata"]["deletionTimestamp"] = json!(time::written(end));
    value["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    Step::Replace(value)
}

/// The finalizers of an object that is deleted so.
fn finalizers(metadata: &Value, cascade: Option<Cascade>) -> Vec<Value> {
    let mut list = metadata["finalizers"].as_array().cloned().unwrap_or_default();
    let Some(cascade) = cascade else { return list };
    list.retain(|one| one != FOREGROUND && one != ORPHAN);
    match cascade {
        Cascade::Background => {}
        Cascade::Foreground => list.push(json!(FOREGROUND)),
        Cascade::Orphan => list.push(json!(ORPHAN)),
    }
    list
}

/// The longest grace that is honoured, in seconds: a year.
const YEAR: i64 = 31_536_000;

/// A pod's grace in seconds. One that no kubelet runs, or that has ended, needs none.
fn grace(pod: &Value, asked: Option<i64>) -> i64 {
    let unassigned = pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if unassigned || ended {
        return 0;
    }
    let own = || pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    asked.unwrap_or_else(own).clamp(0, YEAR)
}
