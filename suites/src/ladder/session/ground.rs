//! The rungs under a session: link, addresses, link-layer neighbors, routes.
//!
//! What lives here: the proofs. What does not: who speaks over them (`speech`), and how it is told (`words`).

use std::net::IpAddr;

use fabric_harness::router::{Link, LinkAddress, RouteKind};
use fabric_reports::record::RungName;

use super::facts::{Came, End, SessionFacts};
use super::words::{Step, blame, json, listed, proof, text};

/// Both ends are there, and the link between them, where one joins them, is up.
pub(super) fn link(facts: &SessionFacts) -> Step {
    for end in &facts.ends {
        if end.gone {
            let title = format!("{} is gone: its first process has ended, and everything in it", end.name);
            let blame = blame("router-gone", RungName::Link, title).at(&end.name);
            return Step::Broken(blame.shown(text(&end.name, "the box", None, "it cannot be gone into")));
        }
    }
    let joined = facts.ends.iter().all(|end| end.interface.is_some()) && facts.ends.len() == 2;
    if !joined && facts.ends.iter().all(|end| end.interface.is_none()) {
        return Step::Skip;
    }
    let called = facts.ends.iter().filter_map(place).collect::<Vec<_>>().join(" -- ");
    let named = || facts.ends.iter().filter_map(|end| Some((end, end.interface.as_deref()?)));
    let mut seen: Vec<(&End, &str, &Link)> = Vec::new();
    for (end, interface) in named() {
        let Some(links) = &end.links else { continue };
        match links.iter().find(|link| link.name == interface) {
            None => {
                let title = format!("the link {called} is down: {} has no interface {interface}", end.name);
                let there: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
                let proof = proof(end, format!("{}'s interfaces", end.name), "ip link", json(&there));
                return Step::Broken(
                    blame("link-down", RungName::Link, title)
                        .at(&end.name)
                        .about(interface)
                        .shown(proof)
                        .next("ip link"),
                );
            }
            Some(link) => seen.push((end, interface, link)),
        }
    }
    let shown = |(end, interface, link): &(&End, &str, &Link)| {
        let line = format!("ip link show dev {interface}");
        proof(end, format!("{}'s link {interface}", end.name), line, json(link))
    };
    let off = seen.iter().find(|(_, _, link)| !link.up);
    if let Some((end, interface, _)) = off {
        let title = format!("the link {called} is down: {} has switched {interface} off", end.name);
        let blame = blame("link-down", RungName::Link, title).at(&end.name).about(interface);
        let blame = seen.iter().fold(blame, |blame, one| blame.shown(shown(one)));
        return Step::Broken(blame.next(format!("ip link set {interface} up")));
    }
    if let Some((end, interface, _)) = seen.iter().find(|(_, _, link)| !link.carrier) {
        let title = format!(
            "the link {called} is down: {interface} of {} has no carrier, so its other end is off, or gone",
            end.name
        );
        let blame = blame("link-down", RungName::Link, title).at(&end.name).about(interface);
        let blame = seen.iter().fold(blame, |blame, one| blame.shown(shown(one)));
        return Step::Broken(blame.next(format!("ip link show dev {interface}")));
    }
    match (seen.len(), joined) {
        (2, true) => Step::Holds(RungName::Link, format!("{called} is up at both ends")),
        (0, _) => Step::Unknown(RungName::Link, format!("the interfaces of {called} cannot be looked at")),
        _ => Step::Holds(RungName::Link, format!("{called} is up, as far as it can be looked at")),
    }
}

fn place(end: &End) -> Option<String> {
    Some(format!("{}:{}", end.name, end.interface.as_deref()?))
}

/// The addresses that the session stands on are where they should be.
pub(super) fn address(facts: &SessionFacts) -> Step {
    if facts.connects() {
        return Step::Holds(RungName::Address, "a connection comes about between them".into());
    }
    for (end, other) in facts.pairs() {
        let Some(there) = &end.addresses else { continue };
        let matters =
            |dev: &str, address: IpAddr| Some(dev) == end.interface.as_deref() || other.peer == Some(address);
        let lost = end.given.iter().find(|given| {
            matters(&given.dev, given.address.addr())
                && !there.iter().any(|own| own.address == given.address && own.dev == given.dev)
        });
        if let Some(given) = lost {
            let title = format!("{} lacks its address {} on {}", end.name, given.address, given.dev);
            let why = format!("The lab gives it: {}.", given.by);
            let next = format!("ip addr add {} dev {}", given.address, given.dev);
            return Step::Broken(missing(end, there, &given.dev, title).why(why).next(next));
        }
        if let Some(blame) = no_link_local(end, there).or_else(|| outside_subnet(end, other, there)) {
            return Step::Broken(blame);
        }
    }
    let known: Vec<String> = facts.ends.iter().filter_map(addresses_used).collect();
    match known.as_slice() {
        [] => Step::Unknown(RungName::Address, "no end's addresses can be looked at".into()),
        some => Step::Holds(RungName::Address, some.join("; ")),
    }
}

