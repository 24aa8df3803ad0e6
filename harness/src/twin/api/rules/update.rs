//! Changing an object: put, patch, server-side apply, and binding a pod to a node.
//!
//! What lives here: which part of an object a door can write, preconditions, generation, and ownership. What does not: how a
//! patch is read (`patch`).

use serde_json::{Value, json};

use super::create::place;
use super::{Outcome, Rules, Step, WriteOptions, check, defaults, drain, lists, refuse, services};
use crate::twin::api::patch::{Manager, Owners, PatchKind, apply, patched};
use crate::twin::api::registry::Resource;
use crate::twin::api::{ApiError, Cause, time};

/// The door through which an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::twin::api) enum Part {
    /// The object itself: everything but its status, where status has a door of its own.
    Whole,
    /// Its status, and nothing else.
    Status,
}

impl Part {
    fn subresource(self) -> &'static str {
        match self {
            Self::Whole => "",
            Self::Status => "status",
        }
    }
}

/// Finds the owners once the object is complete, or the conflict.
type Settle<'a> = dyn FnOnce(&Value) -> Result<Owners, ApiError> + 'a;

/// How the owners of the fields follow from a change.
enum Ownership<'a> {
    /// What differs is the writer's.
    Follow(Manager),
    /// Server-side apply: settled against what the object is in the end.
    Settle(Box<Settle<'a>>),
}

impl Rules {
    /// Replaces an object.
    ///
    /// # Errors
    /// 404, 400, 409 when it has changed since it was read, 422.
    pub(in crate::twin::api) fn put(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        part: Part,
        value: &Value,
        options: &WriteOptions,
    ) -> Result<Outcome, ApiError> {
        if resource.custom() && value["metadata"]["resourceVersion"].as_str().is_none_or(str::is_empty) {
            let cause =
                Cause::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            return Err(ApiError::invalid(&resource.group, &resource.kind, name, vec![cause]));
        }
        let manager = Self::manager(resource, options, false, part.subresource());
        let key = Self::key(resource, namespace, name);
        self.evolve(resource, &key, part, options, |_| {
            Ok((value.clone(), Ownership::Follow(manager.clone())))
        })
    }

