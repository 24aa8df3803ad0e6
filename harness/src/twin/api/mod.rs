//! The endpoint that speaks the Kubernetes API for the twin.
//!
//! What lives here: only re-exports. `error` says no as a Kubernetes server does, `registry` knows which resources there
//! are, `schema`, `rules` and `patch` decide what becomes of an object, `table` prints, `http` and `exec` carry, and
//! `endpoint` opens the door, whose connections `guard` watches over. `limits` says how deep and how wide an object may be.

mod endpoint;
mod error;
mod exec;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod guard;
mod http;
mod limits;
mod patch;
mod pki;
mod registry;
mod rules;
mod runtime;
mod schema;
mod table;
mod time;

#[cfg(test)]
mod tests;

pub use endpoint::{Endpoint, EndpointError, Within, serve};
pub use error::{ApiError, Cause, Details};
pub use http::kubernetes_version;
pub use rules::{Rehearsal, Wrong, install};
pub use runtime::{LogOptions, LogStream, PodRuntime};
