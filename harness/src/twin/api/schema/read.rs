//! Compiling an OpenAPI v3 structural schema.
//!
//! What lives here: the schema's form and how it is read from a CustomResourceDefinition; a broken pattern is found here
//! and not when the first object arrives. What does not: judging (`check`), pruning and defaulting (`shape`).

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::twin::api::Cause;

/// The largest program a pattern may compile to, in bytes: a schema is input like any other.
const PATTERN_LIMIT: usize = 1 << 20;

/// What a value may be. Fields are those of OpenAPI v3 and of Kubernetes' extensions to it.
#[derive(Debug, Clone, Default)]
pub(in crate::twin::api) struct Schema {
    pub(super) kind: Option<String>,
    pub(super) properties: Vec<(String, Schema)>,
    pub(super) index: HashMap<String, usize>,
    pub(super) additional: Additional,
    pub(super) items: Option<Box<Schema>>,
    pub(super) required: Vec<String>,
    pub(super) values: Vec<Value>,
    pub(super) pattern: Option<Regex>,
    pub(super) format: Option<String>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(super) min_length: Option<u64>,
    pub(super) max_length: Option<u64>,
    pub(super) min_items: Option<u64>,
    pub(super) max_items: Option<u64>,
    pub(super) min_properties: Option<u64>,
    pub(super) max_properties: Option<u64>,
    pub(super) nullable: bool,
    pub(super) default: Option<Value>,
    pub(super) int_or_string: bool,
    pub(super) preserve_unknown: bool,
    pub(super) embedded: bool,
    pub(super) list_keys: ListKeys,
    pub(super) atomic: bool,
    pub(super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
}

/// What a map's fields without a property of their own may be.
#[derive(Debug, Clone, Default)]
pub(super) enum Additional {
    /// Nothing is said: unknown fields are pruned.
    #[default]
    Unsaid,
    /// Anything goes.
    Any,
    /// Each must be as the schema says.
    Each(Box<Schema>),
}

/// What must be unique in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::twin::api) enum ListKeys {
    /// Nothing.
    #[default]
    Free,
    /// The whole item (`x-kubernetes-list-type: set`).
    Whole,
    /// These fields together (`x-kubernetes-list-type: map`).
    Fields(Vec<String>),
}

impl Schema {
    /// Compiles a schema; `path` is where it stands, for the error.
    ///
    /// # Errors
    /// The field of the schema that cannot be used.
    pub(in crate::twin::api) fn read(value: &Value, path: &str) -> Result<Self, Cause> {
        let Some(map) = value.as_object() else {
            return Err(Cause::invalid(path, value, "a schema must be an object"));
        };
        let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
        let float = |key: &str| map.get(key).and_then(Value::as_f64);
        let count = |key: &str| map.get(key).and_then(Value::as_u64);
        let one = |key: &str| -> Result<Option<Box<Self>>, Cause> {
            map.get(key).map(|v| Self::read(v, &format!("{path}.{key}")).map(Box::new)).transpose()
        };
        let many = |key: &str| -> Result<Vec<Self>, Cause> {
            let list = map.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().enumerate().map(|(i, v)| Self::read(v, &format!("{path}.{key}[{i}]"))).collect()
        };
        let mut properties = Vec::new();
        for (name, value) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            properties.push((name.clone(), Self::read(value, &format!("{path}.properties[{name}]"))?));
        }
        let index = properties.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        let additional = match map.get("additionalProperties") {
            Some(Value::Bool(true)) => Additional::Any,
            Some(schema @ Value::Object(_)) => {
                Additional::Each(Box::new(Self::read(schema, &format!("{path}.additionalProperties"))?))
            }
            _ => Additional::Unsaid,
        };
        let kind = text("type");
        if let Some(kind) = &kind
            && !matches!(
                kind.as_str(),
                "object" | "array" | "string" | "integer" | "number" | "boolean" | "null"
            )
        {
            let allowed = ["array", "boolean", "integer", "number", "object", "string"];
            return Err(Cause::unsupported(format!("{path}.type"), &Value::String(kind.clone()), &allowed));
        }
        Ok(Self {
            kind,
            properties,
            index,
            additional,
            items: one("items")?,
            required: strings(map.get("required")),
            values: map.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            pattern: text("pattern").map(|p| pattern(&p, path)).transpose()?,
            format: text("format"),
            minimum: float("minimum"),
            maximum: float("maximum"),
            exclusive_minimum: flag("exclusiveMinimum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            multiple_of: float("multipleOf"),
            min_length: count("minLength"),
            max_length: count("maxLength"),
            min_items: count("minItems"),
            max_items: count("maxItems"),
            min_properties: count("minProperties"),
            max_properties: count("maxProperties"),
            nullable: flag("nullable"),
            default: map.get("default").filter(|v| !v.is_null()).cloned(),
            int_or_string: flag("x-kubernetes-int-or-string"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            list_keys: match text("x-kubernetes-list-type").as_deref() {
                Some("set") => ListKeys::Whole,
                Some("map") => ListKeys::Fields(strings(map.get("x-kubernetes-list-map-keys"))),
                _ => ListKeys::Free,
            },
            atomic: text("x-kubernetes-map-type").as_deref() == Some("atomic"),
            all_of: many("allOf")?,
            any_of: many("anyOf")?,
            one_of: many("oneOf")?,
            not: one("not")?,
        })
    }

    /// What tells the items of a list apart.
    pub(in crate::twin::api) fn list_keys(&self) -> &ListKeys {
        &self.list_keys
    }

    /// Whether a map is one value to server-side apply.
    pub(in crate::twin::api) fn atomic(&self) -> bool {
        self.atomic
    }

    /// The schema of a list's items.
    pub(in crate::twin::api) fn item(&self) -> Option<&Self> {
        self.items.as_deref()
    }

    /// What a field of a list's items is when it is not said.
    pub(in crate::twin::api) fn item_default(&self, field: &str) -> Option<Value> {
        self.item()?.property(field)?.default.clone()
    }

    /// The schema of one field of a map, when the schema speaks of it.
    pub(in crate::twin::api) fn property(&self, key: &str) -> Option<&Self> {
        match (self.index.get(key), &self.additional) {
            (Some(at), _) => self.properties.get(*at).map(|(_, schema)| schema),
            (None, Additional::Each(schema)) => Some(schema),
            (None, _) => None,
        }
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn pattern(text: &str, path: &str) -> Result<Regex, Cause> {
    RegexBuilder::new(text).size_limit(PATTERN_LIMIT).build().map_err(|error| {
        let why = format!("must be a valid regular expression, but isn't: {error}");
        Cause::invalid(format!("{path}.pattern"), &Value::String(text.to_owned()), &why)
    })
}
