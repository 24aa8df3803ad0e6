//! What `sessions:` says of a router as it is.

use std::net::IpAddr;

use fabric_harness::router::{Family, FamilyState, Session, SessionType, Sessions};

use super::chance;
use super::page::{Line, length, list, mapping, scalar};
use super::seen::Seen;
use crate::expect::{Place, Symbol};

/// The lines of one router.
pub(super) fn lines(seen: &Seen, router: &str, sessions: &Sessions, depth: usize) -> Vec<Line> {
    if sessions.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::new(depth, format!("{}:", scalar(router)))];
    for (key, session) in sessions {
        let (neighbor, why) = neighbor(seen, router, key, session);
        let text = format!("{}: {}", scalar(&neighbor), expected(seen, router, session));
        lines.push(Line::new(depth + 1, text).because(why));
    }
    lines.push(Line::new(depth + 1, "only: true").because("a neighbor more is a change"));
    lines
}

/// What a neighbor is called, and who it is.
fn neighbor(seen: &Seen, router: &str, key: &str, session: &Session) -> (String, String) {
    let who = |symbol: &Symbol| match symbol {
        Symbol::Interface { place: Place::Device(device), interface } => format!("{device}'s {interface}"),
        Symbol::Interface { place: Place::NodeOf(node), .. } | Symbol::Node(node) => {
            format!("the node {node}")
        }
        other => other.to_string(),
    };
    let relation = match session.kind {
        SessionType::Internal => "iBGP",
        SessionType::External => "eBGP",
    };
    let far = session.address.and_then(|address| seen.naming.of_address(address));
    let up = if session.is_up() { "" } else { ", which is not up here" };
    match key.parse::<IpAddr>() {
        // By interface: what is at the other end is said by its name, if it said one.
        Err(_) => {
            let far = far.as_ref().map(&who).or_else(|| session.hostname.clone());
            let far = far.map_or_else(String::new, |far| format!(" to {far}"));
            (key.to_owned(), format!("unnumbered {relation} from {router}'s {key}{far}{up}"))
        }
        Ok(address) => {
            let names = seen.naming.all_of(address);
            let node = names.iter().find(|symbol| matches!(symbol, Symbol::Node(_)));
            let symbol = node.cloned().or(far);
            let called = symbol.as_ref().map_or_else(|| key.to_owned(), Symbol::to_string);
            let far = symbol.as_ref().map_or_else(|| "a neighbor that has no name here".to_owned(), who);
            (called, format!("{relation} with {far}{up}"))
        }
    }
}

fn expected(seen: &Seen, router: &str, session: &Session) -> String {
    let kind = match session.kind {
        SessionType::Internal => "internal",
        SessionType::External => "external",
    };
    if !session.is_up() {
        return mapping(&[("state", "down".to_owned()), ("type", kind.to_owned())]);
    }
    let mut pairs: Vec<(&str, String)> = vec![("state", "established".to_owned())];
    pairs.extend(session.remote_as.map(|number| ("as", number.to_string())));
    pairs.push(("type", kind.to_owned()));
    pairs.extend(session.hold.map(|hold| ("hold", length(hold))));
    pairs.extend(session.keepalive.map(|keepalive| ("keepalive", length(keepalive))));
    let known = |family: &Family| match family {
        Family::Ipv4Unicast => Some("ipv4"),
        Family::Ipv6Unicast => Some("ipv6"),
        Family::Other(_) => None,
    };
    let carried: Vec<_> = session
        .families
        .iter()
        .filter(|(_, state)| state.negotiated)
        .filter_map(|(family, state)| Some((known(family)?, state)))
        .collect();
    let far = session.hostname.as_deref().map(|name| short(seen, name));
    let received_by_chance = far.is_some_and(|far| chance::tells(seen, far));
    // FRR sends a path back to whom it has it from, and others do not: what they send is chance as well.
    let sent_by_chance = chance::tells(seen, router);
    let counts = |state: &FamilyState| {
        let mut counts = Vec::new();
        counts.extend((!received_by_chance).then(|| ("received", state.accepted.to_string())));
        counts.extend(state.sent.filter(|_| !sent_by_chance).map(|sent| ("sent", sent.to_string())));
        counts
    };
    match carried.as_slice() {
        [("ipv4", state)] => {
            pairs.extend(counts(state));
            pairs.push(("families", list(["ipv4"])));
        }
        all => {
            let each: Vec<_> = all.iter().map(|(name, state)| (*name, counts(state))).collect();
            if each.iter().any(|(_, counts)| !counts.is_empty()) {
                let each: Vec<_> = each.iter().map(|(name, counts)| (*name, mapping(counts))).collect();
                pairs.push(("families", mapping(&each)));
            } else if !each.is_empty() {
                pairs.push(("families", list(each.iter().map(|(name, _)| *name))));
            }
        }
    }
    pairs.extend(session.hostname.as_deref().map(|name| ("hostname", scalar(short(seen, name)))));
    mapping(&pairs)
}

/// A node's name as kind has it, without the cluster's in front.
pub(super) fn short<'a>(seen: &Seen, name: &'a str) -> &'a str {
    let nodes = seen.nodes.iter().filter_map(|node| {
        let at = name.len().checked_sub(node.name.len())?;
        (name.ends_with(&node.name) && at > 0 && name[..at].ends_with('-')).then(|| &name[at..])
    });
    nodes.max_by_key(|name| name.len()).unwrap_or(name)
}
