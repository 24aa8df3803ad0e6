//! JSON patch (RFC 6902), with the limits a server needs.
//!
//! What lives here: limits and the words of refusal. What does not: the patch itself, which `json-patch` does.

use json_patch::{Patch, PatchOperation};
use serde::Deserialize;
use serde_json::Value;

use crate::twin::api::{ApiError, limits};

/// As many operations as a Kubernetes server takes in one patch.
const OPERATIONS: usize = 10_000;
/// As many bytes as the `copy` operations of one patch may add: copying in a circle doubles an object each time.
const COPIED: usize = 3 << 20;

/// Patches an object in place.
///
/// # Errors
/// 400 when it is not a JSON patch, 413 when it is over a limit, 422 when it does not fit the object.
pub(super) fn patch(object: &mut Value, patch: &Value) -> Result<(), ApiError> {
    let Patch(operations) = Patch::deserialize(patch)
        .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))?;
    if operations.len() > OPERATIONS {
        let message = format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS}, got {}",
            operations.len()
        );
        return Err(ApiError::new(413, "RequestEntityTooLarge", message));
    }
    let mut copied = 0;
    for operation in operations {
        if !within(object, &operation) {
            return Err(limits::too_deep());
        }
        if let PatchOperation::Copy(copy) = &operation {
            copied += object.pointer(copy.from.as_str()).map_or(0, |value| value.to_string().len());
            if copied > COPIED {
                return Err(ApiError::too_large(COPIED));
            }
        }
        json_patch::patch_unsafe(object, std::slice::from_ref(&operation)).map_err(|error| {
            ApiError::new(
                422,
                "Invalid",
                format!("the server rejected our request due to an error in our request: {error}"),
            )
        })?;
    }
    Ok(())
}

/// Whether what the operation writes stays within the levels an object may have. Each one must: a path can reach into what
/// the one before has written, so that a thousand of them would make an object that no stack can hold.
fn within(object: &Value, operation: &PatchOperation) -> bool {
    let at = |pointer: &str| object.pointer(pointer).unwrap_or(&Value::Null);
    let (path, value) = match operation {
        PatchOperation::Add(add) => (add.path.as_str(), &add.value),
        PatchOperation::Replace(replace) => (replace.path.as_str(), &replace.value),
        PatchOperation::Copy(copy) => (copy.path.as_str(), at(copy.from.as_str())),
        PatchOperation::Move(moved) => (moved.path.as_str(), at(moved.from.as_str())),
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return true,
    };
    limits::DEPTH.checked_sub(path.matches('/').count()).is_some_and(|left| limits::shallow(value, left))
}
