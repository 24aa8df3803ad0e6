//! The nodes of a fabric that others brought up, by the names the lab gives them.
//!
//! What lives here: which way leads into which node. What does not: the ways themselves (`runtime`).
//!
//! A router is where the user says, else where containerlab or clabernetes would have put it. A node of the cluster is a
//! container of its name, as kind's are, else it is seen from the Cilium agent on it, which is in the node's own network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node as ClusterNode, Pod};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use super::error::FoundError;
use super::labs::{self, LabSeen};
use super::way::{RouterWay, Way};
use crate::cluster::{ClusterError, connect};
use crate::lab::{KindCluster, NetworkMode, Topology};
use crate::node::NodeRef;
use crate::runtime::docker::Engine;
use crate::runtime::kubectl::{KubeNode, PodContainer};
use crate::runtime::prefix::ExecNode;

/// What is to be found.
#[derive(Debug, Clone)]
pub struct FoundSpec {
    /// The lab's name.
    pub name: String,
    /// The routers and links the lab has.
    pub topology: Topology,
    /// The cluster the lab has.
    pub cluster: Option<KindCluster>,
    /// How to reach the cluster.
    pub kubeconfig: Option<PathBuf>,
    /// The ways the user gave.
    pub ways: Vec<RouterWay>,
}

/// A fabric that others brought up.
pub struct Found {
    name: String,
    topology: Topology,
    cluster: Option<KindCluster>,
    kubeconfig: Option<PathBuf>,
    client: Option<Client>,
    engine: Option<Engine>,
    ways: BTreeMap<String, Way>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found").field("name", &self.name).field("ways", &self.ways).finish_non_exhaustive()
    }
}

impl Found {
    /// Finds a fabric: every router must have a way into it, and the cluster must answer. Changes nothing.
    ///
    /// # Errors
    /// When the cluster does not answer, when a router cannot be found, when a way is to no node of the lab.
    pub async fn look(spec: FoundSpec) -> Result<Self, FoundError> {
        let FoundSpec { name, topology, cluster, kubeconfig, ways } = spec;
        let client = match &kubeconfig {
            Some(kubeconfig) => Some(connect(kubeconfig).await?),
            None => None,
        };
        let cluster = match (cluster, &client) {
            (Some(cluster), Some(client)) => Some(as_called_here(cluster, &node_names(client).await?)),
            (cluster, _) => cluster,
        };
        // No engine is no mistake as long as nothing needs one.
        let engine = Engine::connect().await.ok();
        let mut found = Self { name, topology, cluster, kubeconfig, client, engine, ways: BTreeMap::new() };
        for given in ways {
            let name = found
                .lab_name(&given.node)
                .ok_or_else(|| FoundError::NoSuchNode { name: given.node.clone(), known: found.names() })?;
            found.ways.insert(name, given.way);
        }
        found.look_for_the_rest().await?;
        Ok(found)
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The routers and links the lab has.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The cluster, its nodes called as they are called there.
    pub fn cluster(&self) -> Option<&KindCluster> {
        self.cluster.as_ref()
    }

    /// How to reach the cluster.
    pub fn kubeconfig(&self) -> Option<&Path> {
        self.kubeconfig.as_deref()
    }

    /// The cluster's client.
    pub fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Every node there is a way into, with the way.
    pub fn ways(&self) -> &BTreeMap<String, Way> {
        &self.ways
    }

    /// The names of all nodes the lab has.
    pub fn names(&self) -> Vec<String> {
        let routers = self.topology.nodes.iter().map(|node| node.name.clone());
        routers
            .chain(self.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.clone()))
            .collect()
    }

