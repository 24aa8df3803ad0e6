//! Who tells the recorder: called by those who look, as they see something.
//!
//! Nothing is kept back to be told later: a run that is cut short has told all it saw.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use fabric_harness::fabric::Fabric;
use fabric_harness::router::{Listener, RouterChanges, Snapshot, Subscription};
use fabric_reports::Recorder;
use fabric_reports::record::{Happening, Topology};

use super::super::atlas::Atlas;
use super::super::view::View;
use super::{cluster, drawn, routers};
use crate::plan;

/// The record's story of one run.
pub(in crate::run) struct Story {
    pub(super) recorder: Arc<Recorder>,
    /// The fabric was up before the run: what routers say first is no news.
    found: bool,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// The routers that have said something.
    spoken: HashSet<String>,
    /// Routers are watched while these live.
    watched: BTreeMap<String, Subscription>,
    /// The flows that are answered.
    answered: HashSet<(String, String)>,
    /// What each state looked like that was kept since the phase began, by node and kind.
    kept: HashMap<(String, String), u64>,
    /// The AS numbers that routers say they have.
    asns: BTreeMap<String, u32>,
    /// What the lab's files say the fabric is made of: they are read once.
    files: Option<Topology>,
}

impl std::fmt::Debug for Story {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Story").field("found", &self.found).finish_non_exhaustive()
    }
}

impl Story {
    pub(in crate::run) fn new(recorder: Arc<Recorder>, found: bool) -> Arc<Self> {
        Arc::new(Self { recorder, found, told: Mutex::default() })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to tell what is seen on routers, and says what the fabric is made of as far as that is known.
    pub(in crate::run) async fn begin(self: &Arc<Self>, fabric: &Fabric, view: &Arc<View>) {
        self.draw(&view.now());
        // The fabric keeps the listener, and the view the fabric.
        let (story, view) = (Arc::clone(self), Arc::downgrade(view));
        let tell = move |changes: RouterChanges| {
            if let Some(view) = view.upgrade() {
                story.router(&view.now(), &changes);
            }
        };
        fabric.listen(Listener::new(tell)).await;
    }

    /// Watches the routers of the topology from now on, whether a check looks at them or not.
    pub(in crate::run) async fn watch(&self, fabric: &Fabric) {
        let routers = fabric.topology().nodes.iter().filter(|node| node.routing().is_some());
        for router in routers.map(|node| node.name.as_str()) {
            if self.told().watched.contains_key(router) {
                continue;
            }
            if let Ok(observer) = fabric.observer(router).await {
                self.told().watched.insert(router.to_owned(), observer.subscribe());
            }
        }
    }

    /// The run is over: routers are watched for it no more.
    pub(in crate::run) fn rest(&self) {
        self.told().watched.clear();
    }

    /// The latest reading of a router that is watched.
    pub(in crate::run) fn seen(&self, router: &str) -> Option<Arc<Snapshot>> {
        Some(self.told().watched.get(router)?.latest())
    }

    /// The routers that are watched.
    pub(super) fn watched(&self) -> Vec<String> {
        self.told().watched.keys().cloned().collect()
    }

    /// A phase begins: its states are kept, also those that look as in the phase before.
    pub(in crate::run) fn new_phase(&self) {
        self.told().kept.clear();
    }

    /// Something is done to the fabric.
    pub(in crate::run) fn action(&self, phase: &str, source: &str, what: &str) {
        let of = Happening::Action { phase: phase.to_owned() };
        self.recorder.happened(Instant::now(), source, what, of);
    }

    fn router(&self, atlas: &Atlas, changes: &RouterChanges) {
        let RouterChanges { router, at, what } = changes;
        let first = self.told().spoken.insert(router.clone());
        if first && self.found {
            return;
        }
        for what in what {
            match routers::happening(atlas, router, what) {
                Some(of) => self.recorder.happened(*at, router.as_str(), what.to_string(), of),
                None => self.recorder.event_at(*at, router.as_str(), what.to_string()),
            }
        }
    }

    /// The snapshot of boxes and cluster has changed.
    pub(in crate::run) fn changed(&self, before: &Atlas, after: &Atlas) {
        for news in cluster::between(before, after) {
            let at = news.at.map_or_else(Instant::now, instant);
            self.recorder.happened(at, news.source, news.what, news.of);
        }
    }

    /// A probe came back: answered or not.
    pub(in crate::run) fn probed(&self, from: &str, to: &str, answered: bool) {
        let flow = (from.to_owned(), to.to_owned());
        if !answered {
            self.told().answered.remove(&flow);
            return;
        }
        if self.told().answered.insert(flow) {
            let of = Happening::FirstPacket { from: from.to_owned(), to: to.to_owned() };
            self.recorder.happened(Instant::now(), from, format!("the first packet to {to} is answered"), of);
        }
    }

    /// Says what the fabric is made of, as far as that is known by now.
    pub(super) fn draw(&self, atlas: &Atlas) {
        let mut asns = self.told().asns.clone();
        for agent in atlas.agents.iter().flatten() {
            let asn = agent.info.speakers.first().map(|speaker| speaker.asn);
            let asn = asn.or_else(|| agent.info.neighbors.first().map(|neighbor| neighbor.local_asn));
            asns.extend(asn.map(|asn| (agent.info.node.clone(), asn)));
        }
        let alive = {
            let mut told = self.told();
            // A speaker that has gone had its number nevertheless.
            told.asns.clone_from(&asns);
            let files =
                told.files.get_or_insert_with(|| plan::drawn(&atlas.topology, atlas.cluster.as_deref()));
            drawn::alive(files, atlas, &asns)
        };
        self.recorder.topology(alive);
    }

    /// A router says which AS it is in; 0 for none.
    pub(super) fn is_in_as(&self, router: &str, asn: u32) {
        if asn != 0 {
            self.told().asns.insert(router.to_owned(), asn);
        }
    }

    /// Keeps a state, unless the phase has one that looks the same (`look` is what is compared) and `always` is false.
    pub(super) fn state(
        &self,
        when: &str,
        (node, kind): (&str, &'static str),
        json: serde_json::Value,
        look: impl Hash,
        always: bool,
    ) {
        let mut hasher = DefaultHasher::new();
        look.hash(&mut hasher);
        let look = hasher.finish();
        let known = self.told().kept.insert((node.to_owned(), kind.to_owned()), look);
        if always || known != Some(look) {
            self.recorder.state(when, node, kind, json);
        }
    }
}

/// A moment of the wall clock on the monotonic one. What is said to be yet to come is now.
fn instant(at: SystemTime) -> Instant {
    let ago = SystemTime::now().duration_since(at).unwrap_or_default();
    Instant::now().checked_sub(ago).unwrap_or_else(Instant::now)
}
