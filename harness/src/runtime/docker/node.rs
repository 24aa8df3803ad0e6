//! A container seen through the one trait of a node.
//!
//! What lives here: commands by the engine's exec; sockets, unix sockets and files natively where the container's
//! processes are ours to visit, and by the engine where they are not. What does not: making containers (`container`).

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bollard::query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use futures::TryStreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::engine::Engine;
use super::process::Place;
use crate::node::{Command, Node, NodeError, Output, Process, SocketKind};
use crate::runtime::netns::SocketSource;
use crate::runtime::wrapped;

/// What can be done without the engine: the container's first process is a process of this machine.
#[derive(Debug, Clone)]
struct Native {
    init: i32,
    sockets: Arc<dyn SocketSource>,
}

/// A node that is a container.
#[derive(Clone)]
pub struct DockerNode {
    place: Place,
    native: Option<Native>,
}

impl fmt::Debug for DockerNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { node, container, .. } = &self.place;
        f.debug_struct("DockerNode").field("name", node).field("container", container).finish_non_exhaustive()
    }
}

impl DockerNode {
    /// A handle on a container, by its name or id. Everything goes through the engine.
    pub fn new(name: impl Into<String>, container: impl Into<String>, engine: Engine) -> Self {
        Self { place: Place { engine, node: name.into(), container: container.into() }, native: None }
    }

    /// The same handle, with sockets and files of the container's own: `init` is the pid of its first process as this
    /// machine sees it.
    #[must_use]
    pub fn at_hand(mut self, init: i32, sockets: Arc<dyn SocketSource>) -> Self {
        self.native = Some(Native { init, sockets });
        self
    }

    fn outside(&self, path: &Path) -> Option<PathBuf> {
        let native = self.native.as_ref()?;
        let root = PathBuf::from(format!("/proc/{}/root", native.init));
        Some(root.join(path.strip_prefix("/").unwrap_or(path)))
    }

    fn unsupported(&self, what: String) -> NodeError {
        let why =
            "the container is behind an engine that is not this machine's, or this is not root".to_owned();
        NodeError::Unsupported { node: self.place.node.clone(), what, why }
    }

    fn io(&self, what: String) -> impl FnOnce(std::io::Error) -> NodeError {
        let node = self.place.node.clone();
        move |source| NodeError::Io { node, what, source }
    }

    async fn run(&self, command: &Command) -> Result<Output, NodeError> {
        let mut process = self.place.start(command, false).await?;
        let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
        let mut output = Output::default();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read all it is given is not an error.
                let _ = stdin.write_all(&command.stdin).await;
                let _ = stdin.shutdown().await;
            }
        };
        let read = |stream: Option<crate::node::Reader>| async move {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.read_to_end(&mut bytes).await;
            }
            bytes
        };
        ((), output.stdout, output.stderr) = tokio::join!(feed, read(stdout), read(stderr));
        output.code = process.wait().await?;
        if wrapped::is_missing(output.code, &output.stderr) {
            let program = command.argv.first().cloned().unwrap_or_default();
            return Err(NodeError::NotFound { node: self.place.node.clone(), program });
        }
        Ok(output)
    }
}

#[async_trait]
impl Node for DockerNode {
    fn name(&self) -> &str {
        &self.place.node
    }

    async fn exec(&self, command: &Command) -> Result<Output, NodeError> {
        match command.timeout {
            None => self.run(command).await,
            // Dropping the future kills the command.
            Some(limit) => tokio::time::timeout(limit, self.run(command)).await.unwrap_or_else(|_| {
                let (node, command) = (self.place.node.clone(), command.to_string());
                Err(NodeError::TimedOut { node, command, limit })
            }),
        }
    }

    async fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        Ok(Box::new(self.place.start(command, false).await?))
    }

    async fn spawn_on_terminal(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        Ok(Box::new(self.place.start(command, true).await?))
    }

    async fn socket(&self, kind: SocketKind) -> Result<OwnedFd, NodeError> {
        let what = format!("open a {kind:?} socket");
        let Some(native) = &self.native else { return Err(self.unsupported(what)) };
        native.sockets.open(native.init, kind).await.map_err(self.io(what))
    }

    async fn unix(&self, path: &Path) -> Result<UnixStream, NodeError> {
        let what = format!("connect to {}", path.display());
        let Some(outside) = self.outside(path) else { return Err(self.unsupported(what)) };
        UnixStream::connect(outside).await.map_err(self.io(what))
    }

    async fn write_file(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), NodeError> {
        let what = format!("write {}", path.display());
        let Some(outside) = self.outside(path) else {
            let packed = pack(path, bytes, mode).map_err(self.io(what.clone()))?;
            let options = UploadToContainerOptionsBuilder::new().path("/").build();
            let sent = self.place.engine.api().upload_to_container(
                &self.place.container,
                Some(options),
                bollard::body_full(packed.into()),
            );
            return sent.await.map_err(|error| self.place.error(&what, &error));
        };
        let written = async {
            if let Some(above) = outside.parent() {
                tokio::fs::create_dir_all(above).await?;
            }
            tokio::fs::write(&outside, bytes).await?;
            tokio::fs::set_permissions(&outside, std::fs::Permissions::from_mode(mode)).await
        };
        written.await.map_err(self.io(what))
    }

    async fn append_file(&self, path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
        let what = format!("append to {}", path.display());
        let Some(outside) = self.outside(path) else { return Err(self.unsupported(what)) };
        let appended = async {
            let mut file = tokio::fs::OpenOptions::new().create(true).append(true).open(outside).await?;
            tokio::io::AsyncWriteExt::write_all(&mut file, bytes).await?;
            tokio::io::AsyncWriteExt::flush(&mut file).await
        };
        appended.await.map_err(self.io(what))
    }

    async fn read_file(&self, path: &Path) -> Result<Vec<u8>, NodeError> {
        let what = format!("read {}", path.display());
        if let Some(outside) = self.outside(path) {
            return tokio::fs::read(outside).await.map_err(self.io(what));
        }
        let options = DownloadFromContainerOptionsBuilder::new().path(&path.to_string_lossy()).build();
        let stream = self.place.engine.api().download_from_container(&self.place.container, Some(options));
        let packed = stream.try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        let packed = packed.await.map_err(|error| {
            let source = std::io::Error::other(super::error::why(&error));
            NodeError::Io { node: self.place.node.clone(), what: what.clone(), source }
        })?;
        unpack(&packed).map_err(self.io(what))
    }
}

/// One file as a tar, with the folders above it.
fn pack(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, path.strip_prefix("/").unwrap_or(path), bytes)?;
    archive.into_inner()
}

/// The first file of a tar.
fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    for entry in tar::Archive::new(packed).entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_file() {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    Err(std::io::Error::new(std::io::ErrorKind::IsADirectory, "it is not a file"))
}
