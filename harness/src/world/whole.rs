//! The fabric as a whole: its steps, in order and once each, and its end.
//!
//! What lives here: what the control socket asks for. What does not: how each step goes (`underlay`, `cluster`, `cni`).

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, mpsc};

use super::agents::Agents;
use super::cluster::ControlPlane;
use super::gates::Gates;
use super::housing::Housing;
use super::ledger::Ledger;
use super::nodes::Births;
use super::parts::{Part, What};
use super::pods::Pods;
use super::provision::{Provision, Site, Twin};
use super::real::Real;
use super::specs::{base, wanted};
use crate::lab::Step;
use crate::outside::Deployer;
use crate::runtime::keeper::{
    CommandEvent, CommandMoment, KeeperSpec, NodeInfo, Progress, State, StepReport, UpgradeOrder,
};
use crate::runtime::netns::socket::{namespace_of, new_namespace};
use crate::runtime::netns::zygote::Zygote;
use crate::wire::{Wire, WireError};

/// What can go wrong in a fabric.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum WorldError {
    /// A node could not be made.
    #[error("a node could not be made: {0}")]
    Node(String),
    /// The wiring failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The system said no.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// A program of others failed.
    #[error("{0}")]
    Outside(String),
    /// The API endpoint or something that speaks to it failed.
    #[error("{what}: {why}")]
    Cluster {
        /// What was tried.
        what: String,
        /// Why it did not work.
        why: String,
    },
}

impl WorldError {
    pub(super) fn panicked(error: tokio::task::JoinError) -> Self {
        Self::Io { what: "finish a piece of work".into(), source: error.into() }
    }
}

/// Tells a waiting client what has been done.
pub(super) struct Reporter {
    progress: mpsc::UnboundedSender<Progress>,
}

impl Reporter {
    /// A moment of a command line of another program's, which began at `began`.
    pub(super) fn command(&self, line: &str, what: CommandEvent, text: String, began: Instant) {
        let command = Some(CommandMoment { line: line.to_owned(), what });
        let moment = Progress { what: text, took_ms: began.elapsed().as_secs_f64() * 1e3, command };
        let _ = self.progress.send(moment);
    }

    /// How far something is that began at `started`.
    pub(super) fn tell(&self, what: String, started: Instant) {
        let moment = Progress { what, took_ms: started.elapsed().as_secs_f64() * 1e3, command: None };
        let _ = self.progress.send(moment);
    }

    /// A part is done that began at `started`.
    pub(super) fn done(&self, report: &mut StepReport, what: String, started: Instant) {
        let part = Progress { what, took_ms: started.elapsed().as_secs_f64() * 1e3, command: None };
        // A client that went away does not stop the work.
        let _ = self.progress.send(part.clone());
        report.parts.push(part);
    }
}

/// A fabric, from the inside.
#[derive(Debug)]
pub(crate) struct World {
    spec: KeeperSpec,
    housing: Arc<Housing>,
    births: Arc<Births>,
    switches: Arc<Wire>,
    pods: Arc<Pods>,
    provision: Box<dyn Provision>,
    gates: Arc<Gates>,
    control_plane: Mutex<Option<ControlPlane>>,
    parts: Mutex<Vec<Part>>,
    /// The version of Cilium that runs; none before it is installed.
    running: Mutex<Option<String>>,
    /// The steps done so far and what they said: a step asked for again answers from here.
    done: Mutex<Vec<(Step, StepReport)>>,
    ledger: Ledger,
}

