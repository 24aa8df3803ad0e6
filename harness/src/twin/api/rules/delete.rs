//! Deleting objects: at once, with grace, or when their finalizers allow.
//!
//! What lives here: one object and whole collections. What does not: emptying namespaces and definitions (`drain`).

use serde_json::{Value, json};

use super::{Rules, Step, drain};
use crate::twin::api::ApiError;
use crate::twin::api::registry::Resource;
use crate::twin::api::time;

/// How and on which conditions to delete.
#[derive(Debug, Clone, Default)]
pub(in crate::twin::api) struct DeleteOptions {
    /// Seconds a pod gets to end; its own when not said.
    pub grace: Option<i64>,
    /// Only this object, not a later one of its name.
    pub uid: Option<String>,
    /// Only in this state.
    pub revision: Option<String>,
    /// Judge, and delete nothing.
    pub dry_run: bool,
}

/// What a deletion came to.
#[derive(Debug)]
pub(in crate::twin::api) struct Deleted {
    /// The object as it was last, or as it is while it goes.
    pub value: Value,
    /// Whether it is gone.
    pub gone: bool,
}

impl Rules {
    /// Deletes one object.
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
            return Ok(Deleted { value: object.value.clone(), gone });
        }
        if drains {
            let value = self.drain(&key)?;
            return Ok(Deleted { value, gone: false });
        }
        if gone {
            self.settle(&key.collection, &key.namespace);
        }
        Ok(Deleted { value: object.value.clone(), gone })
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
    let kept = metadata["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    if grace == 0 && !kept {
        return Step::Remove;
    }
    if drain::going(old) && before.is_none_or(|before| before <= grace) {
        return Step::Keep;
    }
    let mut value = old.clone();
    let end = chrono::Utc::now() + chrono::TimeDelta::try_seconds(grace).unwrap_or_default();
    value["metadata"]["deletionTimestamp"] = json!(time::written(end));
    value["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
    Step::Replace(value)
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
