//! The record's JSON schema, generated from the types and published in `reports/schema/`.
//!
//! The published file is for those who read records without this crate. A test keeps it equal to the types;
//! `FABRIC_UPDATE_SCHEMA=1 cargo test -p fabric-reports schema` rewrites it.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Record, SCHEMA_VERSION, shape};

/// The published schema, as it is in the repository.
pub const SCHEMA_FILE: &str = include_str!("../../schema/record-1.json");

/// Where the published schemas are.
pub(crate) const SCHEMAS: &str =
    "https://raw.githubusercontent.com/fabric-conformance/fabric/main/reports/schema";

/// The schema of a record, generated from the types: JSON Schema 2020-12.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    // What is in a state is known by its kind alone: no field of the types refers to these.
    let unreadable = generator.subschema_for::<shape::Unreadable>();
    let shapes = [
        generator.subschema_for::<shape::Sessions>(),
        generator.subschema_for::<shape::Rib>(),
        generator.subschema_for::<shape::Fib>(),
        generator.subschema_for::<shape::Links>(),
        generator.subschema_for::<shape::Addresses>(),
        generator.subschema_for::<shape::Speaker>(),
        generator.subschema_for::<shape::ClusterNode>(),
        generator.subschema_for::<shape::Pod>(),
        generator.subschema_for::<shape::Names>(),
    ];
    let by_kind: Vec<Value> = shape::KINDS
        .iter()
        .zip(shapes)
        .map(|(kind, shape)| {
            json!({
                "if": {"properties": {"kind": {"const": kind}}},
                "then": {"properties": {"json": {"anyOf": [unreadable, shape]}}},
            })
        })
        .collect();
    let mut schema = generator.into_root_schema_for::<Record>();
    if let Some(state) = schema.pointer_mut("/$defs/State") {
        state["allOf"] = by_kind.into();
    }
    schema.insert("title".into(), "The record of one run of fabric".into());
    schema.insert("$id".into(), format!("{SCHEMAS}/record-{SCHEMA_VERSION}.json").into());
    // The types say "a number"; the schema can say which, so that a validator tells versions apart.
    if let Some(version) = schema.pointer_mut("/properties/schema_version") {
        version["const"] = SCHEMA_VERSION.into();
    }
    schema.to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use rstest::rstest;

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/record-1.json");
        if std::env::var_os("FABRIC_UPDATE_SCHEMA").is_some() {
            std::fs::write(path, crate::record::pretty(&schema()) + "\n").unwrap();
        }
        let published: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(
            published == schema(),
            "reports/schema/record-1.json differs from the types: rewrite it with \
             FABRIC_UPDATE_SCHEMA=1 cargo test -p fabric-reports schema, and raise SCHEMA_VERSION if a field \
             changed its meaning or went away"
        );
    }

    #[test]
    fn records_are_valid_under_the_published_schema() {
        let schema: Value = serde_json::from_str(SCHEMA_FILE).unwrap();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        for record in [sample::passed(), sample::failed(), sample::bring_up_failed()] {
            let json = serde_json::to_value(record).unwrap();
            let errors: Vec<String> =
                validator.iter_errors(&json).map(|e| format!("{}: {e}", e.instance_path)).collect();
            assert!(errors.is_empty(), "{errors:#?}");
        }
    }

    #[rstest]
    #[case::another_version("/schema_version", json!(2))]
    #[case::not_a_time("/started", json!("yesterday"))]
    #[case::not_a_verdict("/checks/0/verdict", json!("perhaps"))]
    #[case::content_of_no_kind("/checks/0/evidence/0/content", json!({"xml": "<a/>"}))]
    #[case::a_time_in_words("/times/own_ms", json!("fast"))]
    fn the_schema_refuses_what_is_not_a_record(#[case] pointer: &str, #[case] value: Value) {
        let schema: Value = serde_json::from_str(SCHEMA_FILE).unwrap();
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let mut json = serde_json::to_value(sample::failed()).unwrap();
        *json.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&json));
    }
}
