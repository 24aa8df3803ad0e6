//! At which end each link of a topology is listened at.

use crate::lab::{Endpoint, NodeKind, Topology};

/// Where a link is listened at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPoint {
    /// The link's ends, as the topology writes them.
    pub ends: [String; 2],
    /// The node, and the interface in it; none where neither end is in a node's namespace.
    pub at: Option<(String, String)>,
    /// Whether that is the first end.
    pub first: bool,
}

/// The points of a topology's links, in its order: the first end, unless only the second is a node with a namespace.
pub(super) fn points(topology: &Topology) -> Vec<LinkPoint> {
    let place = |end: &Endpoint| match end {
        Endpoint::Node { node, interface, .. } => {
            let kind = topology.node(node).map(|node| node.kind);
            let own = matches!(kind, Some(NodeKind::Linux | NodeKind::ExtContainer));
            own.then(|| (node.clone(), interface.clone()))
        }
        Endpoint::MgmtNet { .. } | Endpoint::Host { .. } => None,
    };
    let point = |link: &crate::lab::Link| {
        let first = place(&link.a);
        LinkPoint {
            ends: [link.a.to_string(), link.b.to_string()],
            first: first.is_some(),
            at: first.or_else(|| place(&link.b)),
        }
    };
    topology.links.iter().map(point).collect()
}
