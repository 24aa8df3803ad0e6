//! A router's BGP table (the RIB rung). No parsing here: each router's words are read in its own folder.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::session::Sessions;

/// Where a route came from when it entered BGP (RFC 4271, section 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `i`: a `network` statement, or what Cilium announces.
    Igp,
    /// `e`: the old EGP.
    Egp,
    /// `?`: redistributed.
    Incomplete,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "IGP",
            Self::Egp => "EGP",
            Self::Incomplete => "incomplete",
        })
    }
}

/// What kind of neighbor a path was learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathSource {
    /// Sourced here (redistribute, network, aggregate).
    Local,
    /// Learned over iBGP.
    Internal,
    /// Learned over eBGP.
    External,
}

/// One next hop of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NextHop {
    /// The address; unspecified (`0.0.0.0`, `::`) for a path sourced here.
    pub ip: IpAddr,
    /// The interface, where the router says it or where it follows from an unnumbered session.
    pub interface: Option<String>,
    /// The one of a pair (IPv6 global and link-local) that is used for forwarding.
    pub used: bool,
    /// The router can reach it. `None` where the router does not say.
    pub accessible: Option<bool>,
}

/// Who told the router about a path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PathPeer {
    /// The neighbor's address; `None` for a path sourced here.
    pub address: Option<IpAddr>,
    /// The key of the session (`net0`, `10.0.1.2`); filled in by [`Rib::resolve`] where the router does not say it.
    pub neighbor: Option<String>,
    /// The name the peer gave in its OPEN.
    pub hostname: Option<String>,
}

impl fmt::Display for PathPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.neighbor, &self.address, &self.hostname) {
            (Some(key), _, Some(name)) => write!(f, "{key} ({name})"),
            (Some(key), ..) => f.write_str(key),
            (None, Some(address), Some(name)) => write!(f, "{address} ({name})"),
            (None, Some(address), None) => write!(f, "{address}"),
            (None, None, _) => f.write_str("self"),
        }
    }
}

/// One way to a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Path {
    /// The path the router chose.
    pub best: bool,
    /// The path could be chosen (its next hop resolves, no loop).
    pub valid: bool,
    /// Chosen beside the best one (ECMP).
    pub multipath: bool,
    /// ORIGIN; `None` for a path sourced here to which the router has given none (BIRD: until it is announced).
    pub origin: Option<Origin>,
    /// AS_PATH, nearest first; members of sets and confederations stand in the order they are written.
    pub as_path: Vec<u32>,
    /// Next hops as the router lists them.
    pub next_hops: Vec<NextHop>,
    /// LOCAL_PREF; `None` when the path has none (eBGP).
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Weight: local to the router, not sent.
    pub weight: u32,
    /// Who said it.
    pub peer: PathPeer,
    /// Local, iBGP or eBGP.
    pub source: PathSource,
    /// Communities, standard (`65000:1`, `noExport`) then large (`65000:1:2`).
    pub communities: Vec<String>,
    /// Why the router prefers it (FRR's words), for the best path.
    pub why_best: Option<String>,
}

impl Path {
    /// True for a path sourced on the router itself.
    pub fn from_self(&self) -> bool {
        self.source == PathSource::Local
    }

    /// The next hop used for forwarding: the one marked as used, else the first.
    pub fn next_hop(&self) -> Option<&NextHop> {
        self.next_hops.iter().find(|hop| hop.used).or_else(|| self.next_hops.first())
    }
}

/// The BGP table, IPv4 and IPv6 unicast together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rib {
    /// The router's AS; 0 when the router runs no BGP instance.
    pub local_as: u32,
    /// The router's BGP identifier.
    pub router_id: Option<Ipv4Addr>,
    /// Every prefix with its paths, in the router's order.
    pub routes: BTreeMap<IpNet, Vec<Path>>,
}

impl Rib {
    /// The path the router chose to a prefix.
    pub fn best(&self, prefix: &IpNet) -> Option<&Path> {
        self.routes.get(prefix)?.iter().find(|path| path.best)
    }

    /// The paths the router forwards by: the one it chose, and those beside it (ECMP).
    pub fn in_use(&self, prefix: &IpNet) -> impl Iterator<Item = &Path> {
        let all = self.routes.get(prefix).into_iter().flatten();
        all.filter(|path| path.best || (path.multipath && path.valid))
    }

    /// The prefixes of one family that have a best path: what `show bgp ipv4` marks with `>`.
    pub fn best_prefixes(&self, ipv6: bool) -> impl Iterator<Item = &IpNet> {
        self.routes
            .iter()
            .filter(move |(prefix, paths)| {
                matches!(prefix, IpNet::V6(_)) == ipv6 && paths.iter().any(|path| path.best)
            })
            .map(|(prefix, _)| prefix)
    }

    /// Puts the key of the session beside each path, and the interface beside next hops on unnumbered sessions.
    pub fn resolve(&mut self, sessions: &Sessions) {
        let by_address: BTreeMap<IpAddr, &str> = sessions
            .values()
            .filter_map(|session| Some((session.address?, session.neighbor.as_str())))
            .collect();
        for path in self.routes.values_mut().flatten() {
            if path.peer.neighbor.is_none() {
                path.peer.neighbor =
                    path.peer.address.and_then(|a| by_address.get(&a)).map(|key| (*key).to_owned());
            }
            let unnumbered = path.peer.neighbor.as_ref().and_then(|key| sessions.get(key)?.interface.clone());
            for hop in &mut path.next_hops {
                if hop.interface.is_none() && Some(hop.ip) == path.peer.address {
                    hop.interface.clone_from(&unnumbered);
                }
            }
        }
    }
}
