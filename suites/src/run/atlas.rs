//! What symbols stand for on a running fabric, at one moment.
//!
//! What lives here: [`Resolver`] over a snapshot of interfaces, Node and Pod objects. What does not: taking the
//! snapshot (`view`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use fabric_harness::lab::{Endpoint, KindCluster, NetworkMode, Topology};
use fabric_harness::router::{Link, LinkAddress};
use fabric_harness::runtime::keeper::AgentInfo;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Node, Pod, Service};

use crate::checks::same_node;
use crate::expect::{Named, Place, PodName, Resolver, Select, ServiceAddress, Symbol, Unresolved};

/// Interfaces of one box.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Interfaces {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<LinkAddress>,
}

/// A snapshot of everything that has a name.
#[derive(Debug, Clone)]
pub(super) struct Atlas {
    pub(super) topology: Arc<Topology>,
    pub(super) cluster: Option<Arc<KindCluster>>,
    /// By box: nodes of the topology, and of the cluster by their full names.
    pub(super) interfaces: BTreeMap<String, Interfaces>,
    /// The cluster's Node objects; `None` until they could be read.
    pub(super) nodes: Option<Vec<Node>>,
    pub(super) pods: Option<Vec<Pod>>,
    pub(super) services: Option<Vec<Service>>,
    /// Cilium's agents; `None` until there are any.
    pub(super) agents: Option<Vec<AgentSeen>>,
    /// The resourceVersion of each peering policy there is, by name, as long as they alone decide who speaks to whom.
    pub(super) policies: Option<BTreeMap<String, String>>,
    /// The resourceVersion each Node had when the phase's actions were done: what is older is not the newest, whatever
    /// the watches have said so far.
    pub(super) floors: BTreeMap<String, String>,
}

/// One of Cilium's agents.
#[derive(Debug, Clone)]
pub(super) struct AgentSeen {
    pub(super) info: AgentInfo,
    /// Since when it has acted on the newest of everything; `None` while it has not.
    pub(super) settled: Option<Instant>,
}

impl Atlas {
    /// Finds out which agents have acted on the newest of everything: to be called when anything has changed.
    pub(super) fn settle(&mut self) {
        let number = |version: &str| version.parse::<u64>().ok();
        let Self { agents, policies, nodes, floors, .. } = self;
        for agent in agents.iter_mut().flatten() {
            let node =
                nodes.iter().flatten().find(|node| node.metadata.name.as_deref() == Some(&agent.info.node));
            let newest = node.and_then(|node| node.metadata.resource_version.clone());
            let floor = floors.get(&agent.info.node).and_then(|floor| number(floor));
            let new_enough = newest.as_deref().and_then(number).is_some_and(|newest| Some(newest) >= floor);
            let all = new_enough
                && agent.info.running
                && agent.info.node_seen == newest
                && policies.as_ref() == Some(&agent.info.policies_seen);
            agent.settled = if all { agent.settled.or_else(|| Some(Instant::now())) } else { None };
        }
    }

