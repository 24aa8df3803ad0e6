//! A pod runtime whose every pod is this machine.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use tokio::net::UnixStream;
use tokio::process::Child;

use crate::node::{Command, Node, NodeError, NodeRef, Output, Process, Reader, SocketKind, Terminal, Writer};
use crate::runtime::netns::terminal::{Ours, Pty};
use crate::twin::api::{ApiError, LogOptions, LogStream, PodRuntime};

#[derive(Debug)]
pub(super) struct ThisMachine;

#[async_trait]
impl PodRuntime for ThisMachine {
    async fn node(&self, _: &str, _: &str, _: Option<&str>) -> Result<NodeRef, ApiError> {
        Ok(Arc::new(Self))
    }

    async fn log(&self, namespace: &str, name: &str, options: &LogOptions) -> Result<LogStream, ApiError> {
        let text = format!("{namespace}/{name} {:?}\n", options.tail_lines);
        Ok(futures::stream::once(async { text.into() }).boxed())
    }
}

struct Running(Child, Option<Ours>);

fn unsupported(what: &str) -> NodeError {
    NodeError::Unsupported { node: "this".into(), what: what.into(), why: "no test needs it".into() }
}

fn io(what: &str, source: std::io::Error) -> NodeError {
    NodeError::Io { node: "this".into(), what: what.into(), source }
}

#[async_trait]
impl Process for Running {
    fn stdin(&mut self) -> Option<Writer> {
        if let Some(ours) = &mut self.1 {
            return ours.input.take();
        }
        self.0.stdin.take().map(|stream| Box::new(stream) as Writer)
    }

    fn stdout(&mut self) -> Option<Reader> {
        if let Some(ours) = &mut self.1 {
            return ours.output.take();
        }
        self.0.stdout.take().map(|stream| Box::new(stream) as Reader)
    }

    fn stderr(&mut self) -> Option<Reader> {
        self.0.stderr.take().map(|stream| Box::new(stream) as Reader)
    }

    fn terminal(&mut self) -> Option<Box<dyn Terminal>> {
        self.1.as_mut()?.size.take()
    }

    async fn wait(&mut self) -> Result<i32, NodeError> {
        self.0.wait().await.map(|status| status.code().unwrap_or(137)).map_err(|error| io("wait", error))
    }

    fn signal(&self, _: i32) -> Result<(), NodeError> {
        Err(unsupported("signal"))
    }
}

#[async_trait]
impl Node for ThisMachine {
    fn name(&self) -> &str {
        "this"
    }

    async fn exec(&self, _: &Command) -> Result<Output, NodeError> {
        Err(unsupported("exec"))
    }

    async fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        let program = command.argv.first().cloned().unwrap_or_default();
        let spawned = tokio::process::Command::new(&program)
            .args(command.argv.get(1..).unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        match spawned {
            Ok(child) => Ok(Box::new(Running(child, None))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(NodeError::NotFound { node: "this".into(), program })
            }
            Err(error) => Err(io("spawn", error)),
        }
    }

    async fn spawn_on_terminal(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        let tried = |error| io("make a terminal", error);
        let pty = Pty::open().map_err(tried)?;
        let [stdin, stdout, stderr] = pty.streams().map_err(tried)?;
        // What `enter` does for a node, done by util-linux: a session whose terminal is standard input.
        let child = tokio::process::Command::new("setsid")
            .args(["--ctty", "--wait"])
            .args(&command.argv)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn();
        let child = child.map_err(|error| io("spawn", error))?;
        Ok(Box::new(Running(child, Some(pty.ours().map_err(tried)?))))
    }

    async fn socket(&self, kind: SocketKind) -> Result<OwnedFd, NodeError> {
        let domain = match kind {
            SocketKind::Tcp4 => socket2::Domain::IPV4,
            SocketKind::Tcp6 => socket2::Domain::IPV6,
            _ => return Err(unsupported("socket")),
        };
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM.nonblocking(), None);
        socket.map(OwnedFd::from).map_err(|error| io("socket", error))
    }

    async fn unix(&self, _: &Path) -> Result<UnixStream, NodeError> {
        Err(unsupported("unix"))
    }

    async fn write_file(&self, _: &Path, _: &[u8], _: u32) -> Result<(), NodeError> {
        Err(unsupported("write_file"))
    }

    async fn read_file(&self, _: &Path) -> Result<Vec<u8>, NodeError> {
        Err(unsupported("read_file"))
    }
}
