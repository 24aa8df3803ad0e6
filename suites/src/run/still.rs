//! Waiting at the end of a phase until nothing moves any more on routers that no check has judged whole.
//!
//! What is kept of them then is in `story::states`.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::observe::Context;
use fabric_harness::router::{Observer, Snapshot};

/// For how long nothing may have moved on any router before its state is that of a phase's end: an UPDATE passes three routers
/// in less.
const STILL: Duration = Duration::from_millis(300);
/// What moves for longer than this is kept as it moves.
const AT_MOST: Duration = Duration::from_secs(3);
/// A router that has not answered by then is kept as it was last seen.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits until nothing moves any more on routers of which the phase has not judged the whole tables (`judged`): a state that is
/// taken on the way is another one in every run. A reading since the moment it returns is one of the phase's end.
pub(super) async fn still(context: &Context, judged: &BTreeSet<&str>) -> Instant {
    let over = Instant::now();
    let observers = context.fabric.observers().await;
    {
        let mut settled = context.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let now = chrono::Utc::now();
        settled.extend(judged.iter().map(|router| ((*router).to_owned(), now)));
    }
    if observers.keys().all(|router| judged.contains(router.as_str())) {
        return over;
    }
    let settled = context.settled.lock().unwrap_or_else(PoisonError::into_inner).clone();
    futures::future::join_all(observers.values().map(|observer| read(observer, over))).await;
    // Changes are noticed as long as somebody listens.
    let listening: Vec<_> = observers.values().map(|observer| observer.subscribe_since(over)).collect();
    let mut calm = over;
    while over.elapsed() < AT_MOST {
        let last = observers.iter().filter_map(|(router, observer)| {
            let at = observer.last_change()?.at;
            // What came before its tables were judged whole was on the way to that.
            settled.get(router).is_none_or(|settled| at > *settled).then_some(at)
        });
        let ago = last.max().map_or(STILL, |at| (chrono::Utc::now() - at).to_std().unwrap_or_default());
        match STILL.checked_sub(ago) {
            None | Some(Duration::ZERO) => break,
            Some(left) => {
                tokio::time::sleep(left).await;
                calm = Instant::now();
            }
        }
    }
    drop(listening);
    calm
}

/// A reading since a moment, or the last there is.
async fn read(observer: &Arc<Observer>, since: Instant) -> Arc<Snapshot> {
    match tokio::time::timeout(PATIENCE, observer.since(since)).await {
        Ok(snapshot) => snapshot,
        Err(_) => observer.latest(),
    }
}