impl World {
    /// Begins: the state file is written, and all nodes are being made when this returns.
    pub(crate) fn new(spec: KeeperSpec, userns: bool, zygote: Arc<Zygote>) -> Result<Arc<Self>, WorldError> {
        let failed = |what: &str, source| WorldError::Io { what: what.to_owned(), source };
        let gates = Arc::new(Gates::default());
        let provision: Box<dyn Provision> = match &spec.outside {
            None => Box::new(Twin),
            Some(lab) => Box::new(Real::new(lab.clone(), Arc::clone(&gates))),
        };
        let housing = Housing::new(zygote, &spec, Arc::clone(&gates));
        let births = Arc::new(Births::begin(&housing, wanted(&spec, userns)));
        let pods = Pods::new(Arc::clone(&housing), base(&spec, userns), Arc::clone(&births));
        // The bridges of an engine's networks are on its machine, which is this one.
        let namespace = if housing.is_docker() {
            namespace_of(std::process::id().cast_signed())
        } else {
            new_namespace()
        };
        let namespace =
            namespace.map_err(|error| failed("make a network namespace for the switches", error))?;
        let switches = Arc::new(Wire::open("switches", namespace)?);
        let state = State {
            keeper: std::process::id().cast_signed(),
            userns,
            started: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            phase: None,
            nodes: Vec::new(),
            api: None,
            kubeconfig: None,
            speaker: None,
            made: Default::default(),
            spec: spec.clone(),
        };
        let ledger = Ledger::open(state)?;
        Ok(Arc::new(Self {
            spec,
            housing,
            births,
            switches,
            pods,
            provision,
            gates,
            control_plane: Mutex::default(),
            parts: Mutex::default(),
            running: Mutex::default(),
            done: Mutex::default(),
            ledger,
        }))
    }

