//! Sockets of a node's network namespace for probes: raw ICMP with the TTL of what arrives, and UDP with a TTL of our choice.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    self, ControlMessageOwned, MsgFlags, SockaddrIn, SockaddrIn6, SockaddrStorage, recvmsg,
};
use pnet::packet::Packet;
use pnet::packet::ipv4::Ipv4Packet;
use socket2::SockRef;
use tokio::io::unix::AsyncFd;

use super::error::ProbeError;
use crate::node::{Node, SocketKind};

/// Room for the largest packet we could be told about.
const ROOM: usize = 9 * 1024;

/// A socket made ready for async use.
///
/// `AsyncFd::new` is marked as deprecated for types that may hand out a descriptor that is not theirs; its successor is `unsafe`.
/// An `OwnedFd` always hands out the one descriptor it owns, so nothing is wrong with it here.
#[allow(deprecated)]
pub(crate) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

/// An ICMP message as it arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    /// Who sent it.
    pub(super) from: IpAddr,
    /// TTL (hop limit) left.
    pub(super) ttl: Option<u8>,
    /// From the ICMP header on.
    pub(super) message: Vec<u8>,
}

/// A raw ICMP socket of a node. It hears everybody's ICMP, not only what was meant for us.
#[derive(Debug)]
pub(super) struct IcmpSocket {
    node: String,
    fd: AsyncFd<OwnedFd>,
    v6: bool,
}

impl IcmpSocket {
    /// Opens one of the target's address family.
    pub(super) async fn open(node: &dyn Node, to: IpAddr) -> Result<Self, ProbeError> {
        let v6 = to.is_ipv6();
        let fd = node.socket(if v6 { SocketKind::Icmp6 } else { SocketKind::Icmp4 }).await?;
        let open = || -> io::Result<AsyncFd<OwnedFd>> {
            if v6 {
                SockRef::from(&fd).set_recv_hoplimit_v6(true)?;
            }
            watched(fd)
        };
        let fd = open().map_err(|error| io_error(node, "an ICMP socket", error))?;
        Ok(Self { node: node.name().to_owned(), fd, v6 })
    }

    /// Sets the TTL (hop limit) of what is sent from now on.
    pub(super) fn set_ttl(&self, ttl: u8) -> io::Result<()> {
        set_ttl(self.fd.get_ref(), self.v6, ttl)
    }

    /// Sends one ICMP message.
    pub(super) async fn send(&self, to: IpAddr, message: &[u8]) -> io::Result<()> {
        let to = SockaddrStorage::from(SocketAddr::new(to, 0));
        self.fd
            .async_io(tokio::io::Interest::WRITABLE, |fd| {
                Ok(socket::sendto(fd.as_raw_fd(), message, &to, MsgFlags::empty())?)
            })
            .await
            .map(drop)
    }

    /// The next ICMP message that arrives in the namespace.
    pub(super) async fn receive(&self) -> Result<Arrived, ProbeError> {
        loop {
            let arrived =
                self.fd
                    .async_io(tokio::io::Interest::READABLE, |fd| {
                        if self.v6 { receive6(fd) } else { receive4(fd) }
                    })
                    .await
                    .map_err(|source| ProbeError::Io {
                        node: self.node.clone(),
                        what: "receiving ICMP".to_owned(),
                        source,
                    })?;
            if let Some(arrived) = arrived {
                return Ok(arrived);
            }
        }
    }
}

/// IPv4 raw sockets deliver the IP header too. `None` for what is no IPv4 packet.
fn receive4(fd: &OwnedFd) -> io::Result<Option<Arrived>> {
    let mut room = [0; ROOM];
    let (length, _) = socket::recvfrom::<SockaddrIn>(fd.as_raw_fd(), &mut room)?;
    let packet = room.get(..length).unwrap_or(&room);
    let Some(header) = Ipv4Packet::new(packet) else { return Ok(None) };
    // The kernel has checked the lengths; our own packets to ourselves arrive the same way.
    let start = usize::from(header.get_header_length()) * 4;
    let Some(message) = header.packet().get(start..) else { return Ok(None) };
    Ok(Some(Arrived {
        from: header.get_source().into(),
        ttl: Some(header.get_ttl()),
        message: message.to_vec(),
    }))
}