    /// A node by its name in the lab, or a pod by `namespace/name`.
    ///
    /// # Errors
    /// When nothing leads into it.
    pub async fn node(&self, name: &str) -> Result<NodeRef, FoundError> {
        if let Some(at) = self.place_of(name)
            && let Some(way) = self.ways.get(&at)
        {
            return self.open(&at, way).await;
        }
        if let Some((namespace, pod)) = name.split_once('/') {
            let way = Way::Kubectl {
                namespace: namespace.to_owned(),
                pod: pod.to_owned(),
                container: None,
                before: Vec::new(),
            };
            return self.open(name, &way).await;
        }
        Err(FoundError::NoWay { node: name.to_owned(), why: "it was not found".to_owned() })
    }

    /// How a person would run a line in a node.
    pub fn typed(&self, name: &str, line: &str) -> Option<String> {
        let way = match self.place_of(name).and_then(|at| self.ways.get(&at)) {
            Some(way) => way.clone(),
            None => {
                let (namespace, pod) = name.split_once('/')?;
                let (namespace, pod) = (namespace.to_owned(), pod.to_owned());
                Way::Kubectl { namespace, pod, container: None, before: Vec::new() }
            }
        };
        let line = way.typed(line);
        Some(match (&way, &self.kubeconfig) {
            (Way::Kubectl { .. }, Some(kubeconfig)) => format!("KUBECONFIG={} {line}", kubeconfig.display()),
            _ => line,
        })
    }

    async fn open(&self, name: &str, way: &Way) -> Result<NodeRef, FoundError> {
        let no_way = |why: &str| FoundError::NoWay { node: name.to_owned(), why: why.to_owned() };
        match way {
            Way::Exec(prefix) => Ok(Arc::new(ExecNode::by(name, prefix.clone()))),
            Way::Kubectl { namespace, pod, container, before } => {
                let client = self.client.clone().ok_or_else(|| no_way("there is no kubeconfig"))?;
                let place = PodContainer::new(client, namespace, pod, container.as_deref());
                Ok(Arc::new(KubeNode::by(name, place.before(before.clone()))))
            }
            Way::Docker(container) => {
                let engine = self.engine.clone().ok_or_else(|| no_way("no container engine answers"))?;
                let node = engine.node(name, container).await;
                Ok(Arc::new(node.map_err(|error| no_way(&error.to_string()))?))
            }
        }
    }

    /// The lab's own name for what a user calls a node.
    fn lab_name(&self, called: &str) -> Option<String> {
        let router = self.topology.nodes.iter().find(|node| node.name == called);
        let router = router.map(|node| node.name.clone());
        router.or_else(|| Some(self.cluster.as_ref()?.node(called)?.name.clone()))
    }

    /// Where a name leads: a node of the topology in another's network is that other.
    fn place_of(&self, called: &str) -> Option<String> {
        let name = self.lab_name(called)?;
        if self.ways.contains_key(&name) {
            return Some(name);
        }
        let node = self.topology.nodes.iter().find(|node| node.name == name)?;
        match &node.network_mode {
            NetworkMode::Container(other) => self.topology.resolve_container(self.cluster.as_ref(), other),
            _ => Some(name),
        }
    }

