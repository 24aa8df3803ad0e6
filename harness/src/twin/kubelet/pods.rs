//! Pods from the API into namespaces, and back out again.
//!
//! What lives here: the loop that follows the API's pods and nodes. What does not: the namespaces themselves, which
//! come from whoever implements [`Sandboxes`].

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::containers::{self, Seen};
use super::{Logs, scheduler, status};
use crate::node::NodeRef;

/// Which pod is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodId {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl PodId {
    fn of(pod: &Pod) -> Self {
        Self { namespace: pod.namespace().unwrap_or_default(), name: pod.name_any() }
    }
}

impl std::fmt::Display for PodId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A pod's namespaces.
#[derive(Debug, Clone)]
pub struct Sandbox {
    /// The pod's addresses.
    pub ips: Vec<IpAddr>,
    /// The way into it.
    pub node: NodeRef,
}

/// Who makes and removes pods' namespaces.
#[async_trait]
pub trait Sandboxes: Send + Sync {
    /// Makes a pod's namespaces on a cluster node; `host_network` means those of the node itself.
    async fn make(&self, pod: &PodId, on: &str, host_network: bool) -> Result<Sandbox, String>;
    /// Removes them, if they are there.
    async fn remove(&self, pod: &PodId);
}

/// The scheduler and the kubelets of all nodes.
pub struct Kubelet {
    client: Client,
    sandboxes: Arc<dyn Sandboxes>,
    logs: Logs,
    nodes: BTreeMap<String, Node>,
    pods: BTreeMap<PodId, Pod>,
    running: HashMap<PodId, JoinSet<()>>,
}

impl Kubelet {
    /// A kubelet that speaks to the API by `client`.
    pub fn new(client: Client, sandboxes: Arc<dyn Sandboxes>, logs: Logs) -> Self {
        Self {
            client,
            sandboxes,
            logs,
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            running: HashMap::new(),
        }
    }

    /// Follows the API until the task is dropped.
    pub async fn run(mut self) {
        let mut nodes = watcher(Api::<Node>::all(self.client.clone()), Config::default()).boxed();
        let mut pods = watcher(Api::<Pod>::all(self.client.clone()), Config::default()).boxed();
        loop {
            tokio::select! {
                Some(event) = nodes.next() => match event {
                    Ok(Event::Apply(node) | Event::InitApply(node)) => {
                        self.nodes.insert(node.name_any(), node);
                        self.schedule_all().await;
                    }
                    Ok(Event::Delete(node)) => { self.nodes.remove(&node.name_any()); }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "the watch on nodes is made again"),
                },
                Some(event) = pods.next() => match event {
                    Ok(Event::Apply(pod) | Event::InitApply(pod)) => self.seen(pod).await,
                    Ok(Event::Delete(pod)) => self.gone(&PodId::of(&pod)).await,
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "the watch on pods is made again"),
                },
                else => return,
            }
        }
    }

    async fn seen(&mut self, pod: Pod) {
        let id = PodId::of(&pod);
        self.pods.insert(id.clone(), pod.clone());
        if pod.metadata.deletion_timestamp.is_some() {
            self.running.remove(&id);
            self.sandboxes.remove(&id).await;
            let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
            // Somebody else may have been quicker.
            let _ = api.delete(&id.name, &DeleteParams::default().grace_period(0)).await;
            return;
        }
        match pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
            None => self.schedule(&pod).await,
            Some(on) if !self.running.contains_key(&id) => self.start(id, pod, on),
            Some(_) => {}
        }
    }

    async fn gone(&mut self, id: &PodId) {
        self.pods.remove(id);
        self.running.remove(id);
        self.logs.forget(&id.namespace, &id.name);
        self.sandboxes.remove(id).await;
    }

    async fn schedule_all(&mut self) {
        let waiting: Vec<Pod> = self
            .pods
            .values()
            .filter(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()))
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .cloned()
            .collect();
        for pod in waiting {
            self.schedule(&pod).await;
        }
    }

    async fn schedule(&mut self, pod: &Pod) {
        let id = PodId::of(pod);
        let mut load: BTreeMap<String, usize> = BTreeMap::new();
        for other in self.pods.values() {
            if let Some(on) = other.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
                *load.entry(on).or_default() += 1;
            }
        }
        let nodes: Vec<Node> = self.nodes.values().cloned().collect();
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
        let patched = match scheduler::place(pod, &nodes, &load) {
            Ok(on) => {
                // Remembered at once: the next pod must see it before the API tells us.
                if let Some(spec) = self.pods.get_mut(&id).and_then(|pod| pod.spec.as_mut()) {
                    spec.node_name = Some(on.clone());
                }
                let binding = json!({
                    "apiVersion": "v1", "kind": "Binding", "metadata": {"name": id.name, "namespace": id.namespace},
                    "target": {"apiVersion": "v1", "kind": "Node", "name": on},
                });
                let parameters = PostParams::default();
                let bound =
                    api.create_subresource::<Value, Value>("binding", &id.name, &parameters, &binding);
                bound.await.map(drop)
            }
            Err(why) => {
                let known = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
                let said = known
                    .into_iter()
                    .flatten()
                    .any(|condition| condition.message.as_ref() == Some(&why.message));
                if said {
                    return;
                }
                let pending = status::unschedulable(&why.message);
                api.patch_status(&id.name, &PatchParams::default(), &Patch::Merge(pending)).await.map(drop)
            }
        };
        if let Err(error) = patched {
            tracing::debug!(%error, pod = %id, "a pod was not scheduled");
        }
    }

    fn start(&mut self, id: PodId, pod: Pod, on: String) {
        let host = self.nodes.get(&on).and_then(internal_ip);
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
        let (sandboxes, logs) = (Arc::clone(&self.sandboxes), self.logs.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(live(id.clone(), Arc::new(pod), on, host, api, sandboxes, logs));
        self.running.insert(id, tasks);
    }
}

/// A pod's life from its namespaces on; aborted when the pod goes.
async fn live(
    id: PodId,
    pod: Arc<Pod>,
    on: String,
    host: Option<IpAddr>,
    api: Api<Pod>,
    sandboxes: Arc<dyn Sandboxes>,
    logs: Logs,
) {
    let host_network = pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false);
    let sandbox = match sandboxes.make(&id, &on, host_network).await {
        Ok(sandbox) => sandbox,
        Err(why) => {
            let pending =
                json!({"status": {"phase": "Pending", "reason": "FailedCreatePodSandBox", "message": why}});
            let _ = api.patch_status(&id.name, &PatchParams::default(), &Patch::Merge(pending)).await;
            return;
        }
    };
    let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let mut seen: Vec<Seen> = containers.iter().map(containers::fresh).collect();
    let (changes, mut changed) = mpsc::unbounded_channel();
    let mut commands = JoinSet::new();
    for place in 0..containers.len() {
        let node = Arc::clone(&sandbox.node);
        commands.spawn(containers::run(Arc::clone(&pod), place, node, logs.clone(), changes.clone()));
    }
    drop(changes);
    loop {
        let now = status::running(&pod, host, &sandbox.ips, &seen);
        if let Err(error) = api.patch_status(&id.name, &PatchParams::default(), &Patch::Merge(now)).await {
            tracing::debug!(%error, pod = %id, "a pod's status was not written");
        }
        match changed.recv().await {
            Some((place, now)) => {
                if let Some(container) = seen.get_mut(place) {
                    *container = now;
                }
            }
            None => return,
        }
    }
}

fn internal_ip(node: &Node) -> Option<IpAddr> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let internal = addresses.iter().find(|address| address.type_ == "InternalIP")?;
    internal.address.parse().ok()
}
