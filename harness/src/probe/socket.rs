//! Sockets of a node's network namespace for probes: raw ICMP with the TTL of what arrives, and UDP with a TTL of our choice.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
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

/// A UDP socket of a node, tied to one source port and one target: one flow.
#[derive(Debug)]
pub(super) struct UdpFlow {
    fd: AsyncFd<OwnedFd>,
    v6: bool,
    /// Our end, as the kernel chose it for this target.
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
        let fd = node.socket(if v6 { SocketKind::Udp6 } else { SocketKind::Udp4 }).await?;
        let any = match to {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, source_port)),
            SocketAddr::V6(_) => SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, source_port, 0, 0).into(),
        };
        let bind = || -> io::Result<()> {
            let socket = SockRef::from(&fd);
            // Two traces of one flow may run at once; nothing is ever received here.
            socket.set_reuse_address(true)?;
            socket.bind(&any.into())
        };
        bind().map_err(|error| io_error(node, &format!("UDP source port {source_port}"), error))?;
        // Connected, so that the kernel settles the source address now and for all probes of the flow.
        if let Err(refused) = SockRef::from(&fd).connect(&to.into()) {
            return Ok(Err(refused));
        }
        let name = || SockRef::from(&fd).local_addr()?.as_socket().ok_or(io::ErrorKind::InvalidData.into());
        let from = name().map_err(|error| io_error(node, "the source address of a UDP flow", error))?;
        let fd = watched(fd).map_err(|error| io_error(node, "a UDP socket", error))?;
        Ok(Ok(Self { fd, v6, from, to }))
    }

    /// Sends one datagram with a TTL (hop limit).
    pub(super) async fn send(&self, ttl: u8, payload: &[u8]) -> io::Result<()> {
        loop {
            let sent = self
                .fd
                .async_io(tokio::io::Interest::WRITABLE, |fd| {
                    set_ttl(fd, self.v6, ttl)?;
                    Ok(socket::send(fd.as_raw_fd(), payload, MsgFlags::empty())?)
                })
                .await;
            match sent {
                // The target's "port unreachable" to an earlier probe, kept by the kernel for the next call: nothing was sent.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                other => return other.map(drop),
            }
        }
    }
}

fn set_ttl(fd: &OwnedFd, v6: bool, ttl: u8) -> io::Result<()> {
    let socket = SockRef::from(fd);
    if v6 { socket.set_unicast_hops_v6(u32::from(ttl)) } else { socket.set_ttl_v4(u32::from(ttl)) }
}

fn io_error(node: &dyn Node, what: &str, source: io::Error) -> ProbeError {
    ProbeError::Io { node: node.name().to_owned(), what: what.to_owned(), source }
}
