//! What a lab's fabric is made of, for those who draw it: from the lab's files alone.
//!
//! What does not live here: how it is drawn (`fabric_reports::drawing`), and what a fabric that is up says of itself.

use std::collections::BTreeMap;
use std::path::Path;

use fabric_harness::lab::{Endpoint, KindCluster, NetworkMode, NodeKind, NodeSpec, Topology};
use fabric_reports::record::{self, LinkEnd, Node, Role};

/// A daemon's configuration is not longer than this, in bytes; what is longer is something else.
const LONGEST: u64 = 4 << 20;

/// The boxes and links of a lab. A node of the topology that lives in another one's network namespace, or stands for a cluster
/// node, is drawn as that one. AS numbers are those of exec lines and of FRR's and BIRD's files; where none says one, there is none.
pub fn drawn(topology: &Topology, cluster: Option<&KindCluster>) -> record::Topology {
    let houses = Houses { topology, cluster };
    let all = || topology.nodes.iter().filter(|node| node.kind != NodeKind::K8sKind);
    let own =
        all().filter(|node| houses.of(&node.name) == node.name && houses.cluster_node(&node.name).is_none());
    let mut nodes: Vec<Node> = own
        .map(|node| Node {
            name: node.name.clone(),
            role: role(node),
            also: houses.lodgers(&node.name),
            asn: configured(node),
            rack: rack(&node.labels),
        })
        .collect();
    nodes.extend(cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| Node {
        name: node.name.clone(),
        role: Role::ClusterNode,
        also: houses.lodgers(&node.name),
        asn: all().filter(|lodger| houses.of(&lodger.name) == node.name).find_map(configured),
        rack: rack(&node.labels),
    }));
    let mut links = Vec::new();
    for link in &topology.links {
        let end = |end: &Endpoint| match end {
            Endpoint::Node { node, interface, .. } => {
                LinkEnd { node: houses.of(node), interface: interface.clone() }
            }
            Endpoint::Host { interface } => LinkEnd { node: HOST.to_owned(), interface: interface.clone() },
            Endpoint::MgmtNet { interface } => {
                LinkEnd { node: MANAGEMENT.to_owned(), interface: interface.clone() }
            }
        };
        links.push(record::Link { ends: [end(&link.a), end(&link.b)] });
    }
    // The ends that are no nodes of the file.
    for (name, role) in [(HOST, Role::Host), (MANAGEMENT, Role::Bridge)] {
        let linked = links.iter().any(|link| link.ends.iter().any(|end| end.node == name));
        if linked && nodes.iter().all(|node| node.name != name) {
            nodes.push(Node { name: name.to_owned(), role, ..Node::default() });
        }
    }
    record::Topology { nodes, links }
}

/// What containerlab calls the machine, and its management network, in a link's ends.
const HOST: &str = "host";
const MANAGEMENT: &str = "mgmt-net";

/// Who lives with whom.
struct Houses<'a> {
    topology: &'a Topology,
    cluster: Option<&'a KindCluster>,
}

impl Houses<'_> {
    fn cluster_node(&self, name: &str) -> Option<&str> {
        self.cluster?.nodes.iter().find(|node| node.name == name).map(|node| node.name.as_str())
    }

    /// The box in which a node of the topology lives: itself, mostly.
    fn of(&self, name: &str) -> String {
        let mut name = name.to_owned();
        // A chain of lodgers has an end; a ring of them was refused when the lab was read.
        for _ in 0..self.topology.nodes.len() {
            let Some(node) = self.topology.node(&name) else { break };
            let NetworkMode::Container(wanted) = &node.network_mode else { break };
            let Some(container) = self.topology.resolve_container(self.cluster, wanted) else { break };
            if self.cluster_node(&container).is_some() {
                return container;
            }
            let host = self.topology.nodes.iter().find(|host| self.topology.container_of(host) == container);
            match host {
                Some(host) if host.name != name => name = host.name.clone(),
                _ => break,
            }
        }
        name
    }

    fn lodgers(&self, name: &str) -> Vec<String> {
        let all = self.topology.nodes.iter().map(|node| &node.name);
        all.filter(|lodger| *lodger != name && self.of(lodger) == name).cloned().collect()
    }
}

fn role(node: &NodeSpec) -> Role {
    match node.kind {
        NodeKind::Bridge => Role::Bridge,
        _ if node.routing().is_some() => Role::Router,
        _ if configured(node).is_some() => Role::Router,
        _ => Role::Host,
    }
}

