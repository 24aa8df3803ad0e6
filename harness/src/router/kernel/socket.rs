//! A netlink socket of a node, for async use: send a request, receive datagrams. No meaning of messages here.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{self, MsgFlags, NetlinkAddr};
use tokio::io::unix::AsyncFd;

use crate::probe::socket::watched;

/// The kernel sends at most 32 KiB at once to a reader with room for it (`netlink_dump`).
const ROOM: usize = 64 * 1024;

/// One netlink socket.
#[derive(Debug)]
pub(super) struct NetlinkSocket {
    fd: AsyncFd<OwnedFd>,
    room: Vec<u8>,
}

impl NetlinkSocket {
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd: watched(fd)?, room: vec![0; ROOM] })
    }

    /// Joins multicast groups, as the old bit mask of `RTMGRP_*`.
    pub(super) fn join(&self, groups: u32) -> io::Result<()> {
        Ok(socket::bind(self.fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?)
    }

    /// Sends one request to the kernel, which takes it at once.
    pub(super) fn send(&self, request: &[u8]) -> io::Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        socket::sendto(self.fd.as_raw_fd(), request, &kernel, MsgFlags::empty())?;
        Ok(())
    }

    /// The next datagram. `ENOBUFS` means that the kernel had to drop some.
    pub(super) async fn receive(&mut self) -> io::Result<&[u8]> {
        let length = loop {
            let mut ready = self.fd.readable().await?;
            let outcome =
                ready.try_io(|fd| Ok(socket::recv(fd.as_raw_fd(), &mut self.room, MsgFlags::MSG_TRUNC)?));
            match outcome {
                Ok(length) => break length?,
                Err(_would_block) => {}
            }
        };
        self.room.get(..length).ok_or_else(|| {
            io::Error::other(format!("a netlink message of {length} bytes, more than {ROOM} were expected"))
        })
    }
}
