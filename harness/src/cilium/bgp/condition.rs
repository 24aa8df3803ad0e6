//! Conditions in a status, as Kubernetes defines them (`meta/v1`), with their schema.
//!
//! What lives here: one condition, and how one is set. What does not: which conditions there are.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// One condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// When the status last changed, in RFC 3339.
    #[schemars(schema_with = "date_time")]
    pub last_transition_time: String,
    /// For people; may be empty.
    #[schemars(length(max = 32768))]
    pub message: String,
    /// The `metadata.generation` the condition was set by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "generation")]
    pub observed_generation: Option<i64>,
    /// One word in CamelCase.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(schema_with = "status")]
    pub status: String,
    /// What it is about, with a domain before it.
    #[serde(rename = "type")]
    #[schemars(schema_with = "kind")]
    pub type_: String,
}

impl Condition {
    /// A condition that holds or does not, as of now.
    pub fn new(type_: &str, holds: bool, reason: &str, message: String, generation: Option<i64>) -> Self {
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Self {
            last_transition_time: now,
            message,
            observed_generation: generation,
            reason: reason.to_owned(),
            status: if holds { "True" } else { "False" }.to_owned(),
            type_: type_.to_owned(),
        }
    }

    /// Puts it among `conditions`, in order of their types. The time of one that was there with the same status stays.
    pub fn put(mut self, conditions: &mut Vec<Self>) {
        if let Some(old) = conditions.iter().find(|old| old.type_ == self.type_ && old.status == self.status)
        {
            self.last_transition_time.clone_from(&old.last_transition_time);
        }
        conditions.retain(|old| old.type_ != self.type_);
        conditions.push(self);
        conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    }
}

fn date_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

fn generation(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64", "minimum": 0 })
}

fn status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["True", "False", "Unknown"] })
}

/// A word, with a DNS name and a slash before it or without.
fn kind(_: &mut SchemaGenerator) -> Schema {
    let label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
    let pattern = format!(r"^({label}(\.{label})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$");
    json_schema!({ "type": "string", "maxLength": 316, "pattern": pattern })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_says_the_same_again_keeps_its_time() {
        let mut all = Vec::new();
        let mut first = Condition::new("b", true, "B", String::new(), Some(1));
        first.last_transition_time = "2026-01-01T00:00:00Z".to_owned();
        first.put(&mut all);
        Condition::new("a", false, "A", String::new(), None).put(&mut all);
        Condition::new("b", true, "B", "more".to_owned(), Some(2)).put(&mut all);
        assert_eq!(all.iter().map(|one| one.type_.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            (all[1].last_transition_time.as_str(), all[1].message.as_str()),
            ("2026-01-01T00:00:00Z", "more")
        );
        Condition::new("b", false, "B", String::new(), Some(2)).put(&mut all);
        assert_ne!(all[1].last_transition_time, "2026-01-01T00:00:00Z");
    }
}
