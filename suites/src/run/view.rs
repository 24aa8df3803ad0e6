//! A living snapshot: the atlas, kept up to date by the kernel's and the API's own events.
//!
//! What lives here: one task per box and per kind of object, each waiting for events. What does not: what symbols
//! mean (`atlas`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabric_harness::cilium::bgp::content;
use fabric_harness::fabric::Fabric;
use fabric_harness::node::NodeError;
use fabric_harness::router::{KernelEvent, RouteEvents, RouterError};
use fabric_harness::runtime::keeper::AgentInfo;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::atlas::{AgentSeen, Atlas, Interfaces, Second};
use super::story::Story;

/// How often a box is looked at that gives no events: its interfaces change when somebody wires it anew, which takes
/// seconds.
const LOOKING: Duration = Duration::from_secs(2);

/// The atlas as it changes. Dropping it ends the watching.
#[derive(Debug)]
pub(super) struct View {
    atlas: watch::Sender<Arc<Atlas>>,
    story: Option<Arc<Story>>,
    tasks: Mutex<JoinSet<()>>,
}

impl View {
    /// A view of nothing yet; what changes in it is told to `story`, if somebody keeps one.
    pub(super) fn new(fabric: &Fabric, story: Option<Arc<Story>>) -> Arc<Self> {
        let atlas = Atlas::before(fabric.topology(), fabric.cluster());
        Arc::new(Self { atlas: watch::Sender::new(Arc::new(atlas)), story, tasks: Mutex::default() })
    }

