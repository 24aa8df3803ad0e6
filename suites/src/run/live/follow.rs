//! Following a fabric: whatever changes, the page's words are made anew from everything that is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fabric_harness::fabric::Fabric;
use fabric_harness::router::Snapshot;
use fabric_reports::drawing::{Drawing, Scene, Svg};
use fabric_reports::live::{Panel, State};
use fabric_reports::record::{Role, Topology};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::view::View;
use super::{panel, seen};
use crate::plan;

/// A router that is not there yet makes no event when it comes.
const AGAIN: Duration = Duration::from_secs(2);

/// What the page is told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// The drawing.
    pub(super) svg: String,
    /// The same as a file of its own.
    pub(super) file: String,
    /// How often it has been drawn anew.
    pub(super) drawn: u64,
    /// How everything stands.
    pub(super) state: State,
    /// What is to be known of each box.
    pub(super) panels: BTreeMap<String, Panel>,
    /// Why there is nothing more to be told.
    pub(super) ended: Option<String>,
}

/// What one router said last: its state, or why it cannot be looked at.
pub(super) type Snapshots = BTreeMap<String, Result<Arc<Snapshot>, String>>;

/// A fabric that is followed. Dropping it ends the following.
pub(super) struct Followed {
    pub(super) told: watch::Sender<Arc<Told>>,
    _tasks: JoinSet<()>,
}

/// Begins to follow; when this returns, every box has been looked at once.
pub(super) async fn follow(fabric: &Arc<Fabric>, name: &str) -> Arc<Followed> {
    let view = View::new(fabric, None);
    let topology = plan::drawn(fabric.topology(), fabric.cluster());
    let routers: Vec<String> = topology
        .nodes
        .iter()
        .filter(|node| node.role == Role::Router)
        .map(|node| node.name.clone())
        .collect();
    let snapshots = watch::Sender::new(Snapshots::new());
    let mut tasks = JoinSet::new();
    for router in routers {
        tasks.spawn(watch_router(Arc::clone(fabric), router, snapshots.clone()));
    }
    let boxes = topology.nodes.iter().map(|node| node.name.clone()).collect();
    view.follow_boxes(fabric, boxes).await;
    if let Ok(client) = fabric.client().await {
        view.follow_cluster(&client);
    }
    let told = watch::Sender::new(Arc::new(Told::default()));
    let mut teller = Teller { topology, name: name.to_owned(), scene: Scene::default() };
    let mut seen = (view.subscribe(), snapshots.subscribe());
    teller.tell(&told, &view, &seen.1.borrow_and_update().clone());
    let (fabric, out) = (Arc::clone(fabric), told.clone());
    tasks.spawn(async move {
        // The sender is kept here, so that the end of all routers is not the end of the following.
        let _snapshots = snapshots;
        let mut asked = false;
        loop {
            tokio::select! {
                changed = seen.0.changed() => if changed.is_err() { return },
                changed = seen.1.changed() => if changed.is_err() { return },
            }
            let atlas = Arc::clone(&seen.0.borrow_and_update());
            // Agents are there once Cilium is, and then nodes are ready.
            let ready = atlas.nodes.iter().flatten().any(super::seen::is_ready);
            if ready && !asked {
                asked = true;
                view.follow_agents(&fabric).await;
            }
            let snapshots = seen.1.borrow_and_update().clone();
            teller.tell(&out, &view, &snapshots);
        }
    });
    Arc::new(Followed { told, _tasks: tasks })
}

/// Follows one router for good, from when it can be looked at.
async fn watch_router(fabric: Arc<Fabric>, router: String, snapshots: watch::Sender<Snapshots>) {
    let observer = loop {
        match fabric.observer(&router).await {
            Ok(observer) => break observer,
            Err(error) => {
                let why = error.to_string();
                snapshots.send_if_modified(|all| {
                    let news = !matches!(all.get(&router), Some(Err(known)) if *known == why);
                    all.insert(router.clone(), Err(why));
                    news
                });
            }
        }
        tokio::time::sleep(AGAIN).await;
    };
    let mut subscription = observer.subscribe();
    loop {
        let snapshot = subscription.next().await;
        snapshots.send_modify(|all| {
            all.insert(router.clone(), Ok(snapshot));
        });
    }
}

/// Puts what is seen into the page's words, and remembers what is drawn.
struct Teller {
    topology: Topology,
    name: String,
    scene: Scene,
}

impl Teller {
    fn tell(&mut self, told: &watch::Sender<Arc<Told>>, view: &View, snapshots: &Snapshots) {
        let atlas = view.now();
        let before = Arc::clone(&told.borrow());
        let mut state = seen::state(&self.topology, &atlas, snapshots);
        for node in &mut self.topology.nodes {
            // A speaker that has gone had its number nevertheless.
            node.asn = state.boxes.get(&node.name).and_then(|now| now.asn).or(node.asn);
        }
        let panels: BTreeMap<String, Panel> = self
            .topology
            .nodes
            .iter()
            .map(|node| (node.name.clone(), panel::of(node, &state, &atlas, snapshots)))
            .collect();
        for (name, now) in &mut state.boxes {
            let old = before.state.boxes.get(name).map_or(0, |old| old.version);
            let same = before.panels.get(name) == panels.get(name);
            now.version = if same { old } else { old + 1 };
        }
        let scene = self.scene(&state);
        let mut next = Told { state, panels, ..(*before).clone() };
        if scene != self.scene || before.drawn == 0 {
            let drawing = Drawing::of(&scene);
            let title = format!("The fabric {}", self.name);
            next.svg = Svg { title: &title, interactive: true, ..Svg::default() }.render(&drawing);
            next.file = Svg { title: &title, style: true, ..Svg::default() }.render(&drawing);
            next.drawn += 1;
            self.scene = scene;
        }
        if next.drawn != before.drawn || next.state != before.state {
            told.send_replace(Arc::new(next));
        }
    }

    fn scene(&self, state: &State) -> Scene {
        let pods = state
            .pods
            .iter()
            .map(|now| fabric_reports::drawing::Pod { name: now.pod.clone(), node: now.node.clone() });
        // Whoever has no session now had one a moment ago: what has been drawn stays.
        let mut far: BTreeSet<[String; 2]> = self.scene.sessions.iter().cloned().collect();
        for session in state.sessions.iter().filter(|session| session.link.is_none()) {
            if let Some(peer) = &session.peer {
                let mut ends = [session.node.clone(), peer.clone()];
                ends.sort();
                far.insert(ends);
            }
        }
        Scene { topology: self.topology.clone(), pods: pods.collect(), sessions: far.into_iter().collect() }
    }
}
