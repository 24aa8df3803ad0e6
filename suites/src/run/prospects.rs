//! Whether more time can help a check that is not so yet.
//!
//! What lives here: gathering what both ends of every session say, and how long nothing has moved. What does not: the
//! proof for one session (`checks::prospects`). Where nothing is proven the deadline decides.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use fabric_harness::lab::{NetworkMode, NodeSpec, Routing};
use fabric_harness::router::{Change, Family, Observer, Session, Sessions, Snapshot};
use ipnet::IpNet;

use super::atlas::Atlas;
use super::attempt::neighbor_of;
use super::observe::Context;
use crate::checks::{
    FarEnd, SessionFact, SessionSpec, link_down, never_carries, never_up, unreachable, unsaid,
};
use crate::expect::WantedState;
use crate::plan::{CheckSpec, PlannedCheck};

mod ended;
mod lookout;

use ended::{deserted, gone};
pub(super) use lookout::Lookout;

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
        CheckSpec::Session(spec) => {
            let Some(sessions) = sessions(context, spec.router()).await else {
                return deserted(context, spec.router()).await.map_or(Prospect::Open, Prospect::Never);
            };
            let SessionSpec::Of { router, fact, .. } = spec else { return Prospect::Open };
            let Some(neighbor) = neighbor_of(context, spec) else { return Prospect::Open };
            let Some(session) = sessions.get(&neighbor) else {
                return absent(context, router, &neighbor).await;
            };
            if !wants_it_up(fact) {
                return Prospect::Open;
            }
            if session.is_up() {
                let lacking = families(fact)
                    .into_iter()
                    .find_map(|family| lacks(context, &atlas, router, session, &family));
                return match lacking {
                    Some(why) => Prospect::Never(why),
                    None => quiet(context, &atlas).await,
                };
            }
            hopeless(context, &atlas, router, session).await.map_or(Prospect::Open, Prospect::Never)
        }
        CheckSpec::Rib(_) | CheckSpec::Fib(_) => quiet(context, &atlas).await,
        _ => Prospect::Open,
    }
}

/// Whether it may ever be proven of a check that waiting does not help.
pub(super) fn are_known(check: &PlannedCheck) -> bool {
    matches!(check.spec, CheckSpec::Session(_) | CheckSpec::Rib(_) | CheckSpec::Fib(_))
}

/// Whether what a check wants of a session can be so only while it is up.
pub(super) fn is_for_up(spec: &SessionSpec) -> bool {
    matches!(spec, SessionSpec::Of { fact, .. } if wants_it_up(fact))
}

