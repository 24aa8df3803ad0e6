//! A client's handle on a keeper: starting one, finding one, asking it.
//!
//! What lives here: one short connection per request. What does not: what a keeper does (`control`, `crate::world`).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::UnixStream;

use super::protocol::{AgentInfo, Answer, KeeperSpec, NodeInfo, Progress, Request, StepReport, UpgradeOrder};

use super::state::{State, StateError, runtime_dir, states};
use crate::lab::Step;
use crate::node::{NodeRef, SocketKind};
use crate::runtime::docker::{DockerNode, Engine};
use crate::runtime::hats;
use crate::runtime::netns::enter::own;
use crate::runtime::netns::{NetnsNode, SocketSource};

/// What can go wrong between a client and a keeper.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeeperError {
    /// The keeper could not be started.
    #[error("cannot start the keeper: {why}; `fabric doctor` checks what it needs")]
    Start {
        /// Why not.
        why: String,
    },
    /// The keeper did not do what was asked.
    #[error("{what}: {why}")]
    Refused {
        /// What was asked.
        what: String,
        /// The keeper's word.
        why: String,
    },
    /// It ended, and something that others made is left.
    #[error("{id} has ended, and not all of it is gone; `fabric down` tries again:\n  {}", .left.join("\n  "))]
    Left {
        /// The fabric.
        id: String,
        /// What is left, a sentence each, with what to type.
        left: Vec<String>,
    },
    /// The keeper is gone.
    #[error("{what}: the keeper of {id} is gone ({why}); everything it kept is gone with it")]
    Gone {
        /// The fabric.
        id: String,
        /// What was asked.
        what: String,
        /// The system's word.
        why: String,
    },
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The folder in a keeper's on which a copy of the host's `/etc` is mounted, in the keeper's mount namespace.
pub(crate) const ETC: &str = "etc";

/// A running keeper.
#[derive(Debug)]
pub struct Keeper {
    id: String,
    dir: PathBuf,
    /// The keeper of a test run ends when this closes.
    leash: Mutex<Option<std::process::ChildStdin>>,
    child: Mutex<Option<std::process::Child>>,
}

impl Keeper {
    /// A folder for a keeper named `id`: where its state will be.
    pub fn folder(id: &str) -> Result<PathBuf, StateError> {
        Ok(runtime_dir()?.join(id))
    }