    /// Patches an object. Server-side apply makes it when it is not there.
    ///
    /// # Errors
    /// As [`Rules::put`]; 409 with causes when server-side apply meets other owners.
    #[expect(clippy::too_many_arguments, reason = "a patch is told by its place, its kind and its options")]
    pub(in crate::twin::api) fn patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        part: Part,
        kind: PatchKind,
        body: &Value,
        options: &WriteOptions,
    ) -> Result<Outcome, ApiError> {
        let key = Self::key(resource, namespace, name);
        if kind != PatchKind::Apply {
            let manager = Self::manager(resource, options, false, part.subresource());
            return self.evolve(resource, &key, part, options, |old| {
                Ok((patched(kind, old, body)?, Ownership::Follow(manager.clone())))
            });
        }
        if options.manager.is_empty() {
            return Err(ApiError::bad_request("fieldManager is required for apply patch"));
        }
        let mut config = body.clone();
        Self::conform_config(resource, namespace, name, &mut config)?;
        let manager = Self::manager(resource, options, true, part.subresource());
        if self.store.get(&key).is_none() {
            if part == Part::Status {
                return Err(ApiError::not_found(&resource.collection, name));
            }
            let step = apply(&json!({}), &config, &manager, lists(resource));
            let mut value = step.object.clone();
            return self.make(resource, namespace, &mut value, options, |value| {
                let owners =
                    step.settle(&json!({}), value, &manager, lists(resource), true).unwrap_or_default();
                owners.write(value);
                Ok(())
            });
        }
        self.evolve(resource, &key, part, options, |old| {
            let step = apply(old, &config, &manager, lists(resource));
            let object = step.object.clone();
            let (old, manager) = (old.clone(), manager.clone());
            let settle = move |end: &Value| {
                let settled = step.settle(&old, end, &manager, lists(resource), options.force);
                settled.map_err(|causes| ownership_conflict(resource, name, causes))
            };
            Ok((object, Ownership::Settle(Box::new(settle))))
        })
    }

    /// An applied configuration must name its object, and only fields that are.
    fn conform_config(
        resource: &Resource,
        namespace: &str,
        name: &str,
        config: &mut Value,
    ) -> Result<(), ApiError> {
        let given = config["metadata"]["name"].as_str().unwrap_or_default();
        if !given.is_empty() && given != name {
            return Err(wrong_name(given, name));
        }
        if !config.is_object() || !config["metadata"].is_object() {
            return Err(ApiError::bad_request("an applied configuration must be an object with metadata"));
        }
        config["metadata"]["name"] = json!(name);
        place(resource, namespace, config)?;
        if config["metadata"]["managedFields"].as_array().is_some_and(|fields| !fields.is_empty()) {
            return Err(ApiError::bad_request("metadata.managedFields must be nil"));
        }
        Ok(())
    }

    /// Binds a pod to a node, as a scheduler does.
    ///
    /// # Errors
    /// 400 without a target, 404, 409 when the pod has a node already.
    pub(in crate::twin::api) fn bind(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        binding: &Value,
        options: &WriteOptions,
    ) -> Result<(), ApiError> {
        let node = binding["target"]["name"].as_str().unwrap_or_default();
        if node.is_empty() {
            let cause = Cause::required("target.name", "");
            return Err(ApiError::invalid("", "Binding", name, vec![cause]));
        }
        let key = Self::key(resource, namespace, name);
        self.change(&key, options.dry_run, |old| {
            let collection = &resource.collection;
            if drain::going(&old.value) {
                return Err(ApiError::conflict(
                    collection,
                    name,
                    "pod is being deleted, cannot be assigned to a host",
                ));
            }
            if let Some(has) = old.value["spec"]["nodeName"].as_str().filter(|has| !has.is_empty()) {
                let why = format!("pod {name} is already assigned to node \"{has}\"");
                return Err(ApiError::conflict(collection, name, &why));
            }
            let mut pod = old.value.clone();
            pod["spec"]["nodeName"] = json!(node);
            let scheduled = json!({"lastProbeTime": null, "lastTransitionTime": time::now(), "status": "True",
                "type": "PodScheduled"});
            match pod["status"]["conditions"].as_array_mut() {
                Some(list) => {
                    list.retain(|condition| condition["type"] != "PodScheduled");
                    list.push(scheduled);
                }
                None => pod["status"]["conditions"] = json!([scheduled]),
            }
            Ok(Step::Replace(pod))
        })?;
        Ok(())
    }

    /// One change of one object through one door. `step` says what the object is to be, given what it is.
    fn evolve<'a>(
        &self,
        resource: &Resource,
        key: &crate::twin::store::Key,
        part: Part,
        options: &WriteOptions,
        mut step: impl FnMut(&Value) -> Result<(Value, Ownership<'a>), ApiError>,
    ) -> Result<Outcome, ApiError> {
        let mut warnings = Vec::new();
        let mut removed = false;
        let mut owned_anew = false;
        let _held = self.one_service_at_a_time(resource);
        let object = self.change(key, options.dry_run, |old| {
            let old = in_version(resource, &old.value);
            let (mut new, ownership) = step(&old)?;
            warnings = Self::conform(resource, &mut new, Some(&old), options)?;
            place(resource, &key.namespace, &mut new)?;
            identity(resource, key, &old, &new)?;
            let mut new = through(resource, part, &old, new);
            services::keep(resource, &old, &mut new);
            defaults::fill(resource, &mut new);
            let mut causes = check::object(resource, &new);
            causes.extend(check::change(resource, &old, &new));
            refuse(resource, &key.name, causes)?;
            let owners = match ownership {
                Ownership::Settle(settle) => settle(&new)?,
                Ownership::Follow(manager) => {
                    let mut owners = Owners::read(&new);
                    owners.follow(manager, &old, &new, lists(resource), |top| counts(resource, part, top));
                    owners
                }
            };
            owners.write(&mut new);
            self.allocate(resource, &mut new)?;
            if defaults::counted(resource) && spec_of(resource, &old) != spec_of(resource, &new) {
                new["metadata"]["generation"] =
                    json!(old["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
            }
            if drain::finished(&new) {
                removed = true;
                return Ok(Step::Remove);
            }
            removed = false;
            owned_anew = old["metadata"]["ownerReferences"] != new["metadata"]["ownerReferences"];
            Ok(if new == old { Step::Keep } else { Step::Replace(new) })
        })?;
        if removed && !options.dry_run {
            self.settle(&key.collection, &key.namespace);
            self.collect(&object);
        } else if !options.dry_run && owned_anew {
            self.collect_orphan(key, &object.value);
        }
        Ok(Outcome { value: in_version(resource, &object.value), created: false, warnings })
    }
}

/// An object as a version of its resource shows it: versions differ in name only (conversion `None`).
pub(in crate::twin::api) fn in_version(resource: &Resource, value: &Value) -> Value {
    let mut value = value.clone();
    if resource.custom() {
        value["apiVersion"] = json!(resource.api_version());
    }
    value
}

fn wrong_name(given: &str, expected: &str) -> ApiError {
    ApiError::bad_request(format!(
        "the name of the object ({given}) does not match the name on the URL ({expected})"
    ))
}

fn ownership_conflict(resource: &Resource, name: &str, causes: Vec<Cause>) -> ApiError {
    let mut error = ApiError::conflict(&resource.collection, name, "");
    error.message = match causes.as_slice() {
        [one] => format!("Apply failed with 1 conflict: {}: {}", one.message, one.field),
        many => {
            let mut managers: Vec<_> = many.iter().map(|cause| cause.message.as_str()).collect();
            managers.sort_unstable();
            managers.dedup();
            let mut lines = Vec::new();
            for manager in managers {
                lines.push(format!("{}:", manager.replacen("conflict", "conflicts", 1)));
                let theirs = many.iter().filter(|cause| cause.message == manager);
                lines.extend(theirs.map(|cause| format!("- {}", cause.field)));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    error.details.causes = causes;
    error
}

/// Whether the new object is the old one, and the one the writer has seen.
fn identity(
    resource: &Resource,
    key: &crate::twin::store::Key,
    old: &Value,
    new: &Value,
) -> Result<(), ApiError> {
    let text = |value: &Value, field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
    let name = text(new, "name");
    if name != key.name {
        return Err(wrong_name(&name, &key.name));
    }
    let (uid, had) = (text(new, "uid"), text(old, "uid"));
    if !uid.is_empty() && uid != had {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {had}");
        return Err(ApiError::conflict(&resource.collection, &key.name, &why));
    }
    let revision = text(new, "resourceVersion");
    if !matches!(revision.as_str(), "" | "0") && revision != text(old, "resourceVersion") {
        return Err(ApiError::stale(&resource.collection, &key.name));
    }
    Ok(())
}

/// Whether a top-level field is written through a door.
fn counts(resource: &Resource, part: Part, top: &str) -> bool {
    match part {
        Part::Status => top == "status",
        Part::Whole => !(resource.status && top == "status"),
    }
}

/// The new object with everything the door cannot write as it was.
fn through(resource: &Resource, part: Part, old: &Value, new: Value) -> Value {
    let mut made = match part {
        Part::Whole => new,
        Part::Status => {
            let mut made = old.clone();
            if let Some(map) = made.as_object_mut() {
                map.shift_remove("status");
            }
            if let Some(status) = new.get("status") {
                made["status"] = status.clone();
            }
            // Ownership is followed from what the writer sent.
            if let Some(fields) = new["metadata"].get("managedFields") {
                made["metadata"]["managedFields"] = fields.clone();
            }
            return made;
        }
    };
    if resource.status
        && let Some(map) = made.as_object_mut()
    {
        map.shift_remove("status");
        if let Some(status) = old.get("status") {
            map.insert("status".into(), status.clone());
        }
    }
    if let Some(metadata) = made["metadata"].as_object_mut() {
        let kept = [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
        ];
        for field in kept {
            metadata.shift_remove(field);
            if let Some(value) = old["metadata"].get(field) {
                metadata.insert(field.into(), value.clone());
            }
        }
        if !metadata.contains_key("managedFields")
            && let Some(fields) = old["metadata"].get("managedFields")
        {
            metadata.insert("managedFields".into(), fields.clone());
        }
    }
    if resource.is("", "namespaces") {
        made["spec"] = old["spec"].clone();
    }
    made
}

/// What the generation counts: everything but metadata, and status where it has a door of its own.
fn spec_of(resource: &Resource, value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.shift_remove("metadata");
        if resource.status {
            map.shift_remove("status");
        }
    }
    value
}
