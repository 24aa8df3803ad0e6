//! Tables: what `kubectl get` prints.
//!
//! What lives here: the `Table` object of a list or of one object. `node`, `pod`, `other` and `custom` make the cells; `path` reads
//! the JSON paths of custom columns. What does not: alignment, which kubectl does.

mod custom;
mod node;
mod other;
mod path;
mod pod;
mod services;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::registry::{Flavor, Resource};

/// How much of each object a row carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Carry {
    /// Nothing.
    Nothing,
    /// Its metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

/// One column: heading, type, format, meaning, and whether only wide lists show it.
struct Heading {
    name: String,
    kind: String,
    format: String,
    description: String,
    wide: bool,
}

impl Heading {
    fn new(name: &str, kind: &str, wide: bool) -> Self {
        let format = if name == "Name" { "name" } else { "" };
        let description = format!("{name} of the object");
        Self { name: name.into(), kind: kind.into(), format: format.into(), description, wide }
    }
}

/// What makes a row's cells of an object, at a moment.
type Cells = dyn Fn(&Value, DateTime<Utc>) -> Vec<Value> + Send + Sync;

/// The columns and the cells of one kind of resource.
struct Printer {
    headings: Vec<Heading>,
    cells: Box<Cells>,
}

fn printer(resource: &Resource) -> Printer {
    match &resource.flavor {
        Flavor::Custom { columns, .. } => custom::printer(columns),
        Flavor::Builtin(_) => match resource.plural.as_str() {
            "nodes" => node::printer(),
            "pods" => pod::printer(),
            plural => other::printer(plural),
        },
    }
}

/// A `Table` of objects. Without `headed`, as in a watch after its first event, the columns are left out.
pub(super) fn table<'a>(
    resource: &Resource,
    objects: impl Iterator<Item = &'a Value>,
    metadata: &Value,
    carry: Carry,
    headed: bool,
) -> Value {
    let printer = printer(resource);
    let now = Utc::now();
    let rows: Vec<_> = objects.map(|object| row(&printer, object, now, carry)).collect();
    let columns = if headed { printer.headings.iter().map(heading).collect() } else { Vec::new() };
    let mut table = json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns, "rows": [],
    });
    // Moved in: inside `json!` every row would be written out and read again.
    table["rows"] = Value::Array(rows);
    table
}

fn heading(heading: &Heading) -> Value {
    json!({
        "name": heading.name, "type": heading.kind, "format": heading.format, "description": heading.description,
        "priority": i32::from(heading.wide),
    })
}

fn row(printer: &Printer, object: &Value, now: DateTime<Utc>, carry: Carry) -> Value {
    let mut row = json!({"cells": []});
    row["cells"] = Value::Array((printer.cells)(object, now));
    match carry {
        Carry::Nothing => {}
        Carry::Metadata => row["object"] = partial(object),
        Carry::Object => row["object"] = object.clone(),
    }
    row
}

/// The metadata of an object as an object of its own.
pub(super) fn partial(object: &Value) -> Value {
    let mut partial =
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {}});
    partial["metadata"] = object["metadata"].clone();
    partial
}

/// A text, or what kubectl prints in its place.
fn or_none(text: Option<&str>) -> Value {
    json!(text.filter(|text| !text.is_empty()).unwrap_or("<none>"))
}

fn name(object: &Value) -> Value {
    object["metadata"]["name"].clone()
}

fn age(object: &Value, now: DateTime<Utc>) -> Value {
    json!(super::time::age(object["metadata"]["creationTimestamp"].as_str(), now))
}

#[cfg(test)]
mod tests;
