//! Bodies, patches and schemas, as functions of bytes (feature `fuzzing`).

use serde_json::{Value, json};

use super::http::parse_body;
use super::limits;
use super::patch::{Lists, Manager, PatchKind, apply, patched};
use super::schema::Schema;

/// Two JSON values with a line end between them.
fn two(data: &[u8]) -> Option<(Value, Value)> {
    let at = data.iter().position(|byte| *byte == b'\n')?;
    Some((serde_json::from_slice(&data[..at]).ok()?, serde_json::from_slice(&data[at + 1..]).ok()?))
}

/// A body of each type, each from the same bytes.
pub fn bodies(data: &[u8]) {
    let protobuf = "application/vnd.kubernetes.protobuf";
    for media_type in ["application/json", "application/yaml", "application/apply-patch+yaml", protobuf] {
        let _ = parse_body(media_type, data);
    }
}

/// An object and a patch of it. Whatever the kind: what comes out is no deeper than an object may be, and patches of
/// which it is promised do nothing the second time.
pub fn patches(data: &[u8]) {
    let Some((object, patch)) = two(data) else { return };
    for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::Strategic] {
        let Ok(once) = patched(kind, &object, &patch) else { continue };
        assert!(limits::shallow(&once, limits::DEPTH + 1), "{kind:?} has made it deeper than it may be");
        if kind == PatchKind::Merge {
            assert_eq!(patched(kind, &once, &patch).as_ref(), Ok(&once), "a merge patch does nothing twice");
        }
    }
    if !object.is_object() || !patch["metadata"].is_object() {
        return;
    }
    let manager = |name: &str| Manager {
        name: name.to_owned(),
        applies: true,
        subresource: String::new(),
        api_version: "v1".to_owned(),
    };
    let applied = |live: &Value, config: &Value, by: &str| {
        let step = apply(live, config, &manager(by), Lists::BuiltIn);
        let mut object = step.object.clone();
        step.settle(live, &object.clone(), &manager(by), Lists::BuiltIn, true).map(|owners| {
            owners.write(&mut object);
            object
        })
    };
    let mut live = json!({"metadata": {"name": "n"}});
    for (config, by) in [(&object, "a"), (&patch, "b")] {
        if !config["metadata"].is_object() {
            continue;
        }
        let Ok(once) = applied(&live, config, by) else { continue };
        assert_eq!(applied(&once, config, by).as_ref(), Ok(&once), "an apply does nothing twice");
        live = once;
    }
}

/// A schema and an object: what pruning and defaulting have made is not changed by them again.
pub fn schemas(data: &[u8]) {
    let Some((schema, mut object)) = two(data) else { return };
    let Ok(schema) = Schema::read(&schema, "schema") else { return };
    schema.prune(&mut object);
    if !schema.fill(&mut object) {
        return;
    }
    let _ = schema.check(&object);
    let once = object.clone();
    schema.fill(&mut object);
    assert_eq!(object, once, "defaults are filled in once");
}
