//! How lists and maps are owned and merged by server-side apply: whole, or item by item.
//!
//! What lives here: the keys of the built-in types' lists (`x-kubernetes-list-map-keys` in the API types of Kubernetes 1.33), those of
//! custom resources' schemas, and steps into lists as `FieldsV1` writes them. What does not: strategic merge patches, whose keys
//! differ in places (`strategic`).

use serde_json::{Map, Value, json};

use super::fields::Path;
use crate::twin::api::schema::{ListKeys, Schema};

/// Who knows the lists of an object.
#[derive(Debug, Clone, Copy)]
pub(in crate::twin::api) enum Lists<'a> {
    /// Kubernetes' own types.
    BuiltIn,
    /// A definition's schema.
    Custom(&'a Schema),
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Items {
    /// Not at all: the list is one value.
    One,
    /// By what they are.
    Set,
    /// By these fields, each with the value it has when it is not said.
    Keyed(Vec<(String, Option<Value>)>),
}

impl Lists<'_> {
    /// How the list at a path is owned.
    pub(super) fn items(&self, path: &[String]) -> Items {
        match self.schema(path) {
            Some(schema) => match schema.list_keys() {
                ListKeys::Free => Items::One,
                ListKeys::Whole => Items::Set,
                ListKeys::Fields(fields) => Items::Keyed(
                    fields.iter().map(|field| (field.clone(), schema.item_default(field))).collect(),
                ),
            },
            None if matches!(self, Self::BuiltIn) || in_metadata(path) => built_in(path),
            None => Items::One,
        }
    }

    /// Whether the map at a path is one value.
    pub(super) fn atomic(&self, path: &[String]) -> bool {
        match (self, path.last()) {
            (Self::BuiltIn, Some(last)) => matches!(last.as_str(), "f:nodeSelector" | "f:selector"),
            _ => self.schema(path).is_some_and(Schema::atomic),
        }
    }

    /// Whether several managers can own parts of a value at a path.
    pub(super) fn shared(&self, path: &[String], value: &Value) -> bool {
        match value {
            Value::Object(_) => !self.atomic(path),
            Value::Array(list) => steps(&self.items(path), list).is_some(),
            _ => false,
        }
    }

    fn schema(&self, path: &[String]) -> Option<&Schema> {
        let Self::Custom(schema) = self else { return None };
        if in_metadata(path) {
            return None;
        }
        path.iter().try_fold(*schema, |schema, step| match step.strip_prefix("f:") {
            Some(field) => schema.property(field),
            None => schema.item(),
        })
    }
}

fn in_metadata(path: &[String]) -> bool {
    path.first().is_some_and(|first| first == "f:metadata")
}

/// Field names are enough: the only list of one name and several keys is `ports`.
fn built_in(path: &[String]) -> Items {
    let keyed = |keys: &[&str]| Items::Keyed(keys.iter().map(|key| ((*key).to_owned(), None)).collect());
    let last = path.last().and_then(|step| step.strip_prefix("f:")).unwrap_or_default();
    let inside = |field: &str| path.iter().any(|step| step.strip_prefix("f:") == Some(field));
    match last {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "volumes"
        | "env"
        | "imagePullSecrets"
        | "resourceClaims"
        | "schedulingGates" => keyed(&["name"]),
        "secrets" if path.len() == 1 => keyed(&["name"]),
        "volumeMounts" => keyed(&["mountPath"]),
        "volumeDevices" => keyed(&["devicePath"]),
        "conditions" => keyed(&["type"]),
        "addresses" if inside("status") => keyed(&["type"]),
        "hostAliases" | "podIPs" => keyed(&["ip"]),
        "ownerReferences" => keyed(&["uid"]),
        "topologySpreadConstraints" => keyed(&["topologyKey", "whenUnsatisfiable"]),
        "ports" if inside("spec") => {
            let number =
                if inside("containers") || inside("initContainers") { "containerPort" } else { "port" };
            Items::Keyed(vec![(number.into(), None), ("protocol".into(), Some(json!("TCP")))])
        }
        "finalizers" | "podCIDRs" => Items::Set,
        _ => Items::One,
    }
}

/// The step to each item of a list; `None` where the list is one value, or its items cannot be told apart.
pub(super) fn steps(items: &Items, list: &[Value]) -> Option<Vec<String>> {
    if *items == Items::One {
        return None;
    }
    let step = |item: &Value| match items {
        Items::One => None,
        Items::Set => (!item.is_object() && !item.is_array()).then(|| format!("v:{item}")),
        Items::Keyed(keys) => {
            let item = item.as_object()?;
            let mut key: Vec<_> = keys
                .iter()
                .map(|(name, default)| Some((name.clone(), item.get(name).or(default.as_ref())?.clone())))
                .collect::<Option<_>>()?;
            key.sort_by(|(a, _), (b, _)| a.cmp(b));
            Some(format!("k:{}", Value::Object(key.into_iter().collect::<Map<_, _>>())))
        }
    };
    let steps: Vec<_> = list.iter().map(step).collect::<Option<_>>()?;
    let mut sorted: Vec<_> = steps.iter().collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1]).then_some(steps)
}

/// Where in a list a step leads.
pub(super) fn position(list: &[Value], step: &str) -> Option<usize> {
    if let Some(value) = step.strip_prefix("v:") {
        let value: Value = serde_json::from_str(value).ok()?;
        return list.iter().position(|item| *item == value);
    }
    let key: Map<String, Value> = serde_json::from_str(step.strip_prefix("k:")?).ok()?;
    list.iter().position(|item| {
        key.iter().all(|(field, value)| match item.get(field) {
            Some(found) => found == value,
            // A default that nobody has filled in yet.
            None => field == "protocol" && value == "TCP",
        })
    })
}

/// A path as a conflict names it: `.spec.containers[name="a"].image`.
pub(super) fn written(path: &Path) -> String {
    path.iter().fold(String::new(), |text, step| {
        if let Some(field) = step.strip_prefix("f:") {
            return text + "." + field;
        }
        if let Some(value) = step.strip_prefix("v:") {
            return format!("{text}[={value}]");
        }
        let key: Map<String, Value> =
            step.strip_prefix("k:").and_then(|key| serde_json::from_str(key).ok()).unwrap_or_default();
        let key: Vec<_> = key.iter().map(|(field, value)| format!("{field}={value}")).collect();
        format!("{text}[{}]", key.join(","))
    })
}

/// Whether a path leads to an item of a list and not to a field.
pub(super) fn is_item(path: &[String]) -> bool {
    path.last().is_some_and(|step| !step.starts_with("f:"))
}
