//! What a fabric is made of, as far as a drawing of it needs: boxes and links.
//!
//! How the drawing looks is its own matter; what happened on it is in `happened`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The boxes of a fabric and what connects them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Topology {
    /// The boxes, in the lab's order.
    pub nodes: Vec<Node>,
    /// The links between them, in the lab's order.
    pub links: Vec<Link>,
}

/// One box: something with a network namespace of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Its name, as checks and states call it.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Other names of the same box: nodes of the topology that live in a cluster node's network namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Its AS number, where it is known to have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// The rack it stands in, where labels say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
}

/// What a box is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It runs a routing daemon.
    Router,
    /// It is a node of the Kubernetes cluster.
    ClusterNode,
    /// It forwards frames.
    Bridge,
    /// Something else.
    #[default]
    Host,
}

/// A link between two boxes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// Its ends.
    pub ends: [LinkEnd; 2],
}

/// One end of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkEnd {
    /// The box.
    pub node: String,
    /// The interface.
    pub interface: String,
}
