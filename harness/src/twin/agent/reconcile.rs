//! The agent's loop: watch policies and the own node, make the speakers what they should be, say so.
//!
//! What lives here: when things happen. What should run is decided in `plan`, how it comes about in `slot`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, pending};
use futures::{FutureExt, StreamExt};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::plan::{Addresses, NodeConfig, Plan, SessionKey, VirtualRouter, plan};
use super::slot::{News, Slot};
use super::standing::Look;
use super::status::{AgentStatus, Phase};
use super::watches::{self, Seen};
use super::{addresses, records, standing};
use crate::cilium::bgp::NodeConfigStatus;
use crate::cilium::{
    AgentStop, BgpSettings, CiliumNode, CiliumVersion, Promises, Unsupported, crds, promises,
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
    settings: BgpSettings,
    status: watch::Sender<AgentStatus>,
    stop: CancellationToken,
) -> Result<(), AgentError> {
    let promises = promises(&version)?;
    let defined = definitions(client.clone(), &version);
    let mut agent = Agent::new(client, node_name, node, version, promises, settings, status);
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
    /// Whether the node's configuration gets a status.
    reports: bool,
    status: watch::Sender<AgentStatus>,
    wake: Arc<Notify>,
    seen: Seen,
    slots: BTreeMap<SessionKey, Slot>,
    cilium_host: Option<IpAddr>,
    written: Option<CiliumNode>,
    /// When to try to write the CiliumNode again.
    write_again: Option<Instant>,
    /// What is wrong with the watches and the writes, by what they are about.
    troubles: BTreeMap<&'static str, String>,
    told: BTreeSet<String>,
    /// The status of which CiliumBGPNodeConfig (by uid) was written last.
    reported: Option<(Option<String>, NodeConfigStatus)>,
    /// When to ask the speakers again for what makes no events.
    look_again: Option<Instant>,
    /// When the status last differed.
    changed_at: Option<Instant>,
}

impl Agent {
    fn new(
        client: Client,
        name: String,
        node: NodeRef,
        version: CiliumVersion,
        promises: &'static Promises,
        settings: BgpSettings,
        status: watch::Sender<AgentStatus>,
    ) -> Self {
        Self {
            client,
            name,
            node,
            version,
            promises,
            reports: settings.reports(promises),
            status,
            wake: Arc::default(),
            seen: Seen::new(version, promises, settings),
            slots: BTreeMap::new(),
            cilium_host: None,
            written: None,
            write_again: None,
            troubles: BTreeMap::new(),
            told: BTreeSet::new(),
            reported: None,
            look_again: None,
            changed_at: None,
        }
    }

