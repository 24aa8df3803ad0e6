//! The twin: an embedded cluster that people and programs reach as they reach any Kubernetes cluster.
//!
//! What lives here: only the list of its rooms.

pub mod api;
pub mod store;