    /// The atlas, and being told when it changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<Atlas>> {
        self.atlas.subscribe()
    }

    /// The atlas now.
    pub(super) fn now(&self) -> Arc<Atlas> {
        Arc::clone(&self.atlas.borrow())
    }

    /// Begins to follow the interfaces of these boxes; each has been read once when this returns.
    pub(super) async fn follow_boxes(self: &Arc<Self>, fabric: &Arc<Fabric>, boxes: Vec<String>) {
        let followed = boxes.into_iter().map(|place| self.follow_box(Arc::clone(fabric), place));
        futures::future::join_all(followed).await;
    }

    async fn follow_box(self: &Arc<Self>, fabric: Arc<Fabric>, place: String) {
        let Ok(node) = fabric.node(&place).await else { return };
        // Listening first: what changes while the first reading runs is told too.
        let mut events = match RouteEvents::subscribe(node).await {
            Ok(events) => events,
            Err(RouterError::Node(NodeError::Unsupported { .. })) => {
                return self.look_at_box(fabric, place).await;
            }
            Err(_) => return,
        };
        self.read_box(&fabric, &place).await;
        let view = Arc::downgrade(self);
        let follow = async move {
            while let Ok(news) = events.next().await {
                let routes_only = news.iter().all(|event| matches!(event, KernelEvent::Route { .. }));
                let Some(view) = view.upgrade() else { return };
                if !routes_only {
                    view.read_box(&fabric, &place).await;
                }
            }
        };
        self.spawn(follow);
    }

    /// Follows the interfaces of a box that gives no events, by looking again and again.
    async fn look_at_box(self: &Arc<Self>, fabric: Arc<Fabric>, place: String) {
        self.read_box(&fabric, &place).await;
        let view = Arc::downgrade(self);
        let follow = async move {
            loop {
                // Each look starts a program in the box.
                tokio::time::sleep(LOOKING).await;
                let Some(view) = view.upgrade() else { return };
                view.read_box(&fabric, &place).await;
            }
        };
        self.spawn(follow);
    }

    async fn read_box(&self, fabric: &Fabric, place: &str) {
        let Ok(kernel) = fabric.kernel(place).await else { return };
        let seen = match kernel.interfaces().await {
            Ok((links, addresses)) => Interfaces { links, addresses, unread: None },
            Err(error) => Interfaces { unread: Some(error.to_string()), ..Interfaces::default() },
        };
        // What looks the same is no news: nobody is woken for it.
        if self.now().interfaces.get(place) != Some(&seen) {
            self.change(|atlas| {
                atlas.interfaces.insert(place.to_owned(), seen);
            });
        }
    }

    /// Begins to follow the cluster's nodes, pods and services.
    pub(super) fn follow_cluster(self: &Arc<Self>, client: &Client) {
        let (nodes, pods) = (Api::<Node>::all(client.clone()), Api::<Pod>::all(client.clone()));
        self.follow(nodes, |atlas, all| atlas.nodes = Some(all));
        self.follow(pods, |atlas, all| atlas.pods = Some(all));
        let services = Api::<Service>::all(client.clone());
        self.follow(services, |atlas, all| atlas.services = Some(all));
    }

    fn follow<K>(self: &Arc<Self>, api: Api<K>, put: fn(&mut Atlas, Vec<K>))
    where
        K: kube::Resource
            + Clone
            + std::fmt::Debug
            + Send
            + Sync
            + 'static
            + for<'de> serde::Deserialize<'de>,
        K::DynamicType: Default,
    {
        let view = Arc::downgrade(self);
        let follow = async move {
            let mut events = watcher(api, Config::default()).boxed();
            let mut all: BTreeMap<(Option<String>, String), K> = BTreeMap::new();
            let mut whole = false;
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Init) => {
                        all.clear();
                        whole = false;
                    }
                    Ok(Event::InitDone) => whole = true,
                    Ok(Event::Apply(object) | Event::InitApply(object)) => {
                        all.insert((object.namespace(), object.name_any()), object);
                    }
                    Ok(Event::Delete(object)) => {
                        all.remove(&(object.namespace(), object.name_any()));
                    }
                    Err(error) => tracing::debug!(%error, "a watch is made again"),
                }
                let Some(view) = view.upgrade() else { return };
                if whole {
                    view.change(|atlas| put(atlas, all.values().cloned().collect()));
                }
            }
        };
        self.spawn(follow);
    }

    /// Begins to follow Cilium's agents, if there are any; they have been heard once when this returns.
    pub(super) async fn follow_agents(self: &Arc<Self>, fabric: &Arc<Fabric>) {
        let (view, fabric) = (Arc::downgrade(self), Arc::clone(fabric));
        let (heard, first) = tokio::sync::oneshot::channel();
        let mut heard = Some(heard);
        let follow = async move {
            let tell = |agents: Vec<AgentInfo>| {
                if let Some(view) = view.upgrade()
                    && !agents.is_empty()
                {
                    view.change(|atlas| put_agents(atlas, agents));
                }
                // Whoever waits for the first word is here, or has gone.
                let _ = heard.take().map(|heard| heard.send(()));
            };
            if let Err(error) = fabric.follow_agents(tell).await {
                tracing::debug!(%error, "the agents are not followed any more");
            }
        };
        self.spawn(follow);
        let _ = first.await;
    }

    /// Reads which nodes there are and what people have written for both BGP APIs: an agent has settled when it has acted on
    /// these.
    pub(super) async fn expect_policies(&self, client: &Client) {
        let nodes: Api<Node> = Api::all(client.clone());
        let all = ListParams::default();
        let policies = list(client, "v2alpha1", "CiliumBGPPeeringPolicy", "ciliumbgppeeringpolicies");
        let (nodes, policies, second) = tokio::join!(nodes.list(&all), policies, second(client));
        let version = |object: DynamicObject| {
            let version = object.resource_version().unwrap_or_default();
            (object.name_any(), version)
        };
        // What is not served is not written.
        let policies = policies.map(|all| all.unwrap_or_default().into_iter().map(version).collect());
        let floors = nodes.into_iter().flat_map(|list| list.items);
        let floors = floors.map(|node| (node.name_any(), node.resource_version().unwrap_or_default()));
        let (policies, second) = match (policies, second) {
            (Ok(policies), Ok(second)) => (Some(policies), second),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(%error, "what the agents must act on cannot be read");
                (None, None)
            }
        };
        self.change(|atlas| {
            atlas.policies = policies;
            atlas.second = second;
            atlas.floors = floors.collect();
        });
    }

    fn change(&self, change: impl FnOnce(&mut Atlas)) {
        let mut both = None;
        self.atlas.send_modify(|atlas| {
            let before = Arc::clone(atlas);
            let changed = Arc::make_mut(atlas);
            change(changed);
            changed.settle();
            both = Some((before, Arc::clone(atlas)));
        });
        // Not under the lock: whoever is told may be slow.
        if let (Some((before, after)), Some(story)) = (both, &self.story) {
            story.changed(&before, &after);
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

/// All objects of one of Cilium's kinds; none where it is not served.
pub(super) async fn list(
    client: &Client,
    version: &str,
    kind: &str,
    plural: &str,
) -> Result<Option<Vec<DynamicObject>>, kube::Error> {
    let gvk = GroupVersionKind::gvk("cilium.io", version, kind);
    let api: Api<DynamicObject> =
        Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&gvk, plural));
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(Some(list.items)),
        Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// What there is of the second BGP API, in whichever version it is served.
async fn second(client: &Client) -> Result<Option<Second>, kube::Error> {
    for version in ["v2", "v2alpha1"] {
        let (clusters, overrides, peers, advertisements) = tokio::try_join!(
            list(client, version, "CiliumBGPClusterConfig", "ciliumbgpclusterconfigs"),
            list(client, version, "CiliumBGPNodeConfigOverride", "ciliumbgpnodeconfigoverrides"),
            list(client, version, "CiliumBGPPeerConfig", "ciliumbgppeerconfigs"),
            list(client, version, "CiliumBGPAdvertisement", "ciliumbgpadvertisements"),
        )?;
        if clusters.is_some() {
            let named = |objects: Option<Vec<DynamicObject>>| {
                let all = objects.into_iter().flatten();
                all.map(|object| (object.name_any(), content(&object.metadata))).collect()
            };
            return Ok(Some(Second {
                clusters: named(clusters),
                overrides: named(overrides),
                peers: named(peers),
                advertisements: named(advertisements),
            }));
        }
    }
    Ok(None)
}

/// An agent that has settled stays so if nothing of it has changed.
fn put_agents(atlas: &mut Atlas, agents: Vec<AgentInfo>) {
    let before = atlas.agents.take().unwrap_or_default();
    let seen = |info: AgentInfo| {
        let acted = info.without_sessions();
        let same = |agent: &&AgentSeen| agent.info.without_sessions() == acted;
        let settled = before.iter().find(same).and_then(|agent| agent.settled);
        AgentSeen { info, settled, ignores: None }
    };
    atlas.agents = Some(agents.into_iter().map(seen).collect());
}
