//! Who is where: what lies beyond an interface, whose an address is, who speaks at the other end of a session.
//!
//! What lives here: questions to the atlas that a packet's or a route's way asks. What does not: asking the boxes.

use std::net::IpAddr;

use fabric_harness::lab::{Endpoint, NetworkMode, Routing};
use fabric_harness::router::Session;
use ipnet::IpNet;

use crate::expect::Resolver;
use crate::run::atlas::Atlas;

/// A box and one of its interfaces.
pub(super) type Port = (String, String);

/// The box in whose network namespace a node of the topology lives: itself, or the one it joins.
fn house(atlas: &Atlas, node: &str) -> String {
    let topology = &atlas.topology;
    let joined = topology.node(node).and_then(|spec| match &spec.network_mode {
        NetworkMode::Container(other) => topology.resolve_container(atlas.cluster.as_deref(), other),
        _ => None,
    });
    let Some(container) = joined else { return node.to_owned() };
    let of_lab = topology.nodes.iter().find(|spec| topology.container_of(spec) == container);
    of_lab.map_or(container, |spec| spec.name.clone())
}

/// What is at the other end of a link of the topology.
pub(super) fn far_end(atlas: &Atlas, place: &str, dev: &str) -> Option<Port> {
    let at = |end: &Endpoint| match end {
        Endpoint::Node { node, interface, .. } => Some((house(atlas, node), interface.clone())),
        _ => None,
    };
    let is = |port: &Port| port.0 == place && port.1 == dev;
    atlas.topology.links.iter().find_map(|link| {
        let (a, b) = (at(&link.a)?, at(&link.b)?);
        if is(&a) {
            Some(b)
        } else if is(&b) {
            Some(a)
        } else {
            None
        }
    })
}

/// Which interface of which box has an address.
pub(super) fn owner(atlas: &Atlas, address: IpAddr) -> Option<Port> {
    atlas.interfaces.iter().find_map(|(place, seen)| {
        let own = seen.addresses.iter().find(|own| own.address.addr() == address)?;
        Some((house(atlas, place), own.dev.clone()))
    })
}

/// The box (and interface) that a packet reaches which leaves by an interface for a next hop.
pub(super) fn beyond(atlas: &Atlas, place: &str, dev: &str, hop: IpAddr) -> Option<Port> {
    // A link of the topology says more than an address, of which link-local ones may be anybody's; but behind a bridge
    // there are several.
    let linked = far_end(atlas, place, dev).filter(|(far, _)| atlas.interfaces.contains_key(far));
    linked.or_else(|| owner(atlas, hop).filter(|(far, _)| far != place))
}

/// The pod that has an address, as `namespace/name`, and the node it is on.
pub(super) fn pod_at(atlas: &Atlas, address: IpAddr) -> Option<(String, String)> {
    atlas.pods.iter().flatten().find_map(|pod| {
        let status = pod.status.as_ref()?;
        let own = status.pod_ips.iter().flatten().any(|ip| ip.ip.parse() == Ok(address));
        let spec = pod.spec.as_ref()?;
        // A pod of the host's network has the node's address and no place of its own.
        if !own || spec.host_network == Some(true) {
            return None;
        }
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        Some((format!("{namespace}/{}", pod.metadata.name.as_deref()?), spec.node_name.clone()?))
    })
}

/// The prefix by which others route to an address: the pod CIDR it is of, the address itself where somebody has it as a
/// host address, or the network of its interface.
pub(super) fn home(atlas: &Atlas, address: IpAddr) -> Option<IpNet> {
    let in_pods = atlas.nodes.iter().flatten().find_map(|node| {
        let cidrs = node.spec.as_ref()?.pod_cidrs.as_ref()?;
        cidrs.iter().filter_map(|cidr| cidr.parse::<IpNet>().ok()).find(|cidr| cidr.contains(&address))
    });
    in_pods.or_else(|| {
        let all = atlas.interfaces.values().flat_map(|seen| &seen.addresses);
        all.into_iter().find(|own| own.address.addr() == address).map(|own| own.address.trunc())
    })
}

/// The boxes a prefix belongs to: the node whose pod CIDR it is, or those with an interface in it.
pub(super) fn origins(atlas: &Atlas, prefix: IpNet) -> Vec<String> {
    let node = atlas.nodes.iter().flatten().find(|node| {
        let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.as_ref());
        cidrs.into_iter().flatten().any(|cidr| cidr.parse() == Ok(prefix))
    });
    if let Some(name) = node.and_then(|node| node.metadata.name.clone()) {
        return vec![name];
    }
    let inside = |seen: &super::super::atlas::Interfaces| {
        seen.addresses.iter().any(|own| own.address.trunc() == prefix)
    };
    let mut all: Vec<String> = atlas
        .interfaces
        .iter()
        .filter(|(_, seen)| inside(seen))
        .map(|(place, _)| house(atlas, place))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Whether a routing daemon runs in a box of the topology.
pub(super) fn is_router(atlas: &Atlas, name: &str) -> bool {
    atlas.topology.node(name).is_some_and(|node| node.runs(Routing::Frr) || node.runs(Routing::Bird))
}

/// The nodes that run a routing daemon.
pub(super) fn routers(atlas: &Atlas) -> Vec<String> {
    let all = atlas.topology.nodes.iter().map(|node| node.name.clone());
    all.filter(|name| is_router(atlas, name)).collect()
}

/// Whether a box is a node of the cluster.
pub(super) fn is_cluster_node(atlas: &Atlas, name: &str) -> bool {
    atlas.cluster.iter().any(|cluster| cluster.nodes.iter().any(|node| node.name == name))
}

/// The box at the other end of a session.
pub(super) fn speaker(atlas: &Atlas, router: &str, session: &Session) -> Option<String> {
    match (&session.interface, session.address) {
        (Some(dev), _) => far_end(atlas, router, dev).map(|(far, _)| far),
        (None, Some(address)) => owner(atlas, address).map(|(far, _)| far),
        (None, None) => None,
    }
}

/// A prefix as titles name it.
pub(super) fn called(atlas: &Atlas, prefix: IpNet) -> String {
    crate::ladder::routes::called(prefix, atlas.name_of_prefix(prefix))
}