fn addresses_used(end: &End) -> Option<String> {
    let there = end.addresses.as_ref()?;
    let on = end.interface.as_deref();
    let used: Vec<String> = there
        .iter()
        .filter(|own| Some(own.dev.as_str()) == on)
        .map(|own| format!("{} on {}", own.address, own.dev))
        .collect();
    Some(format!("{} has {}", end.name, if used.is_empty() { "its addresses".into() } else { listed(&used) }))
}

fn missing(end: &End, there: &[LinkAddress], dev: &str, title: String) -> super::super::Blame {
    let on: Vec<_> = there.iter().filter(|own| own.dev == dev).collect();
    let line = format!("ip addr show dev {dev}");
    let proof = proof(end, format!("{}'s addresses on {dev}", end.name), line, json(&on));
    blame("address-missing", RungName::Address, title).at(&end.name).about(dev).shown(proof)
}

/// A session that is called by its interface speaks between link-local addresses.
fn no_link_local(end: &End, there: &[LinkAddress]) -> Option<super::super::Blame> {
    let interface = end.session().and_then(|session| session.interface.as_deref())?;
    let local = |own: &&LinkAddress| {
        own.dev == interface && matches!(own.address.addr(), IpAddr::V6(six) if six.is_unicast_link_local())
    };
    match there.iter().find(local) {
        Some(own) if !own.tentative => None,
        Some(_) => {
            let title = format!(
                "{}'s link-local address on {interface} is not usable: it is still tentative, or somebody else has it",
                end.name
            );
            Some(missing(end, there, interface, title).next(format!("ip -6 addr show dev {interface}")))
        }
        None => {
            let title = format!("{} has no IPv6 link-local address on {interface}", end.name);
            let why = "A session that is called by its interface needs one: is IPv6 switched off there?";
            let next = format!("sysctl net.ipv6.conf.{interface}.disable_ipv6");
            Some(missing(end, there, interface, title).why(why).next(next))
        }
    }
}

/// The other end's address, which this one dials, is of the link between them, and this one has none of that subnet.
fn outside_subnet(end: &End, other: &End, there: &[LinkAddress]) -> Option<super::super::Blame> {
    let (interface, across) = (end.interface.as_deref()?, other.interface.as_deref()?);
    let peer = end.peer?;
    let far = other.addresses.iter().flatten().find(|own| own.dev == across && own.address.addr() == peer)?;
    let net = far.address.trunc();
    if net.prefix_len() == net.max_prefix_len()
        || matches!(peer, IpAddr::V6(six) if six.is_unicast_link_local())
    {
        return None;
    }
    let inside = there.iter().any(|own| own.dev == interface && net.contains(&own.address.addr()));
    (!inside).then(|| {
        let title = format!("{} has no address in {net} on {interface}, where {} is", end.name, other.name);
        missing(end, there, interface, title).next(format!("ip addr show dev {interface}"))
    })
}

/// The link-layer address of the other end is known.
pub(super) fn neighbor(facts: &SessionFacts) -> Step {
    if facts.connects() {
        return Step::Skip;
    }
    let mut known = None;
    for (end, other) in facts.pairs() {
        let Some(target) = next_hop(end) else { continue };
        let entries = || end.neighbours.iter().filter(|entry| entry.address == target);
        let good = entries().find(|entry| !matches!(entry.state.as_str(), "failed" | "incomplete" | "none"));
        if let Some(good) = good {
            known.get_or_insert_with(|| format!("{} knows {target} on {}", end.name, good.dev));
            continue;
        }
        let Some(failed) = entries().next() else { continue };
        let dev = &failed.dev;
        let title = format!("nobody answers for {target} on {}'s {dev}", end.name);
        let line = format!("ip neigh show to {target}");
        let proof = proof(end, format!("{}'s neighbor table", end.name), line, json(failed));
        let owner = if end.peer == Some(target) { Some(other) } else { None };
        let why = owner.map(|other| format!("{} should: it has, or should have, that address.", other.name));
        let about = owner.and_then(|other| other.interface.clone()).unwrap_or_else(|| target.to_string());
        let blame = blame("neighbor-unresolved", RungName::Neighbor, title)
            .at(&owner.unwrap_or(end).name)
            .about(&about)
            .why(why.unwrap_or_default())
            .shown(proof);
        return Step::Broken(blame.next("ip addr".to_owned()));
    }
    match known {
        Some(known) => Step::Holds(RungName::Neighbor, known),
        None => Step::Skip,
    }
}

