//! The observer over a router of our own, in the namespace of this process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ipnet::IpNet;
use tokio::time::timeout;

use super::super::error::RouterError;
use super::super::frr;
use super::super::session::Family;
use super::super::testing::{self, Here};
use super::super::traits::{Pulse, Show, ZebraRoute};
use super::*;
use crate::node::NodeRef;

/// A router that says what the test tells it to say.
#[derive(Debug)]
struct Told {
    node: NodeRef,
    /// `None`: it does not run.
    says: StdMutex<Option<(Sessions, Rib)>>,
    version: AtomicUsize,
    pulses: AtomicUsize,
    tables: AtomicUsize,
}

impl Told {
    fn new(said: Option<(Sessions, Rib)>) -> Arc<Self> {
        let (version, pulses, tables) = Default::default();
        Arc::new(Self { node: Here::node(), says: StdMutex::new(said), version, pulses, tables })
    }

    fn say(&self, said: Option<(Sessions, Rib)>) {
        *self.says.lock().unwrap() = said;
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    fn said(&self) -> Result<(Sessions, Rib), RouterError> {
        self.says.lock().unwrap().clone().ok_or_else(|| RouterError::NotRunning {
            node: "told".to_owned(),
            daemon: "bgpd",
            looked: "nowhere".to_owned(),
            why: "not told to".to_owned(),
        })
    }
}

#[async_trait]
impl Router for Told {
    fn node(&self) -> &NodeRef {
        &self.node
    }
    async fn version(&self) -> Result<String, RouterError> {
        Ok("told 1.0".to_owned())
    }
    async fn pulse(&self) -> Result<Pulse, RouterError> {
        self.said()?;
        self.pulses.fetch_add(1, Ordering::SeqCst);
        let version = self.version.load(Ordering::SeqCst) as u64;
        Ok(Pulse { tables: [(Family::Ipv4Unicast, (version, 0))].into(), peers: BTreeMap::new() })
    }
    async fn sessions(&self) -> Result<Sessions, RouterError> {
        Ok(self.said()?.0)
    }
    async fn rib(&self) -> Result<Rib, RouterError> {
        self.tables.fetch_add(1, Ordering::SeqCst);
        Ok(self.said()?.1)
    }
    async fn advertised(&self, _: &str, _: &Family) -> Result<BTreeSet<IpNet>, RouterError> {
        Ok(BTreeSet::new())
    }
    fn by_hand(&self, _: &Show) -> String {
        "told".to_owned()
    }
    async fn installed(&self) -> Result<BTreeMap<IpNet, Vec<ZebraRoute>>, RouterError> {
        Ok(BTreeMap::new())
    }
}

/// What a recorded router says at one moment.
fn recorded(path: &str) -> Option<(Sessions, Rib)> {
    let read =
        |kind: &str| serde_json::from_str(&testing::recorded(&format!("1.12.1/{path}-{kind}.json"))).unwrap();
    Some((frr::sessions(&read("neighbors")), frr::table(&read("ipv4"))))
}

async fn soon<T>(wait: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), wait).await.expect("nothing happened for ten seconds")
}

fn told(observer: &Observer) -> Vec<String> {
    observer.changes().iter().map(|change| change.what.to_string()).collect()
}

#[tokio::test]
async fn the_first_reading_is_fresh_and_the_next_one_differs() {
    let router = Told::new(recorded("0/tor0"));
    let observer = Observer::start(router.clone());
    let mut listener = observer.subscribe();
    let first = soon(listener.next()).await;
    assert_eq!(first.rib.as_ref().unwrap().routes.len(), 9);
    router.say(recorded("2/tor0"));
    let second = soon(listener.next()).await;
    assert!(second.version > first.version);
    assert_eq!(second.rib.as_ref().unwrap().routes.len(), 13);
    let best = second.rib.as_ref().unwrap().best(&"10.1.1.0/24".parse().unwrap()).unwrap().clone();
    assert_eq!(best.peer.neighbor.as_deref(), Some("10.0.2.2"), "paths carry the key of their session");
    assert!(second.fib.is_ok(), "{:?}", second.fib);
}

