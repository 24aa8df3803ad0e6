//! A node in which nothing is real: gobgpd is a few lines that read the configuration and write the log.
//!
//! What lives here: what the agent needs to see of gobgpd, to test the loop in milliseconds. What gobgpd really does
//! is tested with [`super::Netns`].

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::net::UnixStream;

use crate::node::{Command, Node, NodeError, NodeRef, Output, Process, Reader, SocketKind, Writer};

/// The node, for the agent and for the test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pretended(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// What was run and signalled, in order.
    done: Vec<String>,
    running: Vec<Daemon>,
    /// While set, every gobgpd dies of this at once.
    broken: Option<String>,
}

#[derive(Debug)]
struct Daemon {
    config: PathBuf,
    neighbors: BTreeSet<String>,
    policies: Value,
    log: Option<DuplexStream>,
}

impl Pretended {
    pub(crate) fn node(&self) -> NodeRef {
        Arc::new(self.clone())
    }

    /// What has been done so far; forgotten once told.
    pub(crate) fn done(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().done)
    }

    /// Ends the running daemons, as a crash would.
    pub(crate) fn crash(&self) {
        self.lock().running.iter_mut().for_each(|daemon| daemon.log = None);
    }

    /// From now on gobgpd ends as soon as it is started, saying `why`; or does no longer.
    pub(crate) fn breaks(&self, why: Option<&str>) {
        self.lock().broken = why.map(str::to_owned);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl Inner {
    /// Reads the configuration of daemon `index` again and says what changed.
    fn reload(&mut self, index: usize) {
        let daemon = &mut self.running[index];
        let config: Value = serde_json::from_slice(&self.files[&daemon.config]).unwrap();
        let new: BTreeSet<String> = config["neighbors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|neighbor| neighbor["config"]["neighbor-address"].as_str().unwrap().to_owned())
            .collect();
        let added = new.difference(&daemon.neighbors).map(|peer| ("Add a peer configuration", peer));
        let deleted = daemon.neighbors.difference(&new).map(|peer| ("Delete a peer configuration", peer));
        let lines: Vec<u8> = added
            .chain(deleted)
            .flat_map(|(msg, peer)| {
                format!("{}\n", json!({ "level": "info", "msg": msg, "Key": peer })).into_bytes()
            })
            .collect();
        let policies = json!([config["defined-sets"], config["policy-definitions"]]);
        let differ = !daemon.policies.is_null() && daemon.policies != policies;
        let last = json!({ "level": "info", "msg": "Neighbor soft reset in", "Key": "" });
        let last = if differ { format!("{last}\n").into_bytes() } else { Vec::new() };
        let lines = [lines, last].concat();
        daemon.policies = policies;
        daemon.neighbors = new;
        say(daemon, &lines);
    }
}

/// The pipe is large enough for what a test says.
fn say(daemon: &mut Daemon, lines: &[u8]) {
    if let Some(log) = &mut daemon.log {
        let written = futures::FutureExt::now_or_never(log.write_all(lines));
        written.expect("the pipe is full").unwrap();
    }
}

#[async_trait]
impl Node for Pretended {
    fn name(&self) -> &str {
        "worker"
    }

    async fn exec(&self, command: &Command) -> Result<Output, NodeError> {
        if command.argv[0] != "gobgp" {
            return Ok(Output { code: 1, ..Output::default() });
        }
        self.lock().done.push(command.argv[3..].join(" "));
        Ok(Output::default())
    }

    async fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        let (log, output) = duplex(64 * 1024);
        let mut inner = self.lock();
        inner.done.push("start".to_owned());
        let config = PathBuf::from(&command.argv[2]);
        let mut daemon = Daemon { config, neighbors: BTreeSet::new(), policies: Value::Null, log: Some(log) };
        if let Some(why) = &inner.broken {
            let last = format!("{}\n", json!({ "level": "fatal", "msg": why }));
            say(&mut daemon, last.as_bytes());
            daemon.log = None;
        }
        inner.running.push(daemon);
        let index = inner.running.len() - 1;
        if inner.broken.is_none() {
            inner.reload(index);
        }
        drop(inner);
        Ok(Box::new(Running { node: self.clone(), index, output: Some(output) }))
    }

    async fn socket(&self, _: SocketKind) -> Result<OwnedFd, NodeError> {
        Err(NodeError::Gone { node: "worker".to_owned() })
    }

    async fn unix(&self, _: &Path) -> Result<UnixStream, NodeError> {
        let io = |source| NodeError::Io { node: "worker".to_owned(), what: "unix".to_owned(), source };
        UnixStream::pair().map(|(one, _)| one).map_err(io)
    }

    async fn write_file(&self, path: &Path, bytes: &[u8], _: u32) -> Result<(), NodeError> {
        self.lock().files.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    async fn read_file(&self, path: &Path) -> Result<Vec<u8>, NodeError> {
        Ok(self.lock().files[path].clone())
    }
}

struct Running {
    node: Pretended,
    index: usize,
    output: Option<DuplexStream>,
}

#[async_trait]
impl Process for Running {
    fn stdin(&mut self) -> Option<Writer> {
        None
    }

    fn stdout(&mut self) -> Option<Reader> {
        self.output.take().map(|output| Box::new(output) as Reader)
    }

    fn stderr(&mut self) -> Option<Reader> {
        None
    }

    async fn wait(&mut self) -> Result<i32, NodeError> {
        Ok(0)
    }

    fn signal(&self, signal: i32) -> Result<(), NodeError> {
        let mut inner = self.node.lock();
        let name = nix::sys::signal::Signal::try_from(signal).unwrap();
        inner.done.push(name.to_string());
        match name {
            nix::sys::signal::Signal::SIGHUP => inner.reload(self.index),
            _ => inner.running[self.index].log = None,
        }
        Ok(())
    }
}