    async fn site(&self) -> Site<'_> {
        // The bridge is there when the engine's networks are, and only containers of ours need those.
        let deploys = self.spec.outside.as_ref().is_none_or(|lab| lab.deployer == Deployer::Fabric);
        let mgmt_bridge = match deploys {
            true => self.housing.mgmt_bridge(&self.spec.topology.mgmt.network).await,
            false => None,
        };
        let Self { spec, births, switches, pods, ledger, .. } = self;
        Site { spec, births, switches, pods, ledger, mgmt_bridge }
    }

    /// Does a step, unless it has been done.
    pub(crate) async fn step(
        &self,
        step: Step,
        progress: &mpsc::UnboundedSender<Progress>,
    ) -> Result<StepReport, WorldError> {
        let mut done = self.done.lock().await;
        if let Some((_, report)) = done.iter().find(|(other, _)| *other == step) {
            return Ok(report.clone());
        }
        let reporter = Reporter { progress: progress.clone() };
        let mut report = StepReport::default();
        let site = self.site().await;
        match step {
            Step::Cluster => {
                if self.spec.cluster.is_none() {
                    return Err(no_cluster("bring up the cluster"));
                }
                let plane = self.provision.cluster(&site, &mut report, &reporter).await?;
                *self.control_plane.lock().await = Some(plane);
            }
            Step::Underlay => self.provision.underlay(&site, &mut report, &reporter).await?,
            Step::Cni => {
                let access = self.control_plane.lock().await.as_ref().map(|plane| plane.access.clone());
                let access = access.ok_or_else(|| no_cluster("install Cilium"))?;
                if self.spec.cilium.is_none() {
                    return Err(no_cilium());
                }
                let agents = self.provision.cni(&site, &access, &mut report, &reporter).await?;
                self.parts.lock().await.extend(agents);
                self.running.lock().await.clone_from(&self.spec.cilium);
            }
        }
        done.push((step, report.clone()));
        drop(done);
        let plane = self
            .control_plane
            .lock()
            .await
            .as_ref()
            .map(|plane| (plane.url.clone(), plane.kubeconfig.clone()));
        self.remember(|state| {
            state.phase = Some(step.as_str().to_owned());
            if let Some((url, kubeconfig)) = plane {
                state.api = Some(url);
                state.kubeconfig = Some(kubeconfig);
            }
        })
        .await?;
        Ok(report)
    }

    /// Goes to another version of Cilium.
    pub(crate) async fn upgrade(
        &self,
        order: &UpgradeOrder,
        progress: &mpsc::UnboundedSender<Progress>,
    ) -> Result<StepReport, WorldError> {
        // One after the other, and none while a step is done.
        let done = self.done.lock().await;
        if !done.iter().any(|(step, _)| *step == Step::Cni) {
            let why = "it is not installed; the phase with `up: cni` comes first".to_owned();
            return Err(WorldError::Cluster { what: format!("upgrade Cilium to {}", order.to), why });
        }
        let access = self.control_plane.lock().await.as_ref().map(|plane| plane.access.clone());
        let access = access.ok_or_else(|| no_cluster("upgrade Cilium"))?;
        let reporter = Reporter { progress: progress.clone() };
        let mut report = StepReport::default();
        let site = self.site().await;
        let from = self.running.lock().await.clone();
        let mut parts = std::mem::take(&mut *self.parts.lock().await);
        let going = self.provision.upgrade(
            &site,
            (&access, from.as_deref()),
            order,
            &mut parts,
            &mut report,
            &reporter,
        );
        let went = going.await;
        *self.parts.lock().await = parts;
        went?;
        *self.running.lock().await = Some(order.to.clone());
        let change = |state: &mut State| {
            state.spec.cilium = Some(order.to.clone());
            state.speaker = order.speaker.as_ref().and(order.speaker_version.clone());
        };
        self.remember(change).await?;
        drop(done);
        Ok(report)
    }

    /// Remembers the phase that was reached.
    pub(crate) async fn reached(&self, phase: String) {
        if let Err(error) = self.remember(|state| state.phase = Some(phase)).await {
            tracing::warn!(%error, "the state file was not written");
        }
    }

    async fn remember(&self, change: impl FnOnce(&mut State)) -> Result<(), WorldError> {
        let nodes = self.nodes().await;
        let change = |state: &mut State| {
            change(state);
            state.nodes = nodes;
        };
        self.ledger.change(change).await
    }

    /// The nodes that live.
    pub(crate) async fn nodes(&self) -> Vec<NodeInfo> {
        let (nodes, pods) = (self.births.living().await, self.pods.living());
        nodes.iter().chain(&pods).map(|node| node.info()).collect()
    }

    /// Cilium's agents, to be followed.
    pub(crate) async fn agents(&self) -> Agents {
        let parts = self.parts.lock().await;
        let (mut agents, mut operator) = (Vec::new(), None);
        for part in parts.iter() {
            match &part.what {
                What::Agent { node, said } => agents.push((node.clone(), said.subscribe())),
                What::Operator { said } => operator = Some(said.subscribe()),
                What::Pools => {}
            }
        }
        Agents::new(agents, operator)
    }

    /// Ends every node, and takes away what others made; what goes wrong with one does not keep the others. Returns what is left of
    /// the latter, a sentence each.
    pub(crate) async fn end(&self) -> Vec<String> {
        self.provision.stop().await;
        self.gates.close("the fabric is ending");
        self.pods.stop();
        for part in self.parts.lock().await.drain(..) {
            // Killed, not asked: there is nobody left to whom a goodbye would matter.
            part.kill();
        }
        let living: Vec<_> = self.births.living().await.into_iter().chain(self.pods.living()).collect();
        let ended = futures::future::join_all(living.iter().map(|node| node.end())).await;
        for (node, error) in
            living.iter().zip(ended).filter_map(|(node, ended)| ended.err().map(|error| (node, error)))
        {
            tracing::warn!(node = %node.name, %error, "a node did not end cleanly");
        }
        let site = self.site().await;
        let left = self.provision.end(&site).await;
        if let Err(error) = self.housing.end().await {
            tracing::warn!(%error, "the container engine did not remove everything");
        }
        left
    }
}

pub(super) fn no_cluster(what: &str) -> WorldError {
    let why = "the lab has no cluster; give it a kind configuration (`cluster:` in lab.yaml)";
    WorldError::Cluster { what: what.to_owned(), why: why.to_owned() }
}

pub(super) fn no_cilium() -> WorldError {
    let why = "the lab does not say which Cilium; write `cilium: { version: 1.12.1 }` in lab.yaml";
    WorldError::Cluster { what: "install Cilium".into(), why: why.into() }
}
