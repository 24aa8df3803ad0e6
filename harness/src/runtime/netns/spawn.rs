//! Starting a node's first process, and ending it.
//!
//! What lives here: the keeper's side of `init`. What does not: what goes on inside the node.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, pipe2};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe::Receiver;

use super::enter::pidfd;
use super::rootfs::{FileSpec, MountSpec};
use super::zygote::Zygote;

/// What a node's first process is to make.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct InitSpec {
    /// The node's host name.
    pub hostname: String,
    /// An empty folder on the host over which the node's root is mounted, in the node's own mount namespace.
    pub root: std::path::PathBuf,
    /// Unpacked packages laid over the host's file system, the first one on top.
    pub layers: Vec<std::path::PathBuf>,
    /// True in a user namespace: overlays then keep their marks in `user.` attributes.
    pub userns: bool,
    /// A copy of the host's `/etc` whose files the node may change, laid over the host's own.
    pub etc: Option<std::path::PathBuf>,
    /// Join the network namespace of this process instead of making one.
    pub join_network_of: Option<i32>,
    /// `net.` sysctls to set; `true` marks those the node cannot do without.
    pub sysctls: Vec<(String, String, bool)>,
    /// Host folders and files to show in the node.
    pub mounts: Vec<MountSpec>,
    /// Files to write before anything runs.
    pub files: Vec<FileSpec>,
}

/// What a node's first process says while it comes up, a line of JSON each.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum InitReport {
    /// Stage two exists.
    Started {
        /// Its pid as the keeper sees it.
        pid: i32,
    },
    /// The node is ready for commands.
    Ready {
        /// What did not go as asked, but does not stop the node.
        warnings: Vec<String>,
    },
    /// The node could not be made.
    Failed {
        /// What was tried, and the system's word.
        why: String,
    },
}

/// A running node's first process. Dropping it lets the leash go: the node ends.
#[derive(Debug)]
pub struct NodeInit {
    /// Its pid, in the keeper's pid namespace (the host's).
    pub pid: i32,
    /// What did not go as asked.
    pub warnings: Vec<String>,
    leash: Option<OwnedFd>,
}

impl NodeInit {
    /// Starts a node and waits until commands can run in it.
    pub(crate) async fn start(zygote: &Arc<Zygote>, spec: &InitSpec) -> io::Result<Self> {
        let (held, leash) = pipe2(OFlag::O_CLOEXEC)?;
        let (out, report) = pipe2(OFlag::O_CLOEXEC)?;
        let order = serde_json::to_vec(spec).map_err(io::Error::other)?;
        let zygote = Arc::clone(zygote);
        // The line takes an order at once unless the zygote is far behind.
        tokio::task::spawn_blocking(move || zygote.order(&order, &held, &report)).await??;
        let mut reports = BufReader::new(Receiver::from_owned_fd(out)?).lines();
        let mut started = None;
        let mut ended = Err(io::Error::other("the node's first process ended without a word"));
        while let Some(line) = reports.next_line().await? {
            match serde_json::from_str(&line).map_err(io::Error::other)? {
                InitReport::Started { pid } => started = Some(pid),
                InitReport::Ready { warnings } => ended = Ok(warnings),
                InitReport::Failed { why } => ended = Err(io::Error::other(why)),
            }
            // The two stages write to one pipe, in either order.
            if started.is_some() && ended.is_ok() {
                break;
            }
        }
        match (started, ended) {
            (Some(pid), Ok(warnings)) => Ok(Self { pid, warnings, leash: Some(leash) }),
            (_, Err(error)) => Err(error),
            (None, Ok(_)) => Err(io::Error::other("the node's first process did not say its pid")),
        }
    }

    /// Ends the node: everything in it is killed by the kernel. Returns when the first process has gone.
    pub async fn end(mut self) -> io::Result<()> {
        self.leash.take();
        let pid = Pid::from_raw(self.pid);
        // Already gone is as good as killed.
        let _ = kill(pid, Signal::SIGKILL);
        tokio::task::spawn_blocking(move || wait(pid)).await.map_err(io::Error::other)?
    }
}

/// How often it is looked for adopted processes while a node ends, in milliseconds: only who lost its starter makes it take so long.
const LOOK: u16 = 50;

/// Waits until a node's first process has gone, which takes as long as anything of the node is not reaped.
fn wait(pid: Pid) -> io::Result<()> {
    let gone = |error| match error {
        nix::errno::Errno::ECHILD => Ok(()),
        other => Err(io::Error::from(other)),
    };
    let Ok(init) = pidfd(pid.as_raw()) else { return waitpid(pid, None).map(drop).or_else(gone) };
    loop {
        let mut ended = [PollFd::new(init.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ended, PollTimeout::from(LOOK)) {
            Ok(0) => reap_adopted(),
            Ok(_) => return waitpid(pid, None).map(drop).or_else(gone),
            Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A command in a node whose starter was killed is a child of ours now, and nobody else reaps it.
fn reap_adopted() {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<String> = children.collect();
    for child in children.iter().flat_map(|list| list.split_whitespace()) {
        let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
        if is_of_node(&status)
            && let Ok(pid) = child.parse()
        {
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}

/// Whether a process lives in a node's pid namespace and is not the first there: starters are in ours alone, and those who started
/// them wait for them.
fn is_of_node(status: &str) -> bool {
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let mut pids = pids.into_iter().flat_map(str::split_whitespace).skip(1).peekable();
    pids.peek().is_some() && pids.last() != Some("1")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_starter("Name:\tfabric\nNSpid:\t398\n", false)]
    #[case::a_first_process("NSpid:\t32593\t1\n", false)]
    #[case::a_command("Name:\tgobgpd\nNSpid:\t399\t3\n", true)]
    #[case::no_such_line("Name:\tx\n", false)]
    fn who_is_adopted(#[case] status: &str, #[case] adopted: bool) {
        assert_eq!(is_of_node(status), adopted);
    }
}
