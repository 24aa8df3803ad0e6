//! Bringing an object into the schema's shape: unknown fields out, defaults in.
//!
//! What lives here: pruning and defaulting of structural schemas. What does not: judging (`check`).

use serde_json::{Map, Value};

use super::field;
use super::read::Schema;

/// What the defaults filled into one object may weigh, in bytes of memory.
const FILLED: usize = 16 << 20;

impl Schema {
    /// Takes fields out that no property names, and says which they were (`spec.virtualRouters[0].localAsn`).
    pub(in crate::twin::api) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut dropped = Vec::new();
        self.prune_at(object, "", true, &mut dropped);
        dropped
    }

    fn prune_at(&self, value: &mut Value, path: &str, whole: bool, dropped: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    if let Some(schema) = &self.items {
                        schema.prune_at(item, &format!("{path}[{at}]"), false, dropped);
                    }
                }
            }
            Value::Object(map) => {
                let own = |key: &str| whole && matches!(key, "apiVersion" | "kind" | "metadata");
                if !self.open() {
                    map.retain(|key, _| {
                        let known = own(key) || self.property(key).is_some();
                        if !known {
                            dropped.push(field(path, key));
                        }
                        known
                    });
                }
                for (key, value) in map.iter_mut().filter(|(key, _)| !own(key)) {
                    if let Some(schema) = self.property(key) {
                        schema.prune_at(value, &field(path, key), schema.embedded, dropped);
                    }
                }
            }
            _ => {}
        }
    }

    /// Fills in what is not there and has a default; a null where null is not allowed counts as not there. False when the
    /// defaults are more than an object can hold, as those of a long list's items can be: it is not filled in whole then.
    pub(in crate::twin::api) fn fill(&self, object: &mut Value) -> bool {
        let mut left = FILLED;
        self.fill_value(object, &mut left)
    }

    fn fill_value(&self, object: &mut Value, left: &mut usize) -> bool {
        match object {
            Value::Array(items) => {
                let Some(schema) = &self.items else { return true };
                items.iter_mut().all(|item| schema.fill_value(item, left))
            }
            Value::Object(map) => self.fill_map(map, left),
            _ => true,
        }
    }

    fn fill_map(&self, map: &mut Map<String, Value>, left: &mut usize) -> bool {
        for (key, schema) in &self.properties {
            let Some(default) = &schema.default else { continue };
            let missing = match map.get(key) {
                None => true,
                Some(Value::Null) => !schema.nullable,
                Some(_) => false,
            };
            if missing {
                let Some(less) = left.checked_sub(schema.default_weight + key.len()) else { return false };
                *left = less;
                map.insert(key.clone(), default.clone());
            }
        }
        map.iter_mut()
            .all(|(key, value)| self.property(key).is_none_or(|schema| schema.fill_value(value, left)))
    }
}
