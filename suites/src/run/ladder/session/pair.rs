//! Who is at the other end of a session, and what joins the two.
//!
//! What lives here: finding it in the topology, in the addresses that there are, and in those that the lab gives. What
//! does not: looking at the ends (`look`).

use std::net::IpAddr;

use fabric_harness::lab::{Endpoint, NetworkMode, NodeSpec};
use fabric_harness::router::Session;
use ipnet::IpNet;

use crate::ladder::session::Given;
use crate::run::atlas::Atlas;

/// One end, before it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The box, as it is gone into.
    pub(super) name: String,
    /// The interface that the link between the ends has here.
    pub(super) interface: Option<String>,
    /// What it calls the other end, as far as that is known before it is asked.
    pub(super) key: Option<String>,
}

/// The ends of the session that a router calls so, the router's own first; the second is missing where nobody of this lab
/// is there. `address` is the one the router has for it, if any.
pub(super) fn ends(atlas: &Atlas, router: &str, key: &str) -> (Place, Option<Place>) {
    let own =
        |interface: Option<String>| Place { name: router.to_owned(), interface, key: Some(key.to_owned()) };
    let Ok(address) = key.parse::<IpAddr>() else {
        let far = across(atlas, router, key);
        let far = far.map(|(name, interface)| Place { name, interface: Some(interface), key: None });
        return (own(Some(key.to_owned())), far);
    };
    let Some(far) = owner(atlas, address) else { return (own(None), None) };
    let (here, there) = match joining(atlas, router, &far, address) {
        Some((here, there)) => (Some(here), Some(there)),
        None => (None, None),
    };
    (own(here), Some(Place { name: far, interface: there, key: None }))
}

/// What a session is known by, from whichever end it is asked for.
pub(super) fn named(atlas: &Atlas, router: &str, key: &str) -> (String, String) {
    let (near, far) = ends(atlas, router, key);
    let place = |place: &Place| Some(format!("{}:{}", place.name, place.interface.as_ref()?));
    match (place(&near), far.as_ref().and_then(place)) {
        (Some(near), Some(far)) if near < far => (near, far),
        (Some(near), Some(far)) => (far, near),
        _ => (router.to_owned(), key.to_owned()),
    }
}

/// The box at the other end of a router's session.
pub(super) fn other_end(atlas: &Atlas, router: &str, session: &Session) -> Option<String> {
    Some(ends(atlas, router, &session.neighbor).1?.name)
}

/// The box in which a node of the topology lives: itself, or the node of the cluster whose network it shares.
fn home(atlas: &Atlas, node: &NodeSpec) -> String {
    let shared = match &node.network_mode {
        NetworkMode::Container(other) => atlas.topology.resolve_container(atlas.cluster.as_deref(), other),
        _ => None,
    };
    shared.unwrap_or_else(|| node.name.clone())
}

fn at<'t>(atlas: &'t Atlas, end: &'t Endpoint) -> Option<(String, &'t str)> {
    let Endpoint::Node { node, interface, .. } = end else { return None };
    Some((home(atlas, atlas.topology.node(node)?), interface))
}

/// The box and interface at the other end of a link.
pub(in crate::run::ladder) fn across(atlas: &Atlas, name: &str, interface: &str) -> Option<(String, String)> {
    let is = |end: &Option<(String, &str)>| {
        end.as_ref().is_some_and(|(node, own)| node == name && *own == interface)
    };
    atlas.topology.links.iter().find_map(|link| {
        let (a, b) = (at(atlas, &link.a), at(atlas, &link.b));
        let far = if is(&a) {
            b
        } else if is(&b) {
            a
        } else {
            None
        };
        far.map(|(node, interface)| (node, interface.to_owned()))
    })
}

/// The interfaces of the link that joins two boxes; of several the one with the address.
fn joining(atlas: &Atlas, one: &str, other: &str, address: IpAddr) -> Option<(String, String)> {
    let mut joins = atlas.topology.links.iter().filter_map(|link| {
        let (a, b) = (at(atlas, &link.a)?, at(atlas, &link.b)?);
        if a.0 == one && b.0 == other {
            Some((a.1.to_owned(), b.1.to_owned()))
        } else if b.0 == one && a.0 == other {
            Some((b.1.to_owned(), a.1.to_owned()))
        } else {
            None
        }
    });
    let first = joins.next()?;
    let has = |(_, there): &(String, String)| {
        let seen = atlas.interfaces.get(other).into_iter().flat_map(|seen| &seen.addresses);
        seen.into_iter().any(|own| own.dev == *there && own.address.addr() == address)
    };
    if has(&first) {
        return Some(first);
    }
    joins.find(has).or(Some(first))
}

