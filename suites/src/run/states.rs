//! What the fabric looks like at a moment, for the record.
//!
//! What lives here: the state of every router that is observed, and what changed on it. What does not: judging it.

use fabric_reports::Recorder;
use serde_json::json;

use super::observe::Context;

/// Keeps the state of every observed router; `when` names the occasion.
pub(super) async fn keep(context: &Context, recorder: &Recorder, when: &str) {
    for (router, observer) in context.fabric.observers().await {
        let snapshot = observer.subscribe().latest();
        let or_why =
            |seen: Result<serde_json::Value, String>| seen.unwrap_or_else(|why| json!({"unreadable": why}));
        let sessions = snapshot.sessions.as_ref().map(|seen| json!(seen.as_ref())).map_err(Clone::clone);
        let rib = snapshot.rib.as_ref().map(|seen| json!(seen.as_ref())).map_err(Clone::clone);
        let fib = snapshot.fib.as_ref().map(|seen| json!(seen.as_ref())).map_err(Clone::clone);
        recorder.state(when, router.as_str(), "sessions", or_why(sessions));
        recorder.state(when, router.as_str(), "rib", or_why(rib));
        recorder.state(when, router, "fib", or_why(fib));
    }
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