    /// The cluster's node that has an address.
    pub(super) fn node_with(&self, address: IpAddr) -> Option<&str> {
        let nodes = self.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.as_str());
        let mut nodes = nodes.filter(|node| {
            let seen = self.interfaces.get(*node).into_iter().flat_map(|seen| &seen.addresses);
            seen.into_iter().any(|own| own.address.addr() == address)
        });
        nodes.next()
    }

    /// The pod of that name.
    pub(super) fn pod(&self, wanted: &PodName) -> Option<&Pod> {
        self.pods.iter().flatten().find(|pod| {
            pod.metadata.name.as_deref() == Some(&wanted.name)
                && pod.metadata.namespace.as_deref().unwrap_or("default") == wanted.namespace
        })
    }

    fn service(&self, wanted: &PodName) -> Option<&Service> {
        self.services.iter().flatten().find(|service| {
            service.metadata.name.as_deref() == Some(&wanted.name)
                && service.metadata.namespace.as_deref().unwrap_or("default") == wanted.namespace
        })
    }

    /// The symbol for an address that a service has.
    fn name_of_service(&self, address: IpAddr) -> Option<String> {
        use ServiceAddress::{Cluster, External, LoadBalancer};
        self.services.iter().flatten().find_map(|service| {
            let which = [LoadBalancer, External, Cluster]
                .into_iter()
                .find(|which| addresses_of(service, *which).contains(&address))?;
            let name = PodName {
                namespace: service.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned()),
                name: service.metadata.name.clone().unwrap_or_default(),
            };
            Some(Symbol::Service(which, name).to_string())
        })
    }

    /// The subnets of the management network.
    fn management(&self) -> impl Iterator<Item = IpNet> {
        let mgmt = &self.topology.mgmt;
        mgmt.ipv4_subnet.map(IpNet::V4).into_iter().chain(mgmt.ipv6_subnet.map(IpNet::V6))
    }

    /// Full name of the cluster node that `whose` means: the node of a pod, or a node itself.
    pub(super) fn cluster_node(&self, symbol: &Symbol, whose: &str) -> Result<String, Unresolved> {
        let known: Vec<&str> =
            self.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.as_str()).collect();
        if let Some(name) = known.iter().find(|name| same_node(name, whose)) {
            return Ok((*name).to_owned());
        }
        let (namespace, name) = whose.split_once('/').unwrap_or(("default", whose));
        let wanted = PodName { namespace: namespace.into(), name: name.into() };
        let on = self.pod(&wanted).and_then(|pod| pod.spec.as_ref()?.node_name.clone());
        on.ok_or_else(|| not_yet(symbol, format!("no pod {whose} is on a node, and no node is called so")))
    }

    /// The link of a cluster node into the topology: the router's name and interface at its other end.
    fn uplink(&self, symbol: &Symbol, node: &str) -> Result<(String, String), Unresolved> {
        let topology = &self.topology;
        let shares = |mode: &NetworkMode| match mode {
            NetworkMode::Container(other) => {
                topology.resolve_container(self.cluster.as_deref(), other).as_deref() == Some(node)
            }
            _ => false,
        };
        let servers: Vec<&str> = topology
            .nodes
            .iter()
            .filter(|server| server.name == node || shares(&server.network_mode))
            .map(|server| server.name.as_str())
            .collect();
        let at = |end: &Endpoint| match end {
            Endpoint::Node { node, interface, .. } => Some((node.clone(), interface.clone())),
            _ => None,
        };
        let far = topology.links.iter().find_map(|link| {
            let (a, b) = (at(&link.a)?, at(&link.b)?);
            if servers.contains(&a.0.as_str()) {
                Some(b)
            } else if servers.contains(&b.0.as_str()) {
                Some(a)
            } else {
                None
            }
        });
        far.ok_or_else(|| never(symbol, format!("no link of the topology ends at {node}")))
    }

    /// The router at the other end of the link of the node that `whose` means.
    pub(super) fn tor(&self, symbol: &Symbol, whose: &str) -> Result<String, Unresolved> {
        Ok(self.uplink(symbol, &self.cluster_node(symbol, whose)?)?.0)
    }

    /// The box and interface that a symbol names.
    fn interface(
        &self,
        symbol: &Symbol,
        place: &Place,
        interface: &str,
    ) -> Result<(String, String), Unresolved> {
        let place = match place {
            Place::Device(device) => {
                let known = self.topology.nodes.iter().any(|node| node.name == *device);
                if !known {
                    let names: Vec<&str> =
                        self.topology.nodes.iter().map(|node| node.name.as_str()).collect();
                    return Err(never(
                        symbol,
                        format!("the topology has no node {device}; it has {}", names.join(", ")),
                    ));
                }
                device.clone()
            }
            Place::NodeOf(whose) => self.cluster_node(symbol, whose)?,
            Place::TorOf(whose) => self.tor(symbol, whose)?,
        };
        Ok((place, interface.to_owned()))
    }

    fn interface_addresses(
        &self,
        symbol: &Symbol,
        place: &str,
        interface: &str,
    ) -> Result<Vec<IpNet>, Unresolved> {
        let found = self.interfaces.get(place).map(|seen| &seen.addresses);
        let all: Vec<IpNet> = found
            .into_iter()
            .flatten()
            .filter(|address| address.dev == interface && !address.address.addr().is_loopback())
            .map(|address| address.address)
            .collect();
        if all.is_empty() {
            Err(not_yet(symbol, format!("{place} has no address on {interface}")))
        } else {
            Ok(all)
        }
    }

    fn selected(&self, symbol: &Symbol, select: &Select) -> Result<Vec<&Node>, Unresolved> {
        let all =
            self.nodes.as_ref().ok_or_else(|| not_yet(symbol, "the cluster has not been asked".into()))?;
        let chosen: Vec<&Node> = match select {
            Select::All => all.iter().collect(),
            Select::Of(whose) => {
                let name = self.cluster_node(symbol, whose)?;
                all.iter().filter(|node| node.metadata.name.as_deref() == Some(name.as_str())).collect()
            }
            Select::Labels(wanted) => {
                all.iter().filter(|node| wanted.iter().all(|label| carries(node, label))).collect()
            }
        };
        if chosen.is_empty() { Err(not_yet(symbol, "it selects no node".into())) } else { Ok(chosen) }
    }

    fn short<'a>(&self, node: &'a str) -> &'a str {
        let cluster = self.cluster.as_ref().map(|cluster| format!("{}-", cluster.name)).unwrap_or_default();
        node.strip_prefix(&cluster).unwrap_or(node)
    }

    /// The name of a box's interface, as lab.yaml would write it.
    fn interface_name(&self, place: &str, interface: &str) -> String {
        let of_cluster =
            self.cluster.iter().any(|cluster| cluster.nodes.iter().any(|node| node.name == place));
        if of_cluster {
            format!("node({}):{interface}", self.short(place))
        } else {
            format!("{place}:{interface}")
        }
    }
}

