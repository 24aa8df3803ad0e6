//! Why a check failed: from what was seen, the first rung that is broken and what broke it. Pure functions.
//!
//! What does not live here: looking (`run::ladder`), which checks fail (`checks`), how it is told (`fabric-reports`).

pub mod boxes;
pub mod filters;
mod finding;
pub mod packets;
pub mod pods;
pub mod routes;
pub mod session;

pub use finding::{Blame, CLUSTER, Finding, Proof};
