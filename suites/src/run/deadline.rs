//! The timers of a fabric as they are on it, from which deadlines are computed.
//!
//! What lives here: reading them off the routers. What does not: the arithmetic (`plan::deadline`, `harness::wait`).

use std::time::Instant;

use fabric_harness::cilium::{CiliumVersion, Generation, promises};
use fabric_harness::fabric::Fabric;
use fabric_harness::router::Session;
use fabric_harness::wait::{CiliumEnd, FrrEnd};

use crate::plan::Timers;

/// Reads the timers of every router that is being observed, as they are since a moment; a router that does not answer keeps
/// FRR's defaults.
pub(super) async fn read(
    fabric: &Fabric,
    routers: &[String],
    cilium: Option<&str>,
    since: Instant,
) -> Timers {
    let version: Option<CiliumVersion> = cilium.and_then(|version| version.parse().ok());
    let row = version.and_then(|version| promises(&version).ok());
    // The speaker that runs decides when it dials, whatever the version that was asked for embeds; where none runs
    // there is nobody to wait for.
    let state = fabric.state().ok();
    let row = row.filter(|_| state.as_ref().is_none_or(|state| state.spec.bgp));
    let runs = state.and_then(|state| Generation::of(&state.speaker.or(state.spec.gobgp)?));
    let row = row.map(|row| row.with_speaker(runs.unwrap_or(row.generation)));
    let mut timers = Timers { cilium: row.as_ref().map(CiliumEnd::new), ..Timers::default() };
    let reading = routers.iter().map(|router| async move {
        let observer = fabric.observer(router).await.ok()?;
        let snapshot = observer.since(since).await;
        Some((router.clone(), end(snapshot.sessions.as_ref().ok()?.values())?))
    });
    timers.routers.extend(futures::future::join_all(reading).await.into_iter().flatten());
    timers
}

/// The slowest of a router's sessions speaks for it.
fn end<'a>(sessions: impl Iterator<Item = &'a Session>) -> Option<FrrEnd> {
    let mut slowest: Option<FrrEnd> = None;
    for session in sessions {
        let known = FrrEnd::traditional();
        let end = FrrEnd {
            connect_retry: session.connect_retry.unwrap_or(known.connect_retry),
            hold: session.configured_hold.unwrap_or(known.hold),
            ..known
        };
        slowest = Some(match slowest {
            None => end,
            Some(other) => FrrEnd {
                connect_retry: other.connect_retry.max(end.connect_retry),
                hold: other.hold.max(end.hold),
                ..other
            },
        });
    }
    slowest
}
