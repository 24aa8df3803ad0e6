//! What an agent watches, by version, and the copies it keeps.
//!
//! What lives here: which kinds, and taking in what their watches bring. What does not: what follows from it (`plan`,
//! `reconcile`).

use std::collections::BTreeMap;
use std::fmt::Debug;

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use k8s_openapi::api::core::v1::{Node, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::core::{ApiResource, DeserializeGuard};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::objects::Objects;
use super::plan::{Addresses, Advertisement, Input, NodeConfig, PeerConfig};
use super::status::SecondSeen;
use crate::cilium::bgp::content;
use crate::cilium::{BgpSettings, CiliumBGPPeeringPolicy, CiliumVersion, Promises, bgp_v2_versions};

type Watched<K> = Result<Event<K>, watcher::Error>;
type Guarded<K> = DeserializeGuard<K>;

/// What a watch brought.
#[allow(clippy::large_enum_variant, reason = "one at a time is on its way, and is taken in at once")]
pub(super) enum News {
    Node(Watched<Node>),
    Policy(Watched<Guarded<CiliumBGPPeeringPolicy>>),
    NodeConfig(Watched<Guarded<NodeConfig>>),
    PeerConfig(Watched<Guarded<PeerConfig>>),
    Advertisement(Watched<Guarded<Advertisement>>),
    Service(Watched<Service>),
    Endpoints(Watched<EndpointSlice>),
    Secret(Watched<Secret>),
}

/// The copies.
pub(super) struct Seen {
    version: CiliumVersion,
    promises: &'static Promises,
    settings: BgpSettings,
    pub(super) nodes: Objects<Node>,
    pub(super) policies: Objects<Guarded<CiliumBGPPeeringPolicy>>,
    pub(super) node_configs: Objects<Guarded<NodeConfig>>,
    peer_configs: Objects<Guarded<PeerConfig>>,
    advertisements: Objects<Guarded<Advertisement>>,
    services: Objects<Service>,
    endpoints: Objects<EndpointSlice>,
    secrets: Objects<Secret>,
}

/// A kind of the second BGP API in the version that is stored; none where it is not served.
pub(in crate::twin) fn kind(promises: &Promises, kind: &str, plural: &str) -> Option<ApiResource> {
    let version = bgp_v2_versions(promises.bgp_v2).first()?;
    Some(ApiResource {
        group: "cilium.io".to_owned(),
        version: (*version).to_owned(),
        api_version: format!("cilium.io/{version}"),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    })
}

/// The kind of [`NodeConfig`].
pub(super) fn node_configs(promises: &Promises) -> Option<ApiResource> {
    kind(promises, "CiliumBGPNodeConfig", "ciliumbgpnodeconfigs")
}

impl Seen {
    pub(super) fn new(version: CiliumVersion, promises: &'static Promises, settings: BgpSettings) -> Self {
        Self {
            version,
            promises,
            settings,
            nodes: Objects::default(),
            policies: Objects::default(),
            node_configs: Objects::default(),
            peer_configs: Objects::default(),
            advertisements: Objects::default(),
            services: Objects::default(),
            endpoints: Objects::default(),
            secrets: Objects::default(),
        }
    }

    /// Services came with 1.13.
    fn with_services(&self) -> bool {
        self.version.line() >= (1, 13)
    }

    /// Passwords came with 1.15, and are nowhere without a namespace.
    fn with_secrets(&self) -> bool {
        self.version.line() >= (1, 15) && !self.settings.secrets_namespace.is_empty()
    }

    fn with_second_api(&self) -> bool {
        node_configs(self.promises).is_some()
    }

    /// All watches of this version in one.
    pub(super) fn watch(&self, client: &Client, name: &str) -> BoxStream<'static, News> {
        let own = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let all = watcher::Config::default;
        let mut streams = vec![stream(Api::all(client.clone()), own.clone(), News::Node)];
        if self.promises.peering_policy {
            streams.push(stream(Api::all(client.clone()), all(), News::Policy));
        }
        if let Some(configs) = node_configs(self.promises) {
            streams.push(stream(Api::all_with(client.clone(), &configs), own, News::NodeConfig));
        }
        if let Some(peers) = kind(self.promises, "CiliumBGPPeerConfig", "ciliumbgppeerconfigs") {
            streams.push(stream(Api::all_with(client.clone(), &peers), all(), News::PeerConfig));
        }
        if let Some(adverts) = kind(self.promises, "CiliumBGPAdvertisement", "ciliumbgpadvertisements") {
            streams.push(stream(Api::all_with(client.clone(), &adverts), all(), News::Advertisement));
        }
        if self.with_services() {
            streams.push(stream(Api::all(client.clone()), all(), News::Service));
            streams.push(stream(Api::all(client.clone()), all(), News::Endpoints));
        }
        if self.with_secrets() {
            let secrets = Api::namespaced(client.clone(), &self.settings.secrets_namespace);
            streams.push(stream(secrets, all(), News::Secret));
        }
        select_all(streams).boxed()
    }

    /// Takes in what a watch brought.
    ///
    /// # Errors
    /// What cannot be watched, and why.
    pub(super) fn take(&mut self, news: News) -> Result<&'static str, (&'static str, String)> {
        match news {
            News::Node(news) => taken(&mut self.nodes, news, "the Node object"),
            News::Policy(news) => taken(&mut self.policies, news, "policies"),
            News::NodeConfig(news) => taken(&mut self.node_configs, news, "the CiliumBGPNodeConfig"),
            News::PeerConfig(news) => taken(&mut self.peer_configs, news, "CiliumBGPPeerConfigs"),
            News::Advertisement(news) => taken(&mut self.advertisements, news, "CiliumBGPAdvertisements"),
            News::Service(news) => taken(&mut self.services, news, "Services"),
            News::Endpoints(news) => taken(&mut self.endpoints, news, "EndpointSlices"),
            News::Secret(news) => taken(&mut self.secrets, news, "Secrets"),
        }
    }

    /// Whether a whole list of everything has been seen.
    pub(super) fn synced(&self) -> bool {
        let second = self.node_configs.synced() && self.peer_configs.synced() && self.advertisements.synced();
        self.nodes.synced()
            && (self.policies.synced() || !self.promises.peering_policy)
            && (second || !self.with_second_api())
            && (self.services.synced() && self.endpoints.synced() || !self.with_services())
            && (self.secrets.synced() || !self.with_secrets())
    }

    /// What there is of the second API, for those who want to know whether it is the newest.
    pub(super) fn second(&self, node: &str) -> Option<SecondSeen> {
        self.with_second_api().then(|| SecondSeen {
            node_config: self.node_configs.get(node).map(|config| content(config.meta())),
            peers: self.peer_configs.contents(),
            advertisements: self.advertisements.contents(),
        })
    }

    /// The objects a plan is made of, and what is wrong with those that cannot be read.
    pub(super) fn input<'a>(&'a self, node: &'a Node, addresses: &'a Addresses) -> (Input<'a>, Vec<String>) {
        let mut problems = Vec::new();
        let policies = readable(&self.policies, "policy", &mut problems);
        let configs = readable(&self.node_configs, "CiliumBGPNodeConfig", &mut problems);
        let peers = readable(&self.peer_configs, "CiliumBGPPeerConfig", &mut problems);
        let advertisements = readable(&self.advertisements, "CiliumBGPAdvertisement", &mut problems);
        let name = node.name_any();
        let secrets =
            self.secrets.iter().map(|(key, secret)| (key.rsplit('/').next().unwrap_or(key), secret));
        let input = Input {
            version: self.version,
            promises: self.promises,
            node,
            policies: policies.into_values().collect(),
            node_config: configs.get(name.as_str()).copied(),
            peer_configs: peers,
            advertisements: advertisements.into_values().collect(),
            services: self.services.values().collect(),
            endpoints: self.endpoints.values().collect(),
            keeps_empty_services: self.settings.keeps_empty_services(self.promises),
            secrets_namespace: &self.settings.secrets_namespace,
            secrets: secrets.collect(),
            addresses,
        };
        (input, problems)
    }
}

fn stream<K>(api: Api<K>, config: watcher::Config, wrap: fn(Watched<K>) -> News) -> BoxStream<'static, News>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, config).default_backoff().map(wrap).boxed()
}

fn taken<K: Resource>(
    objects: &mut Objects<K>,
    news: Watched<K>,
    what: &'static str,
) -> Result<&'static str, (&'static str, String)> {
    match news {
        Ok(event) => {
            objects.take(event);
            Ok(what)
        }
        Err(error) => Err((what, format!("{what} cannot be watched: {error}"))),
    }
}

fn readable<'a, K: Resource>(
    objects: &'a Objects<Guarded<K>>,
    what: &str,
    problems: &mut Vec<String>,
) -> BTreeMap<&'a str, &'a K>
where
    Guarded<K>: Resource,
{
    let mut found = BTreeMap::new();
    for (name, object) in objects.iter() {
        match &object.0 {
            Ok(read) => {
                found.insert(name, read);
            }
            Err(invalid) => problems.push(format!("{what} {name} cannot be read: {}", invalid.error)),
        }
    }
    found
}
