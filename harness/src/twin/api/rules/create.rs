//! Making an object.
//!
//! What lives here: create, with generated names. What does not: what is added (`defaults`) and forbidden (`check`).

use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use super::{Outcome, Rules, WriteOptions, check, defaults, drain, lists, refuse};
use crate::twin::api::ApiError;
use crate::twin::api::patch::Owners;
use crate::twin::api::registry::Resource;
use crate::twin::store::Collection;

/// The letters of generated names: those a Kubernetes server uses, which spell no words.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

impl Rules {
    /// Makes an object. An empty namespace means a cluster-scoped resource.
    ///
    /// # Errors
    /// 400 when it cannot be read, 404 without its namespace, 403 in a namespace that is going, 409 when the name is taken,
    /// 422 when something is wrong with it.
    pub(in crate::twin::api) fn create(
        &self,
        resource: &Resource,
        namespace: &str,
        mut value: Value,
        options: &WriteOptions,
    ) -> Result<Outcome, ApiError> {
        let mut owners = Owners::default();
        self.make(resource, namespace, &mut value, options, |value| {
            let manager = Self::manager(resource, options, false, "");
            owners.follow(manager, &Value::Null, value, lists(resource), |top| {
                top != "status" || !resource.status
            });
            owners.write(value);
            Ok(())
        })
    }

    /// Makes an object whose owners `own` writes, once it is complete.
    pub(super) fn make(
        &self,
        resource: &Resource,
        namespace: &str,
        value: &mut Value,
        options: &WriteOptions,
        own: impl FnOnce(&mut Value) -> Result<(), ApiError>,
    ) -> Result<Outcome, ApiError> {
        let warnings = Self::conform(resource, value, None, options)?;
        place(resource, namespace, value)?;
        let metadata = &mut value["metadata"];
        if metadata["resourceVersion"].as_str().is_some_and(|text| !text.is_empty() && text != "0") {
            return Err(ApiError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        if let Some(metadata) = metadata.as_object_mut() {
            for field in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "generation",
                "selfLink",
                "managedFields",
            ] {
                metadata.shift_remove(field);
            }
        }
        name(resource, value)?;
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        defaults::fresh(resource, value);
        defaults::fill(resource, value);
        refuse(resource, &name, check::object(resource, value))?;
        self.admit(resource, namespace, &name)?;
        own(value)?;
        // Nobody owns what the server gives.
        let _held = self.one_service_at_a_time(resource);
        self.allocate(resource, value)?;
        let key = Self::key(resource, namespace, &name);
        let value = std::mem::take(value);
        if options.dry_run {
            if self.store.get(&key).is_some() {
                return Err(ApiError::exists(&key.collection, &name));
            }
            return Ok(Outcome { value, created: true, warnings });
        }
        let object = self.store.create(&key, value)?;
        self.collect_orphan(&key, &object.value);
        Ok(Outcome { value: object.value.clone(), created: true, warnings })
    }

    /// Whether there is a place for the object: its namespace, or its definition, is there and not going.
    fn admit(&self, resource: &Resource, namespace: &str, name: &str) -> Result<(), ApiError> {
        if resource.custom() && self.definition_going(&resource.collection) {
            let why = "create not allowed while custom resource definition is terminating";
            return Err(ApiError::forbidden(&resource.collection, name, why));
        }
        if !resource.namespaced {
            return Ok(());
        }
        let namespaces = Collection::new("", "namespaces");
        match self.store.get(&namespaces.key("", namespace)) {
            None => Err(ApiError::not_found(&namespaces, namespace)),
            Some(found) if drain::going(&found.value) => {
                let why = format!(
                    "unable to create new content in namespace {namespace} because it is being terminated"
                );
                Err(ApiError::forbidden(&resource.collection, name, &why))
            }
            Some(_) => Ok(()),
        }
    }
}

/// Puts the namespace of the path into the object, or finds that they differ.
pub(super) fn place(resource: &Resource, namespace: &str, value: &mut Value) -> Result<(), ApiError> {
    let Some(metadata) = value["metadata"].as_object_mut() else { return Ok(()) };
    if !resource.namespaced {
        metadata.shift_remove("namespace");
        return Ok(());
    }
    match metadata.get("namespace").map(|v| v.as_str().unwrap_or_default()) {
        None | Some("") => {
            metadata.insert("namespace".into(), json!(namespace));
            Ok(())
        }
        Some(found) if found == namespace => Ok(()),
        Some(found) => Err(ApiError::bad_request(format!(
            "the namespace of the provided object does not match the namespace sent on the request ({found} is not \
             {namespace})"
        ))),
    }
}

fn name(resource: &Resource, value: &mut Value) -> Result<(), ApiError> {
    let metadata = &mut value["metadata"];
    if metadata["name"].as_str().is_some_and(|name| !name.is_empty()) {
        return Ok(());
    }
    let Some(prefix) = metadata["generateName"].as_str().filter(|prefix| !prefix.is_empty()) else {
        let cause = crate::twin::api::Cause::required("metadata.name", "name or generateName is required");
        return refuse(resource, "", vec![cause]);
    };
    let mut rng = rand::rng();
    let tail: String =
        (0..5).filter_map(|_| LETTERS.choose(&mut rng)).map(|letter| char::from(*letter)).collect();
    let head: String = prefix.chars().take(58).collect();
    metadata["name"] = json!(format!("{head}{tail}"));
    Ok(())
}