    /// Starts a keeper and waits until it answers.
    pub async fn start(spec: &KeeperSpec) -> Result<Self, KeeperError> {
        let failed = |why: String| KeeperError::Start { why };
        states()?;
        for folder in ["root", ETC] {
            std::fs::create_dir_all(spec.dir.join(folder))
                .map_err(|error| failed(format!("{}: {error}", spec.dir.display())))?;
        }
        if State::alive(&spec.dir) {
            let keeper = State::read(&spec.dir).map_or(0, |state| state.keeper);
            return Err(StateError::AlreadyUp { id: spec.id.clone(), keeper }.into());
        }
        let log =
            std::fs::File::create(spec.dir.join("keeper.log")).map_err(|error| failed(error.to_string()))?;
        let mut command = std::process::Command::new(hats::executable());
        command.arg0(hats::KEEPER).arg(&spec.id);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let (Some(mut leash), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("it has no pipes".into()));
        };
        let dir = spec.dir.clone();
        let mut line = serde_json::to_string(spec).map_err(|error| failed(error.to_string()))?;
        line.push('\n');
        // One line each way, by a thread: the pipes are ordinary files.
        let (leash, said) = tokio::task::spawn_blocking(move || {
            use std::io::{BufRead, Write};
            leash.write_all(line.as_bytes())?;
            let mut said = String::new();
            std::io::BufReader::new(out).read_line(&mut said)?;
            Ok::<_, io::Error>((leash, said))
        })
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(error.to_string()))?;
        if said.trim() != "ready" {
            let why = if said.trim().is_empty() { log_of(&dir) } else { said.trim().to_owned() };
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_dir_all(&dir);
            return Err(failed(why));
        }
        let ephemeral = spec.ephemeral;
        Ok(Self {
            id: spec.id.clone(),
            dir,
            leash: Mutex::new(ephemeral.then_some(leash)),
            child: Mutex::new(Some(child)),
        })
    }

    /// Finds the keeper of a fabric that is up.
    pub fn find(id: &str) -> Result<Self, StateError> {
        let all = states()?;
        let found = all.iter().find(|state| state.spec.id == id);
        let Some(found) = found else {
            let others = all.into_iter().map(|state| state.spec.id).collect();
            return Err(StateError::NoSuchFabric { id: id.to_owned(), others });
        };
        Ok(Self {
            id: id.to_owned(),
            dir: found.spec.dir.clone(),
            leash: Mutex::new(None),
            child: Mutex::new(None),
        })
    }

    /// The keeper that lives in this folder, which need not be among this user's own.
    pub fn in_folder(dir: &Path) -> Result<Self, StateError> {
        let state = State::read(dir).filter(|_| State::alive(dir));
        let state = state
            .ok_or_else(|| StateError::NoSuchFabric { id: dir.display().to_string(), others: Vec::new() })?;
        Ok(Self { id: state.spec.id, dir: dir.to_owned(), leash: Mutex::new(None), child: Mutex::new(None) })
    }

    /// The fabric's name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The keeper's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The state as the keeper last wrote it.
    pub fn state(&self) -> Result<State, KeeperError> {
        State::read(&self.dir).ok_or_else(|| self.lost("read the state file", &"no state file".to_string()))
    }

    /// Does a part of bringing the fabric up.
    pub async fn step(
        &self,
        step: Step,
        mut progress: impl FnMut(Progress),
    ) -> Result<StepReport, KeeperError> {
        let what = format!("bring up the {}", step.as_str());
        let mut lines = self.send(&what, &Request::Step(step)).await?;
        loop {
            match self.receive(&what, &mut lines).await? {
                Answer::Progress(part) => progress(part),
                Answer::Step(report) => return Ok(report),
                other => return Err(self.unexpected(&what, &other)),
            }
        }
    }

    /// Goes to another version of Cilium; returns when every agent is of that version.
    pub async fn upgrade(
        &self,
        order: &UpgradeOrder,
        mut progress: impl FnMut(Progress),
    ) -> Result<StepReport, KeeperError> {
        let what = format!("upgrade Cilium to {}", order.to);
        let mut lines = self.send(&what, &Request::Upgrade(order.clone())).await?;
        loop {
            match self.receive(&what, &mut lines).await? {
                Answer::Progress(part) => progress(part),
                Answer::Step(report) => return Ok(report),
                other => return Err(self.unexpected(&what, &other)),
            }
        }
    }

    /// Remembers the phase that the fabric has reached.
    pub async fn reached(&self, phase: &str) -> Result<(), KeeperError> {
        let what = "remember the phase";
        let mut lines = self.send(what, &Request::Phase(phase.to_owned())).await?;
        self.receive(what, &mut lines).await.map(drop)
    }

    /// The nodes, pods included.
    pub async fn nodes(&self) -> Result<Vec<NodeInfo>, KeeperError> {
        let what = "list the nodes";
        let mut lines = self.send(what, &Request::Nodes).await?;
        match self.receive(what, &mut lines).await? {
            Answer::Nodes(nodes) => Ok(nodes),
            other => Err(self.unexpected(what, &other)),
        }
    }

    /// Tells of Cilium's agents now, and again whenever something about them changes; returns when the keeper has gone.
    pub async fn follow_agents(&self, mut tell: impl FnMut(Vec<AgentInfo>)) -> Result<(), KeeperError> {
        let what = "follow the agents";
        let mut lines = self.send(what, &Request::Agents).await?;
        loop {
            match self.receive(what, &mut lines).await? {
                Answer::Agents(agents) => tell(agents),
                other => return Err(self.unexpected(what, &other)),
            }
        }
    }

    /// Handles on nodes, by which commands are run in them; `engine` is that of containers.
    pub fn handle(&self, node: &NodeInfo, userns: bool, engine: Option<&Engine>) -> NodeRef {
        let sockets = Arc::new(FromKeeper { dir: self.dir.clone() });
        match (&node.container_id, engine) {
            (Some(id), Some(engine)) => {
                Arc::new(DockerNode::new(&node.name, id, engine.clone()).at_hand(node.init, sockets))
            }
            _ => Arc::new(self.netns_node(node, userns)),
        }
    }

    /// The same handle with what only namespaces can do: a command on the caller's own terminal.
    pub fn netns_node(&self, node: &NodeInfo, userns: bool) -> NetnsNode {
        NetnsNode::new(&node.name, node.init, userns, Arc::new(FromKeeper { dir: self.dir.clone() }))
    }

    /// Waits until the keeper has gone, however it went; never returns while it lives.
    pub async fn gone(&self) {
        // No state file, or no such process: gone already. A keeper that lives has both.
        if let Ok(state) = self.state()
            && let Ok(handle) = crate::runtime::netns::enter::pidfd(state.keeper)
        {
            ended(handle).await;
        }
    }

    /// Ends everything the keeper keeps; returns when it has gone. Its folder stays until [`Keeper::forget`].
    pub async fn down(&self) -> Result<(), KeeperError> {
        let what = "end the fabric";
        let pid = self.state().map(|state| state.keeper);
        if let Ok(mut lines) = self.send(what, &Request::Down).await {
            // The answer, then the end of the connection: the keeper leaves when its nodes have gone.
            while let Ok(Some(_)) = lines.next_line().await {}
        }
        self.leash.lock().unwrap_or_else(PoisonError::into_inner).take();
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            let _ = tokio::task::spawn_blocking(move || child.wait()).await;
        } else if let Ok(pid) = pid
            && let Ok(handle) = crate::runtime::netns::enter::pidfd(pid)
        {
            ended(handle).await;
        }
        if let Ok(left) = std::fs::read_to_string(self.dir.join(super::main::LEFT)) {
            let left: Vec<String> = left.lines().map(str::to_owned).collect();
            if left.is_empty() {
                return Ok(());
            }
            return Err(KeeperError::Left { id: self.id.clone(), left });
        }
        Ok(())
    }

    /// Whether a keeper that has gone took everything away itself, or was killed before.
    pub(crate) fn ended_itself(&self) -> bool {
        self.dir.join(super::main::LEFT).exists()
    }

    /// Removes the folder of a keeper that has gone.
    pub fn forget(&self) {
        // What cannot be removed now is swept by the next command.
        let _ = std::fs::remove_dir_all(&self.dir);
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(self.dir.join("keeper.sock")).await
    }

    async fn send(
        &self,
        what: &str,
        request: &Request,
    ) -> Result<tokio::io::Lines<BufReader<UnixStream>>, KeeperError> {
        let sent = async {
            let mut stream = self.connect().await?;
            stream.write_all(&line_of(request)?).await?;
            Ok::<_, io::Error>(BufReader::new(stream).lines())
        };
        sent.await.map_err(|error| self.lost(what, &error))
    }

    async fn receive(
        &self,
        what: &str,
        lines: &mut tokio::io::Lines<BufReader<UnixStream>>,
    ) -> Result<Answer, KeeperError> {
        let line = lines.next_line().await.map_err(|error| self.lost(what, &error))?;
        let line = line.ok_or_else(|| self.lost(what, &log_of(&self.dir)))?;
        match serde_json::from_str(&line) {
            Ok(Answer::Failed { why }) => Err(KeeperError::Refused { what: what.to_owned(), why }),
            Ok(answer) => Ok(answer),
            Err(error) => Err(KeeperError::Refused { what: what.to_owned(), why: error.to_string() }),
        }
    }

    fn lost(&self, what: &str, why: &impl ToString) -> KeeperError {
        KeeperError::Gone { id: self.id.clone(), what: what.to_owned(), why: why.to_string() }
    }

    fn unexpected(&self, what: &str, answer: &Answer) -> KeeperError {
        KeeperError::Refused {
            what: what.to_owned(),
            why: format!("an answer to something else: {answer:?}"),
        }
    }
}

