//! What the server says of its types, in both versions of OpenAPI.
//!
//! What lives here: only re-exports. `types` has the schemas, `v3` a document per group and version, `v2` one of everything, made of
//! those of `v3`, and `gnostic` its encoding. What does not: judging objects (`schema`, `rules`).

mod gnostic;
mod types;
mod v2;
mod v3;

pub(super) use v2::{Second, document as second};
pub(super) use v3::{document, index};
