//! The operator's loop: watch, decide, write.
//!
//! What lives here: when things happen and how they are written. What is written is decided in `plan`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures::future::pending;
use futures::stream::{BoxStream, select_all};
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::runtime::WatchStreamExt;
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::OperatorStatus;
use super::plan::{ClusterConfig, Input, Outcome, Override, plan};
use crate::cilium::bgp::Condition;
use crate::cilium::{BgpSettings, CiliumNode, CiliumVersion, Promises, Unsupported, crds, promises};
use crate::twin::agent::plan::{NodeConfig, PeerConfig};
use crate::twin::agent::{Objects, kind, warn};

/// How long to wait before what the server did not take is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

type Watched<K> = Result<Event<K>, watcher::Error>;

enum News {
    Cluster(Watched<ClusterConfig>),
    Node(Watched<CiliumNode>),
    Peer(Watched<PeerConfig>),
    Override(Watched<Override>),
    NodeConfig(Watched<NodeConfig>),
    Secret(Watched<Secret>),
}

/// Runs the operator of a cluster until `stop`. A version without the second BGP API has nothing for it to do.
///
/// # Errors
/// [`Unsupported`] for a version without a BGP control plane.
pub async fn run(
    client: Client,
    version: CiliumVersion,
    settings: BgpSettings,
    status: watch::Sender<OperatorStatus>,
    stop: CancellationToken,
) -> Result<(), Unsupported> {
    let promises = promises(&version)?;
    let Some(kinds) = Kinds::of(promises) else { return Ok(()) };
    // Statuses of these kinds came with 1.17.
    let reports = version.line() >= (1, 17) && settings.reports(promises);
    let secrets = settings.secrets_namespace;
    let mut operator = Operator {
        client,
        version,
        reports,
        secrets,
        kinds,
        status,
        seen: Seen::default(),
        told: Vec::new(),
    };
    if stop.run_until_cancelled(operator.defined()).await.is_some() {
        stop.run_until_cancelled(operator.watch()).await;
    }
    Ok(())
}

struct Kinds {
    clusters: ApiResource,
    peers: ApiResource,
    overrides: ApiResource,
    node_configs: ApiResource,
}

impl Kinds {
    fn of(promises: &Promises) -> Option<Self> {
        Some(Self {
            clusters: kind(promises, "CiliumBGPClusterConfig", "ciliumbgpclusterconfigs")?,
            peers: kind(promises, "CiliumBGPPeerConfig", "ciliumbgppeerconfigs")?,
            overrides: kind(promises, "CiliumBGPNodeConfigOverride", "ciliumbgpnodeconfigoverrides")?,
            node_configs: kind(promises, "CiliumBGPNodeConfig", "ciliumbgpnodeconfigs")?,
        })
    }
}

#[derive(Default)]
struct Seen {
    clusters: Objects<ClusterConfig>,
    nodes: Objects<CiliumNode>,
    peers: Objects<PeerConfig>,
    overrides: Objects<Override>,
    node_configs: Objects<NodeConfig>,
    secrets: Objects<Secret>,
}

struct Operator {
    client: Client,
    version: CiliumVersion,
    /// Whether it writes conditions.
    reports: bool,
    /// The namespace of the Secrets with passwords; empty where there is none.
    secrets: String,
    kinds: Kinds,
    status: watch::Sender<OperatorStatus>,
    seen: Seen,
    told: Vec<String>,
}

impl Operator {
    /// Waits until the API server knows the kinds.
    async fn defined(&self) {
        for name in crds(&self.version).into_iter().filter_map(|definition| definition.metadata.name) {
            let definitions = Api::<CustomResourceDefinition>::all(self.client.clone());
            if let Err(error) = await_condition(definitions, &name, conditions::is_crd_established()).await {
                // The watches that follow say what is wrong, and try again.
                tracing::warn!(%error, name, "cannot wait for a definition");
            }
        }
    }

    async fn watch(&mut self) {
        let client = || self.client.clone();
        let mut watches = select_all([
            stream(Api::all_with(client(), &self.kinds.clusters), News::Cluster),
            stream(Api::all(client()), News::Node),
            stream(Api::all_with(client(), &self.kinds.peers), News::Peer),
            stream(Api::all_with(client(), &self.kinds.overrides), News::Override),
            stream(Api::all_with(client(), &self.kinds.node_configs), News::NodeConfig),
        ]);
        if self.secrets.is_empty() {
            self.seen.secrets.take(Event::Init);
            self.seen.secrets.take(Event::InitDone);
        } else {
            watches.push(stream(Api::namespaced(client(), &self.secrets), News::Secret));
        }
        let mut again = None;
        loop {
            tokio::select! {
                Some(news) = watches.next() => self.seen.take(news),
                () = at(again) => {}
            }
            while let Some(Some(news)) = watches.next().now_or_never() {
                self.seen.take(news);
            }
            if self.seen.synced() {
                again = (!self.reconcile().await).then(|| Instant::now() + TRY_AGAIN);
            }
        }
    }

