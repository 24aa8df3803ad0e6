//! The tables of custom resources: the columns their definition names.
//!
//! What lives here: cells from JSON paths, by type. What does not: reading the paths (`path`).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::path::Path;
use super::{Heading, Printer, name};
use crate::twin::api::registry::Column;
use crate::twin::api::time;

pub(super) fn printer(columns: &[Column]) -> Printer {
    let mut headings = vec![Heading::new("Name", "string", false)];
    headings.extend(columns.iter().map(|column| Heading {
        name: column.name.clone(),
        kind: column.kind.clone(),
        format: column.format.clone(),
        description: column.description.clone(),
        wide: column.priority > 0,
    }));
    let paths: Vec<_> =
        columns.iter().map(|column| (column.kind.clone(), Path::read(&column.path))).collect();
    Printer {
        headings,
        cells: Box::new(move |object, now| {
            let mut cells = vec![name(object)];
            cells.extend(paths.iter().map(|(kind, path)| {
                path.as_ref().map_or(Value::Null, |path| cell(kind, &path.find(object), now))
            }));
            cells
        }),
    }
}

/// A cell by the column's type; a value of another type is left out, as a Kubernetes server leaves it out.
fn cell(kind: &str, found: &[&Value], now: DateTime<Utc>) -> Value {
    let Some(value) = found.first() else { return Value::Null };
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        ("date", Value::String(text)) => json!(time::age(Some(text), now)),
        ("integer", Value::Number(_)) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => {
            (*value).clone()
        }
        ("string", _) => {
            let words = found.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
            json!(words.collect::<Vec<_>>().join(","))
        }
        _ => Value::Null,
    }
}