fn carries(node: &Node, (key, value): &(String, String)) -> bool {
    let labels = node.metadata.labels.clone().unwrap_or_default();
    if key == "role" && !labels.contains_key("role") {
        let control_plane = labels.contains_key("node-role.kubernetes.io/control-plane");
        return value == if control_plane { "control-plane" } else { "worker" };
    }
    labels.get(key) == Some(value)
}

/// A service's addresses of one kind, as its object shows them; a headless one has none of its own.
fn addresses_of(service: &Service, which: ServiceAddress) -> Vec<IpAddr> {
    let spec = service.spec.as_ref();
    let texts: Vec<String> = match which {
        ServiceAddress::LoadBalancer => {
            let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
            let ingress = status.and_then(|balancer| balancer.ingress.clone()).unwrap_or_default();
            ingress.into_iter().filter_map(|ingress| ingress.ip).collect()
        }
        ServiceAddress::Cluster => {
            let several = spec.and_then(|spec| spec.cluster_ips.clone()).unwrap_or_default();
            let one = spec.and_then(|spec| spec.cluster_ip.clone());
            if several.is_empty() { one.into_iter().collect() } else { several }
        }
        ServiceAddress::External => spec.and_then(|spec| spec.external_ips.clone()).unwrap_or_default(),
    };
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn nothing_given(which: ServiceAddress) -> &'static str {
    match which {
        ServiceAddress::LoadBalancer => "no load balancer has given the service an address",
        ServiceAddress::Cluster => "the service has no address in the cluster",
        ServiceAddress::External => "the service names no external address",
    }
}

fn not_yet(symbol: &Symbol, why: String) -> Unresolved {
    Unresolved::NotYet { symbol: symbol.clone(), why }
}

fn never(symbol: &Symbol, why: String) -> Unresolved {
    Unresolved::Never { symbol: symbol.clone(), why }
}

fn named<T: ToString>(value: T, symbol: &Symbol) -> Named<T> {
    Named { value, name: symbol.to_string() }
}

impl Resolver for Atlas {
    fn prefixes(&self, symbol: &Symbol) -> Result<Vec<Named<IpNet>>, Unresolved> {
        match symbol {
            Symbol::Prefix(prefix) => Ok(vec![named(*prefix, symbol)]),
            Symbol::Address(address) => Ok(vec![named(IpNet::from(*address), symbol)]),
            Symbol::Default => {
                let both = [IpNet::V4(Default::default()), IpNet::V6(Default::default())];
                Ok(both.map(|net| named(net, symbol)).into())
            }
            Symbol::Management => match self.management().collect::<Vec<_>>() {
                none if none.is_empty() => Err(never(symbol, "the lab has no management network".into())),
                subnets => Ok(subnets.into_iter().map(|net| named(net, symbol)).collect()),
            },
            Symbol::PodCidr(select) => {
                let mut all = Vec::new();
                for node in self.selected(symbol, select)? {
                    let name = node.metadata.name.clone().unwrap_or_default();
                    let cidrs =
                        node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
                    if cidrs.is_empty() {
                        return Err(not_yet(symbol, format!("{name} has no pod CIDR")));
                    }
                    for cidr in cidrs.iter().filter_map(|cidr| cidr.parse().ok()) {
                        all.push(Named { value: cidr, name: format!("podCIDR({})", self.short(&name)) });
                    }
                }
                Ok(all)
            }
            Symbol::Interface { place, interface } => {
                let (place, interface) = self.interface(symbol, place, interface)?;
                let addresses = self.interface_addresses(symbol, &place, &interface)?;
                let routable = addresses.into_iter().filter(|address| !is_link_local(address.addr()));
                Ok(routable.map(|address| named(address.trunc(), symbol)).collect())
            }
            Symbol::Pod(_) | Symbol::Node(_) | Symbol::Gateway(_) | Symbol::Service(..) => {
                let addresses = self.addresses(symbol)?;
                Ok(addresses
                    .into_iter()
                    .map(|address| Named { value: IpNet::from(address.value), name: address.name })
                    .collect())
            }
        }
    }

