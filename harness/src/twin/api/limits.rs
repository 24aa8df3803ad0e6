//! How deep and how wide an object may be.
//!
//! What lives here: what is refused because walking it, or saying who owns its fields, would cost far more than sending it.
//! What does not: its size (`http::body` for what is sent, `store` for what is kept).

use serde_json::Value;

use super::ApiError;

/// How many levels an object may have: as many as the JSON parser of most clients, `serde_json` among them, will read.
pub(super) const DEPTH: usize = 128;
/// How many bytes the paths of all an object's fields may be, each written out. Ownership is kept by path; a few fields
/// at the end of a long path are cheap to send and dear to own. A CustomResourceDefinition of a megabyte has ten million.
const PATHS: usize = 64 << 20;

/// Whether the value has no more than `levels` levels. Looks no deeper than that.
pub(super) fn shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| shallow(item, levels - 1)),
        Value::Object(map) => levels > 0 && map.values().all(|value| shallow(value, levels - 1)),
        _ => true,
    }
}

/// Whether an object is one that can be worked on.
///
/// # Errors
/// 413 for one that is too deep or too wide.
pub(super) fn judge(value: &Value) -> Result<(), ApiError> {
    if !shallow(value, DEPTH) {
        return Err(too_deep());
    }
    let mut left = PATHS;
    if spend(value, 0, &mut left) {
        return Ok(());
    }
    let message = "Request entity too large: too many fields at the end of too long paths";
    Err(ApiError::new(413, "RequestEntityTooLarge", message))
}

/// 413: more levels than an object may have.
pub(super) fn too_deep() -> ApiError {
    let message = format!("Request entity too large: an object may have {DEPTH} levels and no more");
    ApiError::new(413, "RequestEntityTooLarge", message)
}

/// Takes the length of the path of every leaf off what is left; false when it is not enough.
fn spend(value: &Value, path: usize, left: &mut usize) -> bool {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().all(|(key, value)| spend(value, path + key.len() + size_of::<String>(), left))
        }
        _ => left.checked_sub(path).map(|less| *left = less).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_is_counted_by_lists_and_maps() {
        assert!(shallow(&json!(1), 0) && !shallow(&json!([]), 0));
        assert!(shallow(&json!({"a": [1]}), 2) && !shallow(&json!({"a": [{}]}), 2));
    }

    #[test]
    fn many_fields_at_the_end_of_a_long_path_are_refused() {
        let wide = |count: usize| (0..count).map(|n| (format!("k{n}"), json!(1))).collect::<Value>();
        let deep = (0..100).fold(wide(20_000), |inner, _| json!({"x".repeat(1000): inner}));
        assert_eq!(judge(&deep).unwrap_err().code, 413);
        judge(&wide(20_000)).unwrap();
    }
}
