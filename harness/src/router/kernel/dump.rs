//! What the kernel of a node has now: routes, links, addresses, neighbours.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use ipnet::IpNet;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::iproute;
use super::messages::{self, Names};
use super::socket::NetlinkSocket;
use crate::node::{NodeError, NodeRef, SocketKind};
use crate::router::error::RouterError;
use crate::router::fib::Fib;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its index in the namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Set up by the administrator.
    pub up: bool,
    /// The other end is up too (`LOWER_UP`).
    pub carrier: bool,
    /// Largest packet, in bytes.
    pub mtu: u32,
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAddress {
    /// The interface.
    pub dev: String,
    /// The address with its prefix length.
    pub address: IpNet,
    /// Still in duplicate address detection: not to be used yet.
    pub tentative: bool,
}

/// An entry of the neighbour table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// The address asked for.
    pub address: IpAddr,
    /// The interface.
    pub dev: String,
    /// The hardware address, once known.
    pub hardware: Option<String>,
    /// The kernel's state: `reachable`, `stale`, `delay`, `probe`, `failed`, `incomplete`, `permanent`.
    pub state: String,
}

/// The kernel of a node. One dump at a time; callers queue.
#[derive(Debug)]
pub struct Kernel {
    node: NodeRef,
    /// Kept between dumps; left empty when a dump was broken off, so that its rest is not read as another's answer.
    socket: Mutex<Option<NetlinkSocket>>,
    /// The node gives no sockets: it is asked by programs ever after.
    by_program: AtomicBool,
}

impl Kernel {
    /// The kernel of a node; nothing is opened before the first question.
    pub fn new(node: NodeRef) -> Self {
        Self { node, socket: Mutex::new(None), by_program: AtomicBool::new(false) }
    }

    /// The node whose kernel this is.
    pub(super) fn node(&self) -> &NodeRef {
        &self.node
    }

