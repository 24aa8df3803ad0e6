//! What can only be checked when the whole topology is known: that links end at nodes, that no interface is used twice,
//! that addresses fit, that containers exist.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::link::check_interface;
use super::stages;
use super::types::{Endpoint, NetworkMode, NodeKind, NodeSpec, Topology};
use crate::lab::cluster::KindCluster;
use crate::lab::yaml::{Diagnostics, Location, nearest};

/// Checks that need the topology alone.
pub(super) fn check(topology: &Topology, ctx: &mut Diagnostics) {
    link_ends(topology, ctx);
    management(topology, ctx);
    waiting(topology, ctx);
    for node in topology.nodes.iter().filter(|node| node.kind == NodeKind::Bridge) {
        check_interface(&node.name, &node.at, ctx);
    }
}

fn unknown_node(topology: &Topology, name: &str, at: &Location, ctx: &mut Diagnostics) {
    let names = || topology.nodes.iter().map(|node| node.name.as_str());
    let help = match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!(
            "the nodes are {}",
            names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
    };
    ctx.error(at, format!("there is no node `{name}`")).help(help);
}

fn link_ends(topology: &Topology, ctx: &mut Diagnostics) {
    for link in &topology.links {
        for (end, at) in [&link.a, &link.b].into_iter().zip(&link.ends_at) {
            let Endpoint::Node { node, interface, .. } = end else { continue };
            let Some(spec) = topology.node(node) else {
                unknown_node(topology, node, at, ctx);
                continue;
            };
            if spec.kind == NodeKind::K8sKind {
                ctx.error(at, format!("`{node}` is a whole cluster: a link must end at one of its nodes"))
                    .help("add the cluster's node as a node of kind `ext-container`, by its container name");
            }
            if interface == "eth0" && spec.kind == NodeKind::Linux && spec.network_mode == NetworkMode::Bridge
            {
                ctx.error(at, format!("eth0 of `{node}` is taken: it is on the management network"))
                    .help("use another interface, or give the node `network-mode: none`");
            }
        }
    }
}

fn management(topology: &Topology, ctx: &mut Diagnostics) {
    let mut taken: HashMap<String, &str> = HashMap::new();
    if let Some(subnet) = topology.mgmt.ipv4_subnet {
        let gateway = topology.mgmt.ipv4_gateway.or_else(|| subnet.hosts().next());
        if let Some(gateway) = gateway {
            taken.insert(gateway.to_string(), "the gateway");
        }
    }
    for node in &topology.nodes {
        let fits4 =
            |address: &Ipv4Addr| topology.mgmt.ipv4_subnet.is_some_and(|subnet| subnet.contains(address));
        let fits6 =
            |address: &Ipv6Addr| topology.mgmt.ipv6_subnet.is_some_and(|subnet| subnet.contains(address));
        let four = node.mgmt_ipv4.map(|address| (address.to_string(), fits4(&address), "ipv4"));
        let six = node.mgmt_ipv6.map(|address| (address.to_string(), fits6(&address), "ipv6"));
        for (address, fits, family) in four.into_iter().chain(six) {
            let name = &node.name;
            if !fits {
                ctx.error(
                    &node.at,
                    format!("the address {address} of `{name}` is not on the management network"),
                )
                .help(format!("write an address of the subnet, or set `{family}-subnet` under `mgmt`"));
            } else if let Some(other) = taken.insert(address.clone(), name) {
                ctx.error(&node.at, format!("the address {address} of `{name}` is already that of {other}"))
                    .help("give each node its own address");
            }
            if node.network_mode != NetworkMode::Bridge {
                ctx.warning(
                    &node.at,
                    format!("`{name}` is not on the management network: {address} is not used"),
                );
            }
        }
    }
}

fn waiting(topology: &Topology, ctx: &mut Diagnostics) {
    for node in &topology.nodes {
        for (_, stage) in node.stages.in_order() {
            for wait in &stage.wait_for {
                if topology.node(&wait.node).is_none() {
                    unknown_node(topology, &wait.node, &wait.at, ctx);
                } else if wait.node == node.name {
                    ctx.error(&wait.at, format!("`{}` would wait for itself for ever", node.name))
                        .help("name another node");
                }
            }
        }
    }
    if let Some((wait, round)) = stages::circle(topology)
        && round.len() > 2
    {
        let round = round.join(" waits for ");
        ctx.error(&wait.at, format!("nobody would ever start: {round}"))
            .help("remove one `wait-for` of the circle, or let it wait for an earlier stage");
    }
}

