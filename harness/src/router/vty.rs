//! FRR's vty over its unix sockets: what `vtysh` speaks, without starting `vtysh` for each question.
//!
//! A command goes out with a NUL behind it; the answer ends with three NULs and a return code (FRR 8.2 to 10.x,
//! `lib/vty.c`). The connection is kept, and made again when the daemon was restarted. Where the node offers no
//! unix sockets (seen only through exec) the same questions go through `vtysh -d`.

use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use super::error::RouterError;
use crate::node::{Command, NodeError, NodeRef};

/// Where FRR's packages put the sockets; the second is the older name of the first.
pub(super) const FOLDERS: [&str; 2] = ["/run/frr", "/var/run/frr"];

/// A daemon answers in well under a millisecond; one that took this long is stopped.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// FRR's code for a command that did what it should.
const SUCCESS: u8 = 0;
/// FRR's code for a command that worked and has something to say about it (`CMD_WARNING`).
const WARNING: u8 = 1;

/// A daemon of FRR that has a vty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Daemon {
    /// BGP.
    Bgpd,
    /// Routes of the kernel, interfaces.
    Zebra,
    /// Static routes.
    Staticd,
    /// Bidirectional forwarding detection.
    Bfdd,
}

impl Daemon {
    /// The daemon's name, as in its socket (`bgpd.vty`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Bgpd => "bgpd",
            Self::Zebra => "zebra",
            Self::Staticd => "staticd",
            Self::Bfdd => "bfdd",
        }
    }
}

/// A conversation with one daemon. One question at a time; callers queue.
#[derive(Debug)]
pub struct Vty {
    node: NodeRef,
    daemon: Daemon,
    folders: Vec<PathBuf>,
    stream: Mutex<Option<UnixStream>>,
}

impl Vty {
    /// A conversation with a daemon of a node; nothing is connected before the first question.
    pub fn new(node: NodeRef, daemon: Daemon) -> Self {
        Self::in_folders(node, daemon, FOLDERS.map(PathBuf::from).to_vec())
    }

    /// The same with the sockets in other folders (`--vty_socket`), tried in order.
    pub fn in_folders(node: NodeRef, daemon: Daemon, folders: Vec<PathBuf>) -> Self {
        Self { node, daemon, folders, stream: Mutex::new(None) }
    }

    /// Asks one command and returns its text, as the daemon wrote it.
    pub async fn ask(&self, command: &str) -> Result<String, RouterError> {
        let mut held = self.stream.lock().await;
        let (code, text) = self.exchange(&mut held, command).await?;
        self.judge(command, code, text)
    }

    /// Asks one command that answers in JSON (`... json`).
    pub async fn ask_json<T: DeserializeOwned>(&self, command: &str) -> Result<T, RouterError> {
        let text = self.ask(command).await?;
        serde_json::from_str(&text).map_err(|error| self.not_json(command, &text, error.to_string()))
    }

    /// Runs lines of configuration (`router bgp 65000`, ...) and leaves the configuration mode again, also on failure.
    pub async fn configure<S: AsRef<str> + Sync>(&self, lines: &[S]) -> Result<(), RouterError> {
        let mut held = self.stream.lock().await;
        let (code, text) = self.exchange(&mut held, "configure terminal").await?;
        self.judge("configure terminal", code, text)?;
        let mut outcome = Ok(());
        for line in lines {
            let (code, text) = self.exchange(&mut held, line.as_ref()).await?;
            outcome = self.judge(line.as_ref(), code, text).map(drop);
            if outcome.is_err() {
                break;
            }
        }
        self.exchange(&mut held, "end").await?;
        outcome
    }

