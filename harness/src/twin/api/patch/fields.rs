//! Who owns which field: `metadata.managedFields`.
//!
//! What lives here: sets of fields, reading and writing them as `FieldsV1`, and following ordinary writes. Ownership is of
//! leaves (a scalar, an empty map, a map or list that is one value) and of the items of lists with keys. What does not:
//! server-side apply itself (`apply`), which lists have keys (`lists`).

use std::collections::BTreeSet;
use std::ops::Bound;

use serde_json::{Map, Value, json};

use super::lists::{Lists, is_item, position, steps};
use crate::twin::api::time;

/// A path to a field, from the top of the object, in the steps of `FieldsV1`: `f:` and a field's name, `k:` and an item's key, `v:` and
/// an item's value.
pub(super) type Path = Vec<String>;

/// A set of leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::twin::api) struct FieldSet(pub(super) BTreeSet<Path>);

/// Fields of `metadata` that belong to the server or make the object's identity.
const SYSTEM: [&str; 11] = [
    "name",
    "namespace",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
];

impl FieldSet {
    /// Every leaf of an object that can be owned.
    pub(in crate::twin::api) fn of(object: &Value, lists: Lists<'_>) -> Self {
        let mut set = BTreeSet::new();
        for (key, value) in object.as_object().into_iter().flatten() {
            match key.as_str() {
                "apiVersion" | "kind" => {}
                "metadata" => {
                    let own = value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter(|(k, _)| !SYSTEM.contains(&k.as_str()));
                    for (field, value) in own {
                        let mut path = vec![format!("f:{key}"), format!("f:{field}")];
                        leaves(value, &mut path, lists, &mut set);
                    }
                }
                _ => leaves(value, &mut vec![format!("f:{key}")], lists, &mut set),
            }
        }
        Self(set)
    }

    /// Reads `FieldsV1`. Ownership by index, which no server writes, becomes ownership of the list.
    fn read(fields: &Value) -> Self {
        let mut set = BTreeSet::new();
        read_into(fields, &mut Vec::new(), &mut set);
        Self(set)
    }

    /// Writes `FieldsV1`.
    fn write(&self) -> Value {
        let mut root = Map::new();
        for path in &self.0 {
            // A path comes before those below it. An item is owned beside what is in it.
            let next = self.0.range::<Path, _>((Bound::Excluded(path), Bound::Unbounded)).next();
            let more = next.is_some_and(|next| next.starts_with(path));
            if let (Some(map), true) = (place(&mut root, path), more) {
                map.insert(".".into(), Value::Object(Map::new()));
            }
        }
        Value::Object(root)
    }
}

/// The map at a path, made where it is not there yet.
fn place<'a>(root: &'a mut Map<String, Value>, path: &[String]) -> Option<&'a mut Map<String, Value>> {
    let Some((step, rest)) = path.split_first() else { return Some(root) };
    let next = root.entry(step.clone()).or_insert_with(|| Value::Object(Map::new()));
    // Every value in the tree is a map: only this function makes them.
    place(next.as_object_mut()?, rest)
}

fn leaves(value: &Value, path: &mut Path, lists: Lists<'_>, set: &mut BTreeSet<Path>) {
    match value {
        Value::Null => {}
        Value::Object(map) if !map.is_empty() && !lists.atomic(path) => {
            for (key, value) in map {
                path.push(format!("f:{key}"));
                leaves(value, path, lists, set);
                path.pop();
            }
        }
        Value::Array(list) if !list.is_empty() => match steps(&lists.items(path), list) {
            None => {
                set.insert(path.clone());
            }
            Some(steps) => {
                for (step, item) in steps.into_iter().zip(list) {
                    path.push(step);
                    set.insert(path.clone());
                    if item.is_object() {
                        leaves(item, path, lists, set);
                    }
                    path.pop();
                }
            }
        },
        _ => {
            set.insert(path.clone());
        }
    }
}

fn read_into(fields: &Value, path: &mut Path, set: &mut BTreeSet<Path>) {
    let steps: Vec<_> = fields.as_object().into_iter().flatten().collect();
    let by_index = steps.iter().any(|(key, _)| key.starts_with("i:"));
    // A dot in a map of fields, which real servers write for maps that are not of a type, owns nothing that can change.
    let own = steps.iter().any(|(key, _)| *key == ".") && is_item(path);
    if (steps.is_empty() || by_index || own) && !path.is_empty() {
        set.insert(path.clone());
    }
    for (step, below) in steps.into_iter().filter(|(step, _)| *step != "." && !by_index) {
        path.push(step.clone());
        read_into(below, path, set);
        path.pop();
    }
}

