//! One pod's life on its node: namespaces, init containers, containers, and its end.
//!
//! What lives here: the order of it. What does not: which pods there are (`pods`), one container (`containers`), what a status
//! looks like (`status`).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Client, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::command::Facts;
use super::containers::{Again, Job, Seen, Slot, State, fresh};
use super::events::{Events, Saying, Source};
use super::logs::Logs;
use super::pods::{PodId, Sandbox, Sandboxes};
use super::status::Whole;

/// The wait before namespaces that could not be made are tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Everything a life needs.
pub(super) struct Life {
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) logs: Logs,
    pub(super) sandboxes: Arc<dyn Sandboxes>,
    pub(super) id: PodId,
    pub(super) pod: Arc<Pod>,
    pub(super) node: String,
    pub(super) host_ips: Vec<IpAddr>,
    /// The grace in seconds, once the pod is to end.
    pub(super) end: watch::Receiver<Option<u64>>,
}

impl Life {
    /// Lives until the pod is deleted, and takes it out of the API then.
    pub(super) async fn live(mut self) {
        let spec = self.pod.spec.clone().unwrap_or_default();
        let inits = spec.init_containers.unwrap_or_default();
        let waits = if inits.is_empty() { "ContainerCreating" } else { "PodInitializing" };
        let looks = |list: &[Container]| list.iter().map(|container| fresh(container, waits)).collect();
        let mut whole = Whole::new(&self.pod, self.host_ips.clone(), looks(&inits), looks(&spec.containers));
        self.write(&mut whole).await;
        let host = spec.host_network.unwrap_or(false);
        if let Some(sandbox) = self.sandbox(host).await {
            whole.sandbox = true;
            whole.ips = if host { self.host_ips.clone() } else { sandbox.ips.clone() };
            self.write(&mut whole).await;
            self.not_honoured(&inits, &spec.containers).await;
            self.containers(&sandbox, &inits, &spec.containers, &mut whole).await;
        }
        self.sandboxes.remove(&self.id).await;
        ended(&mut self.end).await;
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.id.namespace);
        let mut at_once = DeleteParams::default().grace_period(0);
        at_once.preconditions = Some(Preconditions { uid: self.pod.uid(), resource_version: None });
        // Somebody else may have been quicker.
        let _ = api.delete(&self.id.name, &at_once).await;
    }

    async fn write(&self, whole: &mut Whole) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.id.namespace);
        let status = Patch::Merge(whole.write());
        if let Err(error) = api.patch_status(&self.id.name, &PatchParams::default(), &status).await {
            tracing::debug!(%error, pod = %self.id, "a pod's status was not written");
        }
    }

    async fn say(&self, warning: bool, reason: &'static str, message: String) {
        let source = Source::Kubelet(self.node.clone());
        self.events.say(&self.pod, Saying { source, warning, reason, message, field: None }).await;
    }

    /// The pod's namespaces; `None` when the pod ends before there are any.
    async fn sandbox(&self, host: bool) -> Option<Sandbox> {
        let mut end = self.end.clone();
        loop {
            let made = tokio::select! {
                made = self.sandboxes.make(&self.id, &self.node, host) => made,
                () = ended(&mut end) => return None,
            };
            match made {
                Ok(sandbox) => return Some(sandbox),
                Err(why) => {
                    tracing::warn!(pod = %self.id, why, "a pod's namespaces could not be made");
                    let message = format!("Failed to create pod sandbox: {why}");
                    self.say(true, "FailedCreatePodSandBox", message).await;
                }
            }
            tokio::select! {
                // What it lacked makes no event when it is there.
                () = tokio::time::sleep(AGAIN) => {}
                () = ended(&mut end) => return None,
            }
        }
    }

    /// Says once what of the pod is not as its author meant it.
    async fn not_honoured(&self, inits: &[Container], containers: &[Container]) {
        let all = || inits.iter().chain(containers);
        let mut images: Vec<String> = all()
            .filter_map(|container| container.image.as_ref())
            .map(|image| format!("\"{image}\""))
            .collect();
        images.dedup();
        let mut message = format!(
            "Image {} is not used: the twin has no images, and runs this machine's programs in the pod's namespaces",
            images.join(", ")
        );
        let idle: Vec<&str> = all()
            .filter(|container| container.command.as_ref().is_none_or(Vec::is_empty))
            .map(|container| container.name.as_str())
            .collect();
        if !idle.is_empty() {
            let names = idle.join(", ");
            message.push_str(&format!("; no command is given for {names}: it waits until the pod ends"));
        }
        let volumes = self.pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
        let volumes: Vec<&str> = volumes.map(|volume| volume.name.as_str()).collect();
        if !volumes.is_empty() {
            message.push_str(&format!("; volumes are not mounted: {}", volumes.join(", ")));
        }
        self.say(true, "ImageNotUsed", message).await;
    }

    async fn containers(
        &self,
        sandbox: &Sandbox,
        inits: &[Container],
        containers: &[Container],
        whole: &mut Whole,
    ) {
        let (stop, stopped) = watch::channel(false);
        let (changes, mut changed) = mpsc::unbounded_channel();
        let facts =
            Facts { pod_ips: whole.ips.clone(), host_ips: self.host_ips.clone(), node: self.node.clone() };
        let policy = Again::of(&self.pod);
        let mut running = JoinSet::new();
        let (client, events, logs) = (self.client.clone(), self.events.clone(), self.logs.clone());
        let (pod, node) = (Arc::clone(&self.pod), Arc::clone(&sandbox.node));
        let mut start = |slot: Slot, container: &Container, again: Again| {
            let job = Job {
                client: client.clone(),
                events: events.clone(),
                logs: logs.clone(),
                pod: Arc::clone(&pod),
                container: container.clone(),
                slot,
                again,
                node: Arc::clone(&node),
                facts: facts.clone(),
                changes: changes.clone(),
                stop: stopped.clone(),
            };
            running.spawn(job.run());
        };
        let mut end = self.end.clone();
        let mut next = 0;
        let mut begun = false;
        loop {
            // Init containers one after the other, then all others at once.
            while next < inits.len() && (next == 0 || through(whole, next - 1)) {
                let sidecar = whole.sidecars[next];
                let again = match policy {
                    _ if sidecar => Again::Always,
                    Again::Never => Again::Never,
                    Again::Always | Again::OnFailure => Again::OnFailure,
                };
                start((true, next), &inits[next], again);
                next += 1;
            }
            if !begun && next == inits.len() && (next == 0 || through(whole, next - 1)) {
                begun = true;
                for (at, container) in containers.iter().enumerate() {
                    start((false, at), container, policy);
                }
            }
            if whole.over() {
                // Nothing of it runs any more; its addresses go back.
                whole.sandbox = false;
                return self.write(whole).await;
            }
            tokio::select! {
                Some((slot, seen)) = changed.recv() => self.take(slot, seen, whole).await,
                () = ended(&mut end) => break,
            }
        }
        let grace = self.end.borrow().unwrap_or(0);
        stop.send_replace(true);
        drop(changes);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(grace);
        loop {
            tokio::select! {
                change = changed.recv() => match change {
                    Some((slot, seen)) => self.take(slot, seen, whole).await,
                    // Every container has ended.
                    None => return,
                },
                // Dropping what still runs kills it.
                () = tokio::time::sleep_until(deadline) => return,
                // Somebody may be less patient than before.
                Ok(()) = end.changed() => {
                    if self.end.borrow().is_some_and(|grace| grace == 0) {
                        return;
                    }
                }
            }
        }
    }

    async fn take(&self, (init, at): Slot, seen: Seen, whole: &mut Whole) {
        let list = if init { &mut whole.inits } else { &mut whole.containers };
        if let Some(place) = list.get_mut(at) {
            *place = seen;
        }
        self.write(whole).await;
    }
}

/// Waits until the pod is to end, or nobody can say so any more.
async fn ended(end: &mut watch::Receiver<Option<u64>>) {
    let _ = end.wait_for(Option::is_some).await;
}

/// Whether the next container may start after this init container.
fn through(whole: &Whole, at: usize) -> bool {
    let seen = &whole.inits[at];
    seen.succeeded() || (whole.sidecars[at] && matches!(seen.state, State::Running(_)))
}
