//! When to look again for a proof that waiting does not help: what a proof rests on is not only what its check looks at.
//!
//! What lives here: waiting until something that a proof may rest on has moved or has stood still for long enough. What does
//! not: the proofs.

use std::time::Duration;

use fabric_harness::router::{Session, Subscription};
use futures::future::select_all;

use super::super::observe::Context;
use super::{CONFIGURED, TAKEN, ended, routers, still, stillness};
use crate::checks::{FRESH, RESOLUTION, ROUTED};

/// What has just moved moves on: proofs are looked for when nothing has for so long.
const CALM: Duration = Duration::from_secs(1);

/// Somebody who watches every router of a fabric: while one lives, what `latest` says of them is of now.
#[derive(Debug)]
pub(in crate::run) struct Lookout {
    routers: Vec<Subscription>,
}

impl Lookout {
    /// Begins to watch every router of the fabric.
    pub(in crate::run) async fn open(context: &Context) -> Self {
        let mut all = Vec::new();
        for name in routers(&context.view.now()) {
            if let Ok(observer) = context.fabric.observer(name).await {
                all.push(observer.subscribe());
            }
        }
        Self { routers: all }
    }

    /// Waits until routers have moved and are calm again, or until they have stood still for as long as the next proof wants.
    pub(in crate::run) async fn stirred(&mut self, context: &Context) {
        let next = next_proof(context).await;
        let moved = async {
            any(&mut self.routers).await;
            while tokio::time::timeout(CALM, any(&mut self.routers)).await.is_ok() {}
        };
        match next {
            // Not a wait for anything to happen: that nothing does is the proof.
            Some(next) => drop(tokio::time::timeout(next, moved).await),
            None => moved.await,
        }
    }
}

/// The next change on any router.
async fn any(routers: &mut [Subscription]) {
    if routers.is_empty() {
        return std::future::pending().await;
    }
    select_all(routers.iter_mut().map(|router| Box::pin(router.next()))).await;
}

/// When the next proof may hold if nothing moves until then; none when only a change can bring one.
async fn next_proof(context: &Context) -> Option<Duration> {
    let global = stillness(context);
    let mut stills = vec![global.since.elapsed()];
    let mut timers = Vec::new();
    for (_, observer) in context.fabric.observers().await {
        stills.push(still(context, &observer));
        let snapshot = observer.latest();
        let sessions = snapshot.sessions.iter().flat_map(|sessions| sessions.values());
        let since = snapshot.read_at.elapsed();
        // What an attempt to connect brings is a proof too, and the router says so within a second.
        timers.extend(sessions.filter_map(dials).map(|left| left.saturating_sub(since) + CALM));
    }
    let wanted = [RESOLUTION, FRESH, TAKEN, ROUTED, ended::AWAY, CONFIGURED, global.settling];
    soonest(&stills, &wanted).into_iter().chain(timers).min()
}

/// When a router tries next to bring a session up.
fn dials(session: &Session) -> Option<Duration> {
    if session.is_up() { None } else { session.next_connect.or(session.next_start) }
}

/// How long until any of what stands still has done so for one of the times that proofs want.
fn soonest(stills: &[Duration], wanted: &[Duration]) -> Option<Duration> {
    let left = stills.iter().flat_map(|still| wanted.iter().map(|wanted| wanted.saturating_sub(*still)));
    // A moment later than just then: a proof wants the whole time.
    left.filter(|left| !left.is_zero() && *left < Duration::from_secs(3600))
        .min()
        .map(|left| left + Duration::from_millis(10))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing_stands(&[0], &[2, 10], Some(2))]
    #[case::the_next_of_them(&[3], &[2, 10], Some(7))]
    #[case::whichever_comes_first(&[3, 9], &[2, 10], Some(1))]
    #[case::all_have_been(&[30], &[2, 10], None)]
    #[case::never(&[3], &[1_000_000], None)]
    fn the_next_proof(#[case] stills: &[u64], #[case] wanted: &[u64], #[case] expected: Option<u64>) {
        let seconds = |all: &[u64]| all.iter().copied().map(Duration::from_secs).collect::<Vec<_>>();
        let moment = Duration::from_millis(10);
        let expected = expected.map(|seconds| Duration::from_secs(seconds) + moment);
        assert_eq!(soonest(&seconds(stills), &seconds(wanted)), expected);
    }
}
