//! `show route all`: BIRD's tables, read as a BGP table.
//!
//! BIRD has one table for all its protocols. Those that its BGP channels are joined to are read whole: a route of BGP's has
//! its neighbor, one of another protocol (`direct`, `static`, `kernel`) is the router's own, as one that FRR redistributes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::control::Reply;
use super::protocols::Protocol;
use super::sessions::by_key;
use crate::router::rib::{NextHop, Origin, Path, PathPeer, PathSource, Rib};
use crate::router::traits::ZebraRoute;

/// Codes of the answer: a route with its next hops, its type, its attributes. (2.0 to 3.4.)
const CODES: [u16; 3] = [1007, 1008, 1012];

/// One route as BIRD tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) table: String,
    pub(super) prefix: Option<IpNet>,
    /// `unicast`, `blackhole`, `unreachable`, `prohibit`.
    pub(super) kind: String,
    /// The protocol it is from.
    pub(super) protocol: String,
    /// Chosen among the routes to its prefix.
    pub(super) chosen: bool,
    pub(super) preference: u32,
    /// Address and interface.
    pub(super) hops: Vec<(Option<IpAddr>, Option<String>)>,
    /// `BGP.origin` and the like; BIRD 3 writes `bgp_origin`.
    pub(super) facts: BTreeMap<String, String>,
}

impl Route {
    /// An attribute of BGP's by its name without `BGP.` or `bgp_`.
    fn attribute(&self, name: &str) -> Option<&str> {
        ["BGP.", "bgp_"]
            .iter()
            .find_map(|prefix| self.facts.get(&format!("{prefix}{name}")))
            .map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.attribute(name)?.parse().ok()
    }
}

/// Reads the answer, route by route. Lines that are not understood are passed over.
pub(super) fn routes(reply: &Reply) -> Vec<Route> {
    let mut all: Vec<Route> = Vec::new();
    let (mut table, mut prefix) = (String::new(), None);
    for line in reply.under(&CODES) {
        if let Some(name) = line.strip_prefix("Table ").and_then(|rest| rest.strip_suffix(':')) {
            name.clone_into(&mut table);
            prefix = None;
        } else if let Some(fact) = line.strip_prefix('\t') {
            if let Some(route) = all.last_mut() {
                detail(route, fact.trim());
            }
        } else if let Some(head) = head(line) {
            let own = line.split_whitespace().next().and_then(|word| word.parse().ok());
            // A further route to the same prefix does not repeat it.
            prefix = if line.starts_with(' ') { prefix } else { own };
            all.push(Route { table: table.clone(), prefix, ..head });
        }
    }
    all
}

/// `10.1.3.0/24          unicast [server3 22:11:07.024] * (100) [i]`
fn head(line: &str) -> Option<Route> {
    let (before, rest) = line.split_once('[')?;
    let (inside, after) = rest.split_once(']')?;
    let number = after.split_once('(').and_then(|(_, rest)| rest.split([')', '/']).next());
    Some(Route {
        kind: before.split_whitespace().last()?.to_owned(),
        protocol: inside.split_whitespace().next()?.to_owned(),
        chosen: after.split('(').next().is_some_and(|mark| mark.contains('*')),
        preference: number.and_then(|text| text.trim().parse().ok()).unwrap_or_default(),
        ..Route::default()
    })
}