/// IPv6 raw sockets deliver the hop limit beside the packet.
fn receive6(fd: &OwnedFd) -> io::Result<Option<Arrived>> {
    let mut room = [0; ROOM];
    let mut beside = nix::cmsg_space!(i32);
    let mut parts = [IoSliceMut::new(&mut room)];
    let got = recvmsg::<SockaddrIn6>(fd.as_raw_fd(), &mut parts, Some(&mut beside), MsgFlags::empty())?;
    let length = got.bytes;
    let from = got.address.map(|address| address.ip());
    let ttl = got.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv6HopLimit(limit) => u8::try_from(limit).ok(),
        _ => None,
    });
    let Some(from) = from else { return Ok(None) };
    let message = room.get(..length).unwrap_or(&room).to_vec();
    Ok(Some(Arrived { from: from.into(), ttl, message }))
}

/// A UDP socket of a node with one source address, one source port and one target: one flow.
///
/// It is bound, not connected: a connected socket hands the errors that come back for one probe to the call that sends the next.
#[derive(Debug)]
pub(super) struct UdpFlow {
    fd: AsyncFd<OwnedFd>,
    v6: bool,
    /// Our end, with the address the kernel chooses for this target.
    pub(super) from: SocketAddr,
    /// The target.
    pub(super) to: SocketAddr,
}

impl UdpFlow {
    /// Opens one. The outer error is about the node; the inner one is the kernel's refusal to send to this target.
    pub(super) async fn open(
        node: &dyn Node,
        source_port: u16,
        to: SocketAddr,
    ) -> Result<Result<Self, io::Error>, ProbeError> {
        let v6 = to.is_ipv6();
        let kind = if v6 { SocketKind::Udp6 } else { SocketKind::Udp4 };
        // Connecting a datagram socket sends nothing; it makes the kernel look the route up.
        let scout = node.socket(kind).await?;
        let scout = SockRef::from(&scout);
        if let Err(refused) = scout.connect(&to.into()) {
            return Ok(Err(refused));
        }
        let mut from = scout
            .local_addr()
            .and_then(|address| address.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into()))
            .map_err(|error| io_error(node, "the source address of a UDP flow", error))?;
        from.set_port(source_port);
        let fd = node.socket(kind).await?;
        let bind = || -> io::Result<AsyncFd<OwnedFd>> {
            let socket = SockRef::from(&fd);
            // Two traces of one flow may run at once; nothing is ever received here.
            socket.set_reuse_address(true)?;
            socket.bind(&from.into())?;
            watched(fd)
        };
        let fd = bind().map_err(|error| io_error(node, &format!("UDP source {from}"), error))?;
        Ok(Ok(Self { fd, v6, from, to }))
    }

    /// Sends one datagram with a TTL (hop limit).
    pub(super) async fn send(&self, ttl: u8, payload: &[u8]) -> io::Result<()> {
        let to = SockaddrStorage::from(self.to);
        self.fd
            .async_io(tokio::io::Interest::WRITABLE, |fd| {
                set_ttl(fd, self.v6, ttl)?;
                Ok(socket::sendto(fd.as_raw_fd(), payload, &to, MsgFlags::empty())?)
            })
            .await
            .map(drop)
    }
}

fn set_ttl(fd: &OwnedFd, v6: bool, ttl: u8) -> io::Result<()> {
    let socket = SockRef::from(fd);
    if v6 { socket.set_unicast_hops_v6(u32::from(ttl)) } else { socket.set_ttl_v4(u32::from(ttl)) }
}

/// Why the node's own kernel did not send a packet: its word, and what is behind it.
pub(super) fn refusal(error: &io::Error) -> String {
    use nix::errno::Errno;
    let behind = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENETUNREACH) => "no route",
        Some(Errno::EHOSTUNREACH) => "an unreachable route, or nobody answers at the address",
        Some(Errno::EINVAL) => "a blackhole route",
        Some(Errno::EACCES) => "a prohibit route, or a broadcast address",
        Some(Errno::EPERM) => "a packet filter",
        Some(Errno::EADDRNOTAVAIL) => "no source address of this family",
        _ => return error.to_string(),
    };
    format!("{behind} ({error})")
}

fn io_error(node: &dyn Node, what: &str, source: io::Error) -> ProbeError {
    ProbeError::Io { node: node.name().to_owned(), what: what.to_owned(), source }
}
