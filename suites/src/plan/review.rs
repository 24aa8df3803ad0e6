//! Holding the names in the expectations against the lab's other files: a router, node or pod that is nowhere is a
//! mistake that would only show as a check that can never pass.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fabric_harness::lab::yaml::{Diagnostics, Location, nearest};
use fabric_harness::lab::{Endpoint, Lab};

use crate::expect::{
    Expect, Hop, Neighbor, OneOrEach, Place, PrefixExpect, RouterRoutes, Select, Symbol, WantedFamily,
    WantedFib, WantedSource,
};

/// Notes in `ctx` every name in the expectations that the lab's files do not know.
pub fn review(lab: &Lab<Expect>, ctx: &mut Diagnostics) {
    let mut names = Names::of(lab);
    let mut judged = Judged::new();
    for phase in &lab.phases {
        let named = |kind: &str| {
            let of_kind = phase.apply.iter().filter(move |object| object.kind == kind);
            of_kind.map(|object| object.name.clone()).collect::<Vec<_>>()
        };
        names.pods.extend(named("Pod"));
        names.services.extend(named("Service"));
        Review { names: &names, ctx }.phase(&phase.expect, &mut judged);
    }
}

/// Routers and families whose whole set some phase has said.
type Judged = BTreeSet<(String, WantedFamily)>;

/// Every name there is.
struct Names {
    devices: BTreeSet<String>,
    /// Interfaces that links end in, each with its node.
    ends: BTreeSet<(String, String)>,
    nodes: BTreeSet<String>,
    pods: BTreeSet<String>,
    services: BTreeSet<String>,
}

impl Names {
    fn of(lab: &Lab<Expect>) -> Self {
        let mut nodes = BTreeSet::new();
        for node in lab.cluster.iter().flat_map(|cluster| &cluster.nodes) {
            nodes.insert(node.name.clone());
            let cluster =
                lab.cluster.as_ref().map(|cluster| format!("{}-", cluster.name)).unwrap_or_default();
            nodes.extend(node.name.strip_prefix(&cluster).map(str::to_owned));
        }
        let devices = lab.topology.nodes.iter().map(|node| node.name.clone()).collect();
        let ends =
            lab.topology.links.iter().flat_map(|link| [&link.a, &link.b]).filter_map(|end| match end {
                Endpoint::Node { node, interface, .. } => Some((node.clone(), interface.clone())),
                _ => None,
            });
        Self {
            ends: ends.collect(),
            devices,
            nodes,
            pods: BTreeSet::new(),
            // The API server's own is always there.
            services: BTreeSet::from(["kubernetes".to_owned()]),
        }
    }
}

struct Review<'r> {
    names: &'r Names,
    ctx: &'r mut Diagnostics,
}