#[tokio::test]
async fn while_nothing_changes_only_the_pulse_is_asked_and_nobody_is_woken() {
    let router = Told::new(recorded("0/tor0"));
    let observer = Observer::start(router.clone());
    let mut listener = observer.subscribe();
    let first = soon(listener.next()).await;
    let (pulses, tables) = (router.pulses.load(Ordering::SeqCst), router.tables.load(Ordering::SeqCst));
    assert!(timeout(Duration::from_millis(400), listener.next()).await.is_err(), "nothing to tell");
    assert!(router.pulses.load(Ordering::SeqCst) >= pulses + 3);
    assert!(router.tables.load(Ordering::SeqCst) <= tables + 1);
    assert!(listener.latest().taken_at > first.taken_at, "and yet it is known to be so still");
}

#[tokio::test]
async fn while_nobody_listens_nothing_is_asked() {
    let router = Told::new(recorded("0/tor0"));
    let observer = Observer::start(router.clone());
    soon(observer.now()).await;
    // One last reading may be under way.
    tokio::time::sleep(Duration::from_millis(150)).await;
    let pulses = router.pulses.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(router.pulses.load(Ordering::SeqCst), pulses);
    router.say(recorded("2/tor0"));
    assert_eq!(soon(observer.now()).await.rib.as_ref().unwrap().routes.len(), 13, "no old news");
}

#[tokio::test]
async fn who_asks_for_the_state_after_one_event_shares_one_reading() {
    let before = Instant::now();
    let router = Told::new(recorded("0/tor0"));
    let observer = Observer::start(router.clone());
    // What was never read is no reading, whenever the observer began.
    assert_eq!(soon(observer.since(before)).await.rib.as_ref().unwrap().routes.len(), 9);
    let event = Instant::now();
    soon(observer.since(event)).await;
    let tables = router.tables.load(Ordering::SeqCst);
    soon(futures::future::join_all((0..20).map(|_| observer.since(event)))).await;
    assert_eq!(router.tables.load(Ordering::SeqCst), tables);
    soon(observer.since(Instant::now())).await;
    assert!(router.tables.load(Ordering::SeqCst) > tables, "what came after is another question");
}

#[tokio::test]
async fn a_dead_router_is_part_of_the_story() {
    let router = Told::new(recorded("2/tor0"));
    let observer = Observer::start(router.clone());
    let mut listener = observer.subscribe();
    soon(listener.next()).await;
    router.say(None);
    let dead = soon(listener.next()).await;
    assert!(dead.sessions.as_ref().unwrap_err().contains("bgpd is not running"));
    assert!(dead.fib.is_ok(), "the kernel's table is there still");
    router.say(recorded("5/tor0"));
    let back = soon(listener.next()).await;
    assert_eq!(back.rib.as_ref().unwrap().routes.len(), 9);
    let story = told(&observer);
    assert!(
        story.iter().any(|line| line.starts_with("the router stopped answering: told: bgpd")),
        "{story:?}"
    );
    assert_eq!(story.iter().filter(|line| *line == "the router answers").count(), 2);
}

#[tokio::test]
async fn the_story_tells_sessions_and_routes() {
    let router = Told::new(recorded("2/tor0"));
    let observer = Observer::start(router.clone());
    let mut listener = observer.subscribe();
    soon(listener.next()).await;
    router.say(recorded("5/tor0"));
    soon(listener.next()).await;
    let story = told(&observer);
    for line in [
        "10.1.1.0/24 entered the BGP table, from 10.0.2.2 (clab-bgp-cplane-demo-worker)",
        "session 10.0.2.2: Established -> Active (BGP Notification received (Cease/Peer De-configured))",
        "10.1.1.0/24 left the BGP table",
    ] {
        assert!(story.iter().any(|told| told == line), "{line} is not in {story:#?}");
    }
}

#[tokio::test]
async fn many_listeners_hear_the_same() {
    let router = Told::new(recorded("0/tor0"));
    let observer = Observer::start(router.clone());
    let mut listeners: Vec<_> = (0..60).map(|_| observer.subscribe()).collect();
    for listener in &mut listeners {
        soon(listener.next()).await;
    }
    router.say(recorded("2/tor0"));
    for listener in &mut listeners {
        assert_eq!(soon(listener.next()).await.rib.as_ref().unwrap().routes.len(), 13);
    }
}
