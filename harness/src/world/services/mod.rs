//! What nodes answer for Services: addresses of their own, and sockets that lead to pods.
//!
//! What lives here: re-exports and each node's state. `tcp` and `udp` carry. What does not: what is answered where
//! (`twin::services`).
//!
//! An address stands on `lo`, so that the kernel answers pings and takes in whatever is routed to the node. A socket in the
//! node's network namespace listens on it, and the keeper carries what arrives to a pod, from the node: no packet filter is
//! needed, and everything goes when the socket does.

mod tcp;
mod udp;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;

use super::nodes::{Births, Live};
use crate::runtime::netns::socket::inside;
use crate::twin::services::{Door, Front, Fronts, Protocol, Way};

/// A door that stands open. Dropping it closes it and ends every connection through it.
struct Open {
    way: watch::Sender<Way>,
    task: AbortHandle,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What one node answers now.
#[derive(Default)]
struct Shown {
    addresses: BTreeSet<IpAddr>,
    doors: BTreeMap<Door, Open>,
}

/// All nodes' answers.
pub(super) struct NodeFronts {
    births: Arc<Births>,
    shown: Mutex<BTreeMap<String, Shown>>,
}

impl NodeFronts {
    pub(super) fn new(births: Arc<Births>) -> Self {
        Self { births, shown: Mutex::default() }
    }
}

#[async_trait]
impl Fronts for NodeFronts {
    async fn show(&self, node: &str, front: Front) {
        let live = match self.births.get(node).await {
            Ok(live) => live,
            Err(error) => return tracing::debug!(node, error, "there is nobody to answer for Services"),
        };
        let mut all = self.shown.lock().await;
        let shown = all.entry(node.to_owned()).or_default();
        shown.doors.retain(|door, _| front.doors.contains_key(door));
        address(&live, shown, &front.addresses).await;
        for (door, way) in front.doors {
            match shown.doors.get(&door) {
                Some(open) => drop(open.way.send_if_modified(|old| {
                    let new = *old != way;
                    *old = way.clone();
                    new
                })),
                None => match open(&live, door, way).await {
                    Ok(open) => drop(shown.doors.insert(door, open)),
                    // A program on the node's own network may have the port: then that program answers.
                    Err(error) => {
                        tracing::warn!(node, at = %door.at, %error, "a Service's port is not answered")
                    }
                },
            }
        }
    }
}

async fn address(live: &Arc<Live>, shown: &mut Shown, wanted: &BTreeSet<IpAddr>) {
    let gone: Vec<IpAddr> = shown.addresses.difference(wanted).copied().collect();
    let new: Vec<IpAddr> = wanted.difference(&shown.addresses).copied().collect();
    if gone.is_empty() && new.is_empty() {
        return;
    }
    let live = Arc::clone(live);
    let done = tokio::task::spawn_blocking(move || {
        // An address on lo must not be found by asking for it on a link: only a route leads to it.
        let quiet = || std::fs::write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1");
        if let Err(error) = inside(live.wire.namespace(), quiet) {
            tracing::warn!(node = live.name, %error, "arp_ignore could not be set");
        }
        let say = |done: Result<(), crate::wire::WireError>| match done {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(node = live.name, %error, "an address of a Service");
                false
            }
        };
        for ip in &gone {
            say(live.wire.forget("lo", IpNet::from(*ip)));
        }
        new.into_iter().filter(|ip| say(live.wire.address("lo", IpNet::from(*ip)))).collect::<Vec<_>>()
    });
    let added = done.await.unwrap_or_default();
    shown.addresses.retain(|ip| wanted.contains(ip));
    shown.addresses.extend(added);
}

async fn open(live: &Arc<Live>, door: Door, way: Way) -> io::Result<Open> {
    let (sender, receiver) = watch::channel(way);
    let task = match door.protocol {
        Protocol::Tcp => {
            let listener = bound(live, move || std::net::TcpListener::bind(door.at)).await?;
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(tcp::serve(Arc::clone(live), listener, receiver))
        }
        Protocol::Udp => {
            let socket = bound(live, move || std::net::UdpSocket::bind(door.at)).await?;
            socket.set_nonblocking(true)?;
            let socket = tokio::net::UdpSocket::from_std(socket)?;
            tokio::spawn(udp::serve(Arc::clone(live), socket, receiver))
        }
    };
    Ok(Open { way: sender, task: task.abort_handle() })
}

/// Where the API answers on a control plane.
const API: u16 = 6443;

/// Lets the fabric's nodes and pods reach the API at a control plane, where the Service `kubernetes` leads: whoever connects
/// there is carried to the endpoint, which listens on the loopback of the machine alone and asks for its token as always.
pub(super) async fn gate(births: Arc<Births>, node: String, endpoint: SocketAddr) {
    let Ok(live) = births.get(&node).await else { return };
    let both = || {
        let v6 = std::net::TcpListener::bind((std::net::Ipv6Addr::UNSPECIFIED, API));
        v6.or_else(|_| std::net::TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, API)))
    };
    let opened = bound(&live, both).await.and_then(|listener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    });
    match opened {
        Ok(listener) => tcp::gate(listener, endpoint).await,
        Err(error) => tracing::warn!(node, %error, "the API does not answer on the control plane"),
    }
}

/// Opens a socket in the node's network namespace.
async fn bound<T: Send + 'static>(
    live: &Arc<Live>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let live = Arc::clone(live);
    tokio::task::spawn_blocking(move || inside(live.wire.namespace(), work)).await?
}

/// Which backend a client gets, and whether it may have one.
fn choose(way: &Way, client: SocketAddr) -> Option<SocketAddr> {
    let welcome = way.sources.is_empty() || way.sources.iter().any(|net| net.contains(&client.ip()));
    if !welcome || way.backends.is_empty() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    if way.sticky {
        client.ip().hash(&mut hasher);
    } else {
        client.hash(&mut hasher);
    }
    let place = usize::try_from(hasher.finish() % way.backends.len() as u64).unwrap_or(0);
    way.backends.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_spread_and_kept_and_turned_away() {
        let backends: Vec<SocketAddr> = (1..=4).map(|n| SocketAddr::from(([10, 1, 1, n], 80))).collect();
        let way = Way { backends: backends.clone(), ..Way::default() };
        let from = |ip: u8, port: u16| SocketAddr::from(([192, 0, 2, ip], port));
        let spread: BTreeSet<_> = (0..200).filter_map(|port| choose(&way, from(1, 40_000 + port))).collect();
        assert_eq!(spread.len(), 4);
        let sticky = Way { sticky: true, ..way.clone() };
        let kept: BTreeSet<_> = (0..200).filter_map(|port| choose(&sticky, from(1, 40_000 + port))).collect();
        assert_eq!(kept.len(), 1);
        let closed = Way { sources: vec!["10.0.0.0/8".parse().unwrap()], ..way };
        assert_eq!(choose(&closed, from(1, 1)), None);
        assert_eq!(choose(&Way::default(), from(1, 1)), None);
    }
}
