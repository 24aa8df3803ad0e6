//! Makes and observes Cilium BGP fabrics.
//!
//! What lives here: loading a lab, bringing it up, the handles to look at it. What does not: expectations
//! (crate `fabric-suites`) and reports (crate `fabric-reports`).

pub mod capture;
pub mod cilium;
pub mod cluster;
pub mod fabric;
pub mod found;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
pub mod lab;
pub mod node;
pub mod outside;
pub mod probe;
pub mod router;
pub mod runtime;
pub mod speakers;
pub mod tools;
pub mod twin;
pub mod wait;
pub mod wire;
mod world;
