//! A node's first process: makes the node's namespaces and file system, then reaps, and leaves when its keeper does.
//!
//! What lives here: the two stages of that process. What does not: the mounts themselves (`rootfs`), and starting
//! it (`spawn`).
//!
//! Forked by the `zygote`, stage one enters new namespaces and forks stage two, which is pid 1 of the node. Standard input is the leash: the
//! keeper holds its other end, and the end of the file means that the keeper is gone, however it went. When pid 1
//! goes, the kernel kills everything in the node. A parent-death signal would not do: it is per thread.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::enter::{Forked, fork};
use super::rootfs;
use super::socket::namespace_of;
use super::spawn::{InitReport, InitSpec};

/// Makes the node that `spec` (JSON of an [`InitSpec`]) describes, and is its first process; reports on standard
/// output. The exit code.
pub(super) fn main(spec: &[u8]) -> i32 {
    let _ = nix::sys::prctl::set_name(c"fabric-node");
    match stage_one(spec) {
        Ok(()) => 0,
        Err(error) => {
            report(&InitReport::Failed { why: error.to_string() });
            1
        }
    }
}

fn stage_one(spec: &[u8]) -> io::Result<()> {
    let spec: InitSpec = serde_json::from_slice(spec).map_err(io::Error::other)?;
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    match spec.join_network_of {
        Some(pid) => {
            let namespace =
                namespace_of(pid).map_err(|error| tried("open the network namespace to join", error))?;
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)
                .map_err(|error| tried("join a network namespace", error.into()))?;
        }
        None => flags |= CloneFlags::CLONE_NEWNET,
    }
    unshare(flags).map_err(|error| tried("make namespaces", error.into()))?;
    match fork().map_err(|error| tried("fork the node's first process", error))? {
        Forked::Parent(pid) => {
            report(&InitReport::Started { pid });
            Ok(())
        }
        Forked::Child => {
            stage_two(&spec);
        }
    }
}

fn stage_two(spec: &InitSpec) -> ! {
    // From here on an orphan of the node is ours to reap: frrinit.sh waits for daemons to disappear.
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    let watched = children.thread_block().map_err(io::Error::from).and_then(|()| {
        SignalFd::with_flags(&children, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(io::Error::from)
    });
    let ready = watched.and_then(|signals| rootfs::make(spec).map(|warnings| (signals, warnings)));
    match ready {
        Ok((signals, warnings)) => {
            report(&InitReport::Ready { warnings });
            // The keeper reads until the end of our output: it must not wait for the node to end.
            let _ = nix::unistd::close(1);
            live(&signals);
            std::process::exit(0)
        }
        Err(error) => {
            report(&InitReport::Failed { why: error.to_string() });
            std::process::exit(1)
        }
    }
}

/// Reaps until the leash is let go.
fn live(signals: &SignalFd) {
    let leash = io::stdin();
    loop {
        let mut ready =
            [PollFd::new(leash.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return,
        }
        let leash_moved = ready[0].any().unwrap_or(true);
        if leash_moved && !matches!(leash.lock().read(&mut [0; 64]), Ok(n) if n > 0) {
            return;
        }
        while matches!(signals.read_signal(), Ok(Some(_))) {}
        while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Err(_) | Ok(WaitStatus::StillAlive)) {}
    }
}

fn report(report: &InitReport) {
    // Nobody to tell is no reason to fail: the keeper has gone, and the leash will say so.
    if let Ok(line) = serde_json::to_string(report) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// Names what was tried in an error of the system.
pub(super) fn tried(what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
