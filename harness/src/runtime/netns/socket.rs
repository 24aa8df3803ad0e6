//! Sockets that live in another network namespace than ours.
//!
//! What lives here: a throw-away thread that visits a namespace to open a socket there. What does not: using the
//! socket. A socket belongs for life to the namespace in which it was opened, so one short visit is enough.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::node::SocketKind;

/// Opens the network namespace of a process.
pub(crate) fn namespace_of(pid: i32) -> io::Result<File> {
    File::open(PathBuf::from(format!("/proc/{pid}/ns/net")))
}

/// Runs `work` inside a network namespace, on a thread of its own.
///
/// The thread is thrown away afterwards: a panic or an early return can never leave one of ours in a foreign
/// namespace. The caller must have `CAP_SYS_ADMIN` over the namespace's user namespace and in its own.
pub(crate) fn inside<T: Send>(
    namespace: &File,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    on_a_thread(|| {
        setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

/// Makes a network namespace without a process; it lives as long as the file (or a socket in it) is open.
pub(crate) fn new_namespace() -> io::Result<File> {
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        File::open("/proc/thread-self/ns/net")
    })
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("visitor".into()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the visiting thread panicked")))
    })
}

/// Opens a socket in the calling thread's namespace, non-blocking and close-on-exec.
pub(crate) fn open(kind: SocketKind) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let (family, kind, protocol) = match kind {
        SocketKind::Icmp4 => (AddressFamily::Inet, SockType::Raw, Some(SockProtocol::Icmp)),
        SocketKind::Icmp6 => (AddressFamily::Inet6, SockType::Raw, Some(SockProtocol::IcmpV6)),
        SocketKind::Udp4 => (AddressFamily::Inet, SockType::Datagram, None),
        SocketKind::Udp6 => (AddressFamily::Inet6, SockType::Datagram, None),
        SocketKind::Tcp4 => (AddressFamily::Inet, SockType::Stream, None),
        SocketKind::Tcp6 => (AddressFamily::Inet6, SockType::Stream, None),
        SocketKind::Route => (AddressFamily::Netlink, SockType::Raw, Some(SockProtocol::NetlinkRoute)),
        SocketKind::Packets => (AddressFamily::Packet, SockType::Raw, Some(SockProtocol::EthAll)),
    };
    Ok(socket(family, kind, flags, protocol)?)
}

/// Opens a socket in the namespace of a process.
pub(crate) fn open_in(pid: i32, kind: SocketKind) -> io::Result<OwnedFd> {
    let namespace = namespace_of(pid)?;
    inside(&namespace, || open(kind))
}