/// Checks that need the cluster too: containers referred to exist, and no interface is used twice in one network
/// namespace, whichever nodes share it.
pub(crate) fn check_containers(topology: &Topology, cluster: Option<&KindCluster>, ctx: &mut Diagnostics) {
    let of_cluster =
        |name: &str| cluster.is_some_and(|cluster| cluster.nodes.iter().any(|node| node.name == name));
    for node in &topology.nodes {
        let missing = match (&node.network_mode, node.kind) {
            (NetworkMode::Container(wanted), _) => {
                topology.resolve_container(cluster, wanted).is_none().then_some(wanted.as_str())
            }
            (_, NodeKind::ExtContainer) => (!of_cluster(&node.name)).then_some(node.name.as_str()),
            _ => None,
        };
        let Some(wanted) = missing else { continue };
        let message = if node.kind == NodeKind::ExtContainer {
            format!("there is no container `{wanted}` for this external node")
        } else {
            format!("there is no container `{}`, nor one called `{wanted}`", topology.container_name(wanted))
        };
        let near = nearest(
            wanted,
            topology.nodes.iter().map(|node| node.name.as_str()).filter(|name| *name != node.name),
        );
        let help = match (near, cluster) {
            (_, Some(cluster)) => {
                let names: Vec<String> =
                    cluster.nodes.iter().map(|node| format!("`{}`", node.name)).collect();
                format!("the cluster's containers are {}", names.join(", "))
            }
            (Some(near), None) => format!("did you mean `{near}`?"),
            (None, None) => {
                "this lab has no cluster: name its kind configuration in lab.yaml (`cluster: cluster.yaml`)"
                    .to_owned()
            }
        };
        ctx.error(&node.network_mode_at, message).help(help);
    }
    for node in topology.nodes.iter().filter(|node| namespace(topology, cluster, node).is_none()) {
        ctx.error(&node.network_mode_at, format!("the network mode of `{}` leads back to itself", node.name))
            .help("one node of the circle must have a network namespace of its own");
    }
    interfaces_used_once(topology, cluster, ctx);
}

fn interfaces_used_once(topology: &Topology, cluster: Option<&KindCluster>, ctx: &mut Diagnostics) {
    let mut used: HashMap<(String, &str), u32> = HashMap::new();
    for link in &topology.links {
        for end in [&link.a, &link.b] {
            let namespace = match end {
                Endpoint::Node { node, .. } => match topology.node(node) {
                    Some(node) => namespace(topology, cluster, node),
                    None => None,
                },
                Endpoint::MgmtNet { .. } | Endpoint::Host { .. } => Some(HOST.to_owned()),
            };
            let Some(namespace) = namespace else { continue };
            if let Some(line) = used.insert((namespace, end.interface()), link.at.line) {
                let other = if line == link.at.line {
                    "the other end".to_owned()
                } else {
                    format!("the link of line {line}")
                };
                ctx.error(&link.at, format!("the interface {end} is already used by {other}"))
                    .help("each interface can be in one link: name another one");
            }
        }
    }
}

/// The host's namespace: a name no container can have.
const HOST: &str = "/";

/// Whose network namespace a node's interfaces are in; bridges' ports are in the host's. None when the network modes
/// refer to each other in a circle.
fn namespace(topology: &Topology, cluster: Option<&KindCluster>, node: &NodeSpec) -> Option<String> {
    let mut node = node;
    // A chain of `container:` modes has at most as many steps as there are nodes, or it is a circle.
    for _ in 0..topology.nodes.len() {
        match (&node.network_mode, node.kind) {
            (NetworkMode::Container(wanted), _) => {
                let Some(container) = topology.resolve_container(cluster, wanted) else {
                    return Some(wanted.clone());
                };
                match topology
                    .nodes
                    .iter()
                    .find(|node| node.is_container() && topology.container_of(node) == container)
                {
                    Some(next) => node = next,
                    None => return Some(container),
                }
            }
            (NetworkMode::Host, _) | (_, NodeKind::Bridge | NodeKind::Host) => return Some(HOST.to_owned()),
            _ => return Some(topology.container_of(node)),
        }
    }
    None
}
