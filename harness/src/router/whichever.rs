//! The router of a node, whichever daemon it is: FRR's bgpd or BIRD, found by the socket that somebody listens on.
//!
//! No lab says which one a node runs; what is there counts. Where both run, it is FRR that is asked: a BIRD beside it has
//! another task. Once found, a daemon is asked until it is gone; then the other one may have taken its place.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use ipnet::IpNet;

use super::bird::{self, Bird};
use super::config::Configuration;
use super::error::RouterError;
use super::frr::Frr;
use super::rib::Rib;
use super::session::{Family, Sessions};
use super::traits::{Pulse, Router, Show, ZebraRoute};
use super::vty;
use crate::node::{Command, NodeError, NodeRef};

const NONE: u8 = 0;
const FRR: u8 = 1;
const BIRD: u8 = 2;
/// Looked for, and nobody was there.
const NOBODY: u8 = 3;

/// The routing daemon of a node.
#[derive(Debug)]
pub struct Whichever {
    frr: Frr,
    bird: Bird,
    frr_sockets: Vec<PathBuf>,
    bird_sockets: Vec<PathBuf>,
    /// The one that was found last.
    found: AtomicU8,
}

impl Whichever {
    /// The daemon of a node with its sockets where packages put them; nothing is looked for before the first question.
    pub fn new(node: NodeRef) -> Self {
        let folders = vty::FOLDERS.map(PathBuf::from).to_vec();
        Self::at(node, folders, bird::SOCKETS.map(PathBuf::from).to_vec())
    }

    fn at(node: NodeRef, folders: Vec<PathBuf>, bird_sockets: Vec<PathBuf>) -> Self {
        Self {
            frr: Frr::in_folders(node.clone(), &folders),
            bird: Bird::at(node, bird_sockets.clone()),
            frr_sockets: folders.into_iter().map(|folder| folder.join("bgpd.vty")).collect(),
            bird_sockets,
            found: AtomicU8::new(NONE),
        }
    }

    async fn daemon(&self) -> Result<&dyn Router, RouterError> {
        match self.found.load(Ordering::Relaxed) {
            FRR => Ok(&self.frr),
            BIRD => Ok(&self.bird),
            _ => self.look().await,
        }
    }

    async fn look(&self) -> Result<&dyn Router, RouterError> {
        let mut why = String::from("no such file");
        let mut left = None;
        for (which, sockets) in [(FRR, &self.frr_sockets), (BIRD, &self.bird_sockets)] {
            for socket in sockets {
                match self.node().unix(socket).await {
                    Ok(_) => return Ok(self.settle(which)),
                    Err(NodeError::Unsupported { .. }) => return self.look_by_name().await,
                    Err(NodeError::Io { source, .. }) => {
                        // A daemon that was killed leaves its socket: whose it was is known.
                        if source.kind() == ErrorKind::ConnectionRefused {
                            left = left.or(Some(which));
                        }
                        why = source.to_string();
                    }
                    Err(other) => return Err(other.into()),
                }
            }
        }
        self.missed();
        match left {
            Some(FRR) => Ok(&self.frr),
            Some(_) => Ok(&self.bird),
            None => Err(self.nobody(why)),
        }
    }

    /// Remembers that nobody was there; who was asked before stays who is asked.
    fn missed(&self) {
        let _ = self.found.compare_exchange(NONE, NOBODY, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// In a node that offers no unix sockets: the first socket that has a name in its file system.
    async fn look_by_name(&self) -> Result<&dyn Router, RouterError> {
        let all: Vec<String> = self
            .frr_sockets
            .iter()
            .chain(&self.bird_sockets)
            .map(|path| path.display().to_string())
            .collect();
        let output = self.node().exec(&Command::new(["ls".to_owned()].into_iter().chain(all))).await?;
        let listed = output.text();
        let there = |socket: &PathBuf| listed.lines().any(|line| Path::new(line.trim()) == socket.as_path());
        if self.frr_sockets.iter().any(there) {
            Ok(self.settle(FRR))
        } else if self.bird_sockets.iter().any(there) {
            Ok(self.settle(BIRD))
        } else {
            self.missed();
            Err(self.nobody(output.error_text().trim().to_owned()))
        }
    }

    fn settle(&self, which: u8) -> &dyn Router {
        self.found.store(which, Ordering::Relaxed);
        if which == FRR { &self.frr } else { &self.bird }
    }

    fn nobody(&self, why: String) -> RouterError {
        let list = |paths: &[PathBuf]| {
            paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
        };
        RouterError::NoDaemon {
            node: self.node().name().to_owned(),
            frr: list(&self.frr_sockets),
            bird: list(&self.bird_sockets),
            why,
        }
    }

    /// After an answer: one that is gone may come back as the other. Until it does, the error is the one of its own.
    async fn heard<T>(&self, answer: Result<T, RouterError>) -> Result<T, RouterError> {
        if matches!(answer, Err(RouterError::NotRunning { .. } | RouterError::BirdNotRunning { .. })) {
            let _ = self.look().await;
        }
        answer
    }
}

#[async_trait]
impl Router for Whichever {
    fn node(&self) -> &NodeRef {
        self.frr.node()
    }

    async fn version(&self) -> Result<String, RouterError> {
        self.heard(self.daemon().await?.version().await).await
    }

    async fn pulse(&self) -> Result<Pulse, RouterError> {
        self.heard(self.daemon().await?.pulse().await).await
    }

    async fn sessions(&self) -> Result<Sessions, RouterError> {
        self.heard(self.daemon().await?.sessions().await).await
    }

    async fn rib(&self) -> Result<Rib, RouterError> {
        self.heard(self.daemon().await?.rib().await).await
    }

    async fn advertised(&self, neighbor: &str, family: &Family) -> Result<BTreeSet<IpNet>, RouterError> {
        self.heard(self.daemon().await?.advertised(neighbor, family).await).await
    }

    async fn installed(&self) -> Result<BTreeMap<IpNet, Vec<ZebraRoute>>, RouterError> {
        self.heard(self.daemon().await?.installed().await).await
    }

    async fn configured(&self) -> Result<Option<Configuration>, RouterError> {
        self.heard(self.daemon().await?.configured().await).await
    }

    fn by_hand(&self, show: &Show) -> String {
        match self.found.load(Ordering::Relaxed) {
            BIRD => self.bird.by_hand(show),
            // Neither tool has anybody to ask: what runs in the node is what there is to see.
            NOBODY => "ps ax".to_owned(),
            _ => self.frr.by_hand(show),
        }
    }
}

#[cfg(test)]
mod tests;