/// The rack that labels name: `rack`, or a key that ends so.
pub(crate) fn rack(labels: &BTreeMap<String, String>) -> Option<String> {
    let named = || labels.iter().find(|(key, _)| key.ends_with("/rack")).map(|(_, value)| value);
    labels.get("rack").or_else(named).filter(|rack| !rack.is_empty()).cloned()
}

/// The AS number that a node's lines or files configure.
fn configured(node: &NodeSpec) -> Option<u32> {
    let in_lines = node.lines().flat_map(|line| &line.argv).find_map(|word| as_number(word));
    let files = node.binds.iter().filter(|bind| {
        let parent = |name: &str| bind.target.starts_with(Path::new("/etc").join(name));
        parent("frr")
            || parent("quagga")
            || parent("bird")
            || bind.target.extension().is_some_and(|end| end == "conf")
    });
    let in_files = || {
        files.filter_map(|bind| {
            let about = std::fs::metadata(&bind.source).ok()?;
            let text = |path: &Path| std::fs::read_to_string(path).ok();
            if about.is_file() && about.len() <= LONGEST {
                return text(&bind.source);
            }
            // A whole folder is often bound.
            let within = ["frr.conf", "bgpd.conf", "bird.conf"].map(|name| bind.source.join(name));
            within.iter().find_map(|path| text(path))
        })
    };
    in_lines.or_else(|| in_files().find_map(|text| as_number(&text)))
}

/// The number of the first BGP instance that a configuration has: FRR's `router bgp 65000`, BIRD's `local as 65000` and
/// `local 10.0.0.1 as 65000`. Comments say nothing.
fn as_number(text: &str) -> Option<u32> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['!', '#']));
    lines.flat_map(|line| line.split([';', '{'])).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['\'', '"'])).collect();
        words
            .windows(3)
            .find_map(|three| match three {
                ["router", "bgp", number] | ["local", "as", number] => number_of(number),
                _ => None,
            })
            .or_else(|| match words.as_slice() {
                ["local", _, "as", number] | ["local", _, "port", _, "as", number] => number_of(number),
                _ => None,
            })
    })
}

/// A number as it is written: plainly, or as two with a dot (RFC 5396).
fn number_of(text: &str) -> Option<u32> {
    let text = text.trim_matches(['\'', '"', ')']);
    match text.split_once('.') {
        Some((high, low)) => {
            Some((u32::from(high.parse::<u16>().ok()?) << 16) | u32::from(low.parse::<u16>().ok()?))
        }
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use fabric_harness::lab::load;
    use rstest::rstest;

    use super::*;
    use crate::expect::Expect;

    #[rstest]
    #[case("router bgp 65000", Some(65_000))]
    #[case("frr defaults datacenter\n!\nrouter bgp 4200000001 vrf red\n", Some(4_200_000_001))]
    #[case("! router bgp 1\nrouter bgp 1.10", Some(65_546))]
    #[case("echo 'router bgp 65010' >> /etc/frr/frr.conf", Some(65_010))]
    #[case("template bgp peers {\n  local as 65011;\n  hold time 9;\n}", Some(65_011))]
    #[case("protocol bgp a { local 10.0.0.1 as 65012; }", Some(65_012))]
    #[case("# local as 65013", None)]
    #[case("neighbor ROUTERS remote-as 65000", None)]
    #[case("router bgp", None)]
    fn an_as_number_is_read_off(#[case] text: &str, #[case] expected: Option<u32>) {
        assert_eq!(as_number(text), expected);
    }

    #[rstest]
    #[case("../fixtures/cilium-bgp")]
    #[case("../fixtures/cilium-bgp-bird")]
    #[case("../fixtures/cilium-bgp-dual-stack")]
    #[case("../fixtures/cilium-bgp-services")]
    #[case("../fixtures/cilium-bgp-v2")]
    #[case("tests/labs/clos")]
    #[case("tests/labs/edge")]
    #[case("tests/labs/hops")]
    #[case("tests/labs/order")]
    #[case("tests/labs/two-routers")]
    fn a_lab_is_drawn_from_its_files(#[case] lab: &str) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(lab);
        let lab_read = load::<Expect>(&dir).unwrap_or_else(|error| panic!("{error}"));
        let topology = drawn(&lab_read.topology, lab_read.cluster.as_ref());
        let known: Vec<&str> = topology.nodes.iter().map(|node| node.name.as_str()).collect();
        for end in topology.links.iter().flat_map(|link| &link.ends) {
            assert!(known.contains(&end.node.as_str()), "{} is a box", end.node);
        }
        let name = lab.rsplit('/').next().unwrap_or(lab);
        insta::assert_yaml_snapshot!(name, topology);
    }
}
