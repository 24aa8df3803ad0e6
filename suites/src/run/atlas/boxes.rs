//! Which box is meant: by an address, by a link, by one of its several names. A box has a network namespace of its own.

use std::net::IpAddr;

use fabric_harness::lab::{Endpoint, NetworkMode};
use fabric_harness::router::Sessions;

use super::Atlas;

impl Atlas {
    /// The box that a node of the topology is: the cluster node whose network it lives in, else itself.
    pub(in crate::run) fn box_of<'a>(&'a self, node: &'a str) -> &'a str {
        let cluster = self.cluster.as_deref();
        let Some(spec) = self.topology.node(node) else { return node };
        let container = match &spec.network_mode {
            NetworkMode::Container(other) => self.topology.resolve_container(cluster, other),
            _ => None,
        };
        let nodes = || cluster.into_iter().flat_map(|cluster| &cluster.nodes);
        let shared = container.and_then(|wanted| nodes().find(|node| node.name == wanted));
        shared.map_or(node, |shared| shared.name.as_str())
    }

    /// The box that has an address.
    pub(in crate::run) fn box_with(&self, address: IpAddr) -> Option<&str> {
        let has = |place: &&String| {
            let seen = self.interfaces.get(*place).into_iter().flat_map(|seen| &seen.addresses);
            seen.into_iter().any(|own| own.address.addr() == address)
        };
        self.node_with(address).or_else(|| self.interfaces.keys().find(has).map(|place| self.box_of(place)))
    }

    /// Who has an address: a pod as `namespace/name`, or a box.
    pub(in crate::run) fn owner(&self, address: IpAddr) -> Option<String> {
        let pod = self.pods.iter().flatten().find(|pod| {
            // A pod in its node's network has the node's address.
            let own = pod.spec.as_ref().is_none_or(|spec| spec.host_network != Some(true));
            let ips = pod.status.as_ref().and_then(|status| status.pod_ips.as_ref());
            own && ips.into_iter().flatten().any(|ip| ip.ip.parse() == Ok(address))
        });
        match pod {
            Some(pod) => Some(super::pod_name(pod)),
            None => self.box_with(address).map(str::to_owned),
        }
    }

    /// The box at the other end of a box's link.
    pub(in crate::run) fn box_over(&self, place: &str, interface: &str) -> Option<&str> {
        let at = |end: &Endpoint| matches!(end, Endpoint::Node { node, interface: own, .. } if self.box_of(node) == place && own == interface);
        let far = self.topology.links.iter().find_map(|link| match (at(&link.a), at(&link.b)) {
            (true, _) => Some(&link.b),
            (_, true) => Some(&link.a),
            _ => None,
        })?;
        let Endpoint::Node { node, .. } = far else { return None };
        Some(self.box_of(node))
    }

    /// The box at the other end of a router's session, by the session's key: an interface or an address.
    pub(in crate::run) fn peer_of(
        &self,
        router: &str,
        key: &str,
        sessions: Option<&Sessions>,
    ) -> Option<&str> {
        if let Some(peer) = self.box_over(router, key) {
            return Some(peer);
        }
        let address = key.parse().ok().or_else(|| sessions?.get(key)?.address);
        address.and_then(|address| self.box_with(address))
    }
}
