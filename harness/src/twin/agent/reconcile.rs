//! The agent's loop: watch policies and the own node, make the speakers what they should be, say so.
//!
//! What lives here: when things happen. What should run is decided in `plan`, how it comes about in `slot`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, pending};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt;
use kube::runtime::wait::await_condition;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::objects::Objects;
use super::plan::{Plan, VirtualRouter, plan};
use super::records;
use super::slot::{News, Slot};
use super::status::{AgentStatus, Phase};
use crate::cilium::{
    AgentStop, BGPP_CRD, CiliumBGPPeeringPolicy, CiliumNode, CiliumVersion, Promises, Unsupported, promises,
};
use crate::node::NodeRef;

/// Why an agent cannot run at all. Everything else is a problem in its status, and is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The version has no BGP control plane.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// How long to wait before a CiliumNode that the server did not take is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// A policy, or why it cannot be read.
type Policy = DeserializeGuard<CiliumBGPPeeringPolicy>;
type Watched<K> = Result<Event<K>, watcher::Error>;

/// Runs the agent of one node until `stop`, then ends its speakers as this version of Cilium does: with a Cease up to
/// 1.13, without a word from 1.14 on. When the future is dropped instead, the speakers are killed, as by the death of
/// cilium-agent.
///
/// The API server must have the definitions of `cilium::crds`: the agent waits for them, as Cilium's does.
///
/// # Errors
/// [`AgentError`] for a version without a BGP control plane.
pub async fn run(
    client: Client,
    node_name: String,
    node: NodeRef,
    version: CiliumVersion,
    status: watch::Sender<AgentStatus>,
    stop: CancellationToken,
) -> Result<(), AgentError> {
    let promises = promises(&version)?;
    let defined = definitions(client.clone(), promises.peering_policy);
    let mut agent = Agent::new(client, node_name, node, version, promises, status);
    if stop.run_until_cancelled(defined).await.is_some() {
        agent.watch(&stop).await;
    }
    agent.end(promises.stop).await;
    Ok(())
}

struct Agent {
    client: Client,
    name: String,
    node: NodeRef,
    version: CiliumVersion,
    promises: &'static Promises,
    status: watch::Sender<AgentStatus>,
    wake: Arc<Notify>,
    policies: Objects<Policy>,
    nodes: Objects<Node>,
    slots: BTreeMap<u32, Slot>,
    cilium_host: Option<IpAddr>,
    written: Option<CiliumNode>,
    /// When to try to write the CiliumNode again.
    write_again: Option<Instant>,
    /// What is wrong with the watches and the writes, by what they are about.
    troubles: BTreeMap<&'static str, String>,
    told: BTreeSet<String>,
}

impl Agent {
    fn new(
        client: Client,
        name: String,
        node: NodeRef,
        version: CiliumVersion,
        promises: &'static Promises,
        status: watch::Sender<AgentStatus>,
    ) -> Self {
        Self {
            client,
            name,
            node,
            version,
            promises,
            status,
            wake: Arc::default(),
            policies: Objects::default(),
            nodes: Objects::default(),
            slots: BTreeMap::new(),
            cilium_host: None,
            written: None,
            write_again: None,
            troubles: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    async fn watch(&mut self, stop: &CancellationToken) {
        let own = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let mut nodes = watcher(Api::<Node>::all(self.client.clone()), own).default_backoff().boxed();
        let mut policies: BoxStream<'static, Watched<Policy>> = if self.promises.peering_policy {
            watcher(Api::<Policy>::all(self.client.clone()), watcher::Config::default())
                .default_backoff()
                .boxed()
        } else {
            stream::pending().boxed()
        };
        let wake = Arc::clone(&self.wake);
        loop {
            let again = self.slots.values().filter_map(Slot::not_before).chain(self.write_again).min();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(news) = nodes.next() => self.node_news(news),
                Some(news) = policies.next() => self.policy_news(news),
                () = wake.notified() => {}
                () = at(again) => {}
            }
            // Whatever has already arrived belongs to the same change: a file with two policies is acted on once.
            while let Some(Some(news)) = nodes.next().now_or_never() {
                self.node_news(news);
            }
            while let Some(Some(news)) = policies.next().now_or_never() {
                self.policy_news(news);
            }
            if self.nodes.synced() && (self.policies.synced() || !self.promises.peering_policy) {
                self.reconcile().await;
            }
        }
    }

    fn node_news(&mut self, news: Watched<Node>) {
        match news {
            Ok(event) => {
                self.troubles.remove("nodes");
                self.nodes.take(event);
            }
            Err(error) => self.trouble("nodes", format!("the Node object cannot be watched: {error}")),
        }
    }

    fn policy_news(&mut self, news: Watched<Policy>) {
        match news {
            Ok(event) => {
                self.troubles.remove("policies");
                self.policies.take(event);
            }
            Err(error) => self.trouble("policies", format!("policies cannot be watched: {error}")),
        }
    }

    fn trouble(&mut self, about: &'static str, text: String) {
        tracing::warn!(node = self.name, "{text}");
        self.troubles.insert(about, text);
    }

