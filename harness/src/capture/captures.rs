//! The captures of a fabric: a listener per node, and the last packets of each link.
//!
//! What lives here: which packet belongs to which link, and how much is kept. What does not: reading packets (`conversation`),
//! writing them (`pcapng`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::conversation::{Conversations, Heard};
use super::link::{LinkPoint, points};
use super::ring::{Packet, Ring};
use super::tap::Tap;
use crate::fabric::Fabric;
use crate::router::Kernel;

/// What is kept of a link at most: three quarters for BGP, so that pings do not push a session's beginning out.
const OF_A_LINK: usize = 256 * 1024;
/// What is kept of all links together at most.
const OF_ALL: usize = 16 * 1024 * 1024;
/// More than this is not told of a run.
const HEARD: usize = 20_000;
/// How often a kernel is asked again for an interface that was not there, or was none of ours.
const AGAIN: Duration = Duration::from_secs(1);

/// What was captured of a link.
#[derive(Debug, Clone)]
pub struct LinkCapture {
    /// Where it was listened at.
    pub point: LinkPoint,
    /// The last packets, the oldest first.
    pub packets: Vec<Packet>,
    /// How many passed.
    pub seen: u64,
    /// How many of them had to make room for later ones.
    pub dropped: u64,
    /// How many the kernel of the node could not keep for us, of all its links.
    pub lost: u64,
    /// Why nothing was heard, or from when on nothing was.
    pub silent: Option<String>,
}

#[derive(Debug)]
struct Link {
    point: LinkPoint,
    sessions: Ring,
    others: Ring,
    seen: u64,
    lost: u64,
    silent: Option<String>,
}

#[derive(Debug, Default)]
struct Store {
    links: Vec<Link>,
    conversations: Conversations,
    heard: Vec<Heard>,
    unheard: u64,
}

/// Listens to the links of a fabric until it is dropped.
#[derive(Debug)]
pub struct Captures {
    store: Arc<Mutex<Store>>,
    _listening: JoinSet<()>,
}

impl Captures {
    /// Begins to listen, at each node as soon as it lives: to BGP on these ports, ICMP and ARP. A node that cannot be listened
    /// at is no error, see [`LinkCapture::silent`].
    pub fn start(fabric: &Arc<Fabric>, ports: &[u16]) -> Self {
        let points = points(fabric.topology());
        let each = OF_A_LINK.min(OF_ALL / points.len().max(1));
        let mut nodes: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (number, point) in points.iter().enumerate() {
            if let Some((node, interface)) = &point.at {
                nodes.entry(node.clone()).or_default().insert(interface.clone(), number);
            }
        }
        let link = |point: LinkPoint| {
            let silent =
                point.at.is_none().then(|| "neither end is in a namespace of the fabric's own".to_owned());
            let (sessions, others) = (Ring::of(each / 4 * 3), Ring::of(each / 4));
            Link { point, sessions, others, seen: 0, lost: 0, silent }
        };
        let store = Store { links: points.into_iter().map(link).collect(), ..Store::default() };
        let store = Arc::new(Mutex::new(store));
        let mut listening = JoinSet::new();
        for (node, interfaces) in nodes {
            let listener = Listener {
                store: Arc::clone(&store),
                ports: ports.to_vec(),
                interfaces,
                known: BTreeMap::new(),
                strangers: BTreeSet::new(),
                asked: None,
            };
            let fabric = Arc::clone(fabric);
            listening.spawn(async move { listener.listen(&fabric, &node).await });
        }
        Self { store, _listening: listening }
    }

    /// What there is of each link now, in the topology's order.
    pub fn links(&self) -> Vec<LinkCapture> {
        let store = lock(&self.store);
        let capture = |link: &Link| {
            let mut packets: Vec<Packet> =
                link.sessions.packets().chain(link.others.packets()).cloned().collect();
            packets.sort_by_key(|packet| packet.at);
            LinkCapture {
                point: link.point.clone(),
                packets,
                seen: link.seen,
                dropped: link.sessions.dropped + link.others.dropped,
                lost: link.lost,
                silent: link.silent.clone(),
            }
        };
        store.links.iter().map(capture).collect()
    }