/// The value at a path.
pub(super) fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, step| match (step.strip_prefix("f:"), value) {
        (Some(field), Value::Object(map)) => map.get(field),
        (None, Value::Array(list)) => list.get(position(list, step)?),
        _ => None,
    })
}

/// Whether what is at a path differs between two objects. An item of a list differs in being there or not; what is in it is told by
/// paths of its own.
pub(super) fn differs(path: &[String], one: &Value, other: &Value) -> bool {
    match (at(one, path), at(other, path)) {
        (Some(_), Some(_)) if is_item(path) => false,
        (one, other) => one != other,
    }
}

/// Who writes, and through which door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::twin::api) struct Manager {
    /// The name the client gave, or the first word of its user agent.
    pub name: String,
    /// True for server-side apply.
    pub applies: bool,
    /// `status`, or empty for the object itself.
    pub subresource: String,
    /// The API version in which the fields were written.
    pub api_version: String,
}

#[derive(Debug, Clone)]
pub(super) struct Owned {
    pub(super) manager: Manager,
    pub(super) fields: FieldSet,
    time: String,
}

/// Everyone who owns fields of one object.
#[derive(Debug, Clone, Default)]
pub(in crate::twin::api) struct Owners(pub(super) Vec<Owned>);

impl Owners {
    /// Reads `metadata.managedFields`; entries that cannot be read are dropped.
    pub(in crate::twin::api) fn read(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let entries = entries.iter().filter(|entry| entry["fieldsV1"].is_object()).map(|entry| Owned {
            manager: Manager {
                name: text(entry, "manager"),
                applies: entry["operation"] == "Apply",
                subresource: text(entry, "subresource"),
                api_version: text(entry, "apiVersion"),
            },
            fields: FieldSet::read(&entry["fieldsV1"]),
            time: text(entry, "time"),
        });
        Self(entries.collect())
    }

    /// Writes `metadata.managedFields`.
    pub(in crate::twin::api) fn write(&self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        if self.0.is_empty() {
            metadata.shift_remove("managedFields");
            return;
        }
        let entries: Vec<_> = self.0.iter().map(entry).collect();
        metadata.insert("managedFields".into(), Value::Array(entries));
    }

    /// Follows a write that was not an apply: what is new or different is the writer's, what is gone is nobody's.
    /// `counts` tells which top-level fields this door can write.
    pub(in crate::twin::api) fn follow(
        &mut self,
        manager: Manager,
        old: &Value,
        new: &Value,
        lists: Lists<'_>,
        counts: impl Fn(&str) -> bool,
    ) {
        let fields = FieldSet::of(new, lists).0;
        let changed: BTreeSet<Path> = fields
            .iter()
            .filter(|path| path.first().is_some_and(|top| counts(top.trim_start_matches("f:"))))
            .filter(|path| differs(path, new, old))
            .cloned()
            .collect();
        for owned in &mut self.0 {
            let mine = owned.manager == manager;
            owned.fields.0.retain(|path| fields.contains(path) && (mine || !changed.contains(path)));
        }
        self.give(manager, changed);
    }

    /// Adds fields to what a manager owns; an entry nobody owns anything by goes.
    pub(super) fn give(&mut self, manager: Manager, fields: BTreeSet<Path>) {
        match self.0.iter_mut().find(|owned| owned.manager == manager) {
            Some(owned) => {
                if !fields.is_subset(&owned.fields.0) {
                    owned.fields.0.extend(fields);
                    owned.time = time::now();
                }
            }
            None => self.0.push(Owned { manager, fields: FieldSet(fields), time: time::now() }),
        }
        self.0.retain(|owned| !owned.fields.0.is_empty());
    }

    /// Sets what a manager owns; the time of the entry moves only when the fields do.
    pub(super) fn set(&mut self, manager: &Manager, fields: BTreeSet<Path>) {
        if let Some(owned) = self.0.iter_mut().find(|owned| owned.manager == *manager) {
            if owned.fields.0 != fields {
                owned.fields.0 = fields;
                owned.time = time::now();
            }
            self.0.retain(|owned| !owned.fields.0.is_empty());
        } else {
            self.give(manager.clone(), fields);
        }
    }
}

fn entry(owned: &Owned) -> Value {
    let operation = if owned.manager.applies { "Apply" } else { "Update" };
    let mut entry = json!({
        "apiVersion": owned.manager.api_version, "fieldsType": "FieldsV1", "fieldsV1": owned.fields.write(),
        "manager": owned.manager.name, "operation": operation,
    });
    if !owned.manager.subresource.is_empty() {
        entry["subresource"] = json!(owned.manager.subresource);
    }
    if !owned.time.is_empty() {
        entry["time"] = json!(owned.time);
    }
    entry
}
