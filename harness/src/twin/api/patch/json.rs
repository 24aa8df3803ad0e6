//! JSON patch (RFC 6902), with the limits a server needs.
//!
//! What lives here: limits and the words of refusal. What does not: the patch itself, which `json-patch` does.

use json_patch::{Patch, PatchOperation};
use serde::Deserialize;
use serde_json::Value;

use crate::twin::api::ApiError;

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
