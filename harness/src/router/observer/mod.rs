//! One watcher per router: keeps the latest reading of sessions, RIB and FIB, and tells those who wait when it changes.
//!
//! While nobody listens it does nothing at all.

mod history;
mod task;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

pub use history::{Change, What};

use self::history::History;
use super::fib::Fib;
use super::rib::Rib;
use super::session::Sessions;
use super::traits::Router;

/// What one router was seen to say. A part that could not be read holds the reason as text.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Grows with every change of content, never otherwise; 0 before the first reading.
    pub version: u64,
    /// When the router last confirmed this content.
    pub taken_at: Instant,
    /// When it was read whole: running timers in `sessions` are of this moment.
    pub read_at: Instant,
    /// The sessions.
    pub sessions: Result<Arc<Sessions>, String>,
    /// The BGP table, with session keys filled in.
    pub rib: Result<Arc<Rib>, String>,
    /// The kernel's table; readable also while the daemon is dead.
    pub fib: Result<Arc<Fib>, String>,
}

impl Snapshot {
    fn nothing_yet() -> Self {
        let why = "not read yet".to_owned();
        let now = Instant::now();
        Self {
            version: 0,
            taken_at: now,
            read_at: now,
            sessions: Err(why.clone()),
            rib: Err(why.clone()),
            fib: Err(why),
        }
    }

    /// Whether it was read, and after `moment` at that.
    fn is_since(&self, moment: Instant) -> bool {
        self.version > 0 && self.read_at >= moment
    }
}

/// What the task and its listeners share.
#[derive(Debug)]
struct Shared {
    router: Arc<dyn Router>,
    latest: watch::Sender<Arc<Snapshot>>,
    /// Rung when somebody wants a reading now.
    bell: Notify,
    history: Mutex<History>,
    /// Who is told of changes as they are seen.
    listener: Mutex<Option<Listener>>,
    /// Who reads of them later.
    journals: Mutex<Vec<mpsc::UnboundedSender<RouterChanges>>>,
}

/// What changed on a router between two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterChanges {
    /// The router.
    pub router: String,
    /// When it was seen: at most one tick (50 ms) after it happened.
    pub at: Instant,
    /// What it was, in the order of the tables.
    pub what: Vec<What>,
}

/// Whoever is told of changes as they are seen. It is called between two readings: it must be quick.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(RouterChanges) + Send + Sync>);

impl Listener {
    /// Calls `tell` for each reading that differs from the one before.
    pub fn new(tell: impl Fn(RouterChanges) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Shared {
    /// Remembers changes, and tells them to whoever listens: all of them, however many are remembered.
    fn keep(&self, what: Vec<What>) {
        if what.is_empty() {
            return;
        }
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let router = self.router.node().name().to_owned();
        let changes = RouterChanges { router, at: Instant::now(), what: what.clone() };
        // Whoever reads no more is forgotten.
        let mut journals = self.journals.lock().unwrap_or_else(PoisonError::into_inner);
        journals.retain(|journal| journal.send(changes.clone()).is_ok());
        drop(journals);
        if let Some(Listener(tell)) = listener {
            tell(changes);
        }
        self.history.lock().unwrap_or_else(PoisonError::into_inner).extend(what);
    }
}

/// The watcher of one router. Dropping it ends the watching.
#[derive(Debug)]
pub struct Observer {
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl Observer {
    /// Starts watching a router. Must be called within a tokio runtime.
    pub fn start(router: Arc<dyn Router>) -> Self {
        let (latest, _) = watch::channel(Arc::new(Snapshot::nothing_yet()));
        let history = Mutex::new(History::default());
        let shared = Arc::new(Shared {
            router,
            latest,
            bell: Notify::new(),
            history,
            listener: Mutex::default(),
            journals: Mutex::default(),
        });
        let task = tokio::spawn(task::watch(Arc::clone(&shared)));
        Self { shared, _task: AbortOnDropHandle::new(task) }
    }

    /// The router that is watched.
    pub fn router(&self) -> &Arc<dyn Router> {
        &self.shared.router
    }

    /// Begins to listen; the router is read at once.
    pub fn subscribe(&self) -> Subscription {
        self.subscribe_since(Instant::now())
    }

    /// Begins to listen; a reading that began after `moment` is as good as one of now, and the router is read at once only if
    /// there is none.
    pub fn subscribe_since(&self, moment: Instant) -> Subscription {
        let latest = self.shared.latest.subscribe();
        if !latest.borrow().is_since(moment) {
            self.shared.bell.notify_one();
        }
        Subscription { latest, since: moment, seen: None }
    }

    /// The latest reading, which may be old: asking for it makes nobody read.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.latest.borrow())
    }

    /// A reading that began after this call.
    pub async fn now(&self) -> Arc<Snapshot> {
        self.subscribe().next().await
    }

    /// A reading that began after `moment`: the latest, if it did. Whoever asks for the state after one event shares one reading.
    pub async fn since(&self, moment: Instant) -> Arc<Snapshot> {
        self.subscribe_since(moment).next().await
    }

    /// Tells `listener` of every change from now on; whoever listened before is told no more.
    pub fn listen(&self, listener: Listener) {
        *self.shared.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// Every change from now on, to be read whenever it suits. Somebody must listen for changes to be seen.
    pub fn journal(&self) -> mpsc::UnboundedReceiver<RouterChanges> {
        let (tell, journal) = mpsc::unbounded_channel();
        self.shared.journals.lock().unwrap_or_else(PoisonError::into_inner).push(tell);
        journal
    }

    /// The last change that was seen while somebody listened.
    pub fn last_change(&self) -> Option<Change> {
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).last()
    }

    /// What changed while somebody listened, oldest first; the last thousand or so.
    pub fn changes(&self) -> Vec<Change> {
        self.shared.history.lock().unwrap_or_else(PoisonError::into_inner).all()
    }
}

/// Somebody who listens. While one lives, the router is watched.
#[derive(Debug)]
pub struct Subscription {
    latest: watch::Receiver<Arc<Snapshot>>,
    since: Instant,
    seen: Option<u64>,
}

impl Subscription {
    /// The first time: a reading taken after the subscription. From then on: the next one that differs.
    /// After the observer was dropped it never returns.
    pub async fn next(&mut self) -> Arc<Snapshot> {
        let (since, seen) = (self.since, self.seen);
        let fresh =
            |snapshot: &Arc<Snapshot>| snapshot.is_since(since) && seen.is_none_or(|v| v != snapshot.version);
        match self.latest.wait_for(fresh).await.map(|snapshot| Arc::clone(&snapshot)) {
            Ok(snapshot) => {
                self.seen = Some(snapshot.version);
                snapshot
            }
            Err(_closed) => std::future::pending().await,
        }
    }

    /// The latest reading, without waiting; it may be older than the subscription.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.latest.borrow())
    }
}

#[cfg(test)]
mod tests;
