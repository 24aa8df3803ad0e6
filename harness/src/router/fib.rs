//! The kernel's own routing table (the FIB rung), as data. Reading it is the business of `kernel`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What a route does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// Forwards it.
    Unicast,
    /// Drops it silently.
    Blackhole,
    /// Drops it and answers "host unreachable".
    Unreachable,
    /// Drops it and answers "administratively prohibited".
    Prohibit,
    /// Anything else (local, broadcast, throw).
    Other,
}

/// Where a route sends a packet next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FibNextHop {
    /// The next router; `None` when the destination is on the link. IPv6 also for IPv4 routes (RFC 5549).
    pub via: Option<IpAddr>,
    /// The interface.
    pub dev: Option<String>,
}

impl fmt::Display for FibNextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.via, &self.dev) {
            (Some(via), Some(dev)) => write!(f, "via {via} dev {dev}"),
            (Some(via), None) => write!(f, "via {via}"),
            (None, Some(dev)) => write!(f, "dev {dev}"),
            (None, None) => f.write_str("nowhere"),
        }
    }
}

/// One route of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FibRoute {
    /// Who put it there, by iproute2's names: `bgp`, `kernel`, `static`, `boot`, `ra`.
    pub protocol: String,
    /// What it does.
    pub kind: RouteKind,
    /// Metric: the lower wins.
    pub metric: u32,
    /// Preferred source address for packets of the node's own.
    pub source: Option<IpAddr>,
    /// Where it leads; empty for a route that drops. Sorted.
    pub next_hops: Vec<FibNextHop>,
}

/// The main table, IPv4 and IPv6.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fib {
    /// Every prefix with its routes, lowest metric (the one in force) first.
    pub routes: BTreeMap<IpNet, Vec<FibRoute>>,
}

impl Fib {
    /// The route in force for exactly this prefix.
    pub fn route(&self, prefix: &IpNet) -> Option<&FibRoute> {
        self.routes.get(prefix)?.first()
    }

    /// The route a packet to an address takes: the longest prefix that holds it.
    pub fn lookup(&self, address: IpAddr) -> Option<(&IpNet, &FibRoute)> {
        self.routes
            .iter()
            .filter(|(prefix, _)| prefix.contains(&address))
            .max_by_key(|(prefix, _)| prefix.prefix_len())
            .and_then(|(prefix, routes)| Some((prefix, routes.first()?)))
    }

    /// Brings routes and next hops into an order that does not depend on the kernel's.
    pub(super) fn sort(&mut self) {
        for routes in self.routes.values_mut() {
            routes.iter_mut().for_each(|route| route.next_hops.sort());
            routes.sort_by(|a, b| a.metric.cmp(&b.metric).then_with(|| a.cmp(b)));
        }
    }
}