    fn judge(&self, command: &str, code: u8, text: String) -> Result<String, RouterError> {
        if code == SUCCESS || code == WARNING {
            return Ok(text);
        }
        Err(RouterError::Refused {
            node: self.node.name().to_owned(),
            daemon: self.daemon.name(),
            command: command.to_owned(),
            code,
            said: text.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }

    pub(super) fn not_json(&self, command: &str, text: &str, why: String) -> RouterError {
        RouterError::NotJson {
            node: self.node.name().to_owned(),
            daemon: self.daemon.name(),
            command: command.to_owned(),
            why,
            start: text.trim_start().chars().take(60).collect(),
        }
    }

    /// One question, one answer. A kept connection that turns out to be dead (the daemon was restarted since) is
    /// made again once. The connection leaves its place while in use, so that a caller that gives up halfway
    /// does not leave half an answer behind for the next one.
    async fn exchange(
        &self,
        held: &mut Option<UnixStream>,
        command: &str,
    ) -> Result<(u8, String), RouterError> {
        if let Some(mut stream) = held.take() {
            match self.limited(&mut stream, command).await {
                Ok(answer) => {
                    *held = Some(stream);
                    return Ok(answer);
                }
                Err(RouterError::Lost { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        let Some(mut stream) = self.connect().await? else {
            return self.through_vtysh(command).await;
        };
        // A vty starts in view mode, in which `configure` and `clear` are unknown words.
        self.limited(&mut stream, "enable").await?;
        let answer = self.limited(&mut stream, command).await?;
        *held = Some(stream);
        Ok(answer)
    }

    async fn limited(&self, stream: &mut UnixStream, command: &str) -> Result<(u8, String), RouterError> {
        match tokio::time::timeout(ANSWER_LIMIT, speak(stream, command)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(RouterError::Lost {
                node: self.node.name().to_owned(),
                daemon: self.daemon.name(),
                command: command.to_owned(),
                why: error.to_string(),
            }),
            Err(_) => Err(RouterError::Silent {
                node: self.node.name().to_owned(),
                daemon: self.daemon.name(),
                command: command.to_owned(),
                limit: ANSWER_LIMIT,
            }),
        }
    }

    /// A connection to the first socket that takes one; `None` when the node offers no unix sockets at all.
    async fn connect(&self) -> Result<Option<UnixStream>, RouterError> {
        let mut why = String::from("no such file");
        for folder in &self.folders {
            match self.node.unix(&folder.join(format!("{}.vty", self.daemon.name()))).await {
                Ok(stream) => return Ok(Some(stream)),
                Err(NodeError::Unsupported { .. }) => return Ok(None),
                Err(NodeError::Io { source, .. }) => why = source.to_string(),
                Err(other) => return Err(other.into()),
            }
        }
        let looked: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        Err(RouterError::NotRunning {
            node: self.node.name().to_owned(),
            daemon: self.daemon.name(),
            looked: looked.join(", "),
            why,
        })
    }

    async fn through_vtysh(&self, command: &str) -> Result<(u8, String), RouterError> {
        let argv = ["vtysh", "-d", self.daemon.name(), "-c", command];
        let output = self.node.exec(&Command::new(argv).timeout(ANSWER_LIMIT)).await?;
        let text = output.text();
        if output.success() {
            return Ok((SUCCESS, text));
        }
        let said = format!("{text}{}", output.error_text());
        if said.contains("failed to connect") {
            return Err(RouterError::NotRunning {
                node: self.node.name().to_owned(),
                daemon: self.daemon.name(),
                looked: "the places vtysh knows".to_owned(),
                why: said.trim().to_owned(),
            });
        }
        Ok((u8::try_from(output.code).unwrap_or(u8::MAX), said))
    }
}

/// Sends a command and reads up to the end mark.
async fn speak(stream: &mut UnixStream, command: &str) -> std::io::Result<(u8, String)> {
    let mut line = command.as_bytes().to_vec();
    line.push(0);
    stream.write_all(&line).await?;
    let mut answer = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(finished) = finished(&answer) {
            return Ok(finished);
        }
    }
}

/// The code and the text of an answer that is complete. Text never holds a NUL, so the first one begins the end mark.
fn finished(answer: &[u8]) -> Option<(u8, String)> {
    // The mark is the last thing sent, and four bytes long: no need to look further back.
    let tail = answer.len().checked_sub(4)?;
    let [0, 0, 0, code] = answer.get(tail..)? else { return None };
    // With code 0 the mark is four NULs: three of them and a text that ends with none.
    Some((*code, String::from_utf8_lossy(&answer[..tail]).into_owned()))
}

#[cfg(test)]
mod tests;
