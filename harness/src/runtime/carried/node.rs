//! The node over a carrier.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::carrier::{Carrier, CarryError};
use super::process::CarriedProcess;
use crate::node::{Command, Node, NodeError, Output, Process, Reader, SocketKind};
use crate::runtime::wrapped;

/// A node into which commands are carried.
#[derive(Debug)]
pub struct Carried<C> {
    pub(super) name: String,
    pub(super) carrier: Arc<C>,
}

impl<C> Clone for Carried<C> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), carrier: Arc::clone(&self.carrier) }
    }
}

/// A carrier's word as a node's.
pub(super) fn told(node: &str, what: &str, error: CarryError) -> NodeError {
    let node = node.to_owned();
    match error {
        CarryError::Gone => NodeError::Gone { node },
        CarryError::Missing(program) => NodeError::NotFound { node, program },
        CarryError::Cannot(why) => NodeError::Unsupported { node, what: what.to_owned(), why },
        CarryError::Io(source) => NodeError::Io { node, what: what.to_owned(), source },
    }
}

impl<C: Carrier> Carried<C> {
    /// A node of this name behind a carrier.
    pub fn by(name: impl Into<String>, carrier: C) -> Self {
        Self { name: name.into(), carrier: Arc::new(carrier) }
    }

    async fn start(
        &self,
        command: &Command,
        argv: Vec<String>,
        stdin: bool,
        terminal: bool,
    ) -> Result<CarriedProcess, NodeError> {
        let what = format!("run `{command}`");
        if command.argv.is_empty() {
            return Err(told(&self.name, &what, CarryError::other("the command is empty")));
        }
        let started = self.carrier.start(argv, stdin, terminal).await;
        let started = started.map_err(|error| told(&self.name, &what, error))?;
        let carrier = Arc::clone(&self.carrier) as Arc<dyn Carrier>;
        Ok(CarriedProcess::new(self.name.clone(), what, carrier, started, terminal))
    }

    async fn run(&self, command: &Command) -> Result<Output, NodeError> {
        let mut argv = wrapped::wrapped(command);
        if !self.carrier.carries_end_of_input() && !command.stdin.is_empty() {
            argv = counted(argv, command.stdin.len());
        }
        let mut process = self.start(command, argv, !command.stdin.is_empty(), false).await?;
        let (stdin, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read all it is given is not an error.
                let _ = stdin.write_all(&command.stdin).await;
                let _ = stdin.flush().await;
                // Where the end is not carried, closing would break the whole connection: it waits for the command's end.
                if self.carrier.carries_end_of_input() {
                    let _ = stdin.shutdown().await;
                    return None;
                }
                return Some(stdin);
            }
            None
        };
        let (_open, stdout, stderr, code) =
            tokio::join!(feed, all_of(stdout), all_of(stderr), process.wait());
        let output = Output { code: code?, stdout, stderr };
        if wrapped::is_missing(output.code, &output.stderr) {
            let program = command.argv.first().cloned().unwrap_or_default();
            return Err(NodeError::NotFound { node: self.name.clone(), program });
        }
        Ok(output)
    }

    fn no_sockets(&self, what: String) -> NodeError {
        let why = format!("only commands lead into {}", self.carrier.place());
        NodeError::Unsupported { node: self.name.clone(), what, why }
    }

    async fn shell(&self, what: String, script: String, stdin: &[u8]) -> Result<Output, NodeError> {
        let command = Command { stdin: stdin.to_vec(), ..Command::new(["sh", "-c", script.as_str()]) };
        let output = self.exec(&command).await?;
        if output.success() {
            return Ok(output);
        }
        let said = output.error_text();
        let kind = if said.contains("No such file") {
            std::io::ErrorKind::NotFound
        } else if said.contains("Permission denied") {
            std::io::ErrorKind::PermissionDenied
        } else {
            std::io::ErrorKind::Other
        };
        let source = std::io::Error::new(kind, said.trim().to_owned());
        Err(NodeError::Io { node: self.name.clone(), what, source })
    }
}

/// The command line reads so many bytes and then finds the end of its input.
fn counted(argv: Vec<String>, bytes: usize) -> Vec<String> {
    let shell = ["sh".to_owned(), "-c".to_owned(), format!("head -c {bytes} | \"$@\""), "fabric".to_owned()];
    shell.into_iter().chain(argv).collect()
}

async fn all_of(stream: Option<Reader>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.read_to_end(&mut bytes).await;
    }
    bytes
}

fn quoted(path: &Path) -> String {
    shell_words::quote(&path.to_string_lossy()).into_owned()
}

#[async_trait]
impl<C: Carrier> Node for Carried<C> {
    fn name(&self) -> &str {
        &self.name
    }

    async fn exec(&self, command: &Command) -> Result<Output, NodeError> {
        match command.timeout {
            None => self.run(command).await,
            // Dropping the future kills the command.
            Some(limit) => tokio::time::timeout(limit, self.run(command)).await.unwrap_or_else(|_| {
                let (node, command) = (self.name.clone(), command.to_string());
                Err(NodeError::TimedOut { node, command, limit })
            }),
        }
    }

    async fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        Ok(Box::new(self.start(command, wrapped::wrapped(command), true, false).await?))
    }

    async fn spawn_on_terminal(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        Ok(Box::new(self.start(command, wrapped::wrapped_on_terminal(command), true, true).await?))
    }

    async fn socket(&self, kind: SocketKind) -> Result<OwnedFd, NodeError> {
        Err(self.no_sockets(format!("open a {kind:?} socket")))
    }

    async fn unix(&self, path: &Path) -> Result<UnixStream, NodeError> {
        Err(self.no_sockets(format!("connect to {}", path.display())))
    }

    async fn write_file(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), NodeError> {
        let above = path.parent().map(quoted).unwrap_or_else(|| "/".to_owned());
        let at = quoted(path);
        // With nothing to write there is nothing to read either.
        let fill = if bytes.is_empty() { ":" } else { "cat" };
        let script = format!("mkdir -p {above} && {fill} > {at} && chmod {mode:o} {at}");
        self.shell(format!("write {}", path.display()), script, bytes).await.map(drop)
    }

    async fn read_file(&self, path: &Path) -> Result<Vec<u8>, NodeError> {
        let script = format!("cat {}", quoted(path));
        Ok(self.shell(format!("read {}", path.display()), script, &[]).await?.stdout)
    }
}