    /// Takes the ways into routers that labels tell of, where the user said none.
    async fn look_into_labs(&mut self) -> Result<(), FoundError> {
        let running = match &self.engine {
            Some(engine) => engine.running().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let of_clab = the_lab(labs::containerlab(&running), &self.topology.name);
        self.take(of_clab);
        // kind's nodes, and a lab whose labels somebody else's tool has not set, are containers of known names.
        let runs = |name: &str| running.iter().any(|one| one.name == name);
        for node in &self.topology.nodes {
            let container = self.topology.container_of(node);
            if runs(&container) {
                self.ways.entry(node.name.clone()).or_insert(Way::Docker(container));
            }
        }
        for node in self.cluster.iter().flat_map(|cluster| &cluster.nodes).filter(|node| runs(&node.name)) {
            self.ways.entry(node.name.clone()).or_insert_with(|| Way::Docker(node.name.clone()));
        }
        let Some(client) = self.client.clone() else { return Ok(()) };
        let of_clabernetes = the_lab(labs::clabernetes(&client).await?, &self.topology.name);
        self.take(of_clabernetes);
        Ok(())
    }

    fn take(&mut self, lab: Option<LabSeen>) {
        for RouterWay { node, way } in lab.into_iter().flat_map(|lab| lab.routers) {
            if self.topology.nodes.iter().any(|known| known.name == node) {
                self.ways.entry(node).or_insert(way);
            }
        }
    }

    /// Looks for what the user said nothing of. A router that is found nowhere ends it; a cluster's node does not, for
    /// much can be judged without looking into it.
    async fn look_for_the_rest(&mut self) -> Result<(), FoundError> {
        self.look_into_labs().await?;
        let agents = match &self.client {
            Some(client) => agents(client).await?,
            None => BTreeMap::new(),
        };
        let cluster = self.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.clone());
        for name in cluster.collect::<Vec<_>>() {
            if !self.ways.contains_key(&name)
                && let Some(way) = agents.get(&name)
            {
                self.ways.insert(name, way.clone());
            }
        }
        let lost = self.topology.nodes.iter().filter(|node| node.is_container()).find(|node| {
            let at = self.place_of(&node.name);
            !matches!(node.network_mode, NetworkMode::Container(_))
                && !at.is_some_and(|at| self.ways.contains_key(&at))
        });
        match lost {
            None => Ok(()),
            Some(node) => Err(FoundError::NoWay {
                node: node.name.clone(),
                why: format!("there is no container {}", self.topology.container_of(node)),
            }),
        }
    }
}

/// The lab of that name; where only one is there, that one.
fn the_lab(mut labs: Vec<LabSeen>, name: &str) -> Option<LabSeen> {
    match labs.iter().position(|lab| lab.name == name) {
        Some(at) => Some(labs.swap_remove(at)),
        None if labs.len() == 1 => labs.pop(),
        None => None,
    }
}

async fn node_names(client: &Client) -> Result<Vec<String>, ClusterError> {
    let nodes = Api::<ClusterNode>::all(client.clone()).list(&ListParams::default()).await;
    let nodes = nodes.map_err(|error| ClusterError::api("list the cluster's nodes", error))?;
    Ok(nodes.iter().map(ResourceExt::name_any).collect())
}

/// The way into each node through the Cilium agent on it.
pub(super) async fn agents(client: &Client) -> Result<BTreeMap<String, Way>, ClusterError> {
    let wanted = ListParams::default().labels("k8s-app=cilium");
    let pods = Api::<Pod>::all(client.clone()).list(&wanted).await;
    let pods = pods.map_err(|error| ClusterError::api("list Cilium's pods", error))?;
    let way = |pod: Pod| {
        let running = pod.status.as_ref()?.phase.as_deref() == Some("Running");
        let node = pod.spec.as_ref()?.node_name.clone()?;
        let way = Way::Kubectl {
            namespace: pod.namespace()?,
            pod: pod.name_any(),
            container: Some("cilium-agent".to_owned()),
            before: Vec::new(),
        };
        running.then_some((node, way))
    };
    Ok(pods.into_iter().filter_map(way).collect())
}

/// The cluster of the lab with its nodes called as they are called where it runs. Who made it another way than kind need not
/// have put the cluster's name in front.
fn as_called_here(mut cluster: KindCluster, there: &[String]) -> KindCluster {
    let before = format!("{}-", cluster.name);
    for node in &mut cluster.nodes {
        let short = node.name.strip_prefix(&before).unwrap_or(&node.name);
        if there.contains(&node.name) {
            continue;
        }
        let end = format!("-{short}");
        let bare = there.iter().find(|name| *name == short);
        if let Some(name) = bare.or_else(|| there.iter().find(|name| name.ends_with(&end))) {
            node.name.clone_from(name);
        }
    }
    cluster
}
