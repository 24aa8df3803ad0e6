//! A small typed socket to the kernel's routing tables and links (rtnetlink), one network namespace each.
//!
//! What lives here: sending one request and reading its answer. What does not: what to ask (`links`). Requests go
//! one by one: measured, sending many at once gains nothing.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};

use crate::runtime::netns::socket::inside;

/// What can go wrong while wiring.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The kernel refused a request.
    #[error("{what}: {source}")]
    Refused {
        /// What was asked.
        what: String,
        /// The kernel's word.
        source: io::Error,
    },
    /// No address is left.
    #[error("the network {network} has no address left for {node}; give the lab a larger subnet")]
    NoAddress {
        /// The network.
        network: String,
        /// Who wanted one.
        node: String,
    },
    /// A node has no network namespace of ours.
    #[error("{node}: there is no such node to wire; `fabric status` lists the nodes")]
    NoSuchNode {
        /// The node.
        node: String,
    },
}

impl WireError {
    pub(super) fn refused(what: impl Into<String>, source: io::Error) -> Self {
        Self::Refused { what: what.into(), source }
    }

    /// Whether the kernel refused because such a thing is there. Of an index that is taken it says busy at one end of a link,
    /// and there already at the other.
    pub(super) fn is_there_already(&self) -> bool {
        let taken = |kind| matches!(kind, io::ErrorKind::AlreadyExists | io::ErrorKind::ResourceBusy);
        matches!(self, Self::Refused { source, .. } if taken(source.kind()))
    }
}

/// A socket to the links, addresses and routes of one network namespace.
#[derive(Debug)]
pub struct Rtnl {
    socket: OwnedFd,
    sequence: AtomicU32,
    /// Held from a request to the end of its answer: whoever else read meanwhile would throw the answer away.
    turn: Mutex<()>,
}

/// Larger than any answer the kernel sends in one piece (it stays below 32 KiB).
const BUFFER: usize = 64 * 1024;

impl Rtnl {
    /// Opens a socket in a network namespace.
    pub fn open(namespace: &File) -> io::Result<Self> {
        let opened = inside(namespace, || {
            Ok(socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::NetlinkRoute,
            )?)
        })?;
        setsockopt(&opened, sockopt::RcvBuf, &(4 * BUFFER))?;
        Ok(Self { socket: opened, sequence: AtomicU32::new(1), turn: Mutex::new(()) })
    }

    /// Asks for a change and waits for the kernel's word on it.
    pub(super) fn change(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.talk(message, NLM_F_REQUEST | NLM_F_ACK | flags, |_| {})
    }

    /// Asks for a list.
    pub(super) fn dump(&self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut all = Vec::new();
        self.talk(message, NLM_F_REQUEST | NLM_F_DUMP, |answer| all.push(answer))?;
        Ok(all)
    }

    fn talk(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty())?;

        let mut buffer = vec![0; BUFFER];
        loop {
            let read = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                let answer = parse::<RouteNetlinkMessage>(rest)?;
                let length = (answer.header.length as usize).next_multiple_of(4).clamp(4, rest.len());
                rest = &rest[length..];
                if answer.header.sequence_number != sequence {
                    continue;
                }
                match answer.payload {
                    NetlinkPayload::InnerMessage(inner) => each(inner),
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) => {
                        return match error.code {
                            None => Ok(()),
                            Some(code) => Err(io::Error::from_raw_os_error(code.get().abs())),
                        };
                    }
                    _ => {}
                }
            }
        }
    }
}

fn parse<T: NetlinkDeserializable>(bytes: &[u8]) -> io::Result<NetlinkMessage<T>> {
    NetlinkMessage::deserialize(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::LinkMessage;

    use super::*;

    /// Pods are linked and Services are given addresses at the same time, on one node.
    #[test]
    fn many_ask_at_once_and_each_gets_its_own_answer() {
        let rtnl = Rtnl::open(&File::open("/proc/thread-self/ns/net").unwrap());
        // Visiting a namespace, one's own even, is for root alone.
        let Ok(rtnl) = rtnl else { return };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let all = rtnl.dump(RouteNetlinkMessage::GetLink(LinkMessage::default())).unwrap();
                        assert!(!all.is_empty());
                    }
                });
            }
        });
    }
}
