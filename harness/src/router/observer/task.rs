//! The task behind an observer: when to read, and how little.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::history::{Changes, compare};
use super::{Shared, Snapshot};
use crate::router::kernel::{Kernel, RouteEvents};
use crate::router::traits::Pulse;

/// How often the cheap question is asked while somebody listens.
const TICK: Duration = Duration::from_millis(50);
/// How often everything is read although the cheap question says that nothing changed (an attribute of a path that is
/// not the best one does not show in it).
const WHOLE: Duration = Duration::from_secs(1);
/// The least time between two readings that nobody asked for: a burst of kernel events is one.
const SPACING: Duration = Duration::from_millis(5);

/// Why a reading is due.
enum Cause {
    /// Somebody asked: read everything, tell even when nothing changed.
    Asked,
    /// The kernel's table changed, and so may have anything.
    Kernel,
    /// Time passed.
    Tick,
}

/// Watches until the observer is dropped.
pub(super) async fn watch(shared: Arc<Shared>) {
    let kernel = Kernel::new(shared.router.node().clone());
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut events: Option<RouteEvents> = None;
    let mut pulse: Option<Pulse> = None;
    let mut spacing = SPACING;
    let mut asked = false;
    loop {
        let cause = if std::mem::take(&mut asked) {
            Cause::Asked
        } else if shared.latest.receiver_count() == 0 {
            events = None;
            shared.bell.notified().await;
            Cause::Asked
        } else {
            next_cause(&shared, &mut events, &mut tick).await
        };
        if events.is_none() {
            // Before reading, so that nothing happens unseen in between. Without it the ticks still work.
            events = RouteEvents::subscribe(shared.router.node().clone()).await.ok();
        }
        let began = Instant::now();
        let before = Arc::clone(&shared.latest.borrow());
        let now = match shared.router.pulse().await {
            Ok(now) => now,
            Err(error) => {
                // Whatever else it would be asked, it would fail (or hang) in the same way.
                pulse = None;
                let why = error.to_string();
                let fib = kernel.fib().await.map(Arc::new).map_err(|error| error.to_string());
                let snapshot = Snapshot {
                    version: 0,
                    taken_at: began,
                    read_at: began,
                    sessions: Err(why.clone()),
                    rib: Err(why),
                    fib,
                };
                publish(&shared, &before, snapshot, matches!(cause, Cause::Asked));
                tokio::time::sleep(spacing).await;
                continue;
            }
        };
        let whole = matches!(cause, Cause::Asked)
            || pulse.as_ref() != Some(&now)
            || before.read_at.elapsed() >= WHOLE;
        if !whole && !matches!(cause, Cause::Kernel) {
            confirm(&shared, began);
            if spacing > SPACING {
                tokio::time::sleep(spacing).await;
            }
            continue;
        }
        // The pulse was taken before the tables: what changes in between shows as a different pulse next time.
        pulse = Some(now);
        let snapshot = if whole {
            read(&shared, &kernel, began).await
        } else {
            let fib = kernel.fib().await.map(Arc::new).map_err(|error| error.to_string());
            Snapshot { taken_at: began, fib, ..(*before).clone() }
        };
        publish(&shared, &before, snapshot, matches!(cause, Cause::Asked));
        // A node that is asked by programs spends at most half its time on us.
        if matches!(kernel.by_program().await, Ok(true)) {
            spacing = began.elapsed().max(SPACING);
            tokio::time::sleep(spacing).await;
            continue;
        }
        // Whoever asks need not wait for what only spares the kernel's bursts.
        tokio::select! {
            biased;
            () = shared.bell.notified() => asked = true,
            () = tokio::time::sleep(spacing) => {}
        }
    }
}

/// Waits for the next reason to read.
async fn next_cause(
    shared: &Shared,
    events: &mut Option<RouteEvents>,
    tick: &mut tokio::time::Interval,
) -> Cause {
    let kernel = async {
        match events {
            Some(stream) => stream.next().await,
            None => std::future::pending().await,
        }
    };
    let (cause, broken) = tokio::select! {
        biased;
        () = shared.bell.notified() => (Cause::Asked, false),
        told = kernel => (Cause::Kernel, told.is_err()),
        _ = tick.tick() => (Cause::Tick, false),
    };
    if broken {
        *events = None;
    }
    cause
}

async fn read(shared: &Shared, kernel: &Kernel, began: Instant) -> Snapshot {
    let (sessions, rib, fib) = tokio::join!(shared.router.sessions(), shared.router.rib(), kernel.fib());
    let rib = rib.map(|mut rib| {
        if let Ok(sessions) = &sessions {
            rib.resolve(sessions);
        }
        Arc::new(rib)
    });
    Snapshot {
        version: 0,
        taken_at: began,
        read_at: began,
        sessions: sessions.map(Arc::new).map_err(|error| error.to_string()),
        rib: rib.map_err(|error| error.to_string()),
        fib: fib.map(Arc::new).map_err(|error| error.to_string()),
    }
}

/// Nothing changed: note the time, wake nobody.
fn confirm(shared: &Shared, at: Instant) {
    shared.latest.send_if_modified(|latest| {
        Arc::make_mut(latest).taken_at = at;
        false
    });
}

fn publish(shared: &Shared, before: &Snapshot, mut snapshot: Snapshot, tell: bool) {
    let changes = compare(before, &snapshot);
    snapshot.version = if matches!(changes, Changes::None) { before.version } else { before.version + 1 };
    let wake = tell || snapshot.version != before.version;
    if let Changes::These(list) = changes {
        shared.keep(list);
    }
    shared.latest.send_if_modified(|latest| {
        *latest = Arc::new(snapshot);
        wake
    });
}
