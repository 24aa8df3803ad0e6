//! One real gobgpd per virtual router, in the node's own namespaces.
//!
//! What lives here: starting, changing, reading and ending one speaker through the [`Node`](crate::node::Node) seam. What does not: when
//! to do so (`reconcile`), the formats (`gobgp`).
//!
//! Neighbors are changed by rewriting the configuration and SIGHUP: gobgpd applies the difference, and sessions that
//! did not change stay up. Routes are added and withdrawn with the `gobgp` command over a unix socket of the node's.
//! What happens is known from gobgpd's log, line by line, so that nothing has to be polled.

mod client;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use nix::sys::signal::Signal;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::gobgp;
use super::plan::{Neighbor, VirtualRouter};
use crate::cilium::AgentStop;
use crate::node::{Command, NodeError, NodeRef, Process};
use crate::wait::{Deadline, until};

pub use client::{Client, Family};
pub use view::{PeerView, SpeakerView};

/// How long gobgpd may take to read its configuration, and `gobgp` to answer: both take milliseconds on an idle
/// machine, so this only ends what hangs.
const ANSWER: Duration = Duration::from_secs(10);
/// How long gobgpd may take to end once asked, before it is killed.
const FAREWELL: Duration = Duration::from_secs(2);

/// What can go wrong with a speaker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakerError {
    /// The node did not do what it was asked to.
    #[error("speaker of AS {asn}: {source}")]
    Node {
        /// The speaker's AS number.
        asn: u32,
        /// What the node says.
        source: NodeError,
    },
    /// gobgpd ended while something was asked of it.
    #[error(
        "speaker of AS {asn} on {node}: gobgpd ended: {last_words}; read {config} in the node and try it by hand"
    )]
    Ended {
        /// The speaker's AS number.
        asn: u32,
        /// The node.
        node: String,
        /// The last thing it said.
        last_words: String,
        /// The path of its configuration in the node.
        config: String,
    },
    /// gobgpd did not take its configuration in time.
    #[error("speaker of AS {asn} on {node}: {what} was not done after {limit:?}; is the machine overloaded?")]
    Late {
        /// The speaker's AS number.
        asn: u32,
        /// The node.
        node: String,
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// `gobgp` failed.
    #[error("speaker of AS {asn} on {node}: `{command}` failed: {said}")]
    Command {
        /// The speaker's AS number.
        asn: u32,
        /// The node.
        node: String,
        /// The command line.
        command: String,
        /// What it printed.
        said: String,
    },
    /// `gobgp -j` printed something we cannot read.
    #[error(
        "speaker of AS {asn} on {node}: the answer to `{command}` is not what GoBGP 3 or 4 prints: {source}"
    )]
    Answer {
        /// The speaker's AS number.
        asn: u32,
        /// The node.
        node: String,
        /// The command line.
        command: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// A running speaker. Dropping it kills gobgpd without a farewell, as the death of cilium-agent would.
pub struct Speaker {
    node: NodeRef,
    router: VirtualRouter,
    advertised: BTreeSet<IpNet>,
    process: Box<dyn Process>,
    config: PathBuf,
    socket: PathBuf,
    view: watch::Receiver<SpeakerView>,
    started_at: SystemTime,
}

impl Speaker {
    /// Starts gobgpd for `router` and advertises its prefixes. `wake` is notified whenever the speaker's view
    /// changes.
    ///
    /// # Errors
    /// [`SpeakerError`], with gobgpd's last words when it did not start; nothing is left running.
    pub async fn start(
        node: NodeRef,
        router: VirtualRouter,
        wake: Arc<Notify>,
    ) -> Result<Self, SpeakerError> {
        let asn = router.local_asn;
        let folder = PathBuf::from(format!("/run/gobgp/{}", folder(&router)));
        let config = folder.join("gobgpd.json");
        // gobgpd refuses to start over a socket that a killed one left behind: each start has a name of its own.
        let socket = folder.join(format!("api-{:08x}.sock", rand::random::<u32>()));
        let lift = |source| SpeakerError::Node { asn, source };

        node.write_file(&config, &config_bytes(&router), 0o600).await.map_err(lift)?;
        let command = Command::new([
            "gobgpd".to_owned(),
            "--config-file".to_owned(),
            config.display().to_string(),
            "--config-type=json".to_owned(),
            "--log-level=info".to_owned(),
            "--pprof-disable".to_owned(),
            format!("--api-hosts=unix://{}", socket.display()),
        ]);
        let started_at = SystemTime::now();
        let mut process = node.spawn(&command).await.map_err(lift)?;
        let view = view::watch_log(process.as_mut(), &node, folder.join("gobgpd.log"), asn, wake);
        let advertised = BTreeSet::new();
        let mut speaker = Self { node, router, advertised, process, config, socket, view, started_at };
        speaker.configured().await?;
        speaker.reachable().await?;
        speaker.advertise().await?;
        Ok(speaker)
    }

    /// What this speaker has been told to be.
    pub fn router(&self) -> &VirtualRouter {
        &self.router
    }

    /// The prefixes it has been given.
    pub fn advertised(&self) -> &BTreeSet<IpNet> {
        &self.advertised
    }

    /// The unix socket of its API, in the node.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// When its process was started.
    pub fn started_at(&self) -> SystemTime {
        self.started_at
    }

    /// What its log has told so far.
    pub fn view(&self) -> SpeakerView {
        self.view.borrow().clone()
    }

    /// The same, to be watched.
    pub fn watch(&self) -> watch::Receiver<SpeakerView> {
        self.view.clone()
    }

    /// Whether `router` can be reached by changing this speaker; a router id or a port is for life.
    pub fn can_become(&self, router: &VirtualRouter) -> bool {
        let fixed = |router: &VirtualRouter| {
            (router.key(), router.router_id, router.local_port, router.filtered, router.rejects_inbound)
        };
        fixed(&self.router) == fixed(router)
    }

    /// Changes neighbors and prefixes to those of `router`. Sessions that both have stay up; a neighbor that goes
    /// gets Cease / Peer De-configured. Nothing is done where nothing differs. Returns what neighbors have been left with
    /// though they should not have it any more, as this Cilium does.
    ///
    /// # Errors
    /// [`SpeakerError`]; the speaker may then be half changed and should be stopped.
    pub async fn update(&mut self, router: VirtualRouter) -> Result<Left, SpeakerError> {
        let changed = |old: &Neighbor| {
            router.neighbors.iter().any(|new| new.address == old.address && !new.same_session(old))
        };
        if self.router.neighbors.iter().any(changed) {
            // A neighbor whose AS number changes is another neighbor: it goes before it comes.
            let mut without = self.router.clone();
            without.neighbors.retain(|old| !changed(old));
            self.reload(without).await?;
        }
        let (refiltered, lost) = said_otherwise(&self.router, &router);
        if self.router.neighbors != router.neighbors {
            self.reload(VirtualRouter { export: self.router.export.clone(), ..router.clone() }).await?;
        }
        self.router = router;
        // What is in the table has gone out by the old policies.
        for neighbor in refiltered {
            self.client().send_again(neighbor).await?;
        }
        // What leaves the table is withdrawn below in any case. What another neighbor keeps, the soft reset has withdrawn
        // from this one (GoBGP 4.7), or never will.
        let kept = |(_, prefix): &(IpAddr, IpNet)| {
            self.router.export.contains(prefix) && self.advertised.contains(prefix)
        };
        let mut left: Left = lost.into_iter().filter(kept).collect();
        if self.router.withdraws_filtered && !left.is_empty() {
            if !self.client().withdraws_filtered().await? {
                self.give_again(&left).await?;
            }
            left.clear();
        }
        self.advertise().await?;
        Ok(left)
    }

    /// Takes routes away and gives them once more, for a speaker older than its Cilium's: its soft reset withdraws nothing.
    /// Whoever keeps a route loses it for some milliseconds.
    async fn give_again(&mut self, routes: &Left) -> Result<(), SpeakerError> {
        let prefixes: BTreeSet<IpNet> = routes.iter().map(|(_, prefix)| *prefix).collect();
        for prefix in prefixes {
            self.client().withdraw(prefix).await?;
            self.client().advertise(prefix).await?;
        }
        Ok(())
    }

    /// Ends the speaker: with a Cease to every neighbor, or without a word.
    ///
    /// # Errors
    /// When the node is gone or the process cannot be signalled.
    pub async fn stop(mut self, manner: AgentStop) -> Result<(), SpeakerError> {
        if manner == AgentStop::Cease && !self.view.borrow().ended {
            let none = VirtualRouter { neighbors: Vec::new(), ..self.router.clone() };
            if let Err(error) = self.reload(none).await {
                tracing::warn!(%error, "neighbors may not have been told that their session ends");
            }
            self.signal(Signal::SIGTERM)?;
            if timeout(FAREWELL, self.ended()).await.is_ok() {
                return Ok(());
            }
        }
        self.signal(Signal::SIGKILL)?;
        self.ended().await;
        Ok(())
    }

    /// Something to ask this speaker's gobgpd with: its neighbors, its routing table.
    pub fn client(&self) -> Client {
        Client::new(Arc::clone(&self.node), self.router.local_asn, self.socket.clone(), ANSWER)
    }

    async fn reload(&mut self, router: VirtualRouter) -> Result<(), SpeakerError> {
        let policies = |router: &VirtualRouter| {
            let config = gobgp::config(router);
            (config["defined-sets"].clone(), config["policy-definitions"].clone())
        };
        let refilters = policies(&self.router) != policies(&router);
        let before = self.view.borrow().refiltered;
        self.node
            .write_file(&self.config, &config_bytes(&router), 0o600)
            .await
            .map_err(|source| SpeakerError::Node { asn: router.local_asn, source })?;
        self.router = router;
        self.signal(Signal::SIGHUP)?;
        self.configured().await?;
        if refilters { self.refiltered(before).await } else { Ok(()) }
    }

    /// Waits until the log says that policies were taken in, after `before` times.
    async fn refiltered(&mut self, before: u64) -> Result<(), SpeakerError> {
        let deadline = Deadline::of("reading the policies", ANSWER);
        let settled = |view: &SpeakerView| view.ended || view.refiltered > before;
        match until(&mut self.view, &deadline, settled).await {
            Ok(view) if !view.ended => Ok(()),
            Ok(view) => Err(self.death(&view)),
            Err(late) if late.closed => Err(self.death(&late.last)),
            Err(_) => Err(self.late("reading the policies")),
        }
    }

    /// Waits until the log has named exactly the neighbors of the configuration, and those that went are down.
    async fn configured(&mut self) -> Result<(), SpeakerError> {
        let wanted: BTreeSet<IpAddr> =
            self.router.neighbors.iter().map(|neighbor| neighbor.address).collect();
        let deadline = Deadline::of("reading the configuration", ANSWER);
        let settled =
            |view: &SpeakerView| view.ended || view.peers.keys().copied().eq(wanted.iter().copied());
        match until(&mut self.view, &deadline, settled).await {
            Ok(view) if !view.ended => Ok(()),
            Ok(view) => Err(self.death(&view)),
            Err(late) if late.closed => Err(self.death(&late.last)),
            Err(_) => Err(self.late("reading the configuration")),
        }
    }

    /// Waits until gobgpd's API answers. The log does not say when: gobgpd listens in a thread of its own, at about
    /// the time it reads its configuration, so a refused connection is tried again.
    async fn reachable(&mut self) -> Result<(), SpeakerError> {
        let give_up = Instant::now() + ANSWER;
        let mut pause = Duration::from_millis(1);
        while self.node.unix(&self.socket).await.is_err() {
            let view = self.view();
            if view.ended {
                return Err(self.death(&view));
            }
            if Instant::now() > give_up {
                return Err(self.late("listening on its API socket"));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Ok(())
    }

    async fn advertise(&mut self) -> Result<(), SpeakerError> {
        let client = self.client();
        let gone: Vec<IpNet> = self.advertised.difference(&self.router.export).copied().collect();
        for prefix in gone {
            client.withdraw(prefix).await?;
            self.advertised.remove(&prefix);
        }
        let new: Vec<IpNet> = self.router.export.difference(&self.advertised).copied().collect();
        for prefix in new {
            client.advertise(prefix).await?;
            self.advertised.insert(prefix);
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), SpeakerError> {
        match self.process.signal(signal as i32) {
            // A process that has just ended cannot be signalled, and need not be.
            Err(_) if self.view.borrow().ended => Ok(()),
            other => other.map_err(|source| SpeakerError::Node { asn: self.router.local_asn, source }),
        }
    }

    async fn ended(&mut self) {
        // An error means that the node has gone, and with it the process.
        let _ = self.process.wait().await;
    }

    fn death(&self, view: &SpeakerView) -> SpeakerError {
        SpeakerError::Ended {
            asn: self.router.local_asn,
            node: self.node.name().to_owned(),
            last_words: view.last_words.clone().unwrap_or_else(|| "without a word".to_owned()),
            config: self.config.display().to_string(),
        }
    }

    fn late(&self, what: &str) -> SpeakerError {
        let (asn, node) = (self.router.local_asn, self.node.name().to_owned());
        SpeakerError::Late { asn, node, what: what.to_owned(), limit: ANSWER }
    }
}

/// Routes that neighbors have and should not have any more.
pub type Left = BTreeSet<(IpAddr, IpNet)>;

/// The neighbors of both that are told something else, and the routes that they are to lose.
fn said_otherwise(old: &VirtualRouter, new: &VirtualRouter) -> (Vec<IpAddr>, Left) {
    let (mut refiltered, mut lost) = (Vec::new(), Left::new());
    for new in &new.neighbors {
        let Some(old) = old.neighbors.iter().find(|old| old.address == new.address) else { continue };
        if old.exports != new.exports {
            refiltered.push(new.address);
        }
        let (address, before, now) = (new.address, &old.exports.prefixes, &new.exports.prefixes);
        let gone = before.keys().filter(|prefix| !now.contains_key(prefix));
        lost.extend(gone.map(|prefix| (address, *prefix)));
    }
    (refiltered, lost)
}

/// The name of a speaker's folder: short, because the paths of sockets are, and not made of a name that a user chose.
fn folder(router: &VirtualRouter) -> String {
    let mut hash = DefaultHasher::new();
    match &router.instance {
        None => router.local_asn.to_string(),
        Some(name) => {
            name.hash(&mut hash);
            format!("{}-{:08x}", router.local_asn, hash.finish() & 0xffff_ffff)
        }
    }
}

fn config_bytes(router: &VirtualRouter) -> Vec<u8> {
    format!("{:#}\n", gobgp::config(router)).into_bytes()
}

/// Where each neighbor stands, by address, for those who print it.
pub type Peers = BTreeMap<IpAddr, PeerView>;

#[cfg(test)]
mod tests;
