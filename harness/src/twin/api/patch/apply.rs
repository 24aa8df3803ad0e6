//! Server-side apply: an honest part of it.
//!
//! What lives here: merging what a manager applies into what is there, taking away what the manager owned and applies no
//! more, and finding conflicts. Maps are owned leaf by leaf, lists as a whole. What does not: judging the result (`rules`).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::fields::{FieldSet, Manager, Owners, Path, at};
use crate::twin::api::Cause;

/// An object as applying makes it, before defaults and checks.
#[derive(Debug)]
pub(in crate::twin::api) struct Applied {
    /// The merged object.
    pub object: Value,
    applied: FieldSet,
    owners: Owners,
}

/// Merges `config` into `live`.
pub(in crate::twin::api) fn apply(live: &Value, config: &Value, manager: &Manager) -> Applied {
    let owners = Owners::read(live);
    let applied = FieldSet::of(config);
    let mut object = live.clone();
    let earlier = owners.0.iter().find(|owned| owned.manager == *manager);
    for path in earlier.map(|owned| &owned.fields.0).into_iter().flatten() {
        let kept = applied.0.contains(path)
            || peopled(at(live, path))
            || owners.0.iter().any(|o| o.manager != *manager && o.fields.0.contains(path));
        if !kept {
            remove(&mut object, path);
        }
    }
    merge(&mut object, config, true);
    Applied { object, applied, owners }
}

impl Applied {
    /// The fields that others own and that would change, given what the object looks like in the end; and, once they are
    /// forced or none, the owners as they are then.
    ///
    /// # Errors
    /// One cause per field and owner.
    pub(in crate::twin::api) fn settle(
        mut self,
        live: &Value,
        end: &Value,
        manager: &Manager,
        force: bool,
    ) -> Result<Owners, Vec<Cause>> {
        let still_a_map = |path: &Path| is_map(at(live, path)) && is_map(at(end, path));
        let differs = |path: &&Path| at(live, path) != at(end, path) && !still_a_map(path);
        let changed: BTreeSet<&Path> = self.applied.0.iter().filter(differs).collect();
        let mut conflicts = Vec::new();
        for owned in self.owners.0.iter_mut().filter(|owned| owned.manager != *manager) {
            let lost = |path: &&Path| !still_a_map(path) && overlaps(&changed, path);
            let theirs: Vec<_> = owned.fields.0.iter().filter(lost).cloned().collect();
            for path in theirs {
                conflicts.push(conflict(&path, &owned.manager));
                owned.fields.0.remove(&path);
            }
        }
        if !conflicts.is_empty() && !force {
            return Err(conflicts);
        }
        let there = FieldSet::of(end).0;
        for owned in &mut self.owners.0 {
            owned.fields.0.retain(|path| there.contains(path) || peopled(at(end, path)));
        }
        let mine: BTreeSet<Path> =
            self.applied.0.into_iter().filter(|path| at(end, path).is_some()).collect();
        self.owners.set(manager, mine);
        Ok(self.owners)
    }
}

fn is_map(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_object)
}

/// Whether it is a map with something in it. Who applied it empty owns that it is there, and nothing that others put in.
fn peopled(value: Option<&Value>) -> bool {
    value.and_then(Value::as_object).is_some_and(|map| !map.is_empty())
}

/// Whether one of the changed leaves is the path, is above it, or is below it.
fn overlaps(changed: &BTreeSet<&Path>, path: &Path) -> bool {
    (1..=path.len()).any(|end| changed.contains(&path[..end].to_vec()))
        || changed.range::<&Path, _>(path..).next().is_some_and(|next| next.starts_with(path))
}

fn conflict(path: &Path, manager: &Manager) -> Cause {
    let verb = if manager.subresource.is_empty() {
        String::new()
    } else {
        format!(" with subresource \"{}\"", manager.subresource)
    };
    let message = format!("conflict with \"{}\"{verb} using {}", manager.name, manager.api_version);
    Cause {
        field: path.iter().fold(String::new(), |text, step| text + "." + step),
        reason: "FieldManagerConflict",
        message,
    }
}

/// Merges maps; everything else is replaced. Nulls in the configuration say nothing.
fn merge(object: &mut Value, config: &Value, top: bool) {
    let (Value::Object(object), Value::Object(config)) = (&mut *object, config) else {
        *object = without_nulls(config);
        return;
    };
    for (key, value) in config.iter().filter(|(_, value)| !value.is_null()) {
        match object.get_mut(key) {
            Some(old @ Value::Object(_)) if value.is_object() => {
                if top && key == "metadata" {
                    merge_metadata(old, value);
                } else {
                    merge(old, value, false);
                }
            }
            _ => {
                object.insert(key.clone(), without_nulls(value));
            }
        }
    }
}

/// The object's identity is the server's: a revision in the configuration is a precondition, checked elsewhere.
fn merge_metadata(object: &mut Value, config: &Value) {
    let mut config = config.clone();
    if let Some(map) = config.as_object_mut() {
        for key in ["managedFields", "creationTimestamp", "generation", "deletionTimestamp", "selfLink"] {
            map.shift_remove(key);
        }
    }
    merge(object, &config, false);
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v)));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Removes a leaf, and the maps above it that are empty then.
fn remove(object: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(map) = object.as_object_mut() else { return };
    if let (false, Some(below)) = (rest.is_empty(), map.get_mut(first)) {
        remove(below, rest);
        if *below != json!({}) {
            return;
        }
    }
    map.shift_remove(first);
}
