//! Pods from the API onto nodes, and back out again.
//!
//! What lives here: the loop that follows the API's pods and nodes, schedules, and ends what a taint ends. What does not: one
//! pod's life (`life`), and the namespaces themselves, which come from whoever implements [`Sandboxes`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::events::{Events, Saying, Source};
use super::life::Life;
use super::logs::Logs;
use super::scheduler::Load;
use super::{affinity, scheduler, status, taints};
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

/// A pod that lives on a node. Dropping it ends it at once.
struct Running {
    uid: Option<String>,
    end: watch::Sender<Option<u64>>,
    _life: JoinSet<()>,
}

/// A pod that a taint will end: the taints it was counted for, and the count.
struct Ending {
    taints: Vec<Taint>,
    timer: AbortHandle,
}

/// The scheduler and the kubelets of all nodes.
pub struct Kubelet {
    client: Client,
    events: Events,
    sandboxes: Arc<dyn Sandboxes>,
    logs: Logs,
    nodes: BTreeMap<String, Node>,
    pods: BTreeMap<PodId, Pod>,
    /// Pods of a list that has not ended yet.
    listed: BTreeSet<PodId>,
    running: HashMap<PodId, Running>,
    ending: HashMap<PodId, Ending>,
    timers: JoinSet<()>,
}

impl Kubelet {
    /// A kubelet that speaks to the API by `client`.
    pub fn new(client: Client, sandboxes: Arc<dyn Sandboxes>, logs: Logs) -> Self {
        Self {
            events: Events::new(client.clone()),
            client,
            sandboxes,
            logs,
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            listed: BTreeSet::new(),
            running: HashMap::new(),
            ending: HashMap::new(),
            timers: JoinSet::new(),
        }
    }

    /// Follows the API until the task is dropped.
    pub async fn run(mut self) {
        let mut nodes = watcher(Api::<Node>::all(self.client.clone()), Config::default()).boxed();
        let mut pods = watcher(Api::<Pod>::all(self.client.clone()), Config::default()).boxed();
        let (late, mut overdue) = mpsc::unbounded_channel();
        loop {
            tokio::select! {
                Some(event) = nodes.next() => match event {
                    Ok(Event::Apply(node) | Event::InitApply(node)) => self.node(node, &late).await,
                    Ok(Event::Delete(node)) => {
                        self.nodes.remove(&node.name_any());
                        self.schedule_all().await;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "the watch on nodes is made again"),
                },
                Some(event) = pods.next() => match event {
                    Ok(Event::Init) => self.listed.clear(),
                    Ok(Event::InitApply(pod)) => {
                        self.listed.insert(PodId::of(&pod));
                        self.seen(pod, &late).await;
                    }
                    Ok(Event::InitDone) => self.only_listed().await,
                    Ok(Event::Apply(pod)) => self.seen(pod, &late).await,
                    Ok(Event::Delete(pod)) => {
                        self.gone(&PodId::of(&pod)).await;
                        // What it had may be what another waits for.
                        self.schedule_all().await;
                    }
                    Err(error) => tracing::debug!(%error, "the watch on pods is made again"),
                },
                Some(id) = overdue.recv() => self.evict(&id).await,
                Some(_) = self.timers.join_next(), if !self.timers.is_empty() => {}
                else => return,
            }
        }
    }

