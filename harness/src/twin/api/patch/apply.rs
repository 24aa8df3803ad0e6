//! Server-side apply.
//!
//! What lives here: merging what a manager applies into what is there, taking away what the manager owned and applies no
//! more, and finding conflicts. Maps are owned leaf by leaf, lists as a whole or item by item. What does not: judging the result (`rules`).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::fields::{FieldSet, Manager, Owned, Owners, Path, at, differs};
use super::lists::{Lists, is_item, position, steps, written};
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
pub(in crate::twin::api) fn apply(
    live: &Value,
    config: &Value,
    manager: &Manager,
    lists: Lists<'_>,
) -> Applied {
    let owners = Owners::read(live);
    let applied = FieldSet::of(config, lists);
    let mut object = live.clone();
    let earlier = owners.0.iter().find(|owned| owned.manager == *manager);
    for path in earlier.map(|owned| &owned.fields.0).into_iter().flatten() {
        let others = || owners.0.iter().filter(|owned| owned.manager != *manager);
        let below = |owned: &Owned| {
            owned.fields.0.range::<Path, _>(path..).next().is_some_and(|next| next.starts_with(path))
        };
        // An item stays while anybody owns a part of it, and so does what tells it apart.
        let kept = applied.0.contains(path)
            || peopled(lists, path, live)
            || others().any(|owned| owned.fields.0.contains(path) || (is_item(path) && below(owned)))
            || is_key(path);
        if !kept {
            remove(&mut object, path);
        }
    }
    merge(&mut object, config, &mut Vec::new(), lists);
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
        lists: Lists<'_>,
        force: bool,
    ) -> Result<Owners, Vec<Cause>> {
        let still_shared = |path: &Path| shared(lists, path, live) && shared(lists, path, end);
        let changed: BTreeSet<&Path> =
            self.applied.0.iter().filter(|path| differs(path, live, end) && !still_shared(path)).collect();
        let mut conflicts = Vec::new();
        for owned in self.owners.0.iter_mut().filter(|owned| owned.manager != *manager) {
            let lost = |path: &&Path| !is_item(path) && !still_shared(path) && overlaps(&changed, path);
            let theirs: Vec<_> = owned.fields.0.iter().filter(lost).cloned().collect();
            for path in theirs {
                conflicts.push(conflict(&path, &owned.manager));
                owned.fields.0.remove(&path);
            }
        }
        if !conflicts.is_empty() && !force {
            return Err(conflicts);
        }
        let there = FieldSet::of(end, lists).0;
        for owned in &mut self.owners.0 {
            owned.fields.0.retain(|path| there.contains(path) || peopled(lists, path, end));
        }
        let mine: BTreeSet<Path> =
            self.applied.0.into_iter().filter(|path| at(end, path).is_some()).collect();
        self.owners.set(manager, mine);
        Ok(self.owners)
    }
}

/// Whether what is at a path is a map or a list in which several managers can own parts.
fn shared(lists: Lists<'_>, path: &Path, object: &Value) -> bool {
    !is_item(path) && at(object, path).is_some_and(|value| lists.shared(path, value))
}

/// Whether there is something in it. Who applied it empty owns that it is there, and nothing that others put in.
fn peopled(lists: Lists<'_>, path: &Path, object: &Value) -> bool {
    let empty = |value: &Value| *value == json!({}) || *value == json!([]);
    shared(lists, path, object) && !at(object, path).is_some_and(empty)
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
    // A real server names the version only of those who did not apply.
    let using = if manager.applies { String::new() } else { format!(" using {}", manager.api_version) };
    let message = format!("conflict with \"{}\"{verb}{using}", manager.name);
    Cause { field: written(path), reason: "FieldManagerConflict", message }
}

/// Merges maps, and lists whose items can be told apart; everything else is replaced. Nulls in the configuration say nothing.
fn merge(object: &mut Value, config: &Value, path: &mut Path, lists: Lists<'_>) {
    match (&mut *object, config) {
        (Value::Object(object), Value::Object(config)) if !lists.atomic(path) => {
            for (key, value) in config.iter().filter(|(_, value)| !value.is_null()) {
                // The object's identity is the server's: a revision in the configuration is a precondition, checked elsewhere.
                if *path == ["f:metadata"] && SERVERS.contains(&key.as_str()) {
                    continue;
                }
                path.push(format!("f:{key}"));
                match object.get_mut(key) {
                    Some(old) => merge(old, value, path, lists),
                    None => {
                        object.insert(key.clone(), without_nulls(value));
                    }
                }
                path.pop();
            }
        }
        (Value::Array(object), Value::Array(config)) => match steps(&lists.items(path), config) {
            Some(steps) => {
                for (step, item) in steps.into_iter().zip(config) {
                    match position(object, &step).and_then(|at| object.get_mut(at)) {
                        Some(old) => {
                            path.push(step);
                            merge(old, item, path, lists);
                            path.pop();
                        }
                        None => object.push(without_nulls(item)),
                    }
                }
            }
            None => *object = config.clone(),
        },
        _ => *object = without_nulls(config),
    }
}

/// Fields of metadata that no configuration sets.
const SERVERS: [&str; 5] =
    ["managedFields", "creationTimestamp", "generation", "deletionTimestamp", "selfLink"];

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v)));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// Whether a field is one that tells an item of a list apart.
fn is_key(path: &[String]) -> bool {
    let [.., item, field] = path else { return false };
    let key = item.strip_prefix("k:").and_then(|key| serde_json::from_str::<Value>(key).ok());
    let field = field.strip_prefix("f:").unwrap_or_default();
    key.is_some_and(|key| key.get(field).is_some())
}

/// Removes a leaf or an item, and the maps and lists above it that are empty then.
fn remove(object: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(below) = (match (first.strip_prefix("f:"), &mut *object) {
        (Some(field), Value::Object(map)) => map.get_mut(field),
        (None, Value::Array(list)) => position(list, first).and_then(|at| list.get_mut(at)),
        _ => None,
    }) else {
        return;
    };
    if !rest.is_empty() {
        remove(below, rest);
        if *below != json!({}) && *below != json!([]) {
            return;
        }
    }
    match (first.strip_prefix("f:"), object) {
        (Some(field), Value::Object(map)) => {
            map.shift_remove(field);
        }
        (None, Value::Array(list)) => {
            if let Some(at) = position(list, first) {
                list.remove(at);
            }
        }
        _ => {}
    }
}
