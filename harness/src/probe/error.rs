//! What can go wrong with a probe itself. An unreachable target is not an error but a report.

use crate::node::NodeError;

/// A probe that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The node gave no socket.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The system refused something about the sockets.
    #[error("{node}: {what}: {source}; probes need CAP_NET_RAW in the node")]
    Io {
        /// The node.
        node: String,
        /// What was tried.
        what: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// The question makes no sense.
    #[error("a probe of {to}: {what}")]
    Question {
        /// The target.
        to: std::net::IpAddr,
        /// What is wrong with it, and what to write instead.
        what: String,
    },
    /// The text of a program could not be read.
    #[error("the output of {program}, line {line}, column {column}: {what}: `{text}`")]
    Text {
        /// `ping` or `traceroute`.
        program: &'static str,
        /// Line of the text, from 1.
        line: usize,
        /// Column of the line, from 1.
        column: usize,
        /// What is wrong.
        what: String,
        /// The line.
        text: String,
    },
}
