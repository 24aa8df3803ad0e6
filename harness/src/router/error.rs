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
