//! A node made of namespaces, seen through the one trait of a node.
//!
//! What lives here: the same type serves the keeper and its clients; they differ only in how a socket of the node
//! is had. What does not: making the node (`spawn`).

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::process::{NetnsProcess, Streams, code, io_error, start};
use super::terminal::Pty;
use crate::node::{Command, Node, NodeError, Output, Process, SocketKind};

/// Where sockets of a node's network namespace come from.
#[async_trait]
pub trait SocketSource: Send + Sync + fmt::Debug {
    /// Opens a socket in the network namespace of the node whose first process is `init`.
    async fn open(&self, init: i32, kind: SocketKind) -> std::io::Result<OwnedFd>;
}

/// A node of namespaces.
#[derive(Debug, Clone)]
pub struct NetnsNode {
    name: String,
    init: i32,
    userns: bool,
    sockets: Arc<dyn SocketSource>,
}

impl NetnsNode {
    /// A handle on the node whose first process is `init`. `userns`: the node is in another user namespace than we.
    pub fn new(name: impl Into<String>, init: i32, userns: bool, sockets: Arc<dyn SocketSource>) -> Self {
        Self { name: name.into(), init, userns, sockets }
    }

    /// Pid of the node's first process, as the host sees it.
    pub fn init(&self) -> i32 {
        self.init
    }

    /// The node's root folder as the host sees it.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init))
    }

    /// Runs a command on the caller's own terminal; the exit code.
    pub async fn interact(&self, command: &Command) -> Result<i32, NodeError> {
        let mut child = start(&self.name, self.init, self.userns, command, &Streams::Inherited)?;
        child.wait().await.map(code).map_err(|error| io_error(&self.name, "wait for a command", error))
    }

    /// What went wrong in reaching into the node from outside. Of a node whose first process has ended, nothing is found.
    fn failed(&self, what: &str, error: std::io::Error) -> NodeError {
        let namespace = std::fs::read_link(format!("/proc/{}/ns/net", self.init));
        if namespace.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            return NodeError::Gone { node: self.name.clone() };
        }
        io_error(&self.name, what, error)
    }

    fn outside(&self, path: &Path) -> PathBuf {
        self.root().join(path.strip_prefix("/").unwrap_or(path))
    }

    async fn run(&self, command: &Command) -> Result<Output, NodeError> {
        let mut child = start(&self.name, self.init, self.userns, command, &Streams::Piped)?;
        let stdin = child.stdin.take();
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let mut output = Output::default();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read all it is given is not an error.
                let _ = stdin.write_all(&command.stdin).await;
            }
        };
        let ended = {
            let read = async {
                tokio::join!(drain(&mut stdout, &mut output.stdout), drain(&mut stderr, &mut output.stderr));
            };
            let talk = async { tokio::join!(feed, read) };
            tokio::pin!(talk);
            let mut talking = true;
            loop {
                tokio::select! {
                    biased;
                    _ = &mut talk, if talking => talking = false,
                    ended = child.wait() => break ended,
                }
            }
        };
        // A daemon the command left behind may hold the pipes open: take what is there, wait for no more.
        take_ready(&mut stdout, &mut output.stdout).await;
        take_ready(&mut stderr, &mut output.stderr).await;
        output.code = code(ended.map_err(|error| io_error(&self.name, "wait for a command", error))?);
        Ok(output)
    }
}

async fn drain(stream: &mut Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    if let Some(stream) = stream {
        let _ = stream.read_to_end(into).await;
    }
}

async fn take_ready(stream: &mut Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(stream) = stream else { return };
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(Ok(read)) = tokio::time::timeout(std::time::Duration::ZERO, stream.read(&mut chunk)).await {
        if read == 0 {
            return;
        }
        into.extend_from_slice(&chunk[..read]);
    }
}

#[async_trait]
impl Node for NetnsNode {
    fn name(&self) -> &str {
        &self.name
    }

    async fn exec(&self, command: &Command) -> Result<Output, NodeError> {
        match command.timeout {
            None => self.run(command).await,
            // Dropping the future kills the command.
            Some(limit) => tokio::time::timeout(limit, self.run(command)).await.unwrap_or_else(|_| {
                Err(NodeError::TimedOut { node: self.name.clone(), command: command.to_string(), limit })
            }),
        }
    }

    async fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        let child = start(&self.name, self.init, self.userns, command, &Streams::Piped)?;
        Ok(Box::new(NetnsProcess { node: self.name.clone(), child, terminal: None }))
    }

    async fn spawn_on_terminal(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        let tried = |error| io_error(&self.name, "make a terminal", error);
        let streams = Streams::Terminal(Pty::open().map_err(tried)?);
        let child = start(&self.name, self.init, self.userns, command, &streams)?;
        let Streams::Terminal(pty) = streams else {
            return Err(tried(std::io::Error::other("it was one a moment ago")));
        };
        let terminal = Some(pty.ours().map_err(tried)?);
        Ok(Box::new(NetnsProcess { node: self.name.clone(), child, terminal }))
    }

    async fn socket(&self, kind: SocketKind) -> Result<OwnedFd, NodeError> {
        let opened = self.sockets.open(self.init, kind).await;
        opened.map_err(|error| self.failed(&format!("open a {kind:?} socket"), error))
    }

    async fn unix(&self, path: &Path) -> Result<UnixStream, NodeError> {
        let connected = UnixStream::connect(self.outside(path)).await;
        connected.map_err(|error| self.failed(&format!("connect to {}", path.display()), error))
    }

    async fn write_file(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), NodeError> {
        let outside = self.outside(path);
        let written = async {
            if let Some(above) = outside.parent() {
                tokio::fs::create_dir_all(above).await?;
            }
            tokio::fs::write(&outside, bytes).await?;
            tokio::fs::set_permissions(&outside, std::fs::Permissions::from_mode(mode)).await
        };
        written.await.map_err(|error| self.failed(&format!("write {}", path.display()), error))
    }

    async fn append_file(&self, path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
        let outside = self.outside(path);
        let appended = async {
            let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(&outside).await?;
            file.write_all(bytes).await?;
            file.flush().await
        };
        appended.await.map_err(|error| self.failed(&format!("append to {}", path.display()), error))
    }

    async fn read_file(&self, path: &Path) -> Result<Vec<u8>, NodeError> {
        let read = tokio::fs::read(self.outside(path)).await;
        read.map_err(|error| self.failed(&format!("read {}", path.display()), error))
    }
}
