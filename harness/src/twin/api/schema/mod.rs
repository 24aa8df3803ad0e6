//! Schemas of custom resources: what an object may say, and in which words it is told what it may not.
//!
//! What lives here: re-exports. `read` compiles an OpenAPI v3 schema, `check` judges values, `validations` asks the rules in CEL,
//! `shape` prunes unknown fields and fills defaults in.

mod check;
mod format;
mod read;
mod shape;
mod validations;

pub(super) use read::{ListKeys, Schema};

/// A path of one more field: `spec` + `a` is `spec.a`; a key with a dot in it stands in brackets.
fn field(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests;
