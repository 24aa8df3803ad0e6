//! The twin: an embedded cluster that people and programs reach as they reach any Kubernetes cluster.
//!
//! The endpoint (`api`) over what it remembers (`store`), what makes pods (`kubelet`), what gives services their
//! endpoints and addresses (`services`), and what Cilium does for BGP on each node (`agent`, with a real GoBGP). The
//! namespaces all of it lives in come from `world`.

pub mod agent;
pub mod api;
pub mod kubelet;
pub mod operator;
mod range;
pub mod services;
pub mod store;
