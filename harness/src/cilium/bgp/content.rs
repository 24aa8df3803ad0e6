//! What an object's content is known by.
//!
//! What lives here: one name for it, so that two who looked at an object can tell whether they saw the same. A
//! resourceVersion would not do: it changes with the status, too.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Which object it is, and how often its content has changed: `UID/GENERATION`.
pub fn content(metadata: &ObjectMeta) -> String {
    let uid = metadata.uid.as_deref().unwrap_or_default();
    format!("{uid}/{}", metadata.generation.unwrap_or_default())
}