    async fn reconcile(&mut self) {
        self.record().await;
        let Plan { virtual_routers, keep_others, problems } = self.plan();
        let mut wanted: BTreeMap<u32, VirtualRouter> =
            virtual_routers.into_iter().map(|router| (router.local_asn, router)).collect();
        let (mut settling, mut ending) = (Vec::new(), Vec::new());
        for (asn, slot) in std::mem::take(&mut self.slots) {
            match wanted.remove(&asn).or_else(|| keep_others.then(|| slot.wanted().clone())) {
                Some(router) => settling.push(slot.settle(router)),
                None => ending.push(slot.end(AgentStop::Cease)),
            }
        }
        let new = wanted.into_values().map(|router| {
            Slot::new(Arc::clone(&self.node), Arc::clone(&self.wake), router.clone()).settle(router)
        });
        settling.extend(new);
        let (settled, _) = tokio::join!(join_all(settling), join_all(ending));
        for (slot, news) in settled {
            news.iter().for_each(|news| self.tell(news));
            self.slots.insert(slot.wanted().local_asn, slot);
        }
        self.publish(Phase::Running, problems);
    }

    fn plan(&self) -> Plan {
        let Some(node) = self.nodes.get(&self.name) else {
            let problem = format!("there is no Node object {}; speakers stay as they are", self.name);
            return Plan { keep_others: true, problems: vec![problem], ..Plan::default() };
        };
        if !self.promises.peering_policy {
            return Plan::default();
        }
        let readable: Vec<&CiliumBGPPeeringPolicy> =
            self.policies.iter().filter_map(|(_, policy)| policy.0.as_ref().ok()).collect();
        let mut plan = plan(&readable, node);
        for (name, policy) in self.policies.iter() {
            if let Err(invalid) = &policy.0 {
                plan.problems.push(format!("policy {name} cannot be read: {}", invalid.error));
            }
        }
        plan
    }

    /// Writes the CiliumNode when it would differ from what was written last.
    async fn record(&mut self) {
        let Some(node) = self.nodes.get(&self.name) else { return };
        if self.cilium_host.is_none() {
            self.cilium_host = records::cilium_host(&self.node).await;
        }
        let new = records::cilium_node(node, self.cilium_host);
        if self.written.as_ref() == Some(&new) {
            return;
        }
        match records::write(&self.client, &new).await {
            Ok(()) => {
                self.troubles.remove("CiliumNode");
                self.write_again = None;
                self.written = Some(new);
            }
            Err(error) => {
                self.write_again = Some(Instant::now() + WRITE_AGAIN);
                self.trouble("CiliumNode", format!("CiliumNode {} cannot be written: {error}", self.name));
            }
        }
    }

    fn tell(&self, news: &News) {
        let (reason, message) = match news {
            News::Died(message) => ("BGPSpeakerRestarted", message),
            News::Failed(message) => ("BGPSpeakerFailed", message),
        };
        records::warn(&self.client, &self.name, reason, message);
    }

    /// Publishes the status, and makes an event of each problem that was not there before.
    fn publish(&mut self, phase: Phase, mut problems: Vec<String>) {
        problems.extend(self.troubles.values().cloned());
        for problem in problems.iter().filter(|problem| !self.told.contains(*problem)) {
            records::warn(&self.client, &self.name, "BGPProblem", problem);
        }
        self.told = problems.iter().cloned().collect();
        problems.extend(self.slots.values().filter_map(Slot::problem).map(str::to_owned));
        let version =
            |object: &str, version: Option<String>| (object.to_owned(), version.unwrap_or_default());
        let status = AgentStatus {
            phase,
            node_seen: self.nodes.get(&self.name).and_then(ResourceExt::resource_version),
            policies_seen: self
                .policies
                .iter()
                .map(|(name, policy)| version(name, policy.resource_version()))
                .collect(),
            virtual_routers: self.slots.values().map(Slot::status).collect(),
            problems,
        };
        self.status.send_if_modified(|old| {
            let differs = *old != status;
            *old = status;
            differs
        });
    }

    async fn end(mut self, manner: AgentStop) {
        tracing::info!(node = self.name, version = %self.version, ?manner, "the agent stops");
        join_all(std::mem::take(&mut self.slots).into_values().map(|slot| slot.end(manner))).await;
        self.publish(Phase::Stopped, Vec::new());
    }
}

/// Waits until the API server knows the kinds the agent reads and writes.
async fn definitions(client: Client, peering_policy: bool) {
    let needed = ["ciliumnodes.cilium.io"].into_iter().chain(peering_policy.then_some(BGPP_CRD));
    let waits = needed.map(|name| {
        let definitions = Api::<CustomResourceDefinition>::all(client.clone());
        let served = move |definition: Option<&CustomResourceDefinition>| {
            definition.is_some_and(|definition| definition.name_any() == name && established(definition))
        };
        async move {
            if let Err(error) = await_condition(definitions, name, served).await {
                // The watches that follow say what is wrong, and try again.
                tracing::warn!(%error, name, "cannot wait for a definition");
            }
        }
    });
    join_all(waits).await;
}

/// Whether the server serves what the definition defines. A server that reports no conditions serves it at once.
fn established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_none_or(|conditions| {
        conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
    })
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
