//! What the operator tells about itself, for those who want to know whether its work is done.
//!
//! What lives here: the type. It is filled in by `run`.

use std::collections::BTreeMap;

use crate::twin::agent::Contents;

/// What the operator has acted on, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorStatus {
    /// Whether nothing is left to be written: the node configurations are those that the rest leads to.
    pub done: bool,
    /// CiliumBGPClusterConfigs.
    pub clusters: Contents,
    /// CiliumBGPPeerConfigs.
    pub peers: Contents,
    /// CiliumBGPNodeConfigOverrides.
    pub overrides: Contents,
    /// CiliumBGPNodeConfigs, by node.
    pub node_configs: Contents,
    /// The labels of each node, as its CiliumNode has them.
    pub labels: BTreeMap<String, BTreeMap<String, String>>,
}