    fn addresses(&self, symbol: &Symbol) -> Result<Vec<Named<IpAddr>>, Unresolved> {
        match symbol {
            Symbol::Address(address) => Ok(vec![named(*address, symbol)]),
            Symbol::Pod(wanted) => {
                let pod = self.pod(wanted).ok_or_else(|| not_yet(symbol, "there is no such pod".into()))?;
                let ips = pod.status.as_ref().and_then(|status| status.pod_ips.clone()).unwrap_or_default();
                let ips: Vec<_> =
                    ips.iter().filter_map(|ip| ip.ip.parse().ok()).map(|ip| named(ip, symbol)).collect();
                if ips.is_empty() { Err(not_yet(symbol, "the pod has no address".into())) } else { Ok(ips) }
            }
            Symbol::Node(whose) => {
                let name = self.cluster_node(symbol, whose)?;
                let node =
                    self.nodes.iter().flatten().find(|node| node.metadata.name.as_ref() == Some(&name));
                let addresses =
                    node.and_then(|node| node.status.as_ref()?.addresses.clone()).unwrap_or_default();
                let internal = addresses.iter().filter(|address| address.type_ == "InternalIP");
                let ips: Vec<_> =
                    internal.filter_map(|a| a.address.parse().ok()).map(|ip| named(ip, symbol)).collect();
                if ips.is_empty() {
                    Err(not_yet(symbol, format!("{name} has no InternalIP")))
                } else {
                    Ok(ips)
                }
            }
            Symbol::Gateway(whose) => {
                let (router, interface) = self.uplink(symbol, &self.cluster_node(symbol, whose)?)?;
                let addresses = self.interface_addresses(symbol, &router, &interface)?;
                Ok(addresses.into_iter().map(|address| named(address.addr(), symbol)).collect())
            }
            Symbol::Service(which, wanted) => {
                let service =
                    self.service(wanted).ok_or_else(|| not_yet(symbol, "there is no such service".into()))?;
                let ips: Vec<_> =
                    addresses_of(service, *which).into_iter().map(|ip| named(ip, symbol)).collect();
                if ips.is_empty() { Err(not_yet(symbol, nothing_given(*which).into())) } else { Ok(ips) }
            }
            Symbol::Interface { place, interface } => {
                let (place, interface) = self.interface(symbol, place, interface)?;
                let addresses = self.interface_addresses(symbol, &place, &interface)?;
                Ok(addresses.into_iter().map(|address| named(address.addr(), symbol)).collect())
            }
            Symbol::Prefix(_) | Symbol::Management | Symbol::Default | Symbol::PodCidr(_) => {
                Err(never(symbol, "it names a prefix; an address is wanted here".into()))
            }
        }
    }

    fn name_of_prefix(&self, prefix: IpNet) -> Option<String> {
        for node in self.nodes.iter().flatten() {
            let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
            if cidrs.iter().any(|cidr| cidr.parse() == Ok(prefix)) {
                let name = node.metadata.name.clone().unwrap_or_default();
                return Some(format!("podCIDR({})", self.short(&name)));
            }
        }
        if self.management().any(|subnet| subnet == prefix) {
            return Some("mgmt".into());
        }
        if prefix.prefix_len() == prefix.max_prefix_len()
            && let Some(name) = self.name_of_service(prefix.addr())
        {
            return Some(name);
        }
        self.interfaces.iter().find_map(|(place, seen)| {
            let found = seen.addresses.iter().find(|address| address.address.trunc() == prefix)?;
            Some(self.interface_name(place, &found.dev))
        })
    }

    fn name_of_address(&self, address: IpAddr) -> Option<String> {
        let pod = self.pods.iter().flatten().find(|pod| {
            let ips = pod.status.as_ref().and_then(|status| status.pod_ips.as_ref());
            ips.into_iter().flatten().any(|ip| ip.ip.parse() == Ok(address))
        });
        if let Some(pod) = pod {
            let name = PodName {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                name: pod.metadata.name.clone().unwrap_or_default(),
            };
            return Some(format!("pod/{}", name.short()));
        }
        if let Some(name) = self.name_of_service(address) {
            return Some(name);
        }
        // A container in a cluster node's network shows the node's interfaces: the node is the better name.
        let boxes = self.interfaces.iter().map(|(place, seen)| (self.interface_name(place, ""), place, seen));
        let mut found: Vec<String> = boxes
            .filter_map(|(_, place, seen)| {
                let at = seen.addresses.iter().find(|seen| seen.address.addr() == address)?;
                Some(self.interface_name(place, &at.dev))
            })
            .collect();
        found.sort_by_key(|name| !name.starts_with("node("));
        found.into_iter().next()
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
#[path = "atlas_tests.rs"]
mod tests;
