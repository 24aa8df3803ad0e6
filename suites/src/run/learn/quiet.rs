//! Waiting until nothing moves on a fabric of which nobody has said what it is to become.

use std::time::{Duration, Instant};

use fabric_harness::fabric::Fabric;

/// How long nothing may have moved where every session is up: BGP has nothing left to wait for but its own coalescing of
/// updates, a second in FRR.
const WHOLE: Duration = Duration::from_millis(1_500);
/// What is added to the longest timer that a session which is down may be waiting for.
const MARGIN: Duration = Duration::from_secs(2);
/// The longest first wait of a speaker whose timers are not seen from the routers: GoBGP's, and a router's advertisement.
const FIRST: Duration = Duration::from_secs(10);
/// How soon to look again: that nothing happens tells nobody of itself.
const AGAIN: Duration = Duration::from_millis(100);

/// Waits until no session and no route of any router has moved for as long as the timers behind what is down may take, or for
/// `given`. Ends after `limit` whatever moves.
pub(super) async fn quiet(fabric: &Fabric, given: Option<Duration>, limit: Duration) {
    // Changes are noticed as long as somebody listens.
    let observers = fabric.observers().await;
    let listening: Vec<_> = observers.values().map(|observer| observer.subscribe()).collect();
    let begun = Instant::now();
    while begun.elapsed() < limit {
        let mut last = Duration::MAX;
        let mut longest = Duration::ZERO;
        for observer in observers.values() {
            let ago = observer
                .last_change()
                .map(|change| (chrono::Utc::now() - change.at).to_std().unwrap_or_default());
            last = last.min(ago.unwrap_or(Duration::MAX));
            let snapshot = observer.latest();
            let Ok(sessions) = &snapshot.sessions else { continue };
            let down = sessions.values().filter(|session| !session.is_up() && !session.shutdown);
            let timers = down.map(|session| session.connect_retry.unwrap_or_default().max(FIRST) + MARGIN);
            longest = longest.max(timers.max().unwrap_or_default());
        }
        let wanted = given.unwrap_or(longest.max(WHOLE));
        // What happened before we looked says nothing of what is to come.
        if last.min(begun.elapsed()) >= wanted {
            break;
        }
        tokio::time::sleep(AGAIN).await;
    }
    drop(listening);
}
