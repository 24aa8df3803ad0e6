//! What was seen of a fabric, in the page's words: pure functions. What a panel says of one box is in `panel`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fabric_harness::router::{Session, SessionState};
use fabric_reports::live::{BoxNow, LinkNow, PodNow, SessionNow, Standing, State};
use fabric_reports::record::{Link, Role, Topology};
use k8s_openapi::api::core::v1::{Node, Pod};

use super::super::atlas::{Atlas, Interfaces};
use super::follow::Snapshots;

type Seen = BTreeMap<String, Interfaces>;

/// How everything stands.
pub(super) fn state(topology: &Topology, atlas: &Atlas, snapshots: &Snapshots) -> State {
    let mut state = State {
        boxes: topology.nodes.iter().map(|node| (node.name.clone(), BoxNow::default())).collect(),
        links: topology
            .links
            .iter()
            .map(|link| LinkNow { link: key(link), up: is_up(link, &atlas.interfaces) })
            .collect(),
        ..State::default()
    };
    for (router, snapshot) in snapshots {
        let Some(now) = state.boxes.get_mut(router) else { continue };
        let snapshot = match snapshot {
            Ok(snapshot) => snapshot,
            Err(why) => {
                now.trouble = Some(first_line(why));
                continue;
            }
        };
        now.asn = snapshot.rib.as_ref().ok().map(|rib| rib.local_as).filter(|asn| *asn != 0);
        match &snapshot.sessions {
            Ok(sessions) => {
                now.asn = now
                    .asn
                    .or_else(|| sessions.values().map(|session| session.local_as).find(|asn| *asn != 0));
                let all = sessions.iter().map(|(neighbor, session)| {
                    of_session(topology, &atlas.interfaces, router, neighbor, session)
                });
                state.sessions.extend(all);
            }
            Err(why) => {
                now.trouble = Some(format!("the routing daemon does not answer: {}", first_line(why)))
            }
        }
    }
    for node in atlas.nodes.iter().flatten() {
        let name = node.metadata.name.as_deref().unwrap_or_default();
        if let Some(now) = state.boxes.get_mut(name)
            && !is_ready(node)
        {
            now.trouble = Some("not Ready".to_owned());
        }
    }
    for agent in atlas.agents.iter().flatten() {
        if let Some(now) = state.boxes.get_mut(&agent.info.node) {
            now.asn = agent.info.neighbors.first().map(|neighbor| neighbor.local_asn);
        }
    }
    state.pods = atlas
        .pods
        .iter()
        .flatten()
        .filter_map(of_pod)
        .filter(|pod| state.boxes.contains_key(&pod.node))
        .collect();
    state.pods.sort();
    state
}

fn of_session(
    topology: &Topology,
    seen: &Seen,
    router: &str,
    neighbor: &str,
    session: &Session,
) -> SessionNow {
    let over = session.interface.as_deref().unwrap_or(neighbor);
    let by_interface = topology.links.iter().find_map(|link| {
        let near = (0..2).find(|&end| link.ends[end].node == router && link.ends[end].interface == over)?;
        Some((link.ends[1 - near].node.clone(), Some(key(link))))
    });
    let by_address = || {
        let address = session.address.or_else(|| neighbor.parse().ok())?;
        let peer = with_address(topology, seen, router, address)?;
        let link = link_to(topology, seen, router, &peer, address);
        Some((peer, link))
    };
    // A router that is not to be seen has said what it is called.
    let by_name = || {
        let name = session.hostname.as_deref()?;
        let known = topology.nodes.iter().find(|node| node.name == name)?;
        Some((known.name.clone(), None))
    };
    let (peer, link) = by_interface.or_else(by_address).or_else(by_name).unzip();
    SessionNow {
        node: router.to_owned(),
        neighbor: neighbor.to_owned(),
        peer,
        link: link.flatten(),
        standing: standing(session),
        state: session.state.to_string(),
    }
}

/// A session that was never there is waited for; one that was is missed.
pub(super) fn standing(session: &Session) -> Standing {
    match session.state {
        SessionState::Established => Standing::Established,
        SessionState::OpenSent | SessionState::OpenConfirm => Standing::Trying,
        _ if session.shutdown || session.established_count > 0 || session.dropped_count > 0 => Standing::Down,
        _ => Standing::Trying,
    }
}

/// The box that has an address; a neighbor of the router's before others.
fn with_address(topology: &Topology, seen: &Seen, router: &str, address: IpAddr) -> Option<String> {
    let has = |name: &str| {
        seen.get(name).is_some_and(|seen| seen.addresses.iter().any(|own| own.address.addr() == address))
    };
    let near = topology.links.iter().filter_map(|link| other_end(link, router)).find(|name| has(name));
    let all =
        || topology.nodes.iter().map(|node| node.name.as_str()).find(|name| *name != router && has(name));
    near.or_else(all).map(str::to_owned)
}

/// The link to the peer: of several, the one in whose network the address is.
fn link_to(topology: &Topology, seen: &Seen, router: &str, peer: &str, address: IpAddr) -> Option<String> {
    let all: Vec<&Link> =
        topology.links.iter().filter(|link| other_end(link, router) == Some(peer)).collect();
    let in_network = |link: &&&Link| {
        let own = link.ends.iter().find(|end| end.node == router);
        let addresses = seen.get(router).into_iter().flat_map(|seen| &seen.addresses);
        own.is_some_and(|own| {
            addresses.into_iter().any(|known| known.dev == own.interface && known.address.contains(&address))
        })
    };
    all.iter().find(in_network).or(all.first()).map(|link| key(link))
}

fn other_end<'a>(link: &'a Link, node: &str) -> Option<&'a str> {
    let [a, b] = &link.ends;
    match (a.node == node, b.node == node) {
        (true, false) => Some(&b.node),
        (false, true) => Some(&a.node),
        _ => None,
    }
}

/// As the drawing calls a link.
fn key(link: &Link) -> String {
    let [a, b] = &link.ends;
    format!("{}:{}--{}:{}", a.node, a.interface, b.node, b.interface)
}

/// Whether a link carries frames. A box that was looked at and does not have the interface has no link; of a box that cannot be
/// looked at the other end tells.
fn is_up(link: &Link, seen: &Seen) -> Option<bool> {
    let ends = link.ends.iter().filter_map(|end| {
        let interfaces = seen.get(&end.node)?;
        let found = interfaces.links.iter().find(|known| known.name == end.interface);
        Some(found.is_some_and(|found| found.up && found.carrier))
    });
    ends.reduce(|all, one| all && one)
}

/// Whether Kubernetes says that a node is Ready.
pub(super) fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
}

fn of_pod(pod: &Pod) -> Option<PodNow> {
    let name = pod.metadata.name.as_deref()?;
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    Some(PodNow {
        pod: format!("{namespace}/{name}"),
        node: pod.spec.as_ref()?.node_name.clone()?,
        ready: conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True"),
    })
}

/// What a box is, in a word.
pub(super) fn word(role: Role) -> &'static str {
    match role {
        Role::Router => "router",
        Role::ClusterNode => "cluster node",
        Role::Bridge => "bridge",
        Role::Host => "host",
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "seen_tests.rs"]
mod tests;
