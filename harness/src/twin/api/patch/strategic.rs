//! Strategic merge patch: a merge patch in which lists with a known key are merged item by item.
//!
//! What lives here: the keys of Kubernetes' own lists (`patchMergeKey` in the API types of Kubernetes 1.33) and the
//! directives `$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…`. What does not: custom
//! resources, which have no such keys and refuse this kind of patch.

use serde_json::{Map, Value};

use crate::twin::api::ApiError;

/// How the list in a field is merged.
enum Merge {
    /// Replaced as a whole.
    Replace,
    /// Item by item, told apart by one of these fields: the first that the items have.
    Keyed(&'static [&'static str]),
    /// As a set of scalars.
    Set,
}

/// How the list under this field name is merged. Names are enough: no two lists of the built-in types of one name differ.
fn strategy(field: &str) -> Merge {
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "secrets"
        | "schedulingGates"
        | "resourceClaims"
        | "resourceClaimStatuses" => Merge::Keyed(&["name"]),
        "conditions" | "addresses" => Merge::Keyed(&["type"]),
        "volumeMounts" => Merge::Keyed(&["mountPath"]),
        "volumeDevices" => Merge::Keyed(&["devicePath"]),
        "hostAliases" | "podIPs" | "hostIPs" => Merge::Keyed(&["ip"]),
        "topologySpreadConstraints" => Merge::Keyed(&["topologyKey"]),
        "ownerReferences" => Merge::Keyed(&["uid"]),
        "ports" => Merge::Keyed(&["containerPort", "port"]),
        "finalizers" | "podCIDRs" => Merge::Set,
        _ => Merge::Replace,
    }
}

/// How a client is told to merge the list in a field whose items have the fields that `has` knows: the strategy, and the key.
pub(in crate::twin::api) fn announced(
    field: &str,
    has: impl Fn(&str) -> bool,
) -> Option<(&'static str, Option<&'static str>)> {
    match strategy(field) {
        Merge::Replace => None,
        Merge::Set => Some(("merge", None)),
        Merge::Keyed(keys) => {
            let key = keys.iter().find(|key| has(key))?;
            let retains = matches!(field, "volumes" | "resourceClaims" | "resourceClaimStatuses");
            Some((if retains { "merge,retainKeys" } else { "merge" }, Some(key)))
        }
    }
}

/// Merges a patch into an object in place.
///
/// # Errors
/// 400 for a patch that is no object, an unknown directive, or an item without its list's key.
pub(super) fn merge(object: &mut Value, patch: &Value) -> Result<(), ApiError> {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => merge_map(object, patch),
        _ => Err(ApiError::bad_request("a strategic merge patch of an object must be an object")),
    }
}

fn merge_map(object: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), ApiError> {
    match patch.get("$patch").map(|v| v.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("delete") => {
            object.clear();
            return Ok(());
        }
        Some("replace") => {
            *object = patch
                .iter()
                .filter(|(key, _)| *key != "$patch")
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            return Ok(());
        }
        Some(_) => return Err(unknown_directive(&patch["$patch"])),
    }
    if let Some(keep) = patch.get("$retainKeys").and_then(Value::as_array) {
        object.retain(|key, _| keep.iter().any(|kept| kept == key));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = value.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(list) = object.get_mut(field).and_then(Value::as_array_mut) {
                list.retain(|item| !gone.contains(item));
            }
        } else if !key.starts_with('$') {
            merge_field(object, key, value)?;
        }
    }
    for (key, order) in patch {
        if let Some(field) = key.strip_prefix("$setElementOrder/")
            && let (Some(list), Some(order)) =
                (object.get_mut(field).and_then(Value::as_array_mut), order.as_array())
        {
            reorder(list, order, field);
        }
    }
    Ok(())
}

fn merge_field(object: &mut Map<String, Value>, key: &str, value: &Value) -> Result<(), ApiError> {
    if value.is_null() {
        object.shift_remove(key);
        return Ok(());
    }
    match (object.get_mut(key), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            merge_map(old, new)?;
            if new.get("$patch").is_some_and(|directive| directive == "delete") {
                object.shift_remove(key);
            }
        }
        (_, Value::Object(new)) => {
            let mut fresh = Map::new();
            merge_map(&mut fresh, new)?;
            object.insert(key.to_owned(), Value::Object(fresh));
        }
        (old, Value::Array(new)) => {
            let mut list = match old {
                Some(Value::Array(list)) => std::mem::take(list),
                _ => Vec::new(),
            };
            merge_list(&mut list, new, key)?;
            object.insert(key.to_owned(), Value::Array(list));
        }
        (_, scalar) => {
            object.insert(key.to_owned(), scalar.clone());
        }
    }
    Ok(())
}

fn merge_list(list: &mut Vec<Value>, patch: &[Value], field: &str) -> Result<(), ApiError> {
    let replaces = |item: &Value| item.get("$patch").is_some_and(|directive| directive == "replace");
    if patch.iter().any(replaces) {
        *list = patch.iter().filter(|item| !replaces(item)).cloned().collect();
        return Ok(());
    }
    // An address of an Endpoints object has no type: there the list has no key, and is replaced.
    let of_endpoints = field == "addresses" && patch.iter().all(|item| item.get("ip").is_some());
    match strategy(field) {
        _ if of_endpoints && !patch.is_empty() => *list = patch.to_vec(),
        Merge::Set => {
            for item in patch {
                if !list.contains(item) {
                    list.push(item.clone());
                }
            }
        }
        Merge::Keyed(keys) if patch.iter().all(Value::is_object) => {
            for item in patch {
                merge_item(list, item, keys, field)?;
            }
        }
        Merge::Keyed(_) | Merge::Replace => *list = patch.to_vec(),
    }
    Ok(())
}

fn merge_item(list: &mut Vec<Value>, item: &Value, keys: &[&str], field: &str) -> Result<(), ApiError> {
    let Some(key) = keys.iter().find(|key| item.get(**key).is_some()) else {
        let message =
            format!("map: {item} does not contain declared merge key: {} (in `{field}`)", keys.join(" or "));
        return Err(ApiError::bad_request(message));
    };
    let at = list.iter().position(|old| old.get(*key) == item.get(*key));
    let directive = item.get("$patch").map(|v| v.as_str().unwrap_or_default());
    match (directive, at) {
        (Some("delete"), Some(at)) => {
            list.remove(at);
        }
        (Some("delete"), None) => {}
        (None | Some("merge"), Some(at)) => merge(&mut list[at], item)?,
        (None | Some("merge"), None) => {
            let mut fresh = Value::Object(Map::new());
            merge(&mut fresh, item)?;
            list.push(fresh);
        }
        (Some(_), _) => return Err(unknown_directive(&item["$patch"])),
    }
    Ok(())
}

/// Puts the items that `order` names into its order; the others keep their places behind them.
fn reorder(list: &mut [Value], order: &[Value], field: &str) {
    let place = |item: &Value| {
        let at = match strategy(field) {
            Merge::Keyed(keys) => order.iter().position(|wanted| {
                keys.iter().any(|key| wanted.get(*key).is_some() && wanted.get(*key) == item.get(*key))
            }),
            Merge::Set | Merge::Replace => order.iter().position(|wanted| wanted == item),
        };
        at.unwrap_or(usize::MAX)
    };
    list.sort_by_key(place);
}

fn unknown_directive(directive: &Value) -> ApiError {
    ApiError::bad_request(format!("unknown patch directive {directive}; write merge, replace or delete"))
}
