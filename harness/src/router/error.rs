//! What can go wrong when a router is asked something, and what to do about it.

use std::time::Duration;

use crate::node::NodeError;

/// A question to a router that got no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouterError {
    /// The daemon's socket is missing or nobody listens on it.
    #[error(
        "{node}: {daemon} is not running (no vty socket in {looked}): {why}; look at the end of its log, \
         or start it with `/usr/lib/frr/frrinit.sh start` in the node"
    )]
    NotRunning {
        /// The node.
        node: String,
        /// The daemon (`bgpd`, `zebra`).
        daemon: &'static str,
        /// The places looked at.
        looked: String,
        /// The system's word.
        why: String,
    },
    /// The connection broke in the middle of an answer.
    #[error(
        "{node}: {daemon} closed its vty while answering `{command}`: {why}; \
         if it happens again the daemon is crashing: look at its log and core files"
    )]
    Lost {
        /// The node.
        node: String,
        /// The daemon.
        daemon: &'static str,
        /// The command.
        command: String,
        /// The system's word.
        why: String,
    },
    /// The daemon took the question and said nothing.
    #[error(
        "{node}: {daemon} did not answer `{command}` within {limit:?}; \
         the daemon is stopped or busy: look at its state with `ps` in the node"
    )]
    Silent {
        /// The node.
        node: String,
        /// The daemon.
        daemon: &'static str,
        /// The command.
        command: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The daemon does not know the command, or not in this form.
    #[error(
        "{node}: {daemon} refused `{command}` (code {code}): {said}; \
         this version of FRR does not have it: try it by hand in `vtysh`"
    )]
    Refused {
        /// The node.
        node: String,
        /// The daemon.
        daemon: &'static str,
        /// The command.
        command: String,
        /// FRR's return code: 1 warning, 2 no match, 3 ambiguous, 4 incomplete.
        code: u8,
        /// What it said, on one line.
        said: String,
    },
    /// JSON was asked for and something else came.
    #[error(
        "{node}: the answer of {daemon} to `{command}` is not the JSON we know: {why}; \
         it begins `{start}`: this version of FRR may write it in another way"
    )]
    NotJson {
        /// The node.
        node: String,
        /// The daemon.
        daemon: &'static str,
        /// The command.
        command: String,
        /// What the parser said.
        why: String,
        /// How the answer begins.
        start: String,
    },
    /// BIRD's control socket is missing or nobody listens on it.
    #[error(
        "{node}: bird is not running (no control socket in {looked}): {why}; \
         try its configuration with `bird -p`, and start it with `bird` in the node"
    )]
    BirdNotRunning {
        /// The node.
        node: String,
        /// The places looked at.
        looked: String,
        /// The system's word.
        why: String,
    },
    /// BIRD does not know the command, or cannot do it.
    #[error(
        "{node}: bird refused `{command}` (code {code}): {said}; \
         this version of BIRD does not have it: try it by hand in `birdc`"
    )]
    BirdRefused {
        /// The node.
        node: String,
        /// The command.
        command: String,
        /// BIRD's code: from 8000 on it cannot, from 9000 on it does not understand.
        code: u16,
        /// What it said.
        said: String,
    },
    /// No routing daemon that speaks BGP was found in the node.
    #[error(
        "{node}: no routing daemon is running (no socket of FRR's bgpd in {frr}, none of BIRD's in {bird}): {why}; \
         start one with an `exec` line of the topology (`/usr/lib/frr/frrinit.sh start`, `bird`), and look at its log"
    )]
    NoDaemon {
        /// The node.
        node: String,
        /// Where FRR's sockets were looked for.
        frr: String,
        /// Where BIRD's were.
        bird: String,
        /// The system's word.
        why: String,
    },
    /// The node itself failed us.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The kernel's netlink socket failed.
    #[error("{node}: the kernel's {what} could not be read: {why}")]
    Kernel {
        /// The node.
        node: String,
        /// What was read (`routes`, `links`).
        what: &'static str,
        /// The system's word.
        why: String,
    },
}
