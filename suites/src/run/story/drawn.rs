//! What the fabric is made of, for those who draw it: from the lab, and from what the fabric says of itself.

use std::collections::BTreeMap;

use fabric_harness::lab::{Endpoint, KindNode, NodeKind, NodeSpec};
use fabric_reports::record::{Link, LinkEnd, Node, Role, Topology};

use super::super::atlas::Atlas;

/// The boxes and links. `asns` are the AS numbers that routers say they have; where one says none, the lab is asked.
pub(super) fn topology(atlas: &Atlas, asns: &BTreeMap<String, u32>) -> Topology {
    let cluster = || atlas.cluster.iter().flat_map(|cluster| &cluster.nodes);
    let is_cluster = |name: &str| cluster().any(|node| node.name == name);
    // A node of the topology that lives in a cluster node, or stands for one, is that one.
    let own = |node: &&NodeSpec| {
        node.kind != NodeKind::K8sKind && atlas.box_of(&node.name) == node.name && !is_cluster(&node.name)
    };
    let boxes = atlas.topology.nodes.iter().filter(own).map(|node| Node {
        name: node.name.clone(),
        role: role(node),
        also: Vec::new(),
        asn: asns.get(&node.name).copied().or_else(|| configured(node)),
        rack: rack(&node.labels),
    });
    let nodes = cluster().map(|node| Node {
        name: node.name.clone(),
        role: Role::ClusterNode,
        also: lodgers(atlas, node),
        asn: asns.get(&node.name).copied(),
        rack: live_labels(atlas, &node.name).as_ref().and_then(rack).or_else(|| rack(&node.labels)),
    });
    let links = atlas.topology.links.iter().filter_map(|link| {
        let end = |end: &Endpoint| match end {
            Endpoint::Node { node, interface, .. } => {
                Some(LinkEnd { node: atlas.box_of(node).to_owned(), interface: interface.clone() })
            }
            // The management bridge and the host are no boxes of the fabric.
            _ => None,
        };
        Some(Link { ends: [end(&link.a)?, end(&link.b)?] })
    });
    Topology { nodes: boxes.chain(nodes).collect(), links: links.collect() }
}

fn role(node: &NodeSpec) -> Role {
    match node.kind {
        NodeKind::Bridge => Role::Bridge,
        _ if node.routing().is_some() => Role::Router,
        _ => Role::Host,
    }
}

/// The nodes of the topology that live in a cluster node's network.
fn lodgers(atlas: &Atlas, node: &KindNode) -> Vec<String> {
    let all = atlas.topology.nodes.iter().map(|lodger| lodger.name.as_str());
    all.filter(|lodger| *lodger != node.name && atlas.box_of(lodger) == node.name)
        .map(str::to_owned)
        .collect()
}

fn live_labels(atlas: &Atlas, name: &str) -> Option<BTreeMap<String, String>> {
    let node = atlas.nodes.iter().flatten().find(|node| node.metadata.name.as_deref() == Some(name))?;
    node.metadata.labels.clone()
}

/// The rack that labels name: `rack`, or a key that ends so.
fn rack(labels: &BTreeMap<String, String>) -> Option<String> {
    let named = labels.iter().find(|(key, _)| key.ends_with("/rack")).map(|(_, value)| value);
    labels.get("rack").or(named).cloned()
}

/// The AS number that the node's command lines configure: `router bgp 65010`.
fn configured(node: &NodeSpec) -> Option<u32> {
    let words = node.exec.iter().flat_map(|line| &line.argv);
    words
        .filter_map(|word| word.trim().strip_prefix("router bgp ")?.split_whitespace().next()?.parse().ok())
        .next()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fabric_harness::lab::load;

    use super::*;
    use crate::expect::Expect;

    #[test]
    fn the_articles_lab_is_drawn_from_its_files() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
        let lab = load::<Expect>(&dir).unwrap_or_else(|error| panic!("{error}"));
        let atlas = Atlas::before(&lab.topology, lab.cluster.as_ref());
        let mut drawn = topology(&atlas, &BTreeMap::from([("tor1".to_owned(), 65_099)]));
        // What a router says counts for more than what the lab configures.
        assert_eq!(drawn.nodes[2].asn, Some(65_099));
        drawn.nodes[2].asn = None;
        insta::assert_yaml_snapshot!(drawn);
    }
}