/// Where a packet to the peer goes first: to a router on the way, or to the peer itself.
fn next_hop(end: &End) -> Option<IpAddr> {
    let peer = end.peer?;
    if matches!(peer, IpAddr::V6(six) if six.is_unicast_link_local()) {
        return Some(peer);
    }
    let (_, route) = end.fib.as_ref()?.lookup(peer)?;
    match route.next_hops.as_slice() {
        [one] => Some(one.via.unwrap_or(peer)),
        _ => None,
    }
}

/// Each end has a route to whom it dials.
pub(super) fn route(facts: &SessionFacts) -> Step {
    let mut seen = Vec::new();
    for end in &facts.ends {
        let (Some(peer), Some(fib)) = (end.peer, &end.fib) else { continue };
        // A call may come from another address than the daemon's: only the end's own says that it has a route.
        if end.dialed.as_ref().is_some_and(|dialed| dialed.came == Came::Connected) {
            continue;
        }
        if matches!(peer, IpAddr::V6(six) if six.is_unicast_link_local()) {
            continue;
        }
        let line = format!("ip route get {peer}");
        let broken = |title: String, content| {
            let proof = proof(end, format!("{}'s route to {peer}", end.name), line.clone(), content);
            let blame = blame("no-route-to-peer", RungName::RouteToPeer, title).at(&end.name);
            Step::Broken(blame.about(&peer.to_string()).shown(proof).next(line.clone()))
        };
        let Some((prefix, route)) = fib.lookup(peer) else {
            let all: Vec<String> = fib
                .routes
                .keys()
                .filter(|net| net.addr().is_ipv4() == peer.is_ipv4())
                .map(ToString::to_string)
                .collect();
            return broken(format!("{} has no route to {peer}", end.name), json(&all));
        };
        let dropped = match route.kind {
            RouteKind::Blackhole => "drops it (blackhole)",
            RouteKind::Unreachable => "refuses it (unreachable)",
            RouteKind::Prohibit => "refuses it (prohibit)",
            RouteKind::Unicast | RouteKind::Other => "",
        };
        if !dropped.is_empty() {
            let title = format!("{}'s route to {peer}, {prefix}, {dropped}", end.name);
            return broken(title, json(&(prefix, route)));
        }
        if let Some(blame) = astray(facts, end, peer) {
            return broken(blame, json(&(prefix, route)));
        }
        let hops: Vec<String> = route.next_hops.iter().map(ToString::to_string).collect();
        seen.push(format!("{}: {peer} by {prefix} {}", end.name, listed(&hops)));
    }
    match seen.as_slice() {
        [] => Step::Skip,
        some => Step::Holds(RungName::RouteToPeer, some.join("; ")),
    }
}

/// A link joins the ends, the peer's address is on it, and the route leads out of another interface.
fn astray(facts: &SessionFacts, end: &End, peer: IpAddr) -> Option<String> {
    let other = facts.other(end)?;
    let (interface, across) = (end.interface.as_deref()?, other.interface.as_deref()?);
    let there = other.addresses.iter().flatten();
    there.into_iter().find(|own| own.dev == across && own.address.addr() == peer)?;
    let (prefix, route) = end.fib.as_ref()?.lookup(peer)?;
    let out: Vec<&str> = route.next_hops.iter().filter_map(|hop| hop.dev.as_deref()).collect();
    (!out.is_empty() && !out.contains(&interface)).then(|| {
        format!(
            "{}'s route to {peer}, {prefix}, leads out of {}, and {} is at the other end of {interface}",
            end.name,
            listed(&out),
            other.name
        )
    })
}
