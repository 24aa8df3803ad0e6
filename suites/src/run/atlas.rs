//! What symbols stand for on a running fabric, at one moment.
//!
//! What lives here: a snapshot of interfaces, Node and Pod objects, and finding things in it. What does not: taking the
//! snapshot (`view`), which symbol asks for what of it (`resolve`).

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
use crate::expect::{Place, PodName, Select, ServiceAddress, Symbol, Unresolved};

mod boxes;
mod resolve;

use resolve::addresses_of;

/// Every address that a service has, whoever gave it.
pub(super) fn addresses_of_all(service: &Service) -> Vec<IpAddr> {
    let which = [ServiceAddress::LoadBalancer, ServiceAddress::External, ServiceAddress::Cluster];
    which.into_iter().flat_map(|which| addresses_of(service, which)).collect()
}

/// Interfaces of one box.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Interfaces {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<LinkAddress>,
    /// Why they could not be read; nothing is known of them then.
    pub(super) unread: Option<String>,
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
    /// The resourceVersion of each peering policy there is, by name; `None` until they could be read.
    pub(super) policies: Option<BTreeMap<String, String>>,
    /// What there is of the second BGP API; `None` where it is not served.
    pub(super) second: Option<Second>,
    /// The resourceVersion each Node had when the phase's actions were done: what is older is not the newest, whatever
    /// the watches have said so far.
    pub(super) floors: BTreeMap<String, String>,
}

/// What people write in the second BGP API: by name, what the content is known by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Second {
    pub(super) clusters: BTreeMap<String, String>,
    pub(super) overrides: BTreeMap<String, String>,
    pub(super) peers: BTreeMap<String, String>,
    pub(super) advertisements: BTreeMap<String, String>,
}

impl Second {
    /// Whether the operator has made the node's configuration out of this, and the agent has acted on that.
    fn settled(&self, agent: &AgentInfo, node: Option<&Node>) -> bool {
        let (Some(seen), Some(operator)) = (&agent.second_seen, &agent.operator) else { return false };
        let labels = node.and_then(|node| node.metadata.labels.clone()).unwrap_or_default();
        operator.done
            && (&operator.clusters, &operator.overrides, &operator.peers)
                == (&self.clusters, &self.overrides, &self.peers)
            && operator.labels == labels
            && operator.node_config == seen.node_config
            && (&seen.peers, &seen.advertisements) == (&self.peers, &self.advertisements)
    }
}

/// One of Cilium's agents.
#[derive(Debug, Clone)]
pub(super) struct AgentSeen {
    pub(super) info: AgentInfo,
    /// Since when it has acted on the newest of everything; `None` while it has not.
    pub(super) settled: Option<Instant>,
    /// That there are policies which its version does not read; none where it reads them, or speaks without.
    pub(super) ignores: Option<String>,
}

/// What becomes of policies that an agent's version does not read: nothing at all, and nobody says so.
fn ignored(agent: &AgentInfo, policies: Option<&BTreeMap<String, String>>) -> Option<String> {
    let policies = policies.filter(|policies| !policies.is_empty() && !agent.reads_policies)?;
    if !agent.neighbors.is_empty() {
        return None;
    }
    let names: Vec<&str> = policies.keys().map(String::as_str).collect();
    let version = agent.version.as_deref().unwrap_or("of this version");
    let (names, are) = (names.join(", "), if names.len() == 1 { "is" } else { "are" });
    Some(format!("Cilium {version} does not serve CiliumBGPPeeringPolicy any more: {names} {are} ignored"))
}

impl AgentSeen {
    /// Why it does not say more though nothing is wrong, one sentence each.
    pub(super) fn silences(&self) -> Vec<String> {
        self.ignores.iter().chain(&self.info.silences).cloned().collect()
    }
}

impl Atlas {
    /// The atlas of a fabric of which nothing has been seen.
    pub(super) fn before(topology: &Topology, cluster: Option<&KindCluster>) -> Self {
        Self {
            topology: Arc::new(topology.clone()),
            cluster: cluster.cloned().map(Arc::new),
            interfaces: BTreeMap::new(),
            nodes: None,
            pods: None,
            services: None,
            agents: None,
            policies: None,
            second: None,
            floors: BTreeMap::new(),
        }
    }

