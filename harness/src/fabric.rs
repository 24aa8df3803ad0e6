//! A fabric: a lab that is running, and the handles to look at it and to change it.
//!
//! What lives here: finding nodes by the names a lab uses, their observers, the cluster's client. What does not:
//! making any of it (the keeper's `world`), finding it (`found`), judging it (crate `fabric-suites`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use tokio::sync::{Mutex, OnceCell};

use crate::cluster::{ClusterError, Objects, connect, process_of};
use crate::found::{Found, FoundError, FoundSpec};
use crate::lab::{KindCluster, Step, Topology};
use crate::node::NodeRef;
use crate::router::Kernel;
use crate::runtime::docker::Engine;
use crate::runtime::keeper::{
    AgentInfo, Keeper, KeeperSpec, NodeInfo, Progress, RuntimeSpec, State, StepReport, UpgradeOrder,
};
use crate::runtime::kubectl::{KubeNode, PodContainer};
use crate::runtime::netns::NetnsNode;

mod error;
mod sweep;
mod watching;

pub use error::{FabricError, Gone};
use sweep::unmake_of;
pub use sweep::{images_needed, sweep};
use watching::Observers;

/// A running lab.
pub struct Fabric {
    backing: Backing,
    topology: Topology,
    cluster: Option<KindCluster>,
    nodes: Mutex<BTreeMap<String, (NodeInfo, NodeRef)>>,
    observers: Mutex<Observers>,
    kernels: Mutex<BTreeMap<String, Arc<Kernel>>>,
    objects: OnceCell<(Client, Arc<Objects>)>,
}

/// Who keeps a fabric.
#[derive(Debug)]
enum Backing {
    /// A keeper of ours made it.
    Kept(Box<Kept>),
    /// Others brought it up.
    Found(Box<Found>),
}

/// A keeper and what its nodes are.
#[derive(Debug)]
struct Kept {
    keeper: Keeper,
    userns: bool,
    runtime: RuntimeSpec,
    /// Programs of others made a part of it: a real cluster.
    outside: bool,
    engine: OnceCell<Engine>,
}

impl Kept {
    /// The engine of the nodes that are containers.
    async fn engine(&self) -> Result<Option<&Engine>, FabricError> {
        match &self.runtime {
            RuntimeSpec::Netns => Ok(None),
            RuntimeSpec::Docker { host, .. } => {
                Ok(Some(self.engine.get_or_try_init(|| Engine::connect_to(host)).await?))
            }
        }
    }
}