    /// Does what is to be done; whether the server took all of it.
    async fn reconcile(&mut self) -> bool {
        let Outcome { write, delete, clusters, peers, problems, overrides } =
            plan(&self.seen.input(), &self.kinds.node_configs);
        for problem in problems.iter().filter(|problem| !self.told.contains(problem)) {
            tracing::warn!("{problem}");
        }
        for (node, problem) in overrides.iter().filter(|(_, problem)| !self.told.contains(problem)) {
            warn(&self.client, node, "BGPProblem", problem);
        }
        self.told = problems;
        self.told.extend(overrides.into_iter().map(|(_, problem)| problem));
        self.publish(write.is_empty() && delete.is_empty());
        let configs = Api::<NodeConfig>::all_with(self.client.clone(), &self.kinds.node_configs);
        let mut failed = Vec::new();
        for config in write {
            let (name, parameters) = (config.name_any(), PostParams::default());
            let written = if config.metadata.resource_version.is_some() {
                configs.replace(&name, &parameters, &config).await
            } else {
                configs.create(&parameters, &config).await
            };
            failed.extend(written.err());
        }
        for name in delete {
            match configs.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(refused)) if refused.code == 404 => {}
                other => failed.extend(other.err()),
            }
        }
        if self.reports {
            let conditions =
                |old: Option<&Vec<Condition>>, new: &Vec<Condition>| old.unwrap_or(&Vec::new()) != new;
            for (name, new) in clusters {
                let old = self.seen.clusters.get(&name).and_then(|one| one.status.as_ref());
                if conditions(old.map(|old| &old.conditions), &new) {
                    failed.extend(
                        self.conditions::<ClusterConfig>(&self.kinds.clusters, &name, &new).await.err(),
                    );
                }
            }
            for (name, new) in peers {
                let old = self.seen.peers.get(&name).and_then(|one| one.status.as_ref());
                if conditions(old.map(|old| &old.conditions), &new) {
                    failed.extend(self.conditions::<PeerConfig>(&self.kinds.peers, &name, &new).await.err());
                }
            }
        }
        for error in &failed {
            tracing::debug!(%error, "the operator's write was not taken, and is tried again");
        }
        failed.is_empty()
    }

    fn publish(&self, done: bool) {
        let seen = &self.seen;
        let labels = seen.nodes.iter().map(|(name, node)| (name.to_owned(), node.labels().clone()));
        let status = OperatorStatus {
            done,
            clusters: seen.clusters.contents(),
            peers: seen.peers.contents(),
            overrides: seen.overrides.contents(),
            node_configs: seen.node_configs.contents(),
            labels: labels.collect(),
        };
        self.status.send_if_modified(|old| {
            let differs = *old != status;
            *old = status;
            differs
        });
    }

    async fn conditions<K>(
        &self,
        kind: &ApiResource,
        name: &str,
        new: &[Condition],
    ) -> Result<(), kube::Error>
    where
        K: Resource<DynamicType = ApiResource> + Clone + DeserializeOwned + Debug + Serialize,
    {
        let patch = Patch::Merge(json!({ "status": { "conditions": new } }));
        let api = Api::<K>::all_with(self.client.clone(), kind);
        match api.patch_status(name, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(()),
            other => other.map(drop),
        }
    }
}

impl Seen {
    fn take(&mut self, news: News) {
        match news {
            News::Cluster(news) => taken(&mut self.clusters, news),
            News::Node(news) => taken(&mut self.nodes, news),
            News::Peer(news) => taken(&mut self.peers, news),
            News::Override(news) => taken(&mut self.overrides, news),
            News::NodeConfig(news) => taken(&mut self.node_configs, news),
            News::Secret(news) => taken(&mut self.secrets, news),
        }
    }

    fn synced(&self) -> bool {
        self.clusters.synced()
            && self.nodes.synced()
            && self.peers.synced()
            && self.overrides.synced()
            && self.node_configs.synced()
            && self.secrets.synced()
    }

    fn input(&self) -> Input<'_> {
        Input {
            clusters: self.clusters.values().collect(),
            nodes: self.nodes.iter().map(|(name, node)| (name, labels(node))).collect(),
            peers: self.peers.iter().collect(),
            overrides: self.overrides.iter().collect(),
            node_configs: self.node_configs.iter().collect(),
            secrets: self.secrets.iter().map(|(key, _)| key.rsplit('/').next().unwrap_or(key)).collect(),
        }
    }
}

fn labels(node: &CiliumNode) -> &BTreeMap<String, String> {
    node.labels()
}

fn stream<K>(api: Api<K>, wrap: fn(Watched<K>) -> News) -> BoxStream<'static, News>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, watcher::Config::default()).default_backoff().map(wrap).boxed()
}

fn taken<K: Resource>(objects: &mut Objects<K>, news: Watched<K>) {
    match news {
        Ok(event) => objects.take(event),
        Err(error) => tracing::warn!(%error, "the operator's watch is tried again"),
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}
