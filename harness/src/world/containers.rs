//! What each node of a lab is as a container: its image, name, labels and network, as containerlab and kind would have it.
//!
//! What lives here: from the lab's words to a [`ContainerSpec`], without touching the system. What does not: making one
//! (`housing`, `runtime::docker`), what a node of namespaces is made of (`specs`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use super::specs::Role;
use crate::lab::{Endpoint, KindCluster, NetworkMode, NodeKind, NodeSpec, PullPolicy, Topology};
use crate::outside::Deployer;
use crate::runtime::docker::{CONTAINERLAB, ContainerSpec, FABRIC, ImageMap, Joins, NetworkSpec};
use crate::runtime::keeper::KeeperSpec;

/// The image of what has none of its own: a node of the twin's cluster, a pod.
pub(crate) const NODE_IMAGE: &str = "fabric/node";

/// The images that a lab's containers need, each with the first node that needs it, and the most that any of them asks of
/// pulling.
pub(crate) fn images(
    topology: &Topology,
    cluster: Option<&KindCluster>,
    map: &ImageMap,
) -> BTreeMap<String, (String, PullPolicy)> {
    let own = topology.nodes.iter().filter(|node| node.kind == NodeKind::Linux);
    let own = own.filter_map(|node| {
        let image = map.of(node.image.as_deref()?).to_owned();
        Some((image, node.name.clone(), node.options.pull.unwrap_or_default()))
    });
    let cluster = cluster.into_iter().flat_map(|cluster| &cluster.nodes);
    let pull = PullPolicy::default();
    let cluster = cluster.map(|node| (map.of(NODE_IMAGE).to_owned(), node.name.clone(), pull));
    let mut all: BTreeMap<String, (String, PullPolicy)> = BTreeMap::new();
    for (image, node, pull) in own.chain(cluster) {
        let (_, most) = all.entry(image).or_insert((node, pull));
        *most = pull.max(*most);
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
    let outside = spec.outside.as_ref();
    let ours = outside.is_none_or(|lab| lab.deployer == Deployer::Fabric);
    if ours
        && super::specs::own_nodes(spec)
            .any(|node| node.is_container() && node.network_mode == NetworkMode::Bridge)
    {
        all.push(NetworkSpec {
            name: mgmt.network.clone(),
            subnets: v4.into_iter().chain(v6).collect(),
            ranges: mgmt
                .ipv4_range
                .map(IpNet::V4)
                .into_iter()
                .chain(mgmt.ipv6_range.map(IpNet::V6))
                .collect(),
            driver_options: mgmt.driver_opts.clone(),
            mtu: mgmt.mtu,
            bridge: mgmt.bridge.clone(),
            labels: fabric(&[(CONTAINERLAB, "")]),
        });
    }
    if let Some(cluster) = spec.cluster.as_ref().filter(|_| outside.is_none()) {
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
    let labels = labels(spec, node);
    Some(ContainerSpec {
        node: node.name.clone(),
        name: spec.topology.container_of(node),
        image: map.of(node.image.as_deref().unwrap_or(NODE_IMAGE)).to_owned(),
        hostname: Some(node.name.clone()),
        cmd: words(&node.cmd),
        entrypoint: words(&node.entrypoint),
        env: env(spec, node, &labels),
        labels,
        binds: binds.collect(),
        sysctls: node.sysctls.clone(),
        options: node.options.clone(),
        joins,
        adopted: node.kind == NodeKind::ExtContainer,
    })
}

fn own_label(spec: &KeeperSpec) -> HashMap<String, String> {
    HashMap::from([(FABRIC.to_owned(), spec.id.clone())])
}

/// The label with the management network's bridge. The engine may name that one when it makes it: until then the label is
/// not there.
const MGMT_BRIDGE: &str = "clab-mgmt-net-bridge";

/// containerlab's labels, by which its own commands and others find a lab's containers; the lab's own beside them.
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
        ("clab-owner", owner(&|name| std::env::var(name).ok())),
    ];
    let known = pairs.into_iter().map(|(key, value)| (key.to_owned(), value));
    node.labels.clone().into_iter().chain(known).chain(own_label(spec)).collect()
}

/// Whom a lab belongs to, as containerlab finds it out.
fn owner(variable: &dyn Fn(&str) -> Option<String>) -> String {
    let said = ["SUDO_USER", "USER"].into_iter().filter_map(variable).find(|user| !user.is_empty());
    said.unwrap_or_default()
}

/// The lab's environment, and containerlab's: how many links end at the node, and its labels. The latter win.
fn env(spec: &KeeperSpec, node: &NodeSpec, labels: &HashMap<String, String>) -> BTreeMap<String, String> {
    let ends = spec.topology.links.iter().flat_map(|link| [&link.a, &link.b]);
    let links = ends.filter(|end| matches!(end, Endpoint::Node { node: at, .. } if *at == node.name)).count();
    let clab = labels.iter().filter(|(name, _)| *name != FABRIC).map(|(name, value)| variable(name, value));
    node.env.clone().into_iter().chain([("CLAB_INTFS".to_owned(), links.to_string())]).chain(clab).collect()
}

/// A label as containerlab makes a variable of it.
fn variable(label: &str, value: &str) -> (String, String) {
    let name = label.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    (format!("CLAB_LABEL_{}", name.collect::<String>()), value.to_owned())
}

/// What is known of a topology's node when its management network is there.
pub(super) fn on_bridge(spec: &mut ContainerSpec, bridge: &str) {
    if spec.labels.contains_key(CONTAINERLAB) {
        spec.labels.insert(MGMT_BRIDGE.to_owned(), bridge.to_owned());
        spec.env.extend([variable(MGMT_BRIDGE, bridge)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::topology::read;
    use crate::lab::yaml::Diagnostics;
    use rstest::rstest;

    #[rstest]
    #[case(&[("SUDO_USER", "ann"), ("USER", "root")], "ann")]
    #[case(&[("SUDO_USER", ""), ("USER", "bob")], "bob")]
    #[case(&[], "")]
    fn owners(#[case] variables: &[(&str, &str)], #[case] expected: &str) {
        let of =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, user)| (*user).to_owned());
        assert_eq!(owner(&of), expected);
    }

    #[test]
    fn labels_become_variables() {
        assert_eq!(
            variable("clab-node.name", "r1"),
            ("CLAB_LABEL_CLAB_NODE_NAME".to_owned(), "r1".to_owned())
        );
    }

    /// A node that asks for more is not let down by one that asks for less.
    #[test]
    fn an_image_is_pulled_as_the_most_demanding_node_asks() {
        let text = "name: x\ntopology:\n  defaults: {kind: linux, image: i}\n  nodes:\n    a: {image-pull-policy: Never}\n    b: {image-pull-policy: Always}\n    c: {image: j, image-pull-policy: Never}\n";
        let mut noted = Diagnostics::new();
        let topology = read("t.yml".as_ref(), text, "/".as_ref(), &|_| None, &mut noted).expect("a topology");
        let all = images(&topology, None, &ImageMap::default());
        assert_eq!(all["i"], ("a".to_owned(), PullPolicy::Always));
        assert_eq!(all["j"], ("c".to_owned(), PullPolicy::Never));
    }
}