impl std::fmt::Debug for Fabric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fabric").field("backing", &self.backing).finish_non_exhaustive()
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

    /// A fabric that is already up, by its keeper's folder.
    pub fn in_folder(dir: &Path) -> Result<Self, FabricError> {
        Self::of(Keeper::in_folder(dir)?)
    }

    /// A fabric that others brought up. Nothing is changed.
    pub async fn find(spec: FoundSpec) -> Result<Self, FabricError> {
        let found = Found::look(spec).await?;
        let (topology, cluster) = (found.topology().clone(), found.cluster().cloned());
        Ok(Self::backed(Backing::Found(Box::new(found)), topology, cluster))
    }

    fn of(keeper: Keeper) -> Result<Self, FabricError> {
        let State { spec, userns, .. } = keeper.state()?;
        let outside = spec.outside.is_some();
        let kept = Kept { keeper, userns, runtime: spec.runtime, outside, engine: OnceCell::new() };
        Ok(Self::backed(Backing::Kept(Box::new(kept)), spec.topology, spec.cluster))
    }

    fn backed(backing: Backing, topology: Topology, cluster: Option<KindCluster>) -> Self {
        Self {
            backing,
            topology,
            cluster,
            nodes: Mutex::default(),
            observers: Mutex::default(),
            kernels: Mutex::default(),
            objects: OnceCell::new(),
        }
    }

    fn keeper(&self, what: &'static str) -> Result<&Keeper, FabricError> {
        match &self.backing {
            Backing::Kept(kept) => Ok(&kept.keeper),
            Backing::Found(_) => Err(FoundError::NotOurs { what }.into()),
        }
    }

    /// What others brought up, if this is such a fabric.
    pub fn found(&self) -> Option<&Found> {
        match &self.backing {
            Backing::Kept(_) => None,
            Backing::Found(found) => Some(found),
        }
    }

    /// Its name.
    pub fn id(&self) -> &str {
        match &self.backing {
            Backing::Kept(kept) => kept.keeper.id(),
            Backing::Found(found) => found.name(),
        }
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
        Ok(self.keeper("read the state of a keeper")?.state()?)
    }

    /// True when the nodes live in a user namespace: no root was needed.
    pub fn rootless(&self) -> bool {
        matches!(&self.backing, Backing::Kept(kept) if kept.userns)
    }

    /// Does a step of bringing up; one that was done before only tells again what it did.
    pub async fn step(&self, step: Step, progress: impl FnMut(Progress)) -> Result<StepReport, FabricError> {
        Ok(self.keeper("bring a part of it up")?.step(step, progress).await?)
    }

    /// Goes to another version of Cilium; returns when every agent is of that version.
    pub async fn upgrade(
        &self,
        order: &UpgradeOrder,
        progress: impl FnMut(Progress),
    ) -> Result<StepReport, FabricError> {
        Ok(self.keeper("upgrade its Cilium without a command of the lab's")?.upgrade(order, progress).await?)
    }

    /// Remembers the phase that the fabric has reached.
    pub async fn reached(&self, phase: &str) -> Result<(), FabricError> {
        match &self.backing {
            Backing::Kept(kept) => Ok(kept.keeper.reached(phase).await?),
            // It is in no phase of ours.
            Backing::Found(_) => Ok(()),
        }
    }

    /// The nodes, pods included, as they are now.
    pub async fn nodes(&self) -> Result<Vec<NodeInfo>, FabricError> {
        Ok(self.keeper("list the nodes a keeper has")?.nodes().await?)
    }

    /// A node by name: of the topology (`router0`), of the cluster (`worker`, or its full name), or a pod
    /// (`default/nettool-1`; without a namespace, of the default one, if no node is called so).
    pub async fn node(&self, name: &str) -> Result<NodeRef, FabricError> {
        match &self.backing {
            Backing::Kept(kept) => match self.kept(kept, name).await {
                Ok((_, node)) => Ok(node),
                Err(unknown @ FabricError::NoSuchNode { .. }) => {
                    self.pod_by_exec(kept, name).await?.ok_or(unknown)
                }
                Err(error) => Err(error),
            },
            Backing::Found(found) => Ok(found.node(name).await?),
        }
    }

    /// A node with what only namespaces can do: a command on the caller's own terminal.
    pub async fn netns_node(&self, name: &str) -> Result<NetnsNode, FabricError> {
        match &self.backing {
            Backing::Kept(kept) => {
                let (info, _) = self.kept(kept, name).await?;
                Ok(kept.keeper.netns_node(&info, kept.userns))
            }
            Backing::Found(_) => Err(FoundError::NotOurs { what: "go into a namespace" }.into()),
        }
    }

    async fn kept(&self, kept: &Kept, name: &str) -> Result<(NodeInfo, NodeRef), FabricError> {
        let mut known = self.nodes.lock().await;
        // A pod may have been deleted and made again under the same name.
        let lasting = |(info, _): &&(NodeInfo, NodeRef)| info.role != "pod";
        if let Some(found) = known.values().filter(lasting).find(|(info, _)| is_called(info, name)) {
            return Ok(found.clone());
        }
        let infos = kept.keeper.nodes().await?;
        let engine = kept.engine().await?;
        *known = infos
            .into_iter()
            .map(|info| {
                let handle = kept.keeper.handle(&info, kept.userns, engine);
                (info.name.clone(), (info, handle))
            })
            .collect();
        let pod = |(info, _): &&(NodeInfo, NodeRef)| info.name.strip_prefix("default/") == Some(name);
        let found = known.values().find(|(info, _)| is_called(info, name));
        let mut found = found.or_else(|| known.values().find(pod)).cloned();
        if found.is_none()
            && kept.outside
            && let Some(info) = self.real_pod(name).await?
        {
            let node = kept.keeper.handle(&info, kept.userns, None);
            found = Some((info, node));
        }
        found.ok_or_else(|| FabricError::NoSuchNode {
            name: name.to_owned(),
            known: known.keys().cloned().collect(),
        })
    }

    /// A pod of a real cluster whose nodes are containers of this machine: its processes are this machine's too.
    async fn real_pod(&self, name: &str) -> Result<Option<NodeInfo>, FabricError> {
        let (namespace, pod) = name.split_once('/').unwrap_or(("default", name));
        let Some(found) = self.pod_of(namespace, pod).await? else { return Ok(None) };
        Ok(process_of(&found).map(|init| NodeInfo {
            name: name.to_owned(),
            container: name.to_owned(),
            role: "pod".to_owned(),
            init,
            container_id: None,
            mgmt: None,
        }))
    }

    /// A pod of a real cluster whose processes are not found on this machine: by the API, as kubectl goes into it.
    async fn pod_by_exec(&self, kept: &Kept, name: &str) -> Result<Option<NodeRef>, FabricError> {
        if !kept.outside {
            return Ok(None);
        }
        let (namespace, pod) = name.split_once('/').unwrap_or(("default", name));
        if self.pod_of(namespace, pod).await?.is_none() {
            return Ok(None);
        }
        let place = PodContainer::new(self.client().await?, namespace, pod, None);
        Ok(Some(Arc::new(KubeNode::by(name, place))))
    }

    async fn pod_of(&self, namespace: &str, name: &str) -> Result<Option<Pod>, FabricError> {
        let api: Api<Pod> = Api::namespaced(self.client().await?, namespace);
        let found = api.get_opt(name).await;
        Ok(found.map_err(|error| ClusterError::api(format!("look for the pod {namespace}/{name}"), error))?)
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
            let kubeconfig = match &self.backing {
                Backing::Kept(kept) => kept.keeper.state()?.kubeconfig,
                Backing::Found(found) => found.kubeconfig().map(Path::to_path_buf),
            };
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
        match &self.backing {
            Backing::Kept(kept) => Ok(kept.keeper.follow_agents(tell).await?),
            // Agents that are not ours do not say what they have acted on.
            Backing::Found(_) => Ok(()),
        }
    }

    /// Waits until the fabric's keeper has gone, and everything with it, or the engine of its containers; never returns
    /// while they live. Says which it was. What others brought up is not watched.
    pub async fn gone(&self) -> Gone {
        let Backing::Kept(kept) = &self.backing else { return std::future::pending().await };
        let engine = async {
            match kept.engine().await {
                Ok(Some(engine)) => engine.gone().await,
                // One that cannot be reached at all is found out by whoever needs it.
                Ok(None) | Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = kept.keeper.gone() => Gone::Keeper,
            () = engine => Gone::Engine,
        }
    }

    /// Ends everything; returns when nothing is left. What is written down of a fabric stays until nothing is.
    pub async fn end(&self) -> Result<(), FabricError> {
        let Backing::Kept(kept) = &self.backing else {
            return Err(FoundError::NotOurs { what: "end it" }.into());
        };
        let state = kept.keeper.state();
        kept.keeper.down().await?;
        if let Ok(state) = state
            && !kept.keeper.ended_itself()
        {
            unmake_of(&state).await?;
        }
        if let RuntimeSpec::Docker { host, .. } = &kept.runtime {
            // Its keeper has done this, unless it was killed.
            let engine = Engine::connect_to(host).await?;
            crate::world::sweep(&engine, self.id()).await?;
        }
        kept.keeper.forget();
        Ok(())
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
