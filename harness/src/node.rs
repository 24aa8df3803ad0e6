//! The one trait of a node: run a command in it, put a file into it, open a socket in its network namespace.
//!
//! What lives here: the seam that every runtime implements and everything above uses. What does not: how a node
//! is made (`runtime`), how it is wired (`wire`), what runs in it (`router`, `twin`).

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// A command to be run in a node: no shell is involved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments. The program is looked up on the node's own `PATH`; a relative path is taken from `cwd`.
    pub argv: Vec<String>,
    /// Variables added to (or replacing) the node's environment.
    pub env: BTreeMap<String, String>,
    /// Working directory in the node; `/` unless said.
    pub cwd: Option<PathBuf>,
    /// What standard input holds; empty (end of file at once) unless said. `spawn` ignores it: it hands out the pipe.
    pub stdin: Vec<u8>,
    /// After this long the command is killed and `exec` fails with [`NodeError::TimedOut`]. No limit unless said.
    pub timeout: Option<Duration>,
}

impl Command {
    /// A command of a program and its arguments.
    pub fn new<I, S>(argv: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The same command, killed after `limit`.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_words::join(&self.argv))
    }
}

/// What a command said and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128 + n when signal n ended it, as a shell counts.
    pub code: i32,
    /// Standard output, whole.
    pub stdout: Vec<u8>,
    /// Standard error, whole.
    pub stderr: Vec<u8>,
}

impl Output {
    /// True for exit code 0.
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text; bytes that are not UTF-8 are replaced.
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A stream out of a running command.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// The stream into a running command.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A running command with its three streams. Dropping it kills the command.
#[async_trait]
pub trait Process: Send {
    /// Standard input; `None` once taken. Dropping the stream closes it.
    fn stdin(&mut self) -> Option<Writer>;
    /// Standard output; `None` once taken.
    fn stdout(&mut self) -> Option<Reader>;
    /// Standard error; `None` once taken.
    fn stderr(&mut self) -> Option<Reader>;
    /// Waits for the end; the exit code as in [`Output::code`].
    async fn wait(&mut self) -> Result<i32, NodeError>;
    /// Sends a signal (its number) to the command.
    fn signal(&self, signal: i32) -> Result<(), NodeError>;
    /// The terminal of a command that was started on one; `None` once taken, or without one.
    fn terminal(&mut self) -> Option<Box<dyn Terminal>> {
        None
    }
}

/// The far end of a command's terminal.
pub trait Terminal: Send + Sync {
    /// Says how large it is; the command hears of it by SIGWINCH.
    fn resize(&self, rows: u16, columns: u16);
}

/// What kind of socket to open in a node's network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketKind {
    /// `AF_INET, SOCK_RAW, IPPROTO_ICMP`.
    Icmp4,
    /// `AF_INET6, SOCK_RAW, IPPROTO_ICMPV6`.
    Icmp6,
    /// `AF_INET, SOCK_DGRAM`.
    Udp4,
    /// `AF_INET6, SOCK_DGRAM`.
    Udp6,
    /// `AF_INET, SOCK_STREAM`.
    Tcp4,
    /// `AF_INET6, SOCK_STREAM`.
    Tcp6,
    /// `AF_NETLINK, SOCK_RAW, NETLINK_ROUTE`.
    Route,
    /// `AF_PACKET, SOCK_RAW, ETH_P_ALL`: hears every frame on every interface.
    Packets,
}

/// One box with a network namespace in which commands run.
#[async_trait]
pub trait Node: Send + Sync + fmt::Debug {
    /// The node's name as the lab knows it (`router0`, `clab-bgp-cplane-demo-worker`, `default/nettool-1`).
    fn name(&self) -> &str;
    /// Runs a command to its end. A non-zero exit is not an error; a missing program is ([`NodeError::NotFound`]).
    async fn exec(&self, command: &Command) -> Result<Output, NodeError>;
    /// Starts a command and hands out its streams.
    async fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, NodeError>;
    /// Starts a command on a terminal of its own: one output stream, no error stream, and [`Process::terminal`].
    async fn spawn_on_terminal(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        Err(NodeError::Unsupported {
            node: self.name().to_owned(),
            what: format!("run `{command}` on a terminal"),
            why: "this kind of node has none to give; run it without one".into(),
        })
    }
    /// Opens a socket that lives in the node's network namespace, non-blocking and close-on-exec.
    async fn socket(&self, kind: SocketKind) -> Result<OwnedFd, NodeError>;
    /// Connects to a unix stream socket in the node's file system.
    async fn unix(&self, path: &Path) -> Result<UnixStream, NodeError>;
    /// Writes a file in the node, folders above it included.
    async fn write_file(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), NodeError>;
    /// Adds bytes at the end of a file in the node; the folder must be there.
    async fn append_file(&self, path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
        let _ = bytes;
        Err(NodeError::Unsupported {
            node: self.name().to_owned(),
            what: format!("append to {}", path.display()),
            why: "this kind of node has its files whole".into(),
        })
    }
    /// Reads a file of the node.
    async fn read_file(&self, path: &Path) -> Result<Vec<u8>, NodeError>;
    /// Whether the node is there no more: what it was asked to do would fail with [`NodeError::Gone`].
    async fn gone(&self) -> bool {
        // No folder can be read as a file; only why not is of interest.
        matches!(self.read_file(Path::new("/")).await, Err(NodeError::Gone { .. }))
    }
}

/// A node that may be shared.
pub type NodeRef = Arc<dyn Node>;

/// What can go wrong between us and a node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The program is not there.
    #[error(
        "{node}: `{program}` is not in the node, whose programs are this machine's: install the package that has it here"
    )]
    NotFound {
        /// The node.
        node: String,
        /// The program as it was asked for.
        program: String,
    },
    /// The command ran out of its time and was killed.
    #[error("{node}: `{command}` was still running after {limit:?} and was killed")]
    TimedOut {
        /// The node.
        node: String,
        /// The command line.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// The node itself is not there any more.
    #[error("{node}: the node is gone (its first process has ended); `fabric status` shows what is left")]
    Gone {
        /// The node.
        node: String,
    },
    /// The runtime cannot do this.
    #[error("{node}: {what} is not possible here: {why}")]
    Unsupported {
        /// The node.
        node: String,
        /// What was asked.
        what: String,
        /// Why not.
        why: String,
    },
    /// The system said no.
    #[error("{node}: {what}: {source}")]
    Io {
        /// The node.
        node: String,
        /// What was tried.
        what: String,
        /// The system's word.
        source: std::io::Error,
    },
}
