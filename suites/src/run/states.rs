//! What the fabric looks like at a moment, for the record.
//!
//! What lives here: the state of every router that is observed, and what changed on it. What does not: judging it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fabric_harness::router::{Observer, Snapshot};
use fabric_reports::Recorder;
use serde_json::json;

use super::names;
use super::observe::Context;

/// For how long nothing may have moved on any router before its state is that of a phase's end: an UPDATE passes three routers
/// in less.
const STILL: Duration = Duration::from_millis(300);
/// What moves for longer than this is kept as it moves.
const AT_MOST: Duration = Duration::from_secs(3);
/// A router that has not answered by then is kept as it was last seen.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until nothing moves any more on routers of which the phase has not judged the whole tables (`judged`): a state that is
/// taken on the way is another one in every run.
pub(super) async fn still(context: &Context, judged: &BTreeSet<&str>) {
    let observers = context.fabric.observers().await;
    if observers.keys().all(|router| judged.contains(router.as_str())) {
        return;
    }
    futures::future::join_all(observers.values().map(now)).await;
    // Changes are noticed as long as somebody listens.
    let listening: Vec<_> = observers.values().map(|observer| observer.subscribe()).collect();
    let begun = Instant::now();
    while begun.elapsed() < AT_MOST {
        let last =
            observers.values().filter_map(|observer| observer.changes().last().map(|change| change.at));
        let ago = last.max().map_or(STILL, |at| (chrono::Utc::now() - at).to_std().unwrap_or_default());
        match STILL.checked_sub(ago) {
            None | Some(Duration::ZERO) => break,
            Some(left) => tokio::time::sleep(left).await,
        }
    }
    drop(listening);
}

/// A reading of now, or the last there is.
async fn now(observer: &Arc<Observer>) -> Arc<Snapshot> {
    match tokio::time::timeout(PATIENCE, observer.now()).await {
        Ok(snapshot) => snapshot,
        Err(_) => observer.latest(),
    }
}

/// Keeps the state of every observed router; `when` names the occasion.
pub(super) async fn keep(context: &Context, recorder: &Recorder, when: &str) {
    for (router, observer) in context.fabric.observers().await {
        let snapshot = now(&observer).await;
        let or_why =
            |seen: Result<serde_json::Value, String>| seen.unwrap_or_else(|why| json!({"unreadable": why}));
        let sessions = snapshot.sessions.as_ref().map(|seen| json!(seen.as_ref())).map_err(Clone::clone);
        let rib = snapshot.rib.as_ref().map(|seen| json!(seen.as_ref())).map_err(Clone::clone);
        let fib = snapshot.fib.as_ref().map(|seen| json!(seen.as_ref())).map_err(Clone::clone);
        recorder.state(when, router.as_str(), "sessions", or_why(sessions));
        recorder.state(when, router.as_str(), "rib", or_why(rib));
        recorder.state(when, router, "fib", or_why(fib));
    }
    recorder.state(when, "fabric", "names", names::of(&context.view.now()));
}

/// Tells the recorder what changed on the routers during the run, each at its own time.
pub(super) async fn events(context: &Context, recorder: &Recorder) {
    for (router, observer) in context.fabric.observers().await {
        for change in observer.changes() {
            let ago = (chrono::Utc::now() - change.at).to_std().unwrap_or_default();
            if let Some(moment) = std::time::Instant::now().checked_sub(ago) {
                recorder.event_at(moment, router.as_str(), change.what.to_string());
            }
        }
    }
}
