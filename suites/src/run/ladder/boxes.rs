//! Why a node, a pod or an interface is not as it should be.

use crate::checks::{InterfaceSpec, NodeSpec, PodSpec};
use crate::ladder::Finding;
use crate::run::observe::Context;

/// The ladder of a check of a pod.
pub(super) async fn pod(_context: &Context, _spec: &PodSpec) -> Finding {
    Finding::default()
}

/// The ladder of a check of an interface.
pub(super) async fn interface(_context: &Context, _spec: &InterfaceSpec) -> Finding {
    Finding::default()
}

/// The ladder of a check of the cluster's nodes.
pub(super) async fn node(_context: &Context, _spec: &NodeSpec) -> Finding {
    Finding::default()
}
