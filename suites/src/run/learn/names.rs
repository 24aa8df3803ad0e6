//! What everything on a fabric is called, from the atlas.

use fabric_harness::lab::{Endpoint, NetworkMode};
use k8s_openapi::api::core::v1::Pod;

use super::super::atlas::{Atlas, addresses_of_all};
use crate::expect::{Place, PodName, Resolver, Select, Symbol};
use crate::learn::Naming;

/// The names.
pub(super) fn of(atlas: &Atlas, routers: &[String], pods: &[PodName]) -> Naming {
    let mut naming = Naming::new(routers.iter().cloned());
    for (place, seen) in &atlas.interfaces {
        let of_cluster =
            atlas.cluster.iter().any(|cluster| cluster.nodes.iter().any(|node| node.name == *place));
        let place = if of_cluster {
            Place::NodeOf(atlas.short(place).to_owned())
        } else if shares(atlas, place) {
            // The cluster node whose network it is in has the same interfaces.
            continue;
        } else {
            Place::Device(place.clone())
        };
        for own in seen.addresses.iter().filter(|own| !own.address.addr().is_loopback()) {
            let symbol = Symbol::Interface { place: place.clone(), interface: own.dev.clone() };
            naming.address(own.address.addr(), symbol.clone());
            let link_local =
                matches!(own.address, ipnet::IpNet::V6(net) if net.addr().is_unicast_link_local());
            if !link_local {
                naming.prefix(own.address.trunc(), symbol);
            }
        }
    }
    for subnet in atlas.management() {
        naming.prefix(subnet, Symbol::Management);
    }
    for node in atlas.nodes.iter().flatten() {
        let name = node.metadata.name.clone().unwrap_or_default();
        let short = atlas.short(&name).to_owned();
        let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
        for cidr in cidrs.iter().filter_map(|cidr| cidr.parse().ok()) {
            naming.prefix(cidr, Symbol::PodCidr(Select::Of(short.clone())));
        }
        let symbol = Symbol::Node(short);
        for address in atlas.addresses(&symbol).unwrap_or_default() {
            naming.address(address.value, symbol.clone());
        }
    }
    for service in atlas.services.iter().flatten() {
        for address in addresses_of_all(service) {
            if let Some(symbol) = atlas.name_of_address(address).and_then(|name| Symbol::parse(&name).ok()) {
                naming.prefix(ipnet::IpNet::from(address), symbol.clone());
                naming.address(address, symbol);
            }
        }
    }
    for pod in pods {
        of_pod(atlas, pod, &mut naming);
    }
    naming
}

/// What is called after a pod: its address, the interfaces of its node, its gateway, its node's router.
fn of_pod(atlas: &Atlas, pod: &PodName, naming: &mut Naming) {
    let symbol = Symbol::Pod(pod.clone());
    for address in atlas.addresses(&symbol).unwrap_or_default() {
        naming.address(address.value, symbol.clone());
    }
    let whose = pod.short();
    let gateway = Symbol::Gateway(whose.clone());
    for address in atlas.addresses(&gateway).unwrap_or_default() {
        naming.address(address.value, gateway.clone());
    }
    let node = atlas.cluster_node(&symbol, &whose).ok();
    let router = atlas.tor(&symbol, &whose).ok();
    let places = [(node, Place::NodeOf(whose.clone())), (router, Place::TorOf(whose))];
    for (name, place) in places {
        let seen = name.and_then(|name| atlas.interfaces.get(&name));
        for own in
            seen.into_iter().flat_map(|seen| &seen.addresses).filter(|own| !own.address.addr().is_loopback())
        {
            let interface = own.dev.clone();
            naming.address(own.address.addr(), Symbol::Interface { place: place.clone(), interface });
        }
    }
}

/// Whether a node of the topology lives in a cluster node's network namespace.
fn shares(atlas: &Atlas, name: &str) -> bool {
    let node = atlas.topology.node(name);
    node.is_some_and(|node| matches!(node.network_mode, NetworkMode::Container(_)))
}

/// The pods that users made, by name.
pub(super) fn pods(atlas: &Atlas) -> Vec<(PodName, &Pod)> {
    let all = atlas.pods.iter().flatten().map(|pod| {
        let namespace = pod.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned());
        (PodName { namespace, name: pod.metadata.name.clone().unwrap_or_default() }, pod)
    });
    all.filter(|(name, _)| !matches!(name.namespace.as_str(), "kube-system" | "local-path-storage")).collect()
}

/// Boxes of the topology that are neither routers nor nodes of the cluster and that have an address of the lab's own.
pub(super) fn hosts(atlas: &Atlas, routers: &[String]) -> Vec<Symbol> {
    let management: Vec<_> = atlas.management().collect();
    let linked = |place: &str, interface: &str| {
        let at = |end: &Endpoint| matches!(end, Endpoint::Node { node, interface: own, .. } if node == place && own == interface);
        atlas.topology.links.iter().any(|link| at(&link.a) || at(&link.b))
    };
    let hosts = atlas
        .topology
        .nodes
        .iter()
        .filter(|node| !routers.contains(&node.name) && !shares(atlas, &node.name));
    let with_address = hosts.filter_map(|node| {
        let seen = atlas.interfaces.get(&node.name)?;
        let own = seen.addresses.iter().find(|own| {
            let address = own.address.addr();
            address.is_ipv4()
                && linked(&node.name, &own.dev)
                && !management.iter().any(|subnet| subnet.contains(&address))
        })?;
        Some(Symbol::Interface { place: Place::Device(node.name.clone()), interface: own.dev.clone() })
    });
    with_address.collect()
}