/// The box that has an address, else the one that the lab gives it to.
fn owner(atlas: &Atlas, address: IpAddr) -> Option<String> {
    if let Some(node) = atlas.node_with(address) {
        return Some(node.to_owned());
    }
    let nodes = || atlas.topology.nodes.iter();
    let has = |node: &&NodeSpec| {
        let seen = atlas.interfaces.get(&node.name).into_iter().flat_map(|seen| &seen.addresses);
        seen.into_iter().any(|own| own.address.addr() == address)
    };
    let found = nodes()
        .find(has)
        .or_else(|| nodes().find(|node| lines(node).iter().any(|given| given.address.addr() == address)));
    if let Some(node) = found {
        return Some(home(atlas, node));
    }
    let kubelet = atlas.cluster.iter().flat_map(|cluster| &cluster.nodes);
    kubelet.into_iter().find(|node| node.node_ips.contains(&address)).map(|node| node.name.clone())
}

/// The addresses that the lab's lines give to a box.
pub(super) fn given(atlas: &Atlas, name: &str) -> Vec<Given> {
    let nodes = atlas.topology.nodes.iter().filter(|node| home(atlas, node) == name);
    nodes.flat_map(lines).collect()
}

fn lines(node: &NodeSpec) -> Vec<Given> {
    node.lines().flat_map(|line| line_gives(&line.text)).collect()
}

/// `ip address add 10.0.1.1/24 dev net1`, also within a longer line; what a line takes away again is not given.
fn line_gives(text: &str) -> Vec<Given> {
    let mut given: Vec<Given> = Vec::new();
    for command in text.split(['\n', ';', '&', '|', '\'', '"']) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let Some(ip) = words.iter().position(|word| *word == "ip" || word.ends_with("/ip")) else { continue };
        let mut words = words[ip + 1..].iter().skip_while(|word| word.starts_with('-'));
        let object = words.next().is_some_and(|word| "address".starts_with(word));
        let verb = words.next().copied().unwrap_or_default();
        let rest: Vec<&str> = words.copied().collect();
        let (Some(first), Some(dev)) = (rest.first(), rest.iter().position(|word| *word == "dev")) else {
            continue;
        };
        let (Some(dev), Some(address)) = (rest.get(dev + 1), parse(first)) else { continue };
        if !object {
            continue;
        }
        match verb {
            "add" | "replace" | "change" => {
                given.push(Given { dev: (*dev).to_owned(), address, by: format!("`{}`", command.trim()) })
            }
            "del" | "delete" => given.retain(|one| one.address != address || one.dev != *dev),
            _ => {}
        }
    }
    given
}

/// Without a length an address is one host's.
fn parse(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ip addr add 10.0.1.1/24 dev net1", &["net1 10.0.1.1/24"])]
    #[case("/sbin/ip -4 a replace 10.0.0.1 dev lo", &["lo 10.0.0.1/32"])]
    #[case("sh -c 'ip address add fd00::1/64 dev net1 nodad; ip link set net1 up'", &["net1 fd00::1/64"])]
    #[case("ip addr add 10.0.1.1/24 dev net1 && ip addr del 10.0.1.1/24 dev net1", &[])]
    #[case("ip route add blackhole 10.0.0.0/8", &[])]
    #[case("ip link set net0 up", &[])]
    #[case("vtysh -c 'conf t' -c 'interface lo'", &[])]
    fn lines_give_addresses(#[case] line: &str, #[case] wanted: &[&str]) {
        let given: Vec<String> =
            line_gives(line).iter().map(|one| format!("{} {}", one.dev, one.address)).collect();
        assert_eq!(given, wanted);
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(text in "(ip |addr |add |dev |10\\.0\\.0\\.1/8 |[ -~]){0,20}") {
            let _ = line_gives(&text);
        }
    }
}