/// A next hop, or an attribute.
fn detail(route: &mut Route, text: &str) {
    let mut words = text.split_whitespace();
    match words.next() {
        // `via fe80::1 on net0 onlink weight 1`
        Some("via") => {
            let address = words.next().and_then(|word| word.parse().ok());
            let on = words.position(|word| word == "on").and_then(|_| words.next());
            route.hops.push((address, on.map(str::to_owned)));
        }
        Some("dev") => route.hops.push((None, words.next().map(str::to_owned))),
        _ => {
            if let Some((name, value)) = text.split_once(':') {
                route.facts.insert(name.to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// The BGP table, with the sessions' keys and the neighbors' names.
pub(in crate::router) fn table(reply: &Reply, protocols: &[Protocol]) -> Rib {
    let joined: BTreeSet<&str> = protocols
        .iter()
        .filter(|protocol| protocol.is_bgp())
        .flat_map(|protocol| &protocol.channels)
        .map(|channel| channel.table.as_str())
        .collect();
    let keys: BTreeMap<&str, String> =
        by_key(protocols).into_iter().map(|(key, protocol)| (protocol.name.as_str(), key)).collect();
    let bgp = |name: &str| protocols.iter().find(|protocol| protocol.is_bgp() && protocol.name == name);
    let mut rib = Rib {
        local_as: protocols.iter().find_map(|protocol| protocol.number("Local AS")).unwrap_or_default(),
        ..Rib::default()
    };
    for route in routes(reply).into_iter().filter(|route| joined.contains(route.table.as_str())) {
        let Some(prefix) = route.prefix else { continue };
        let peer = bgp(&route.protocol);
        let path = path(&route, &prefix, peer, peer.and_then(|peer| keys.get(peer.name.as_str())));
        rib.routes.entry(prefix).or_default().push(path);
    }
    rib
}

fn path(route: &Route, prefix: &IpNet, peer: Option<&Protocol>, key: Option<&String>) -> Path {
    // A route of BGP's whose next hop leads nowhere stays BIRD's choice, and drops packets: it is no way to the prefix.
    let reachable = peer.is_none() || route.kind == "unicast";
    let source = match (peer, peer.and_then(|peer| peer.fact("Session"))) {
        (None, _) => PathSource::Local,
        (Some(_), Some(session)) if session.starts_with("internal") => PathSource::Internal,
        (Some(peer), None) if peer.number("Neighbor AS") == peer.number("Local AS") => PathSource::Internal,
        (Some(_), _) => PathSource::External,
    };
    Path {
        best: route.chosen && reachable,
        valid: reachable,
        multipath: false,
        origin: route.attribute("origin").map(|word| match word.to_ascii_lowercase().as_str() {
            "igp" => Origin::Igp,
            "egp" => Origin::Egp,
            _ => Origin::Incomplete,
        }),
        as_path: as_path(route.attribute("as_path").or_else(|| route.attribute("path")).unwrap_or_default()),
        next_hops: next_hops(route, prefix, peer.is_some(), reachable),
        local_pref: route.number("local_pref"),
        med: route.number("med"),
        weight: 0,
        peer: PathPeer {
            address: peer.and_then(|peer| peer.neighbor().0),
            neighbor: key.cloned(),
            hostname: peer.and_then(|peer| peer.hostname.clone()),
        },
        source,
        communities: communities(route),
        why_best: None,
    }
}

/// AS numbers; brackets of sets and confederations are dropped.
fn as_path(text: &str) -> Vec<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
}

/// For BGP what the neighbor gave (`BGP.next_hop`; an unnumbered one gives a link-local address, with or without an
/// unspecified one before it), with the interface it leads out of; else nothing but that the route is the router's own.
fn next_hops(route: &Route, prefix: &IpNet, bgp: bool, reachable: bool) -> Vec<NextHop> {
    if !bgp {
        let ip = match prefix {
            IpNet::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpNet::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        return vec![NextHop { ip, interface: None, used: true, accessible: Some(true) }];
    }
    let given: Vec<IpAddr> = route
        .attribute("next_hop")
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .filter(|ip: &IpAddr| !ip.is_unspecified())
        .collect();
    let way = route.hops.first();
    let used = way.and_then(|(ip, _)| *ip).filter(|ip| given.contains(ip)).or_else(|| given.first().copied());
    given
        .into_iter()
        .map(|ip| NextHop {
            ip,
            interface: way.filter(|(via, _)| *via == Some(ip)).and_then(|(_, dev)| dev.clone()),
            used: Some(ip) == used,
            accessible: Some(reachable),
        })
        .collect()
}

/// `(65000,1) (65535,65281)` and `(65000, 1, 2)`, in the words of everybody else.
fn communities(route: &Route) -> Vec<String> {
    ["community", "large_community"]
        .into_iter()
        .filter_map(|name| route.attribute(name))
        .flat_map(|text| text.split('(').skip(1))
        .filter_map(|part| part.split(')').next())
        .map(|part| well_known(part.split(',').map(str::trim).collect::<Vec<_>>().join(":")))
        .collect()
}

/// The three of RFC 1997, and GRACEFUL_SHUTDOWN and BLACKHOLE (RFC 8326, RFC 7999), as FRR names them.
fn well_known(community: String) -> String {
    match community.as_str() {
        "65535:65281" => "noExport".to_owned(),
        "65535:65282" => "noAdvertise".to_owned(),
        "65535:65283" => "localAs".to_owned(),
        "65535:0" => "gracefulShutdown".to_owned(),
        "65535:666" => "blackhole".to_owned(),
        _ => community,
    }
}

/// What a `kernel` protocol is given, as the manager of routes believes it to be installed.
pub(super) fn installed(reply: &Reply, protocols: &[Protocol]) -> BTreeMap<IpNet, Vec<ZebraRoute>> {
    let mut all: BTreeMap<IpNet, Vec<ZebraRoute>> = BTreeMap::new();
    for route in routes(reply) {
        let Some(prefix) = route.prefix else { continue };
        let kind = protocols.iter().find(|protocol| protocol.name == route.protocol);
        all.entry(prefix).or_default().push(ZebraRoute {
            protocol: kind.map(|protocol| protocol.kind.to_ascii_lowercase()).unwrap_or_default(),
            selected: route.chosen,
            installed: true,
            distance: route.preference,
            interfaces: route.hops.into_iter().filter_map(|(_, interface)| interface).collect(),
        });
    }
    all
}
