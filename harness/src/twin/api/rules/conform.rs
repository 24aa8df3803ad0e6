//! Reading an object as what its resource says it is.
//!
//! What lives here: apiVersion and kind, the shape of metadata, unknown fields, schema and defaults of custom resources, types
//! of built-in ones. What does not: rules that need more than the object (`check`, `update`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Rules, Unknown, WriteOptions, refuse};
use crate::twin::api::registry::{Check, Flavor, Resource};
use crate::twin::api::{ApiError, Cause, limits};

impl Rules {
    /// Reads an object as its resource, `old` being what it was; the answer is what the client should be warned of.
    ///
    /// # Errors
    /// 400 when it is not one, 422 when its schema forbids it.
    pub(super) fn conform(
        resource: &Resource,
        value: &mut Value,
        old: Option<&Value>,
        options: &WriteOptions,
    ) -> Result<Vec<String>, ApiError> {
        limits::judge(value)?;
        named_right(resource, value)?;
        let cannot = |why: &str| {
            let (kind, version) = (&resource.kind, &resource.version);
            let message = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}");
            ApiError::bad_request(message)
        };
        let metadata = &value["metadata"];
        ObjectMeta::deserialize(metadata).map_err(|error| cannot(&format!("metadata: {error}")))?;
        let fields = match &resource.flavor {
            Flavor::Builtin(of) => {
                quantities(value);
                let (fields, known) =
                    (of.check)(value).map_err(|error| cannot(&placed(of.check, value, &error)))?;
                if !fields.is_empty() {
                    *value = known;
                }
                fields
            }
            Flavor::Custom { schema, .. } => {
                let fields = schema.prune(value);
                if !schema.fill(value) {
                    let message = "Request entity too large: its schema's defaults make it larger than an object may be";
                    return Err(ApiError::new(413, "RequestEntityTooLarge", message));
                }
                fields
            }
        };
        let mut said: Vec<_> = fields.iter().map(|field| format!("unknown field \"{field}\"")).collect();
        // What is said twice in what is not read at all is not noticed by a Kubernetes server either.
        let read = |path: &&String| !fields.iter().any(|field| inside(field, path));
        let repeated = options.repeated.iter().filter(read);
        said.extend(repeated.map(|field| format!("duplicate field \"{field}\"")));
        if options.unknown == Unknown::Refuse && !said.is_empty() {
            return Err(cannot(&format!("strict decoding error: {}", said.join(", "))));
        }
        if let Flavor::Custom { schema, .. } = &resource.flavor {
            let name = value["metadata"]["name"].as_str().unwrap_or_default();
            let mut causes = schema.check(value);
            if schema.ruled() {
                if causes.iter().any(Cause::blocks_rules) {
                    causes.push(Cause::unchecked());
                } else {
                    causes.extend(schema.obey(value, old));
                }
            }
            refuse(resource, name, causes)?;
        }
        Ok(if options.unknown == Unknown::Warn { said } else { Vec::new() })
    }
}

/// Reads a question that is answered and not kept.
///
/// # Errors
/// 400 when it is none.
pub(in crate::twin::api) fn review(resource: &Resource, value: &mut Value) -> Result<(), ApiError> {
    Rules::conform(resource, value, None, &WriteOptions::default()).map(drop)
}

/// Whether a path is that of a field or of something in it.
fn inside(field: &str, path: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Each try reads the object once more: in larger ones, and after so many, the field is not looked for.
const LARGE: usize = 64 << 10;
const TRIES: usize = 200;

/// The error of a value of the wrong type with the field it is in, found by taking fields out until the error is another.
fn placed(check: Check, value: &Value, error: &str) -> String {
    let mut pointer = String::new();
    let mut path = String::new();
    let mut tries = if value.to_string().len() > LARGE { 0 } else { TRIES };
    let wrong = |value: &Value| check(value).err().is_some_and(|now| now == error);
    while let Some(inside) = value.pointer(&pointer).cloned() {
        let steps: Vec<(String, String)> = match &inside {
            Value::Object(map) => map.keys().map(|key| (key.clone(), format!(".{key}"))).collect(),
            Value::Array(list) => (0..list.len()).map(|at| (at.to_string(), format!("[{at}]"))).collect(),
            _ => break,
        };
        let culprit = steps.into_iter().take(tries).find(|(step, _)| {
            tries -= 1;
            let mut without = value.clone();
            match without.pointer_mut(&pointer) {
                Some(Value::Object(map)) => drop(map.shift_remove(step)),
                Some(Value::Array(list)) => {
                    drop(step.parse().ok().filter(|at| *at < list.len()).map(|at: usize| list.remove(at)))
                }
                _ => {}
            }
            !wrong(&without)
        });
        let Some((step, written)) = culprit else { break };
        pointer = format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
        path += &written;
    }
    let path = path.trim_start_matches('.');
    if path.is_empty() { error.to_owned() } else { format!("{path}: {error}") }
}

/// Makes sure that the object says it is what the path says it is, and that it has metadata.
fn named_right(resource: &Resource, value: &mut Value) -> Result<(), ApiError> {
    let Some(map) = value.as_object_mut() else {
        return Err(ApiError::bad_request(format!("the body must be one object of kind {}", resource.kind)));
    };
    for (key, expected) in [("apiVersion", resource.api_version()), ("kind", resource.kind.clone())] {
        match map.get(key).map(|v| v.as_str().unwrap_or_default()) {
            None | Some("") => {
                let message = format!("Object '{key}' is missing; write `{key}: {expected}`");
                return Err(ApiError::bad_request(message));
            }
            Some(found) if found != expected => {
                let words = if key == "kind" { "kind" } else { "API version" };
                return Err(ApiError::bad_request(format!(
                    "the {words} in the data ({found}) does not match the expected {words} ({expected})"
                )));
            }
            Some(_) => {}
        }
    }
    let metadata = map.entry("metadata").or_insert_with(|| json!({}));
    if metadata.is_null() {
        *metadata = json!({});
    }
    let Some(metadata) = metadata.as_object_mut() else {
        return Err(ApiError::bad_request("metadata must be an object"));
    };
    metadata.retain(|_, value| !value.is_null());
    Ok(())
}

/// A quantity may be written as a number (`cpu: 1`); it is kept as text, as a Kubernetes server keeps it.
fn quantities(value: &mut Value) {
    let Some(spec) = value.get_mut("spec") else { return };
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            for part in ["requests", "limits"] {
                let amounts =
                    container.pointer_mut(&format!("/resources/{part}")).and_then(Value::as_object_mut);
                for (_, amount) in amounts.into_iter().flatten() {
                    if amount.is_number() {
                        *amount = Value::String(amount.to_string());
                    }
                }
            }
        }
    }
}
