//! A fabric: a lab that is running, and the handles to look at it and to change it.
//!
//! What lives here: finding nodes by the names a lab uses, their observers, the cluster's client. What does not:
//! making any of it (the keeper's `world`), judging it (crate `fabric-suites`).

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::Client;
use tokio::sync::{Mutex, OnceCell};

use crate::cluster::{ClusterError, Objects, connect};
use crate::lab::yaml::nearest;
use crate::lab::{KindCluster, Step, Topology};
use crate::node::NodeRef;
use crate::router::{Kernel, Observer, Router, Whichever};
use crate::runtime::docker::{Engine, EngineError, ImageMap};
use crate::runtime::keeper::{
    AgentInfo, Keeper, KeeperError, KeeperSpec, NodeInfo, Progress, RuntimeSpec, State, StateError,
    StepReport, leftovers,
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
    /// The container engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No such node.
    #[error("there is no node {name}{}; the nodes are {}", meant(.name, .known), .known.join(", "))]
    NoSuchNode {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

/// What a fabric cannot live without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The process that keeps it.
    Keeper,
    /// The container engine.
    Engine,
}

/// A running lab.
pub struct Fabric {
    keeper: Keeper,
    topology: Topology,
    cluster: Option<KindCluster>,
    userns: bool,
    runtime: RuntimeSpec,
    engine: OnceCell<Engine>,
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
        if spec.runtime != RuntimeSpec::Netns {
            sweep().await?;
        }
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
            runtime: spec.runtime,
            engine: OnceCell::new(),
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
    /// (`default/nettool-1`; without a namespace, of the default one, if no node is called so).
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
        let engine = self.engine().await?;
        *known = infos
            .into_iter()
            .map(|info| (info.name.clone(), (info.clone(), self.keeper.handle(&info, self.userns, engine))))
            .collect();
        let pod = |(info, _): &&(NodeInfo, NodeRef)| info.name.strip_prefix("default/") == Some(name);
        let found = known.values().find(|(info, _)| is_called(info, name));
        let found = found.or_else(|| known.values().find(pod)).cloned();
        found.ok_or_else(|| FabricError::NoSuchNode {
            name: name.to_owned(),
            known: known.keys().cloned().collect(),
        })
    }

    /// The engine of the nodes that are containers.
    async fn engine(&self) -> Result<Option<&Engine>, FabricError> {
        match &self.runtime {
            RuntimeSpec::Netns => Ok(None),
            RuntimeSpec::Docker { host, .. } => {
                Ok(Some(self.engine.get_or_try_init(|| Engine::connect_to(host)).await?))
            }
        }
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

    /// Waits until the fabric's keeper has gone, and everything with it, or the engine of its containers; never returns
    /// while they live. Says which it was.
    pub async fn gone(&self) -> Gone {
        let engine = async {
            match self.engine().await {
                Ok(Some(engine)) => engine.gone().await,
                // One that cannot be reached at all is found out by whoever needs it.
                Ok(None) | Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.keeper.gone() => Gone::Keeper,
            () = engine => Gone::Engine,
        }
    }

    /// Ends everything; returns when nothing is left. What is written down of a fabric stays until nothing is.
    pub async fn end(&self) -> Result<(), FabricError> {
        self.keeper.down().await?;
        if let RuntimeSpec::Docker { host, .. } = &self.runtime {
            // Its keeper has done this, unless it was killed.
            let engine = Engine::connect_to(host).await?;
            crate::world::sweep(&engine, self.id()).await?;
        }
        self.keeper.forget();
        Ok(())
    }
}

/// Which node was probably meant, as an aside.
fn meant(name: &str, known: &[String]) -> String {
    // People write the last part of most names: `worker` of a cluster's node, a pod's name without its namespace.
    let short = known.iter().filter_map(|known| known.rsplit(['-', '/']).next());
    let near = nearest(name, known.iter().map(String::as_str).chain(short));
    near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default()
}

/// Removes the containers and networks of fabrics whose keeper died, and what is written down of them; their names. What
/// does not work with one does not keep the others.
///
/// # Errors
/// When a container engine does not answer, or does not remove something.
pub async fn sweep() -> Result<Vec<String>, FabricError> {
    let (mut swept, mut failed) = (Vec::new(), None);
    for state in leftovers()? {
        let RuntimeSpec::Docker { host, .. } = &state.spec.runtime else { continue };
        let removed = match Engine::connect_to(host).await {
            Ok(engine) => crate::world::sweep(&engine, &state.spec.id).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => {
                // Only files now; one that stays is swept with the next.
                let _ = std::fs::remove_dir_all(&state.spec.dir);
                swept.push(state.spec.id);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        None => Ok(swept),
        Some(error) => Err(error.into()),
    }
}

/// The images that a lab's containers need, each with a node that needs it.
pub fn images_needed(
    topology: &Topology,
    cluster: Option<&KindCluster>,
    map: &ImageMap,
) -> BTreeMap<String, String> {
    crate::world::images(topology, cluster, map)
}

/// Whether a node goes by a name: its own, its container's, or what kind puts behind the cluster's name.
fn is_called(info: &NodeInfo, name: &str) -> bool {
    let after_cluster = || {
        let before = info.name.strip_suffix(name);
        info.role == "cluster" && before.is_some_and(|before| before.len() > 1 && before.ends_with('-'))
    };
    info.name == name || info.container == name || after_cluster()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("worke", " (did you mean worker?)")]
    #[case("tor9", " (did you mean tor0?)")]
    #[case("something", "")]
    fn a_wrong_name_is_told_the_right_one(#[case] name: &str, #[case] aside: &str) {
        let known = ["clab-demo-worker", "default/nettool-1", "router0", "tor0"].map(str::to_owned).to_vec();
        let error = FabricError::NoSuchNode { name: name.to_owned(), known };
        let wanted =
            format!("there is no node {name}{aside}; the nodes are clab-demo-worker, default/nettool-1");
        assert!(error.to_string().starts_with(&wanted), "{error}");
    }
}