/// Whether a fact can be so only of a session that is up.
pub(super) fn wants_it_up(fact: &SessionFact) -> bool {
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

/// The families that a fact can be so of only if the session carries them.
pub(super) fn families(fact: &SessionFact) -> Vec<Family> {
    match fact {
        SessionFact::Families(wanted) => wanted.iter().map(|family| family.family()).collect(),
        SessionFact::Received { family, count } | SessionFact::Sent { family, count } if *count > 0 => {
            vec![family.family()]
        }
        _ => Vec::new(),
    }
}

async fn sessions(context: &Context, router: &str) -> Option<Arc<Sessions>> {
    snapshot(context, router).await?.sessions.as_ref().ok().cloned()
}

async fn snapshot(context: &Context, router: &str) -> Option<Arc<Snapshot>> {
    // The check that asks listens to this router: the reading is fresh.
    Some(context.fabric.observer(router).await.ok()?.latest())
}

/// Since when nothing has been done to the fabric.
pub(super) fn stillness(context: &Context) -> Stillness {
    *context.stillness.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a router must have been as it is before what its configuration lacks will not come: a daemon that was
/// started again is given what is on file within seconds.
const CONFIGURED: Duration = Duration::from_secs(30);

/// How long an address must have been away: whoever changes it for another takes the one and gives the other at once.
const TAKEN: Duration = Duration::from_secs(2);

/// Since when nothing has been done to the fabric and nothing has moved on a router.
fn still(context: &Context, observer: &Observer) -> Duration {
    let still = stillness(context).since.elapsed();
    // A clock that was set back is no proof of stillness.
    let ago = |change: Change| (chrono::Utc::now() - change.at).to_std().unwrap_or_default();
    observer.last_change().map_or(still, |change| still.min(ago(change)))
}

/// A neighbor that a router's configuration does not have.
async fn absent(context: &Context, router: &str, neighbor: &str) -> Prospect {
    let Ok(observer) = context.fabric.observer(router).await else { return Prospect::Open };
    match CONFIGURED.checked_sub(still(context, &observer)) {
        Some(rest) if !rest.is_zero() => Prospect::After(rest),
        _ => Prospect::Never(format!(
            "{router} is not configured with a neighbor {neighbor}, and nothing of this lab does it any more"
        )),
    }
}

/// Why a session of a router cannot come up as things are.
async fn hopeless(context: &Context, atlas: &Atlas, router: &str, session: &Session) -> Option<String> {
    if let Some(interface) = &session.interface {
        let links =
            atlas.interfaces.get(router).map(|seen| seen.links.as_slice()).filter(|all| !all.is_empty());
        if let Some(why) = links.and_then(|links| link_down(router, interface, links)) {
            return Some(why);
        }
        if let Some(far) = atlas.router_over(router, interface)
            && let Some(why) = far_router(context, far).await
        {
            return Some(why);
        }
    }
    if let Some(why) = no_way(context, atlas, router, session).await {
        return Some(why);
    }
    let own = addresses(atlas, router);
    let still = stillness(context).since.elapsed();
    let called = session.address.and_then(|address| Some((address, atlas.node_called(address)?)));
    if let Some((address, node)) = called {
        if let Some(why) = gone(context, node).await {
            return Some(why);
        }
        // The kubelet goes by this address, and puts it nowhere: whoever gave it to the node does not do so again.
        if still >= TAKEN && atlas.lacks(node, address) {
            return Some(format!("{node} has the address {address} no more"));
        }
    }
    let node = session.address.and_then(|address| atlas.node_with(address));
    let Some(node) = node else { return never_up(router, session, &own, None, still) };
    if let Some(why) = gone(context, node).await {
        return Some(why);
    }
    never_up(router, session, &own, Some(&far_end(atlas, node)?), still)
}

/// Why a router cannot even dial: it has no route to the neighbor, and none is to come.
async fn no_way(context: &Context, atlas: &Atlas, router: &str, session: &Session) -> Option<String> {
    let all = sessions(context, router).await?;
    let observer = context.fabric.observer(router).await.ok()?;
    let seen = atlas.interfaces.get(router)?;
    let nets: Vec<IpNet> = seen.addresses.iter().map(|address| address.address).collect();
    unreachable(router, session, &all, &nets, still(context, &observer))
}

/// Why a session that is up does not carry a family, as things are.
fn lacks(
    context: &Context,
    atlas: &Atlas,
    router: &str,
    session: &Session,
    family: &Family,
) -> Option<String> {
    let own = addresses(atlas, router);
    let node = session.address.and_then(|address| atlas.node_with(address));
    let far = node.and_then(|node| far_end(atlas, node));
    never_carries(router, session, family, &own, far.as_ref(), stillness(context).since.elapsed())
}

fn addresses(atlas: &Atlas, router: &str) -> Vec<IpAddr> {
    let seen = atlas.interfaces.get(router).into_iter().flat_map(|seen| &seen.addresses);
    seen.map(|address| address.address.addr()).collect()
}

/// Cilium on a node; none where another speaker may answer for it.
fn far_end<'a>(atlas: &'a Atlas, node: &'a str) -> Option<FarEnd<'a>> {
    if others_speak(atlas, node) {
        return None;
    }
    let agent = atlas.agents.iter().flatten().find(|agent| agent.info.node == node)?;
    Some(FarEnd {
        node,
        settled: agent.settled.map(|since| since.elapsed()),
        neighbors: &agent.info.neighbors,
        problems: &agent.info.problems,
        ignores: agent.ignores.as_deref(),
        silences: &agent.info.silences,
    })
}

/// Why a router at the other end of a link answers no OPEN: nobody is there, or it has no BGP at all.
async fn far_router(context: &Context, far: &str) -> Option<String> {
    if let Some(why) = deserted(context, far).await {
        return Some(why);
    }
    let observer = context.fabric.observer(far).await.ok()?;
    if still(context, &observer) < CONFIGURED {
        return None;
    }
    // Nobody may have listened to it: it is read now.
    let snapshot = observer.now().await;
    let none = snapshot.rib.as_ref().is_ok_and(|rib| rib.local_as == 0)
        && snapshot.sessions.as_ref().is_ok_and(|sessions| sessions.is_empty());
    (none && still(context, &observer) >= CONFIGURED).then(|| {
        format!(
            "{far} at the other end has no BGP configured, or has lost it when its daemon was started again"
        )
    })
}

/// Whether a lab has given a cluster's node a speaker of its own, beside Cilium's: of that one nothing is known.
pub(super) fn others_speak(atlas: &Atlas, node: &str) -> bool {
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
        let Ok(sessions) = &snapshot.sessions else {
            let Some(why) = deserted(context, router).await else { return Prospect::Open };
            down.push(why);
            continue;
        };
        for session in sessions.values() {
            if session.defers {
                return Prospect::Open;
            }
            if !session.is_up() {
                let Some(why) = hopeless(context, atlas, router, session).await else {
                    return Prospect::Open;
                };
                down.push(why);
            }
        }
        still = still.min(self::still(context, &observer));
    }
    if still < settling {
        return Prospect::After(settling.saturating_sub(still));
    }
    let settling = settling.as_secs();
    let agents = atlas.agents.iter().flatten();
    let words: Vec<String> = agents
        .filter_map(|agent| unsaid(&far_end(atlas, &agent.info.node)?))
        .map(|word| format!(". {word}"))
        .collect();
    let words = words.concat();
    Prospect::Never(match down.as_slice() {
        [] => format!(
            "every session is up, and no route has moved for {settling} s, longer than any timer holds one back{words}"
        ),
        [one] => {
            format!(
                "no route has moved for {settling} s, longer than any timer holds one back, and {one}{words}"
            )
        }
        [one, rest @ ..] => format!(
            "no route has moved for {settling} s, longer than any timer holds one back, and {one}; so with {} more",
            rest.len()
        ),
    })
}

/// The nodes that run a routing daemon.
pub(super) fn routers(atlas: &Atlas) -> impl Iterator<Item = &str> {
    let routes = |node: &&NodeSpec| node.runs(Routing::Frr) || node.runs(Routing::Bird);
    atlas.topology.nodes.iter().filter(routes).map(|node| node.name.as_str())
}