    async fn node(&mut self, node: Node, late: &mpsc::UnboundedSender<PodId>) {
        let name = node.name_any();
        self.nodes.insert(name.clone(), node);
        let on_it = |pod: &&Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()) == Some(&name);
        let there: Vec<Pod> = self.pods.values().filter(on_it).cloned().collect();
        for pod in there {
            self.endure(&pod, late);
            self.start_unless_running(&pod).await;
        }
        self.schedule_all().await;
    }

    async fn seen(&mut self, pod: Pod, late: &mpsc::UnboundedSender<PodId>) {
        let id = PodId::of(&pod);
        if self.running.get(&id).is_some_and(|running| running.uid != pod.uid()) {
            self.gone(&id).await;
        }
        self.pods.insert(id.clone(), pod.clone());
        if pod.metadata.deletion_timestamp.is_some() {
            return self.end(&id, &pod).await;
        }
        match pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref()) {
            None => self.schedule(&pod).await,
            Some(_) => {
                self.endure(&pod, late);
                self.start_unless_running(&pod).await;
            }
        }
    }

    /// Asks a pod to end; it takes itself out of the API. One that nobody runs goes at once.
    async fn end(&mut self, id: &PodId, pod: &Pod) {
        if let Some(running) = self.running.get(id) {
            let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            running.end.send_replace(Some(u64::try_from(grace).unwrap_or(0)));
            return;
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
        // Somebody else may have been quicker.
        let _ = api.delete(&id.name, &DeleteParams::default().grace_period(0)).await;
    }

    async fn gone(&mut self, id: &PodId) {
        self.pods.remove(id);
        self.running.remove(id);
        self.calm(id);
        self.logs.forget(&id.namespace, &id.name);
        self.sandboxes.remove(id).await;
    }

    /// After a list: what was not on it is gone.
    async fn only_listed(&mut self) {
        let gone: Vec<PodId> = self.pods.keys().filter(|id| !self.listed.contains(id)).cloned().collect();
        for id in gone {
            self.gone(&id).await;
        }
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

    fn load(&self) -> BTreeMap<String, Load> {
        let mut load: BTreeMap<String, Load> = BTreeMap::new();
        for other in self.pods.values() {
            if let Some(on) = other.spec.as_ref().and_then(|spec| spec.node_name.clone()) {
                load.entry(on).or_default().add(other);
            }
        }
        load
    }

    async fn schedule(&mut self, pod: &Pod) {
        let id = PodId::of(pod);
        let Some(spec) = &pod.spec else { return };
        if spec.scheduler_name.as_deref().is_some_and(|name| name != "default-scheduler") {
            // Another scheduler's pod waits for that one.
            return;
        }
        if spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty()) {
            let why = "Scheduling is blocked due to non-empty scheduling gates";
            return self.unscheduled(pod, "SchedulingGated", why).await;
        }
        let nodes: Vec<Node> = self.nodes.values().cloned().collect();
        match scheduler::place(pod, &nodes, &self.load()) {
            Ok(on) => self.bind(&id, pod, on).await,
            Err(why) => self.unscheduled(pod, "Unschedulable", &why.message).await,
        }
    }

    async fn bind(&mut self, id: &PodId, pod: &Pod, on: String) {
        // Remembered at once: the next pod must see it before the API tells us.
        if let Some(spec) = self.pods.get_mut(id).and_then(|pod| pod.spec.as_mut()) {
            spec.node_name = Some(on.clone());
        }
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": id.name, "namespace": id.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": on},
        });
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
        let parameters = PostParams {
            field_manager: Some(Source::Scheduler.manager().to_owned()),
            ..PostParams::default()
        };
        let bound = api.create_subresource::<Value, Value>("binding", &id.name, &parameters, &binding).await;
        match bound {
            Ok(_) => {
                let message = format!("Successfully assigned {id} to {on}");
                self.say(pod, Source::Scheduler, false, "Scheduled", message).await;
            }
            Err(error) => tracing::debug!(%error, pod = %id, "a pod was not bound"),
        }
    }

    /// Says why a pod waits, unless that has been said.
    async fn unscheduled(&mut self, pod: &Pod, reason: &'static str, why: &str) {
        let known = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
        if known.into_iter().any(|condition| condition.message.as_deref() == Some(why)) {
            return;
        }
        let id = PodId::of(pod);
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
        let pending = Patch::Merge(status::unscheduled(reason, why));
        let parameters = PatchParams {
            field_manager: Some(Source::Scheduler.manager().to_owned()),
            ..PatchParams::default()
        };
        match api.patch_status(&id.name, &parameters, &pending).await {
            Ok(now) => {
                self.pods.insert(id, now);
                if reason == "Unschedulable" {
                    self.say(pod, Source::Scheduler, true, "FailedScheduling", why.to_owned()).await;
                }
            }
            Err(error) => tracing::debug!(%error, pod = %id, "a pod was not scheduled"),
        }
    }

    async fn say(&self, pod: &Pod, source: Source, warning: bool, reason: &'static str, message: String) {
        self.events.say(pod, Saying { source, warning, reason, message, field: None }).await;
    }

    async fn start_unless_running(&mut self, pod: &Pod) {
        let id = PodId::of(pod);
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let over = matches!(phase, Some("Succeeded" | "Failed"));
        if self.running.contains_key(&id) || over || pod.metadata.deletion_timestamp.is_some() {
            return;
        }
        let Some(on) = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()) else { return };
        // A node that is not there has no kubelet that could start anything.
        let Some(node) = self.nodes.get(&on) else { return };
        if !affinity::matches(pod, node) {
            let why = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector";
            let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
            let failed = Patch::Merge(status::rejected("NodeAffinity", why));
            let _ = api.patch_status(&id.name, &PatchParams::default(), &failed).await;
            return self.say(pod, Source::Kubelet(on), true, "NodeAffinity", why.to_owned()).await;
        }
        let (end, ended) = watch::channel(None);
        let life = Life {
            client: self.client.clone(),
            events: self.events.clone(),
            logs: self.logs.clone(),
            sandboxes: Arc::clone(&self.sandboxes),
            id: id.clone(),
            pod: Arc::new(pod.clone()),
            host_ips: internal_ips(node),
            node: on,
            end: ended,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(life.live());
        self.running.insert(id, Running { uid: pod.uid(), end, _life: tasks });
    }

    /// Counts how long a pod may stay on its node, if the node's taints limit that.
    fn endure(&mut self, pod: &Pod, late: &mpsc::UnboundedSender<PodId>) {
        let id = PodId::of(pod);
        let node = pod.spec.as_ref().and_then(|spec| self.nodes.get(spec.node_name.as_ref()?)).cloned();
        let ending = |node: &Node| -> Vec<Taint> {
            let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
            taints.filter(|taint| taint.effect == "NoExecute").cloned().collect()
        };
        let taints = node.as_ref().map(ending).unwrap_or_default();
        if self.ending.get(&id).is_some_and(|known| known.taints == taints) {
            return;
        }
        self.calm(&id);
        let Some(limit) = node.filter(|_| !taints.is_empty()).and_then(|node| taints::endurance(pod, &node))
        else {
            return;
        };
        let (late, due) = (late.clone(), id.clone());
        let timer = self.timers.spawn(async move {
            if limit > Duration::ZERO {
                // The wait is the behaviour: `tolerationSeconds`.
                tokio::time::sleep(limit).await;
            }
            // The kubelet has gone, and everything with it.
            let _ = late.send(due);
        });
        self.ending.insert(id, Ending { taints, timer });
    }

    fn calm(&mut self, id: &PodId) {
        if let Some(ending) = self.ending.remove(id) {
            ending.timer.abort();
        }
    }

    async fn evict(&mut self, id: &PodId) {
        let Some(pod) = self.pods.get(id).filter(|pod| pod.metadata.deletion_timestamp.is_none()) else {
            return;
        };
        let message = format!("Marking for deletion Pod {id}");
        self.say(pod, Source::Taints, false, "TaintManagerEviction", message).await;
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &id.namespace);
        if let Err(error) = api.delete(&id.name, &DeleteParams::default()).await {
            tracing::debug!(%error, pod = %id, "a pod was not ended for its node's taints");
        }
    }
}

fn internal_ips(node: &Node) -> Vec<IpAddr> {
    let addresses = node.status.as_ref().and_then(|status| status.addresses.as_ref()).into_iter().flatten();
    addresses.filter(|address| address.type_ == "InternalIP").filter_map(|a| a.address.parse().ok()).collect()
}
