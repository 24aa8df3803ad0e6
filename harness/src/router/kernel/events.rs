//! Word from the kernel that a route, a link or an address changed, as it happens.

use std::io;

use ipnet::IpNet;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;

use super::messages;
use super::socket::NetlinkSocket;
use crate::node::{NodeRef, SocketKind};
use crate::router::error::RouterError;

/// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`, `RTMGRP_IPV6_ROUTE` (linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// Something changed in a node's kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelEvent {
    /// A route of the main table came (or was replaced) or went.
    Route {
        /// The prefix.
        prefix: IpNet,
        /// False when it went.
        present: bool,
    },
    /// A link came, went, or changed its state.
    Link {
        /// Its name.
        name: String,
        /// Up and with carrier.
        up: bool,
    },
    /// An address came or went.
    Address,
    /// The kernel had to drop some events: read everything again.
    Missed,
}

/// A stream of events of one node.
#[derive(Debug)]
pub struct RouteEvents {
    node: NodeRef,
    socket: NetlinkSocket,
}

impl RouteEvents {
    /// Listens from now on. What changed before is not told: subscribe first, then read.
    pub async fn subscribe(node: NodeRef) -> Result<Self, RouterError> {
        let fd = node.socket(SocketKind::Route).await?;
        let open = || -> io::Result<NetlinkSocket> {
            let socket = NetlinkSocket::new(fd)?;
            socket.join(GROUPS)?;
            Ok(socket)
        };
        match open() {
            Ok(socket) => Ok(Self { node, socket }),
            Err(error) => Err(broken(&node, &error)),
        }
    }

    /// Waits for the next events; never returns an empty list. Can be broken off without losing any.
    pub async fn next(&mut self) -> Result<Vec<KernelEvent>, RouterError> {
        loop {
            let events = match self.socket.receive().await.and_then(messages::split) {
                Ok(messages) => messages.into_iter().filter_map(|m| event(m.payload)).collect(),
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => vec![KernelEvent::Missed],
                Err(error) => return Err(broken(&self.node, &error)),
            };
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}

fn broken(node: &NodeRef, error: &io::Error) -> RouterError {
    RouterError::Kernel { node: node.name().to_owned(), what: "events", why: error.to_string() }
}

fn event(payload: NetlinkPayload<RouteNetlinkMessage>) -> Option<KernelEvent> {
    let NetlinkPayload::InnerMessage(message) = payload else { return None };
    match message {
        RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route)
            if !messages::in_main_table(&route) =>
        {
            None
        }
        RouteNetlinkMessage::NewRoute(route) => {
            Some(KernelEvent::Route { prefix: messages::prefix(&route)?, present: true })
        }
        RouteNetlinkMessage::DelRoute(route) => {
            Some(KernelEvent::Route { prefix: messages::prefix(&route)?, present: false })
        }
        RouteNetlinkMessage::NewLink(link) => {
            let link = messages::link(&link);
            Some(KernelEvent::Link { up: link.up && link.carrier, name: link.name })
        }
        RouteNetlinkMessage::DelLink(link) => {
            Some(KernelEvent::Link { name: messages::link(&link).name, up: false })
        }
        RouteNetlinkMessage::NewAddress(_) | RouteNetlinkMessage::DelAddress(_) => Some(KernelEvent::Address),
        _ => None,
    }
}
