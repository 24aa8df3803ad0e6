//! Bringing an object into the schema's shape: unknown fields out, defaults in.
//!
//! What lives here: pruning and defaulting of structural schemas. What does not: judging (`check`).

use serde_json::{Map, Value};

use super::field;
use super::read::Schema;

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
                    let unknown: Vec<_> =
                        map.keys().filter(|key| !own(key) && self.property(key).is_none()).cloned().collect();
                    for key in unknown {
                        map.shift_remove(&key);
                        dropped.push(field(path, &key));
                    }
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

    /// Fills in what is not there and has a default; a null where null is not allowed counts as not there.
    pub(in crate::twin::api) fn fill(&self, object: &mut Value) {
        match object {
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    items.iter_mut().for_each(|item| schema.fill(item));
                }
            }
            Value::Object(map) => self.fill_map(map),
            _ => {}
        }
    }

    fn fill_map(&self, map: &mut Map<String, Value>) {
        for (key, schema) in &self.properties {
            let Some(default) = &schema.default else { continue };
            let missing = match map.get(key) {
                None => true,
                Some(Value::Null) => !schema.nullable,
                Some(_) => false,
            };
            if missing {
                map.insert(key.clone(), default.clone());
            }
        }
        for (key, value) in map.iter_mut() {
            if let Some(schema) = self.property(key) {
                schema.fill(value);
            }
        }
    }
}