    /// Finds out which agents have acted on the newest of everything: to be called when anything has changed.
    pub(super) fn settle(&mut self) {
        let number = |version: &str| version.parse::<u64>().ok();
        let Self { agents, policies, second, nodes, floors, .. } = self;
        for agent in agents.iter_mut().flatten() {
            let node =
                nodes.iter().flatten().find(|node| node.metadata.name.as_deref() == Some(&agent.info.node));
            let newest = node.and_then(|node| node.metadata.resource_version.clone());
            let floor = floors.get(&agent.info.node).and_then(|floor| number(floor));
            let new_enough = newest.as_deref().and_then(number).is_some_and(|newest| Some(newest) >= floor);
            let all = new_enough
                && agent.info.running
                && agent.info.node_seen == newest
                && (!agent.info.reads_policies || policies.as_ref() == Some(&agent.info.policies_seen))
                && second.as_ref().is_none_or(|second| second.settled(&agent.info, node));
            agent.ignores = ignored(&agent.info, policies.as_ref());
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

    /// The cluster's node that goes by an address, as its Node object says; it need not have it any more.
    pub(super) fn node_called(&self, address: IpAddr) -> Option<&str> {
        let nodes = self.nodes.as_deref()?;
        let goes_by = |node: &&Node| {
            let all = node.status.iter().filter_map(|status| status.addresses.as_deref()).flatten();
            all.into_iter().any(|own| own.type_ == "InternalIP" && own.address.parse() == Ok(address))
        };
        let name = nodes.iter().find(goes_by)?.metadata.name.as_deref()?;
        let all = self.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.as_str());
        all.into_iter().find(|node| same_node(node, name))
    }

    /// Whether a box has interfaces with addresses, and none of them has this one.
    pub(super) fn lacks(&self, place: &str, address: IpAddr) -> bool {
        let seen = self.interfaces.get(place).map(|seen| seen.addresses.as_slice()).unwrap_or_default();
        !seen.is_empty() && seen.iter().all(|own| own.address.addr() != address)
    }

    /// The router at the other end of a router's link.
    pub(super) fn router_over(&self, router: &str, interface: &str) -> Option<&str> {
        let at = |end: &Endpoint| matches!(end, Endpoint::Node { node, interface: own, .. } if node == router && own == interface);
        let far = self.topology.links.iter().find_map(|link| match (at(&link.a), at(&link.b)) {
            (true, _) => Some(&link.b),
            (_, true) => Some(&link.a),
            _ => None,
        })?;
        let Endpoint::Node { node, .. } = far else { return None };
        let far = self.topology.node(node)?;
        let routes = far.image.as_deref().is_some_and(|image| image.contains("frr"));
        routes.then_some(far.name.as_str())
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
    pub(super) fn management(&self) -> impl Iterator<Item = IpNet> {
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
        let found = self.interfaces.get(place);
        if let Some(why) = found.and_then(|seen| seen.unread.as_ref()) {
            return Err(not_yet(symbol, format!("the interfaces of {place} cannot be read: {why}")));
        }
        let all: Vec<IpNet> = found
            .into_iter()
            .flat_map(|seen| &seen.addresses)
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

    /// A cluster node's name without the cluster's.
    pub(super) fn short<'a>(&self, node: &'a str) -> &'a str {
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

/// A pod as boxes and states are called: `namespace/name`.
pub(super) fn pod_name(pod: &Pod) -> String {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    format!("{namespace}/{}", pod.metadata.name.as_deref().unwrap_or_default())
}

fn not_yet(symbol: &Symbol, why: String) -> Unresolved {
    Unresolved::NotYet { symbol: symbol.clone(), why }
}

fn never(symbol: &Symbol, why: String) -> Unresolved {
    Unresolved::Never { symbol: symbol.clone(), why }
}

#[cfg(test)]
#[path = "atlas_tests.rs"]
mod tests;
