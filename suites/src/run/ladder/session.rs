//! Why a session is not up, or does not carry what it should.
//!
//! What lives here: which facts of a session ask for which ladder. What does not: looking (`look`), judging
//! (`crate::ladder::session`).

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, PoisonError};

use fabric_harness::router::Family;
use fabric_reports::record::RungName;

use crate::checks::{SessionFact, SessionSpec};
use crate::ladder::Finding;
use crate::ladder::session::{self, End, SessionFacts, Speaker};
use crate::run::attempt::neighbor_of;
use crate::run::observe::Context;
use crate::run::prospects::{families, wants_it_up};

mod ask;
mod look;
mod pair;
mod policies;

pub(in crate::run) use ask::Daemon;
pub(super) use look::link;

/// The ladder of a check of a session.
pub(super) async fn climb(context: &Context, spec: &SessionSpec) -> Finding {
    let SessionSpec::Of { router, fact, .. } = spec else { return Finding::default() };
    let Some(neighbor) = neighbor_of(context, spec) else { return Finding::default() };
    // A session that is to be down has nothing that could be broken.
    if spec.wants_it_down() {
        return Finding::default();
    }
    let facts = seen(context, router, &neighbor).await;
    let is_up = facts.up().is_some();
    match fact {
        SessionFact::Drops(_) if is_up => return session::lost(&facts),
        SessionFact::Kind(_) | SessionFact::LastReset(_) if is_up => return Finding::default(),
        _ if !is_up && !wants_it_up(fact) && facts.ends.iter().any(|end| end.session().is_some()) => {
            return Finding::default();
        }
        _ => {}
    }
    let finding = session::climb(&facts, &families(fact));
    if finding.blame.is_some() || !is_up {
        return finding;
    }
    match fact {
        SessionFact::Received { .. } => {
            let far = facts.ends.iter().find(|end| end.name != *router);
            if let Some(blame) = far.and_then(|far| session::unannounced(&facts, far)) {
                return finding.broken(blame);
            }
            let Some(far) = far.filter(|far| matches!(far.speaker, Speaker::Router(_))) else {
                return finding;
            };
            beyond(context, far, finding).await
        }
        SessionFact::Sent { .. } => match facts.ends.iter().find(|end| end.name == *router) {
            Some(own) => beyond(context, own, finding).await,
            None => finding,
        },
        _ => finding,
    }
}

/// The ladder of a router's session with a neighbor (its key: `net0`, `10.0.1.2`), from the link to the hold time; its
/// `blame` is none where the session is up. Both ends of a session have the same; it is looked at once and kept for some
/// seconds. Ladders of routes and of packets stand on it.
#[allow(dead_code, reason = "the ladders of routes and packets stand on it")]
pub(super) async fn of(context: &Context, router: &str, neighbor: &str) -> Finding {
    carrying(context, router, neighbor, &[]).await
}

/// The same for a session that is to carry families.
pub(super) async fn carrying(context: &Context, router: &str, neighbor: &str, wanted: &[Family]) -> Finding {
    session::climb(seen(context, router, neighbor).await.as_ref(), wanted)
}

async fn seen(context: &Context, router: &str, neighbor: &str) -> Arc<SessionFacts> {
    let key = pair::named(&context.view.now(), router, neighbor);
    let look = || async {
        // A look asks daemons and starts programs: twenty at once would make all of them look hung.
        let _turn = context.looks.acquire().await;
        Arc::new(look::look(context, router, neighbor).await)
    };
    context.ladders.or_look(key, look).await
}

/// A session that is up and brings fewer routes than it should: the nearest session behind `end` that is dead, if nobody
/// wants it so.
async fn beyond(context: &Context, end: &End, finding: Finding) -> Finding {
    let down = context.down.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let own = end.router().and_then(|router| router.key.clone()).unwrap_or_default();
    let mut known = BTreeSet::from([end.name.clone()]);
    let mut next = VecDeque::from([(end.name.clone(), own)]);
    while let Some((router, back)) = next.pop_front() {
        let Ok(observer) = context.fabric.observer(&router).await else { continue };
        let snapshot = observer.now().await;
        let Ok(sessions) = &snapshot.sessions else { continue };
        for (key, session) in sessions.iter().filter(|(key, _)| **key != back) {
            if session.is_up() {
                if let Some(far) = pair::other_end(&context.view.now(), &router, session)
                    && context.fabric.observers().await.contains_key(&far)
                    && known.insert(far.clone())
                {
                    next.push_back((far, String::new()));
                }
                continue;
            }
            let wanted_down = down.iter().any(|spec| {
                spec.router() == router && neighbor_of(context, spec).as_deref() == Some(key.as_str())
            });
            if wanted_down {
                continue;
            }
            if let Some(blame) = carrying(context, &router, key, &[]).await.blame {
                let seen = format!(
                    "{router} gets no routes over its session with {key}, which is {}",
                    session.state
                );
                let mut finding = finding.broken(blame);
                // The rung that is broken is of that other session.
                if let Some(rung) = finding.rungs.last_mut().filter(|rung| rung.name != RungName::Update) {
                    rung.seen = format!("{}: {seen}", rung.seen);
                }
                return finding;
            }
        }
    }
    finding
}
