//! The socket that hears what passes through all interfaces of a node.
//!
//! One socket per node, bound to no interface: so it is there before the links are, and hears them again when they have gone and
//! come back. Which interface a packet passed is told with each.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use socket2::SockRef;
use tokio::io::unix::AsyncFd;

use super::filter;
use crate::node::{Node, NodeError, SocketKind};
use crate::probe::socket::watched;

/// `ARPHRD_ETHER`: what has no Ethernet header (`lo` has one of zeros, tunnels have none) is no link of a topology.
const ETHERNET: u16 = 1;
/// `PACKET_OUTGOING`.
const OUTGOING: u8 = 4;
/// Segments that the kernel has not cut yet may be as long as a packet can be.
const ROOM: usize = 64 * 1024 + 64;

/// A packet that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed<'a> {
    pub(super) interface: u32,
    pub(super) outgoing: bool,
    pub(super) at: Duration,
    /// How long it was; there may be less of it.
    pub(super) length: usize,
    pub(super) bytes: &'a [u8],
}

/// A node's socket.
#[derive(Debug)]
pub(super) struct Tap {
    fd: AsyncFd<OwnedFd>,
    room: Vec<u8>,
    beside: Vec<u8>,
    /// How many packets the kernel could not keep for us, as it counts them.
    pub(super) lost: u32,
}

impl Tap {
    /// Opens one that hears BGP on these ports, and ICMP and ARP.
    pub(super) async fn open(node: &dyn Node, ports: &[u16]) -> Result<Self, NodeError> {
        let fd = node.socket(SocketKind::Packets).await?;
        let ready = |fd: OwnedFd| -> io::Result<AsyncFd<OwnedFd>> {
            SockRef::from(&fd).attach_filter(&filter::program(ports))?;
            setsockopt(&fd, sockopt::ReceiveTimestampns, &true)?;
            setsockopt(&fd, sockopt::RxqOvfl, &1)?;
            watched(fd)
        };
        let fd = ready(fd).map_err(|source| NodeError::Io {
            node: node.name().to_owned(),
            what: "listen to its links".to_owned(),
            source,
        })?;
        let beside = nix::cmsg_space!(nix::libc::timespec, u32);
        Ok(Self { fd, room: vec![0; ROOM], beside, lost: 0 })
    }

    /// The next packet that passes a link. Can be broken off without losing one.
    pub(super) async fn next(&mut self) -> io::Result<Passed<'_>> {
        let (interface, outgoing, at, length) = loop {
            let mut ready = self.fd.readable().await?;
            let (room, beside, lost) = (&mut self.room, &mut self.beside, &mut self.lost);
            match ready.try_io(|fd| receive(fd.get_ref(), room, beside, lost)) {
                Ok(got) => {
                    if let Some(passed) = got? {
                        break passed;
                    }
                }
                Err(_would_block) => {}
            }
        };
        let bytes = self.room.get(..length).unwrap_or(&self.room);
        Ok(Passed { interface, outgoing, at, length, bytes })
    }
}

type Seen = (u32, bool, Duration, usize);

/// One packet; `None` for what is not on Ethernet.
fn receive(fd: &OwnedFd, room: &mut [u8], beside: &mut [u8], lost: &mut u32) -> io::Result<Option<Seen>> {
    let mut parts = [IoSliceMut::new(room)];
    let got = recvmsg::<LinkAddr>(fd.as_raw_fd(), &mut parts, Some(beside), MsgFlags::MSG_TRUNC)?;
    let mut at = None;
    for message in got.cmsgs()? {
        match message {
            ControlMessageOwned::ScmTimestampns(time) => at = Some(Duration::from(time)),
            ControlMessageOwned::RxqOvfl(count) => *lost = count,
            _ => {}
        }
    }
    let Some(from) = got.address.filter(|from| from.hatype() == ETHERNET) else { return Ok(None) };
    let interface = u32::try_from(from.ifindex()).unwrap_or_default();
    // Asked for, so always there; a packet without one is best put at the time it is read.
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok(Some((interface, from.pkttype() == OUTGOING, at.unwrap_or_else(now), got.bytes)))
}