pub(super) fn line_of(message: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message).map_err(io::Error::other)?;
    line.push(b'\n');
    Ok(line)
}

/// Waits for the end of a process: its handle turns readable then.
async fn ended(process: OwnedFd) {
    #[allow(deprecated, reason = "the successor is unsafe; an OwnedFd keeps what it asks for")]
    if let Ok(process) = tokio::io::unix::AsyncFd::with_interest(process, Interest::READABLE) {
        let _ = process.readable().await;
    }
}

/// The last of what a keeper said before it went.
fn log_of(dir: &Path) -> String {
    let log = std::fs::read_to_string(dir.join("keeper.log")).unwrap_or_default();
    let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it ended without a word");
    last.to_owned()
}

/// Sockets of a node's network namespace, handed over by the keeper.
#[derive(Debug)]
struct FromKeeper {
    dir: PathBuf,
}

#[async_trait]
impl SocketSource for FromKeeper {
    async fn open(&self, init: i32, kind: SocketKind) -> io::Result<OwnedFd> {
        let mut stream = UnixStream::connect(self.dir.join("keeper.sock")).await?;
        stream.write_all(&line_of(&Request::Socket { init, kind })?).await?;
        let (line, descriptor) = loop {
            stream.readable().await?;
            match stream.try_io(Interest::READABLE, || receive_with_descriptor(stream.as_raw_fd())) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => break received?,
            }
        };
        match (serde_json::from_slice(&line).map_err(io::Error::other)?, descriptor) {
            (Answer::Socket, Some(descriptor)) => Ok(descriptor),
            (Answer::Failed { why }, _) => Err(io::Error::other(why)),
            _ => Err(io::Error::other("the keeper sent no socket")),
        }
    }
}

fn receive_with_descriptor(stream: RawFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = vec![0; 4096];
    let mut slices = [io::IoSliceMut::new(&mut bytes)];
    let mut space = nix::cmsg_space!([RawFd; 1]);
    let message = recvmsg::<()>(stream, &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let length = message.bytes;
    let mut descriptor = None;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(descriptors) = control {
            descriptor = descriptors.first().copied();
        }
    }
    let descriptor = descriptor.map(own);
    bytes.truncate(length);
    Ok((bytes, descriptor))
}
