//! The embedded cluster: our own namespaces, a real GoBGP speaker per node, an endpoint that speaks the Kubernetes API.

pub mod agent;
pub mod kubelet;
