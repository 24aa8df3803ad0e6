//! A fabric: a lab that is running, and the handles to look at it and to change it.
//!
//! What lives here: finding nodes by the names a lab uses, their observers, the cluster's client. What does not:
//! making any of it (the keeper's `world`), judging it (crate `fabric-suites`).

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::Client;
use tokio::sync::{Mutex, OnceCell};

use crate::cluster::{ClusterError, Objects, connect};
use crate::lab::{KindCluster, Step, Topology};
use crate::node::NodeRef;
use crate::router::{Kernel, Observer, Router, Whichever};
use crate::runtime::keeper::{
    AgentInfo, Keeper, KeeperError, KeeperSpec, NodeInfo, Progress, State, StateError, StepReport,
};
use crate::runtime::netns::NetnsNode;

/// What can go wrong with a fabric.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FabricError {
    /// Between us and the keeper.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The state of running fabrics.
    #[error(transparent)]
    State(#[from] StateError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No such node.
    #[error("there is no node {name}; the nodes are {}", .known.join(", "))]
    NoSuchNode {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

/// A running lab.
pub struct Fabric {
    keeper: Keeper,
    topology: Topology,
    cluster: Option<KindCluster>,
    userns: bool,
    nodes: Mutex<BTreeMap<String, (NodeInfo, NodeRef)>>,
    observers: Mutex<BTreeMap<String, Arc<Observer>>>,
    kernels: Mutex<BTreeMap<String, Arc<Kernel>>>,
    objects: OnceCell<(Client, Arc<Objects>)>,
}

impl std::fmt::Debug for Fabric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fabric").field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

impl Fabric {
    /// Starts a fabric: a keeper and its nodes; no step of bringing up is done yet.
    pub async fn start(spec: &KeeperSpec) -> Result<Self, FabricError> {
        let keeper = Keeper::start(spec).await?;
        Self::of(keeper)
    }

    /// A fabric that is already up.
    pub fn attach(id: &str) -> Result<Self, FabricError> {
        Self::of(Keeper::find(id)?)
    }

    fn of(keeper: Keeper) -> Result<Self, FabricError> {
        let State { spec, userns, .. } = keeper.state()?;
        Ok(Self {
            keeper,
            topology: spec.topology,
            cluster: spec.cluster,
            userns,
            nodes: Mutex::default(),
            observers: Mutex::default(),
            kernels: Mutex::default(),
            objects: OnceCell::new(),
        })
    }

    /// Its name.
    pub fn id(&self) -> &str {
        self.keeper.id()
    }

    /// The routers and links it was made of.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The cluster it was made of.
    pub fn cluster(&self) -> Option<&KindCluster> {
        self.cluster.as_ref()
    }

    /// What its keeper has written down.
    pub fn state(&self) -> Result<State, FabricError> {
        Ok(self.keeper.state()?)
    }

    /// True when the nodes live in a user namespace: no root was needed.
    pub fn rootless(&self) -> bool {
        self.userns
    }

    /// Does a step of bringing up; one that was done before only tells again what it did.
    pub async fn step(&self, step: Step, progress: impl FnMut(Progress)) -> Result<StepReport, FabricError> {
        Ok(self.keeper.step(step, progress).await?)
    }

    /// Remembers the phase that the fabric has reached.
    pub async fn reached(&self, phase: &str) -> Result<(), FabricError> {
        Ok(self.keeper.reached(phase).await?)
    }

    /// The nodes, pods included, as they are now.
    pub async fn nodes(&self) -> Result<Vec<NodeInfo>, FabricError> {
        Ok(self.keeper.nodes().await?)
    }

    /// A node by name: of the topology (`router0`), of the cluster (`worker`, or its full name), or a pod
    /// (`default/nettool-1`).
    pub async fn node(&self, name: &str) -> Result<NodeRef, FabricError> {
        Ok(self.find(name).await?.1)
    }

    /// A node with what only namespaces can do: a command on the caller's own terminal.
    pub async fn netns_node(&self, name: &str) -> Result<NetnsNode, FabricError> {
        let (info, _) = self.find(name).await?;
        Ok(self.keeper.netns_node(&info, self.userns))
    }

    async fn find(&self, name: &str) -> Result<(NodeInfo, NodeRef), FabricError> {
        let mut known = self.nodes.lock().await;
        // A pod may have been deleted and made again under the same name.
        let lasting = |(info, _): &&(NodeInfo, NodeRef)| info.role != "pod";
        if let Some(found) = known.values().filter(lasting).find(|(info, _)| is_called(info, name)) {
            return Ok(found.clone());
        }
        let infos = self.keeper.nodes().await?;
        *known = infos
            .into_iter()
            .map(|info| (info.name.clone(), (info.clone(), self.keeper.handle(&info, self.userns))))
            .collect();
        let found = known.values().find(|(info, _)| is_called(info, name)).cloned();
        found.ok_or_else(|| FabricError::NoSuchNode {
            name: name.to_owned(),
            known: known.keys().cloned().collect(),
        })
    }

    /// The observer of a router, made when it is first asked for.
    pub async fn observer(&self, router: &str) -> Result<Arc<Observer>, FabricError> {
        let node = self.node(router).await?;
        let mut observers = self.observers.lock().await;
        let made = || Arc::new(Observer::start(Arc::new(Whichever::new(node)) as Arc<dyn Router>));
        Ok(Arc::clone(observers.entry(router.to_owned()).or_insert_with(made)))
    }

    /// The observers made so far, by router.
    pub async fn observers(&self) -> BTreeMap<String, Arc<Observer>> {
        self.observers.lock().await.clone()
    }

    /// The kernel of a node: its routes, links and addresses.
    pub async fn kernel(&self, name: &str) -> Result<Arc<Kernel>, FabricError> {
        let node = self.node(name).await?;
        let mut kernels = self.kernels.lock().await;
        let made = || Arc::new(Kernel::new(node));
        Ok(Arc::clone(kernels.entry(name.to_owned()).or_insert_with(made)))
    }

    /// The cluster's client. The cluster step must have been done.
    pub async fn client(&self) -> Result<Client, FabricError> {
        Ok(self.connected().await?.0.clone())
    }

    /// The cluster's objects, to be applied and deleted.
    pub async fn objects(&self) -> Result<Arc<Objects>, FabricError> {
        Ok(Arc::clone(&self.connected().await?.1))
    }

    async fn connected(&self) -> Result<&(Client, Arc<Objects>), FabricError> {
        let connecting = || async {
            let kubeconfig = self.state()?.kubeconfig;
            let kubeconfig =
                kubeconfig.ok_or_else(|| ClusterError::NoCluster { what: "speak to the cluster".into() })?;
            let client = connect(&kubeconfig).await?;
            Ok::<_, FabricError>((client.clone(), Arc::new(Objects::new(client))))
        };
        self.objects.get_or_try_init(connecting).await
    }

    /// Tells of Cilium's agents now, and again whenever something about them changes; returns when the keeper has gone.
    /// The step `cni` must have been done.
    pub async fn follow_agents(&self, tell: impl FnMut(Vec<AgentInfo>)) -> Result<(), FabricError> {
        Ok(self.keeper.follow_agents(tell).await?)
    }

    /// Waits until the fabric's keeper has gone, and everything with it; never returns while it lives.
    pub async fn gone(&self) {
        self.keeper.gone().await;
    }

    /// Ends everything; returns when nothing is left.
    pub async fn end(&self) -> Result<(), FabricError> {
        Ok(self.keeper.down().await?)
    }
}

/// Whether a node goes by a name: its own, its container's, or what kind puts behind the cluster's name.
fn is_called(info: &NodeInfo, name: &str) -> bool {
    let after_cluster = || {
        let before = info.name.strip_suffix(name);
        info.role == "cluster" && before.is_some_and(|before| before.len() > 1 && before.ends_with('-'))
    };
    info.name == name || info.container == name || after_cluster()
}
