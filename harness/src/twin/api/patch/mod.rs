//! Changing part of an object: the four ways a Kubernetes server offers.
//!
//! What lives here: the kinds of patch and which resource takes which. `strategic` knows the keys of Kubernetes' own lists,
//! `json` guards RFC 6902, `fields` keeps who owns what, `apply` is server-side apply. RFC 7386 comes from `json-patch`.

mod apply;
mod fields;
mod json;
mod lists;
mod strategic;

pub(super) use apply::apply;
pub(super) use fields::{Manager, Owners};
pub(super) use lists::Lists;
pub(super) use strategic::announced;

use serde_json::Value;

use super::ApiError;

/// How to read a patch, told by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PatchKind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' own: lists with keys are merged item by item.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl PatchKind {
    /// The kind of patch a media type stands for.
    ///
    /// # Errors
    /// 415 naming what the resource takes.
    pub(super) fn of(media_type: &str, custom: bool) -> Result<Self, ApiError> {
        let kind = match media_type {
            "application/json-patch+json" => Self::Json,
            "application/merge-patch+json" => Self::Merge,
            "application/strategic-merge-patch+json" if !custom => Self::Strategic,
            "application/apply-patch+yaml" => Self::Apply,
            _ => {
                let mut accepted = vec!["application/json-patch+json", "application/merge-patch+json"];
                if !custom {
                    accepted.push("application/strategic-merge-patch+json");
                }
                accepted.push("application/apply-patch+yaml");
                return Err(ApiError::unsupported_media(&accepted));
            }
        };
        Ok(kind)
    }
}

/// The object as the patch makes it. Server-side apply is not among these: see [`apply`].
///
/// # Errors
/// 400 for a patch that is none, 422 for one that does not fit the object.
pub(super) fn patched(kind: PatchKind, object: &Value, patch: &Value) -> Result<Value, ApiError> {
    let mut changed = object.clone();
    match kind {
        PatchKind::Json => json::patch(&mut changed, patch)?,
        PatchKind::Merge => {
            if !patch.is_object() {
                return Err(ApiError::bad_request("a merge patch of an object must be an object"));
            }
            json_patch::merge(&mut changed, patch);
        }
        PatchKind::Strategic => strategic::merge(&mut changed, patch)?,
        PatchKind::Apply => return Err(ApiError::internal("server-side apply is not a plain patch")),
    }
    Ok(changed)
}

#[cfg(test)]
mod tests;
