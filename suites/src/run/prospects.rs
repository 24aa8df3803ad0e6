//! Whether more time can help a check that is not so yet.
//!
//! What lives here: gathering what both ends of every session say, and how long nothing has moved. What does not: the
//! proof for one session (`checks::prospects`). Where nothing is proven the deadline decides.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use fabric_harness::lab::{NetworkMode, NodeSpec, Routing};
use fabric_harness::router::{Session, Sessions, Snapshot};

use super::atlas::Atlas;
use super::attempt::neighbor_of;
use super::observe::Context;
use crate::checks::{FarEnd, SessionFact, SessionSpec, never_up};
use crate::expect::WantedState;
use crate::plan::{CheckSpec, PlannedCheck};

/// What is to be expected of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prospect {
    /// It may come to be.
    Open,
    /// As far as can be seen now it may; if nothing moves for so long, it cannot.
    After(Duration),
    /// It cannot, and why.
    Never(String),
}

/// Since when nothing has been done to the fabric, and how long what was done can take to show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stillness {
    pub(super) since: Instant,
    /// The longest that a router may hold a route back that it has, and its kernel.
    pub(super) settling: Duration,
}

impl Default for Stillness {
    fn default() -> Self {
        Self { since: Instant::now(), settling: Duration::MAX }
    }
}

/// What is to be expected of waiting for a check.
pub(super) async fn of(context: &Context, check: &PlannedCheck) -> Prospect {
    let atlas = context.view.now();
    match &check.spec {
        CheckSpec::Session(spec @ SessionSpec::Of { router, fact, .. }) if wants_it_up(fact) => {
            let Some(sessions) = sessions(context, router).await else { return Prospect::Open };
            let Some(session) = neighbor_of(context, spec).and_then(|key| sessions.get(&key).cloned()) else {
                return Prospect::Open;
            };
            if session.is_up() {
                return quiet(context, &atlas).await;
            }
            hopeless(context, &atlas, router, &session).map_or(Prospect::Open, Prospect::Never)
        }
        CheckSpec::Rib(_) | CheckSpec::Fib(_) => quiet(context, &atlas).await,
        _ => Prospect::Open,
    }
}

/// Whether a fact can be so only of a session that is up.
fn wants_it_up(fact: &SessionFact) -> bool {
    match fact {
        SessionFact::State { state, .. } => *state == Some(WantedState::Established),
        SessionFact::Timers { .. }
        | SessionFact::Received { .. }
        | SessionFact::Sent { .. }
        | SessionFact::Families(_)
        | SessionFact::Hostname(_) => true,
        SessionFact::Kind(_) | SessionFact::LastReset(_) | SessionFact::Drops(_) => false,
    }
}

async fn sessions(context: &Context, router: &str) -> Option<Arc<Sessions>> {
    snapshot(context, router).await?.sessions.as_ref().ok().cloned()
}

async fn snapshot(context: &Context, router: &str) -> Option<Arc<Snapshot>> {
    // The check that asks listens to this router: the reading is fresh.
    Some(context.fabric.observer(router).await.ok()?.latest())
}

fn stillness(context: &Context) -> Stillness {
    *context.stillness.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a session of a router cannot come up as things are.
fn hopeless(context: &Context, atlas: &Atlas, router: &str, session: &Session) -> Option<String> {
    let own: Vec<IpAddr> = atlas
        .interfaces
        .get(router)
        .iter()
        .flat_map(|seen| &seen.addresses)
        .map(|address| address.address.addr())
        .collect();
    let node = session.address.and_then(|address| atlas.node_with(address));
    let still = stillness(context).since.elapsed();
    let Some(node) = node else { return never_up(router, session, &own, None, still) };
    if others_speak(atlas, node) {
        return None;
    }
    let agent = atlas.agents.iter().flatten().find(|agent| agent.info.node == node)?;
    let far = FarEnd {
        node,
        settled: agent.settled.map(|since| since.elapsed()),
        neighbors: &agent.info.neighbors,
        problems: &agent.info.problems,
    };
    never_up(router, session, &own, Some(&far), still)
}

/// Whether a lab has given a cluster's node a speaker of its own, beside Cilium's: of that one nothing is known.
fn others_speak(atlas: &Atlas, node: &str) -> bool {
    const SPEAKERS: [&str; 5] = ["frr", "bgpd", "bird", "gobgp", "exabgp"];
    let speaks = |text: &str| SPEAKERS.iter().any(|speaker| text.contains(speaker));
    let there = |server: &&NodeSpec| match &server.network_mode {
        NetworkMode::Container(other) => {
            atlas.topology.resolve_container(atlas.cluster.as_deref(), other).as_deref() == Some(node)
        }
        _ => server.name == node,
    };
    atlas.topology.nodes.iter().filter(there).any(|server| {
        server.image.as_deref().is_some_and(speaks)
            || server.cmd.as_deref().is_some_and(speaks)
            || server.lines().any(|line| speaks(&line.text))
    })
}

/// Routes move while sessions come up, and shortly after. Once every session is up or cannot come up, every Cilium has
/// acted on what there is, and nothing has moved for longer than any router may hold a route back, none will come.
async fn quiet(context: &Context, atlas: &Atlas) -> Prospect {
    let first = as_last_read(context, atlas).await;
    let Prospect::Never(_) = first else { return first };
    // Nobody may have listened to a router that no check waits for: it is read now, and what has moved since shows.
    for router in routers(atlas) {
        let Ok(observer) = context.fabric.observer(router).await else { return Prospect::Open };
        observer.now().await;
    }
    as_last_read(context, &context.view.now()).await
}

async fn as_last_read(context: &Context, atlas: &Atlas) -> Prospect {
    let Stillness { since, settling } = stillness(context);
    if atlas.agents.iter().flatten().any(|agent| agent.settled.is_none()) {
        return Prospect::Open;
    }
    let mut still = since.elapsed();
    let mut down = Vec::new();
    for router in routers(atlas) {
        let Ok(observer) = context.fabric.observer(router).await else { return Prospect::Open };
        let snapshot = observer.latest();
        let Ok(sessions) = &snapshot.sessions else { return Prospect::Open };
        for session in sessions.values() {
            if session.defers {
                return Prospect::Open;
            }
            if !session.is_up() {
                let Some(why) = hopeless(context, atlas, router, session) else { return Prospect::Open };
                down.push(why);
            }
        }
        if let Some(last) = observer.changes().last() {
            // A clock that was set back is no proof of stillness.
            let ago = (chrono::Utc::now() - last.at).to_std().unwrap_or_default();
            still = still.min(ago);
        }
    }
    if still < settling {
        return Prospect::After(settling.saturating_sub(still));
    }
    let settling = settling.as_secs();
    Prospect::Never(match down.as_slice() {
        [] => format!(
            "every session is up, and no route has moved for {settling} s, longer than any timer holds one back"
        ),
        [one] => {
            format!("no route has moved for {settling} s, longer than any timer holds one back, and {one}")
        }
        [one, rest @ ..] => format!(
            "no route has moved for {settling} s, longer than any timer holds one back, and {one}; so with {} more",
            rest.len()
        ),
    })
}

/// The nodes that run a routing daemon.
fn routers(atlas: &Atlas) -> impl Iterator<Item = &str> {
    let routes = |node: &&NodeSpec| node.runs(Routing::Frr) || node.runs(Routing::Bird);
    atlas.topology.nodes.iter().filter(routes).map(|node| node.name.as_str())
}