impl Review<'_> {
    fn phase(&mut self, expect: &Expect, judged: &mut Judged) {
        for one in expect.nodes.iter().flat_map(|nodes| &nodes.each) {
            let nodes = &self.names.nodes;
            self.known(&one.node.value, nodes, "the cluster has no node", &one.node.at);
        }
        for pod in &expect.pods {
            let pods = &self.names.pods;
            self.known(&pod.pod.name, pods, "no phase up to here applies a pod", &pod.at);
            self.symbols(pod.address.iter(), &pod.at);
        }
        for place in &expect.interfaces {
            self.device(&place.place.value, &place.place.at);
            for interface in &place.interfaces {
                self.symbols(interface.inside.iter(), &interface.name.at);
            }
        }
        for sessions in &expect.sessions {
            self.device(&sessions.router.value, &sessions.router.at);
            for session in &sessions.neighbors {
                if let Neighbor::Address(symbol) = &session.neighbor {
                    self.symbol(symbol, &session.at);
                }
            }
        }
        for routes in &expect.routes {
            self.routes(routes, judged);
        }
        for reach in &expect.reach {
            self.symbols([&reach.from, &reach.to], &reach.at);
        }
        for path in &expect.paths {
            self.symbols([&path.from, &path.to], &path.at);
            for hop in path.hops.iter().chain(path.back.iter().flatten()) {
                if let Hop::Responder(symbols) = hop {
                    self.symbols(symbols, &path.at);
                }
            }
        }
    }

    fn routes(&mut self, routes: &RouterRoutes, judged: &mut Judged) {
        let router = &routes.router;
        self.device(&router.value, &router.at);
        for prefix in routes.prefixes.iter().flatten().chain(&routes.adds) {
            self.prefix(&router.value, prefix);
        }
        for symbol in routes.removes.iter().chain(&routes.absent) {
            self.symbol(&symbol.value, &symbol.at);
        }
        if let WantedFib::Exact { besides } = &routes.fib {
            self.symbols(besides, &router.at);
        }
        let key = (router.value.clone(), routes.family);
        let earlier = judged.contains(&key);
        if !earlier && !routes.removes.is_empty() {
            let message =
                format!("no earlier phase says which prefixes {} has, so none can be removed", router.value);
            self.ctx.error(&router.at, message).help("write `absent` for prefixes that must not be there");
        }
        if routes.prefixes.is_some() {
            judged.insert(key);
        }
        if let (Some(count), Some(prefixes)) = (routes.count, &routes.prefixes) {
            // One symbol can stand for many prefixes, and none for less than one.
            if count < prefixes.len() {
                let message = format!("`count` is {count}, and {} prefixes are listed", prefixes.len());
                self.ctx
                    .error(&router.at, message)
                    .help("write the number of the prefixes, or leave `count` out");
            }
        }
    }

    fn prefix(&mut self, router: &str, expect: &PrefixExpect) {
        self.symbol(&expect.prefix, &expect.at);
        self.symbols(expect.path.next_hop.iter().flat_map(OneOrEach::values), &expect.at);
        for source in expect.path.from.iter().flat_map(OneOrEach::values) {
            let WantedSource::Neighbor(name) = source else { continue };
            if name.parse::<IpAddr>().is_ok() || self.names.ends.contains(&(router.to_owned(), name.clone()))
            {
                continue;
            }
            let all: BTreeSet<String> = self.names.devices.union(&self.names.nodes).cloned().collect();
            let what = format!("no node of the lab, and no interface of {router}'s links, is called");
            self.known(name, &all, &what, &expect.at);
        }
    }

    fn symbols<'s>(&mut self, symbols: impl IntoIterator<Item = &'s Symbol>, at: &Location) {
        for symbol in symbols {
            self.symbol(symbol, at);
        }
    }

    fn symbol(&mut self, symbol: &Symbol, at: &Location) {
        match symbol {
            Symbol::Pod(pod) => {
                let pods = &self.names.pods;
                self.known(&pod.name, pods, "no phase up to here applies a pod", at);
            }
            Symbol::Service(_, service) => {
                let services = &self.names.services;
                self.known(&service.name, services, "no phase up to here applies a service", at);
            }
            Symbol::Node(whose) | Symbol::Gateway(whose) | Symbol::PodCidr(Select::Of(whose)) => {
                self.whose(whose, at);
            }
            Symbol::Interface { place, .. } => match place {
                Place::Device(device) => self.device(device, at),
                Place::NodeOf(whose) | Place::TorOf(whose) => self.whose(whose, at),
            },
            _ => {}
        }
    }

    fn device(&mut self, name: &str, at: &Location) {
        let devices = &self.names.devices;
        self.known(name, devices, "the topology has no node", at);
    }

    fn whose(&mut self, name: &str, at: &Location) {
        let all: BTreeSet<String> = self.names.pods.union(&self.names.nodes).cloned().collect();
        self.known(name, &all, "there is no pod and no node", at);
    }

    fn known(&mut self, name: &str, known: &BTreeSet<String>, what: &str, at: &Location) {
        if known.contains(name) {
            return;
        }
        let all = known.iter().map(String::as_str);
        let help = match nearest(name, all.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there are none".to_owned(),
            None => format!("there are {}", all.collect::<Vec<_>>().join(", ")),
        };
        self.ctx.error(at, format!("{what} `{name}`")).help(help);
    }
}
