//! Compiling an OpenAPI v3 structural schema.
//!
//! What lives here: the schema's form and how it is read from a CustomResourceDefinition; a broken pattern is found here
//! and not when the first object arrives. What does not: judging (`check`), pruning and defaulting (`shape`).

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::validations::{self, Rule};
use crate::twin::api::Cause;
use crate::twin::store::weight;

/// The sizes of the programs patterns compile to, in bytes: the smallest that is large enough is what a pattern costs.
const PATTERN_SIZES: [usize; 3] = [8 << 10, 64 << 10, 1 << 20];
/// What the different patterns of one schema may cost together, in bytes: a schema is input like any other, and thirty bytes
/// of it can ask for a megabyte.
const PATTERNS: usize = 8 << 20;

/// The patterns of one schema, each compiled once.
struct Patterns {
    compiled: HashMap<String, Regex>,
    left: usize,
}

impl Patterns {
    fn compile(&mut self, text: &str, path: &str) -> Result<Regex, Cause> {
        if let Some(known) = self.compiled.get(text) {
            return Ok(known.clone());
        }
        let wrong = |why: &str| {
            let why = format!("must be a valid regular expression, but isn't: {why}");
            Cause::invalid(format!("{path}.pattern"), &Value::String(text.to_owned()), &why)
        };
        let mut why = "the patterns of this schema are too large together".to_owned();
        for size in PATTERN_SIZES.into_iter().filter(|size| *size <= self.left) {
            match RegexBuilder::new(text).size_limit(size).build() {
                Ok(pattern) => {
                    self.left -= size;
                    self.compiled.insert(text.to_owned(), pattern.clone());
                    return Ok(pattern);
                }
                Err(regex::Error::CompiledTooBig(_)) => {
                    let most = PATTERN_SIZES[PATTERN_SIZES.len() - 1];
                    if size == most {
                        why = format!("it takes more than {most} bytes when compiled");
                    }
                }
                Err(error) => return Err(wrong(&error.to_string())),
            }
        }
        Err(wrong(&why))
    }
}

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
    /// What the default weighs, in bytes of memory.
    pub(super) default_weight: usize,
    pub(super) int_or_string: bool,
    pub(super) preserve_unknown: bool,
    pub(super) embedded: bool,
    pub(super) list_keys: ListKeys,
    pub(super) atomic: bool,
    pub(super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
    pub(super) rules: Vec<Rule>,
    /// Whether it or a schema in it has rules.
    pub(super) ruled: bool,
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
        let mut patterns = Patterns { compiled: HashMap::new(), left: PATTERNS };
        Self::read_with(value, path, &mut patterns)
    }

    fn read_with(value: &Value, path: &str, patterns: &mut Patterns) -> Result<Self, Cause> {
        let Some(map) = value.as_object() else {
            return Err(Cause::invalid(path, value, "a schema must be an object"));
        };
        let text = |key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        let flag = |key: &str| map.get(key).and_then(Value::as_bool).unwrap_or(false);
        let float = |key: &str| map.get(key).and_then(Value::as_f64);
        let count = |key: &str| map.get(key).and_then(Value::as_u64);
        let mut properties = Vec::new();
        for (name, value) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let schema = Self::read_with(value, &format!("{path}.properties[{name}]"), patterns)?;
            properties.push((name.clone(), schema));
        }
        let index = properties.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        let additional = match map.get("additionalProperties") {
            Some(Value::Bool(true)) => Additional::Any,
            Some(schema @ Value::Object(_)) => {
                let path = format!("{path}.additionalProperties");
                Additional::Each(Box::new(Self::read_with(schema, &path, patterns)?))
            }
            _ => Additional::Unsaid,
        };
        let mut one = |key: &str| -> Result<Option<Box<Self>>, Cause> {
            let Some(value) = map.get(key) else { return Ok(None) };
            Self::read_with(value, &format!("{path}.{key}"), patterns).map(|schema| Some(Box::new(schema)))
        };
        let (items, not) = (one("items")?, one("not")?);
        let mut many = |key: &str| -> Result<Vec<Self>, Cause> {
            let list = map.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let each = list.iter().enumerate();
            each.map(|(i, v)| Self::read_with(v, &format!("{path}.{key}[{i}]"), patterns)).collect()
        };
        let (all_of, any_of, one_of) = (many("allOf")?, many("anyOf")?, many("oneOf")?);
        let rules = validations::read(map.get("x-kubernetes-validations"), path)?;
        let inside = |schema: &Self| schema.ruled;
        let ruled = !rules.is_empty()
            || properties.iter().any(|(_, schema)| schema.ruled)
            || items.as_deref().is_some_and(inside)
            || matches!(&additional, Additional::Each(schema) if schema.ruled);
        let default = map.get("default").filter(|v| !v.is_null()).cloned();
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
            items,
            required: strings(map.get("required")),
            values: map.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            pattern: text("pattern").map(|p| patterns.compile(&p, path)).transpose()?,
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
            default_weight: default.as_ref().map_or(0, weight),
            default,
            int_or_string: flag("x-kubernetes-int-or-string"),
            preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            list_keys: match text("x-kubernetes-list-type").as_deref() {
                Some("set") => ListKeys::Whole,
                Some("map") => ListKeys::Fields(strings(map.get("x-kubernetes-list-map-keys"))),
                _ => ListKeys::Free,
            },
            atomic: text("x-kubernetes-map-type").as_deref() == Some("atomic"),
            all_of,
            any_of,
            one_of,
            not,
            rules,
            ruled,
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

    /// The names of the fields at a path such as `spec.virtualRouters[0]`; none where the path leads nowhere.
    pub(in crate::twin::api) fn names_at(&self, path: &str) -> Vec<String> {
        let found = path.split('.').filter(|step| !step.is_empty()).try_fold(self, |schema, step| {
            let (name, indexes) =
                step.split_once('[').map_or((step, 0), |(name, rest)| (name, rest.matches(']').count()));
            (0..indexes).try_fold(schema.property(name)?, |schema, _| schema.items.as_deref())
        });
        found
            .map(|schema| schema.properties.iter().map(|(name, _)| name.clone()).collect())
            .unwrap_or_default()
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
