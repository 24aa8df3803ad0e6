//! Fabrics to draw in tests.

use super::scene::{Pod, Scene};
use crate::record::{Link, LinkEnd, Node, Role, Topology};

pub(super) fn node(name: &str, role: Role) -> Node {
    Node { name: name.to_owned(), role, ..Node::default() }
}

pub(super) fn link(a: &str, b: &str) -> Link {
    let end = |text: &str| {
        let (node, interface) = text.split_once(':').unwrap_or((text, ""));
        LinkEnd { node: node.to_owned(), interface: interface.to_owned() }
    };
    Link { ends: [end(a), end(b)] }
}

/// The article's fabric.
pub(super) fn article() -> Scene {
    let router = |name: &str, asn| Node { asn: Some(asn), ..node(name, Role::Router) };
    let worker = |name: &str, also: &str, rack: &str| Node {
        also: vec![also.to_owned()],
        rack: Some(rack.to_owned()),
        ..node(name, Role::ClusterNode)
    };
    let topology = Topology {
        nodes: vec![
            router("router0", 65000),
            router("tor0", 65010),
            router("tor1", 65011),
            worker("control-plane", "server0", "rack0"),
            worker("worker", "server1", "rack0"),
            worker("worker2", "server2", "rack1"),
            worker("worker3", "server3", "rack1"),
        ],
        links: vec![
            link("router0:net0", "tor0:net0"),
            link("router0:net1", "tor1:net0"),
            link("tor0:net1", "control-plane:net0"),
            link("tor0:net2", "worker:net0"),
            link("tor1:net1", "worker2:net0"),
            link("tor1:net2", "worker3:net0"),
        ],
    };
    let pod = |name: &str, node: &str| Pod { name: name.to_owned(), node: node.to_owned() };
    Scene {
        topology,
        pods: vec![pod("default/nettool-1", "worker"), pod("default/nettool-2", "worker3")],
        sessions: Vec::new(),
    }
}

/// A Clos fabric: boxes of each tier from the top down, the lowest of them cluster nodes in racks under one router each.
pub(super) fn clos(tiers: &[usize], per_rack: usize) -> Scene {
    let names = ["leaf", "spine", "superspine", "core"];
    let mut topology = Topology::default();
    let name = |tier: usize, at: usize| format!("{}{at}", names[tier]);
    for (depth, &count) in tiers.iter().enumerate() {
        let tier = tiers.len() - 1 - depth;
        for at in 0..count {
            let asn = Some(65000 + 100 * tier as u32 + at as u32);
            topology.nodes.push(Node { asn, ..node(&name(tier, at), Role::Router) });
        }
    }
    for (depth, pair) in tiers.windows(2).enumerate() {
        let tier = tiers.len() - 1 - depth;
        for up in 0..pair[0] {
            for down in 0..pair[1] {
                let ends = (
                    format!("{}:eth{}", name(tier, up), down + 1),
                    format!("{}:up{}", name(tier - 1, down), up + 1),
                );
                topology.links.push(link(&ends.0, &ends.1));
            }
        }
    }
    for rack in 0..tiers.last().copied().unwrap_or_default() {
        for at in 0..per_rack {
            let own = format!("w{rack}-{at}");
            topology.nodes.push(Node { rack: Some(format!("rack{rack}")), ..node(&own, Role::ClusterNode) });
            topology.links.push(link(&format!("leaf{rack}:net{at}"), &format!("{own}:net0")));
        }
    }
    Scene::of(&topology)
}

/// Routers in a ring.
pub(super) fn ring(count: usize) -> Scene {
    let nodes = (0..count).map(|at| node(&format!("r{at}"), Role::Router)).collect();
    let links =
        (0..count).map(|at| link(&format!("r{at}:right"), &format!("r{}:left", (at + 1) % count))).collect();
    Scene::of(&Topology { nodes, links })
}