    /// The main routing table, IPv4 and IPv6.
    pub async fn fib(&self) -> Result<Fib, RouterError> {
        if self.by_program().await? {
            return self.fib_by_program().await;
        }
        let names = self.names().await?;
        let mut fib = Fib::default();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            self.dump("routes", RouteNetlinkMessage::GetRoute(request), |message| {
                let RouteNetlinkMessage::NewRoute(message) = message else { return };
                if messages::in_main_table(&message)
                    && let Some(prefix) = messages::prefix(&message)
                {
                    fib.routes.entry(prefix).or_default().push(messages::route(&message, &names));
                }
            })
            .await?;
        }
        fib.sort();
        Ok(fib)
    }

    /// All interfaces, by index.
    pub async fn links(&self) -> Result<Vec<Link>, RouterError> {
        if self.by_program().await? {
            return Ok(iproute::links(&iproute::ask(&self.node, "links", &iproute::ADDRESSES).await?));
        }
        let mut links = Vec::new();
        self.dump("links", RouteNetlinkMessage::GetLink(LinkMessage::default()), |message| {
            if let RouteNetlinkMessage::NewLink(message) = message {
                links.push(messages::link(&message));
            }
        })
        .await?;
        Ok(links)
    }

    /// All addresses.
    pub async fn addresses(&self) -> Result<Vec<LinkAddress>, RouterError> {
        if self.by_program().await? {
            return Ok(iproute::addresses(iproute::ask(&self.node, "addresses", &iproute::ADDRESSES).await?));
        }
        let names = self.names().await?;
        let mut addresses = Vec::new();
        self.dump("addresses", RouteNetlinkMessage::GetAddress(AddressMessage::default()), |message| {
            if let RouteNetlinkMessage::NewAddress(message) = message {
                addresses.extend(messages::address(&message, &names));
            }
        })
        .await?;
        Ok(addresses)
    }

    /// The neighbour tables of IPv4 (ARP) and IPv6.
    pub async fn neighbours(&self) -> Result<Vec<Neighbour>, RouterError> {
        if self.by_program().await? {
            return Ok(iproute::neighbours(
                iproute::ask(&self.node, "neighbours", &iproute::NEIGHBOURS).await?,
            ));
        }
        let names = self.names().await?;
        let mut neighbours = Vec::new();
        self.dump("neighbours", RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()), |message| {
            if let RouteNetlinkMessage::NewNeighbour(message) = message {
                neighbours.extend(messages::neighbour(&message, &names));
            }
        })
        .await?;
        Ok(neighbours)
    }

    /// All interfaces and all addresses, in one look where that costs a program's start.
    pub async fn interfaces(&self) -> Result<(Vec<Link>, Vec<LinkAddress>), RouterError> {
        if self.by_program().await? {
            let lines = iproute::ask(&self.node, "links", &iproute::ADDRESSES).await?;
            return Ok((iproute::links(&lines), iproute::addresses(lines)));
        }
        Ok((self.links().await?, self.addresses().await?))
    }

    /// Whether the node can only be asked by programs: found out once, with the first question.
    pub async fn by_program(&self) -> Result<bool, RouterError> {
        if self.by_program.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let mut held = self.socket.lock().await;
        if held.is_some() {
            return Ok(false);
        }
        match self.node.socket(SocketKind::Route).await {
            Ok(socket) => {
                *held = Some(NetlinkSocket::new(socket).map_err(|error| self.broken("socket", &error))?);
                Ok(false)
            }
            Err(NodeError::Unsupported { .. }) => {
                self.by_program.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Err(other) => Err(other.into()),
        }
    }

    async fn fib_by_program(&self) -> Result<Fib, RouterError> {
        let [four, six] = iproute::ROUTES;
        let (four, six) = tokio::try_join!(
            iproute::ask(&self.node, "routes", &four),
            iproute::ask(&self.node, "routes", &six)
        )?;
        let mut fib = Fib::default();
        iproute::routes(four, false, &mut fib);
        iproute::routes(six, true, &mut fib);
        fib.sort();
        Ok(fib)
    }

    pub(super) async fn names(&self) -> Result<Names, RouterError> {
        Ok(self.links().await?.into_iter().map(|link| (link.index, link.name)).collect::<BTreeMap<_, _>>())
    }

    async fn dump(
        &self,
        what: &'static str,
        request: RouteNetlinkMessage,
        take: impl FnMut(RouteNetlinkMessage) + Send,
    ) -> Result<(), RouterError> {
        let mut held = self.socket.lock().await;
        let mut socket = match held.take() {
            Some(socket) => socket,
            None => NetlinkSocket::new(self.node.socket(SocketKind::Route).await?)
                .map_err(|error| self.broken(what, &error))?,
        };
        collect(&mut socket, request, take).await.map_err(|error| self.broken(what, &error))?;
        *held = Some(socket);
        Ok(())
    }

    /// One question that has one answer; the inner error is the kernel's.
    pub(super) async fn ask(
        &self,
        what: &'static str,
        request: &[u8],
    ) -> Result<io::Result<RouteNetlinkMessage>, RouterError> {
        let mut held = self.socket.lock().await;
        let mut socket = match held.take() {
            Some(socket) => socket,
            None => NetlinkSocket::new(self.node.socket(SocketKind::Route).await?)
                .map_err(|error| self.broken(what, &error))?,
        };
        let answer = answer(&mut socket, request).await.map_err(|error| self.broken(what, &error))?;
        *held = Some(socket);
        Ok(answer)
    }

    pub(super) fn broken(&self, what: &'static str, error: &io::Error) -> RouterError {
        RouterError::Kernel { node: self.node.name().to_owned(), what, why: error.to_string() }
    }
}

/// Sends a request and takes the one message of its answer.
async fn answer(socket: &mut NetlinkSocket, request: &[u8]) -> io::Result<io::Result<RouteNetlinkMessage>> {
    socket.send(request)?;
    loop {
        for message in messages::split(socket.receive().await?)? {
            match message.payload {
                NetlinkPayload::Error(error) => return Ok(Err(error.to_io())),
                NetlinkPayload::InnerMessage(inner) => return Ok(Ok(inner)),
                _ => {}
            }
        }
    }
}

/// Sends a request and hands each message of its answer on, up to the end of the dump.
async fn collect(
    socket: &mut NetlinkSocket,
    request: RouteNetlinkMessage,
    mut take: impl FnMut(RouteNetlinkMessage) + Send,
) -> io::Result<()> {
    socket.send(&messages::dump_request(request, 1))?;
    loop {
        for message in messages::split(socket.receive().await?)? {
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(inner) => take(inner),
                _ => {}
            }
        }
    }
}