    async fn watch(&mut self, stop: &CancellationToken) {
        let mut watches = self.seen.watch(&self.client, &self.name);
        let wake = Arc::clone(&self.wake);
        loop {
            let moments = self.slots.values().filter_map(Slot::not_before);
            let again = moments.chain(self.write_again).chain(self.look_again).min();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(news) = watches.next() => self.news(news),
                () = wake.notified() => {}
                () = at(again) => {}
            }
            // Whatever has already arrived belongs to the same change: a file with two policies is acted on once.
            while let Some(Some(news)) = watches.next().now_or_never() {
                self.news(news);
            }
            if self.seen.synced() {
                self.reconcile().await;
            }
        }
    }

    fn news(&mut self, news: watches::News) {
        match self.seen.take(news) {
            Ok(about) => drop(self.troubles.remove(about)),
            Err((about, text)) => self.trouble(about, text),
        }
    }

    fn trouble(&mut self, about: &'static str, text: String) {
        tracing::warn!(node = self.name, "{text}");
        self.troubles.insert(about, text);
    }

    async fn reconcile(&mut self) {
        self.record().await;
        let addresses =
            if self.by_interface() { addresses::read(&self.node).await } else { Addresses::default() };
        let plan = self.plan(&addresses);
        let mut wanted: BTreeMap<SessionKey, VirtualRouter> =
            plan.virtual_routers.iter().map(|router| (router.key(), router.clone())).collect();
        let (mut settling, mut ending) = (Vec::new(), Vec::new());
        for (key, slot) in std::mem::take(&mut self.slots) {
            match wanted.remove(&key).or_else(|| plan.keep_others.then(|| slot.wanted().clone())) {
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
            self.slots.insert(slot.wanted().key(), slot);
        }
        self.report(&plan).await;
        self.publish(Phase::Running, plan.problems, plan.silences);
    }

    /// Whether anything refers to the node's addresses by interface, or to its default route.
    fn by_interface(&self) -> bool {
        let node = self.seen.nodes.get(&self.name);
        node.is_some_and(|node| self.seen.input(node, &Addresses::default()).0.by_interface())
    }

    fn plan(&self, addresses: &Addresses) -> Plan {
        let Some(node) = self.seen.nodes.get(&self.name) else {
            let problem = format!("there is no Node object {}; speakers stay as they are", self.name);
            return Plan { keep_others: true, problems: vec![problem], ..Plan::default() };
        };
        let (input, unreadable) = self.seen.input(node, addresses);
        let mut plan = plan(&input);
        plan.problems.extend(unreadable);
        plan
    }

    fn node_config(&self) -> Option<&NodeConfig> {
        self.seen.node_configs.get(&self.name)?.0.as_ref().ok()
    }

    /// Writes how the speakers are doing into the node's configuration, when it would differ from what was written last.
    async fn report(&mut self, plan: &Plan) {
        self.look_again = None;
        let Some(config) = self.node_config().filter(|_| self.reports).cloned() else {
            self.reported = None;
            return;
        };
        let looks: Vec<Look> = self.slots.values().map(Look::at).collect();
        let status = standing::status(&config, plan, &looks, &self.version).await;
        let up = |slot: &Slot| slot.status().neighbors.iter().any(|neighbor| neighbor.up());
        let new = (config.metadata.uid.clone(), status);
        let differs = self.reported.as_ref() != Some(&new);
        let now = Instant::now();
        if differs {
            self.changed_at = Some(now);
        }
        if self.slots.values().any(up) {
            let lately = self.changed_at.is_some_and(|changed| now < changed + standing::INTERVAL);
            self.look_again = Some(now + if lately { standing::SOON } else { standing::INTERVAL });
        }
        if !differs {
            return;
        }
        match standing::write(&self.client, self.promises, &config, &new.1).await {
            Ok(()) => {
                self.troubles.remove("CiliumBGPNodeConfig status");
                self.reported = Some(new);
            }
            Err(error) => {
                self.look_again = Some(Instant::now() + WRITE_AGAIN);
                let text =
                    format!("the status of CiliumBGPNodeConfig {} cannot be written: {error}", self.name);
                self.trouble("CiliumBGPNodeConfig status", text);
            }
        }
    }

    /// Writes the CiliumNode when it would differ from what was written last.
    async fn record(&mut self) {
        let Some(node) = self.seen.nodes.get(&self.name) else { return };
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
            News::Left(message) => ("BGPRouteKept", message),
        };
        records::warn(&self.client, &self.name, reason, message);
    }

    /// Publishes the status, and makes an event of each problem that was not there before.
    fn publish(&mut self, phase: Phase, mut problems: Vec<String>, silences: Vec<String>) {
        problems.extend(self.troubles.values().cloned());
        for problem in problems.iter().filter(|problem| !self.told.contains(*problem)) {
            records::warn(&self.client, &self.name, "BGPProblem", problem);
        }
        self.told = problems.iter().cloned().collect();
        problems.extend(self.slots.values().filter_map(Slot::problem).map(str::to_owned));
        let version =
            |object: &str, version: Option<String>| (object.to_owned(), version.unwrap_or_default());
        let status = AgentStatus {
            version: Some(self.version.to_string()),
            reads_policies: self.promises.peering_policy,
            phase,
            node_seen: self.seen.nodes.get(&self.name).and_then(ResourceExt::resource_version),
            second_seen: self.seen.second(&self.name),
            policies_seen: self
                .seen
                .policies
                .iter()
                .map(|(name, policy)| version(name, policy.resource_version()))
                .collect(),
            virtual_routers: self.slots.values().map(Slot::status).collect(),
            problems,
            silences,
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
        self.publish(Phase::Stopped, Vec::new(), Vec::new());
    }
}

/// Waits until the API server knows the kinds the agent reads and writes.
async fn definitions(client: Client, version: &CiliumVersion) {
    let needed = crds(version).into_iter().filter_map(|definition| definition.metadata.name);
    let waits = needed.map(|name| {
        let definitions = Api::<CustomResourceDefinition>::all(client.clone());
        let wanted = name.clone();
        let served = move |definition: Option<&CustomResourceDefinition>| {
            definition.is_some_and(|definition| definition.name_any() == wanted && established(definition))
        };
        async move {
            if let Err(error) = await_condition(definitions, &name, served).await {
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