    /// What was heard so far, in the order of its times; and how much more there was than is kept.
    pub fn heard(&self) -> (Vec<Heard>, u64) {
        let store = lock(&self.store);
        let mut heard = store.heard.clone();
        heard.sort_by_key(|heard| heard.at);
        (heard, store.unheard)
    }
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    // A thread that panicked while it held the lock left whole packets in whole rings.
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens at one node.
struct Listener {
    store: Arc<Mutex<Store>>,
    ports: Vec<u16>,
    /// The node's interfaces that are ends of links, each with its link.
    interfaces: BTreeMap<String, usize>,
    /// Which link an interface's number means.
    known: BTreeMap<u32, usize>,
    /// Interfaces that are no end of a link, as far as is known.
    strangers: BTreeSet<u32>,
    /// When the kernel was last asked.
    asked: Option<Instant>,
}

impl Listener {
    async fn listen(mut self, fabric: &Fabric, name: &str) {
        let node = match fabric.node(name).await {
            Ok(node) => node,
            Err(error) => return self.silent(&error.to_string()),
        };
        let kernel = match fabric.kernel(name).await {
            Ok(kernel) => kernel,
            Err(error) => return self.silent(&error.to_string()),
        };
        let mut tap = match Tap::open(node.as_ref(), &self.ports).await {
            Ok(tap) => tap,
            Err(error) => return self.silent(&error.to_string()),
        };
        loop {
            let lost = tap.lost;
            let passed = match tap.next().await {
                Ok(passed) => passed,
                Err(error) => return self.silent(&format!("{name}: listening ended: {error}")),
            };
            let (interface, outgoing) = (passed.interface, passed.outgoing);
            let packet = Packet {
                at: passed.at,
                outgoing,
                length: u32::try_from(passed.length).unwrap_or(u32::MAX),
                bytes: passed.bytes.into(),
            };
            if let Some(link) = self.link(interface, &kernel).await {
                self.keep(link, packet, u64::from(lost));
            }
        }
    }

    /// Which link an interface belongs to. One that is not known may be new; one that is none of ours may be renamed.
    async fn link(&mut self, interface: u32, kernel: &Kernel) -> Option<usize> {
        if let Some(link) = self.known.get(&interface) {
            return Some(*link);
        }
        if self.strangers.contains(&interface) && self.asked.is_some_and(|asked| asked.elapsed() < AGAIN) {
            return None;
        }
        self.asked = Some(Instant::now());
        // A kernel that does not answer is gone, and so will be its packets.
        let links = kernel.links().await.ok()?;
        // One that has gone already is a stranger, too.
        self.strangers = links.iter().map(|link| link.index).chain([interface]).collect();
        for link in links {
            if let Some(number) = self.interfaces.get(&link.name) {
                self.known.insert(link.index, *number);
                self.strangers.remove(&link.index);
            }
        }
        self.known.get(&interface).copied()
    }

    fn keep(&self, number: usize, packet: Packet, lost: u64) {
        let mut store = lock(&self.store);
        let store = &mut *store;
        let Some(link) = store.links.get_mut(number) else { return };
        link.seen += 1;
        link.lost = lost;
        let forward = packet.outgoing == link.point.first;
        let heard = store.conversations.take(packet.at, number, forward, &packet.bytes);
        for one in heard {
            if store.heard.len() < HEARD {
                store.heard.push(one);
            } else {
                store.unheard += 1;
            }
        }
        if super::frame::is_tcp(&packet.bytes) {
            link.sessions.take(packet)
        } else {
            link.others.take(packet)
        }
    }

    fn silent(&self, why: &str) {
        let mut store = lock(&self.store);
        for number in self.interfaces.values() {
            if let Some(link) = store.links.get_mut(*number) {
                link.silent = Some(why.to_owned());
            }
        }
    }
}
