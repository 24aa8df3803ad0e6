//! Which timer runs while a check waits: the one after which a session may come up.
//!
//! Of a session that one of Cilium's speakers has not brought up yet it is the speaker's own: the router at the other end
//! dials in vain, since that speaker does not listen.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use fabric_harness::router::{Session, Snapshot};

use super::super::atlas::Atlas;
use super::super::observe::Context;
use super::neighbor_of;
use crate::checks::SessionSpec;
use crate::plan::{CheckSpec, PlannedCheck};

/// A timer: what happens when it has run out, and when that is.
pub(super) type Due = (String, Instant);

/// The sessions that checks of this phase wait for.
#[derive(Debug, Default)]
pub(in crate::run) struct Awaited {
    /// The longest that a speaker of Cilium's waits before it first connects; none where the lab has none.
    first_connect: Option<Duration>,
    /// By router and neighbor.
    sessions: BTreeSet<(String, String)>,
}

impl Awaited {
    /// A phase begins: nothing is waited for yet.
    pub(in crate::run) fn new(first_connect: Option<Duration>) -> Self {
        Self { first_connect, sessions: BTreeSet::new() }
    }
}

/// The timer that a check waits for; none where nothing is known to run.
pub(super) fn of(context: &Context, check: &PlannedCheck, router: Option<&Snapshot>) -> Option<Due> {
    let atlas = context.view.now();
    match &check.spec {
        CheckSpec::Session(spec @ SessionSpec::Of { router: name, .. }) => {
            let neighbor = neighbor_of(context, spec)?;
            let session = router?.sessions.as_ref().ok()?.get(&neighbor)?;
            let place = (name.clone(), neighbor);
            let awaits = !session.is_up() && super::prospects::is_for_up(spec);
            let mut awaited = context.awaited.lock().unwrap_or_else(PoisonError::into_inner);
            if !awaits {
                awaited.sessions.remove(&place);
                drop(awaited);
                // A session that is up waits for what others bring.
                let is_up = session.is_up() && super::prospects::is_for_up(spec);
                return if is_up { soonest(context, &atlas, Some(name)) } else { None };
            }
            let first_connect = awaited.first_connect;
            awaited.sessions.insert(place);
            drop(awaited);
            timer(&atlas, name, session, router?.read_at, first_connect)
        }
        CheckSpec::Rib(spec) => soonest(context, &atlas, Some(&spec.router)),
        CheckSpec::Fib(spec) => soonest(context, &atlas, Some(&spec.router)),
        CheckSpec::Reach(_) | CheckSpec::Path(_) | CheckSpec::Agree(_) => soonest(context, &atlas, None),
        _ => None,
    }
}

/// The session is up, or nobody wants it to be any more.
pub(super) fn over(context: &Context, check: &PlannedCheck) {
    if let CheckSpec::Session(spec @ SessionSpec::Of { router, .. }) = &check.spec
        && let Some(neighbor) = neighbor_of(context, spec)
    {
        let mut awaited = context.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.sessions.remove(&(router.clone(), neighbor));
    }
}

/// Of the sessions that are waited for, the timer that runs out first; those of the router itself before others'.
fn soonest(context: &Context, atlas: &Atlas, router: Option<&str>) -> Option<Due> {
    let (first_connect, all) = {
        let awaited = context.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        (awaited.first_connect, awaited.sessions.clone())
    };
    let timers = all.iter().filter_map(|(place, neighbor)| {
        let snapshot = context.story.seen(place)?;
        let session = snapshot.sessions.as_ref().ok()?.get(neighbor)?;
        if session.is_up() {
            return None;
        }
        let (what, at) = timer(atlas, place, session, snapshot.read_at, first_connect)?;
        let other = router != Some(place.as_str());
        Some((other, at, format!("{place} <-> {neighbor} {what}")))
    });
    timers.min().map(|(_, at, what)| (what, at))
}

/// The timer after which a session may come up.
fn timer(
    atlas: &Atlas,
    router: &str,
    session: &Session,
    read_at: Instant,
    first_connect: Option<Duration>,
) -> Option<Due> {
    if let Some(due) = by_speaker(atlas, router, session, first_connect) {
        return Some(due);
    }
    let what = if session.established_count == 0 { "first connect" } else { "reconnect" };
    let connects = session.next_connect.map(|left| (what.to_owned(), read_at + left));
    connects.or_else(|| session.next_start.map(|left| ("start".to_owned(), read_at + left)))
}

/// The first connect of the speaker at the other end.
fn by_speaker(
    atlas: &Atlas,
    router: &str,
    session: &Session,
    first_connect: Option<Duration>,
) -> Option<Due> {
    let node = atlas.node_with(session.address?)?;
    let agent = atlas.agents.iter().flatten().find(|agent| agent.info.node == node)?;
    let own = atlas.interfaces.get(router)?;
    let is_own = |address| own.addresses.iter().any(|own| own.address.addr() == address);
    let neighbor = agent.info.neighbors.iter().find(|neighbor| is_own(neighbor.address))?;
    let told = neighbor.session.as_ref().filter(|told| told.times_up == 0)?;
    let ago = SystemTime::now().duration_since(told.added_at).unwrap_or_default();
    // After the first attempt another timer runs, of which nothing is known.
    let left = first_connect?.checked_sub(ago)?;
    Some(("first connect".to_owned(), Instant::now() + left))
}
