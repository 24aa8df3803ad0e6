//! The zygote: a single-threaded copy of the keeper, forked before the keeper has threads, that forks nodes' first
//! processes.
//!
//! What lives here: asking it and being it. What does not: what a first process does (`init`). A fork of a small
//! process costs a tenth of running the whole executable again, and the nodes share its memory.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType, recvmsg,
    sendmsg, shutdown, socketpair,
};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::enter::{Forked, fork, own};
use super::init;

/// Larger than any order: a node's files are a few kilobytes.
const ORDER: usize = 256 * 1024;

/// The keeper's end of the line to its zygote. When it closes, the zygote ends.
#[derive(Debug)]
pub(crate) struct Zygote {
    line: OwnedFd,
    pid: i32,
}

impl Zygote {
    /// Forks the zygote. Only while this process has one thread.
    pub(crate) fn fork() -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        match fork()? {
            Forked::Parent(pid) => Ok(Self { line: ours, pid }),
            Forked::Child => {
                drop(ours);
                serve(&theirs);
                while waitpid(None, None).is_ok() {}
                std::process::exit(0)
            }
        }
    }

    /// Ends the zygote and reaps it: a machine whose first process reaps nobody would keep it for ever.
    pub(crate) fn end(&self) {
        // Gone already is as good as ended.
        let _ = shutdown(self.line.as_raw_fd(), Shutdown::Both);
        let _ = waitpid(Pid::from_raw(self.pid), None);
    }

    /// Orders a node's first process: `leash` becomes its standard input, `report` its standard output.
    pub(super) fn order(&self, spec: &[u8], leash: &OwnedFd, report: &OwnedFd) -> io::Result<()> {
        if spec.len() > ORDER {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the node's description is too long"));
        }
        let descriptors = [leash.as_raw_fd(), report.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        sendmsg::<()>(self.line.as_raw_fd(), &[IoSlice::new(spec)], &rights, MsgFlags::empty(), None)?;
        Ok(())
    }
}

/// Forks first processes until the keeper's end closes.
fn serve(line: &OwnedFd) {
    let _ = nix::sys::prctl::set_name(c"fabric-zygote");
    // Neither the pipe that ties a keeper to its starter nor the one it reports on is ours to hold.
    if let Ok(nothing) = std::fs::File::options().read(true).write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdin(nothing.as_fd());
        let _ = nix::unistd::dup2_stdout(nothing.as_fd());
    }
    let mut order = vec![0; ORDER];
    while let Ok(Some((length, leash, report))) = receive(line, &mut order) {
        while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Err(_) | Ok(WaitStatus::StillAlive)) {}
        if let Ok(Forked::Child) = fork() {
            let tied = nix::unistd::dup2_stdin(leash.as_fd())
                .and_then(|()| nix::unistd::dup2_stdout(report.as_fd()));
            drop((leash, report));
            let code = match tied {
                Ok(()) => init::main(&order[..length]),
                Err(_) => 1,
            };
            std::process::exit(code)
        }
    }
}

fn receive(line: &OwnedFd, order: &mut [u8]) -> io::Result<Option<(usize, OwnedFd, OwnedFd)>> {
    let mut slices = [IoSliceMut::new(order)];
    let mut space = cmsg_space!([RawFd; 2]);
    let message = recvmsg::<()>(line.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let length = message.bytes;
    if length == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = control {
            descriptors.extend(received.into_iter().map(own));
        }
    }
    let mut descriptors = descriptors.into_iter();
    match (descriptors.next(), descriptors.next()) {
        (Some(leash), Some(report)) => Ok(Some((length, leash, report))),
        _ => Err(io::Error::other("an order came without its pipes")),
    }
}
