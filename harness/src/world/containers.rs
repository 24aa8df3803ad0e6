//! What each node of a lab is as a container: its image, name, labels and network, as containerlab and kind would have it.
//!
//! What lives here: from the lab's words to a [`ContainerSpec`], without touching the system. What does not: making one
//! (`housing`, `runtime::docker`), what a node of namespaces is made of (`specs`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::specs::Role;
use crate::lab::{KindCluster, NetworkMode, NodeKind, NodeSpec, Topology};
use crate::runtime::docker::{CONTAINERLAB, ContainerSpec, FABRIC, ImageMap, Joins, NetworkSpec};
use crate::runtime::keeper::KeeperSpec;

/// The image of what has none of its own: a node of the twin's cluster, a pod.
pub(crate) const NODE_IMAGE: &str = "fabric/node";

/// The images that a lab's containers need, each with a node that needs it.
pub(crate) fn images(
    topology: &Topology,
    cluster: Option<&KindCluster>,
    map: &ImageMap,
) -> BTreeMap<String, String> {
    let own = topology.nodes.iter().filter(|node| node.kind == NodeKind::Linux);
    let own = own.filter_map(|node| Some((map.of(node.image.as_deref()?).to_owned(), node.name.clone())));
    let cluster = cluster.into_iter().flat_map(|cluster| &cluster.nodes);
    let cluster = cluster.map(|node| (map.of(NODE_IMAGE).to_owned(), node.name.clone()));
    // The first that needs it is the one to name.
    let mut all = BTreeMap::new();
    for (image, node) in own.chain(cluster) {
        all.entry(image).or_insert(node);
    }
    all
}

/// Name of the network of the cluster's nodes: not kind's own, which may be there for a cluster of kind's.
pub(super) fn cluster_network(spec: &KeeperSpec) -> String {
    format!("fabric-{}-cluster", spec.id)
}

/// The networks that a lab's containers are on.
pub(super) fn networks(spec: &KeeperSpec) -> Vec<NetworkSpec> {
    let mgmt = &spec.topology.mgmt;
    let v4 = mgmt.ipv4_subnet.map(|net| (net.into(), mgmt.ipv4_gateway.map(IpAddr::V4)));
    let v6 = mgmt.ipv6_subnet.map(|net| (net.into(), mgmt.ipv6_gateway.map(IpAddr::V6)));
    let fabric = |more: &[(&str, &str)]| -> HashMap<String, String> {
        let own = [(FABRIC, spec.id.as_str())];
        own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let mut all = Vec::new();
    if super::specs::own_nodes(spec)
        .any(|node| node.is_container() && node.network_mode == NetworkMode::Bridge)
    {
        all.push(NetworkSpec {
            name: mgmt.network.clone(),
            subnets: v4.into_iter().chain(v6).collect(),
            mtu: mgmt.mtu,
            bridge: mgmt.bridge.clone(),
            labels: fabric(&[(CONTAINERLAB, "")]),
        });
    }
    if let Some(cluster) = &spec.cluster {
        let v6 = cluster.ip_family != crate::lab::IpFamily::Ipv4;
        let subnets = if v6 { vec![(super::cluster::KIND_NETWORK6.into(), None)] } else { Vec::new() };
        let labels = fabric(&[]);
        all.push(NetworkSpec { name: cluster_network(spec), subnets, labels, ..NetworkSpec::default() });
    }
    all
}

/// A node of the cluster.
pub(super) fn of_cluster(spec: &KeeperSpec, map: &ImageMap, name: &str) -> ContainerSpec {
    ContainerSpec {
        node: name.to_owned(),
        name: name.to_owned(),
        image: map.of(NODE_IMAGE).to_owned(),
        hostname: Some(name.to_owned()),
        labels: own_label(spec),
        joins: Joins::Network { name: cluster_network(spec), ipv4: None, ipv6: None },
        ..ContainerSpec::default()
    }
}

/// A pod: `name` is `namespace/name`.
pub(super) fn of_pod(id: &str, image: &str, name: &str, hostname: &str) -> ContainerSpec {
    ContainerSpec {
        node: name.to_owned(),
        name: format!("fabric-{id}-{}", name.replace('/', "-")),
        image: image.to_owned(),
        hostname: Some(hostname.to_owned()),
        labels: HashMap::from([(FABRIC.to_owned(), id.to_owned())]),
        ..ContainerSpec::default()
    }
}

/// A node of the topology; one that shares another's network is told whose when it is made.
pub(super) fn of_topology(
    spec: &KeeperSpec,
    map: &ImageMap,
    node: &NodeSpec,
    role: Role,
) -> Option<ContainerSpec> {
    if !node.is_container() || role == Role::Bridge {
        return None;
    }
    let words = |text: &Option<String>| text.as_deref().and_then(|text| shell_words::split(text).ok());
    let joins = match node.network_mode {
        NetworkMode::Bridge => Joins::Network {
            name: spec.topology.mgmt.network.clone(),
            ipv4: node.mgmt_ipv4.map(IpAddr::V4),
            ipv6: node.mgmt_ipv6.map(IpAddr::V6),
        },
        NetworkMode::Host => Joins::Host,
        NetworkMode::None | NetworkMode::Container(_) => Joins::None,
    };
    let binds = node.binds.iter().map(|bind| {
        let read_only = if bind.read_only { ":ro" } else { "" };
        format!("{}:{}{read_only}", bind.source.display(), bind.target.display())
    });
    Some(ContainerSpec {
        node: node.name.clone(),
        name: spec.topology.container_of(node),
        image: map.of(node.image.as_deref().unwrap_or(NODE_IMAGE)).to_owned(),
        hostname: Some(node.name.clone()),
        cmd: words(&node.cmd),
        entrypoint: words(&node.entrypoint),
        env: node.env.clone(),
        labels: labels(spec, node),
        binds: binds.collect(),
        sysctls: node.sysctls.clone(),
        joins,
        adopted: node.kind == NodeKind::ExtContainer,
        ..ContainerSpec::default()
    })
}

fn own_label(spec: &KeeperSpec) -> HashMap<String, String> {
    HashMap::from([(FABRIC.to_owned(), spec.id.clone())])
}

/// containerlab's labels, by which its own commands and others find a lab's containers, under the lab's own.
fn labels(spec: &KeeperSpec, node: &NodeSpec) -> HashMap<String, String> {
    let topology = &spec.topology;
    let mut file = node.at.file.clone();
    if file.is_relative() {
        file = spec.lab.join(file.file_name().unwrap_or_default());
    }
    let folder = spec.lab.join(format!("clab-{}", topology.name)).join(&node.name);
    let pairs = [
        (CONTAINERLAB, topology.name.clone()),
        ("clab-node-name", node.name.clone()),
        ("clab-node-longname", topology.container_of(node)),
        ("clab-node-kind", "linux".to_owned()),
        ("clab-node-type", String::new()),
        ("clab-node-group", node.group.clone().unwrap_or_default()),
        ("clab-node-lab-dir", folder.display().to_string()),
        ("clab-topo-file", file.display().to_string()),
    ];
    let known = pairs.into_iter().map(|(key, value)| (key.to_owned(), value));
    let own = own_label(spec);
    known.chain(node.labels.clone()).chain(own).collect()
}
