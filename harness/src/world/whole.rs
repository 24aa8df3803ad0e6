//! The fabric as a whole: its steps, in order and once each, and its end.
//!
//! What lives here: what the control socket asks for. What does not: how each step goes (`underlay`, `cluster`, `cni`).

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, mpsc};

use super::agents::Agents;
use super::cluster::{self, ControlPlane};
use super::cni::{self, Agent};
use super::housing::Housing;
use super::nodes::Births;
use super::pods::Pods;
use super::specs::{base, wanted};
use super::underlay;
use crate::lab::Step;
use crate::runtime::keeper::{KeeperSpec, NodeInfo, Progress, State, StepReport};
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
    /// A part is done that began at `started`.
    pub(super) fn done(&self, report: &mut StepReport, what: String, started: Instant) {
        let part = Progress { what, took_ms: started.elapsed().as_secs_f64() * 1e3 };
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
    control_plane: Mutex<Option<ControlPlane>>,
    agents: Mutex<Vec<Agent>>,
    /// The steps done so far and what they said: a step asked for again answers from here.
    done: Mutex<Vec<(Step, StepReport)>>,
    state: Mutex<State>,
}

impl World {
    /// Begins: the state file is written, and all nodes are being made when this returns.
    pub(crate) fn new(spec: KeeperSpec, userns: bool, zygote: Arc<Zygote>) -> Result<Arc<Self>, WorldError> {
        let failed = |what: &str, source| WorldError::Io { what: what.to_owned(), source };
        let housing = Housing::new(zygote, &spec);
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
            spec: spec.clone(),
        };
        state.write().map_err(|error| failed("write the state file", error))?;
        Ok(Arc::new(Self {
            spec,
            housing,
            births,
            switches,
            pods,
            control_plane: Mutex::default(),
            agents: Mutex::default(),
            done: Mutex::default(),
            state: Mutex::new(state),
        }))
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
        match step {
            Step::Cluster => {
                let Some(cluster) = &self.spec.cluster else {
                    return Err(no_cluster("bring up the cluster"));
                };
                let up = cluster::bring_up(
                    &self.spec,
                    cluster,
                    &self.births,
                    &self.switches,
                    &self.pods,
                    &mut report,
                    &reporter,
                );
                *self.control_plane.lock().await = Some(up.await?);
            }
            Step::Underlay => {
                let bridge = self.housing.mgmt_bridge(&self.spec.topology.mgmt.network).await;
                let switches = underlay::Switches { wire: Arc::clone(&self.switches), mgmt_bridge: bridge };
                underlay::bring_up(&self.spec, &self.births, switches, &mut report, &reporter).await?;
            }
            Step::Cni => {
                let client = self.control_plane.lock().await.as_ref().map(|plane| plane.within.clone());
                let client = client.ok_or_else(|| no_cluster("install Cilium"))?;
                let Some(version) = self.spec.cilium.as_deref() else { return Err(no_cilium()) };
                let bgp = self.spec.bgp.then_some(&self.spec.bgp_settings);
                let agents =
                    cni::bring_up(version, bgp, &client, &self.births, &self.pods, &mut report, &reporter)
                        .await?;
                self.agents.lock().await.extend(agents);
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

    /// Remembers the phase that was reached.
    pub(crate) async fn reached(&self, phase: String) {
        if let Err(error) = self.remember(|state| state.phase = Some(phase)).await {
            tracing::warn!(%error, "the state file was not written");
        }
    }

    async fn remember(&self, change: impl FnOnce(&mut State)) -> Result<(), WorldError> {
        let mut state = self.state.lock().await;
        change(&mut state);
        state.nodes = self.nodes().await;
        state.write().map_err(|source| WorldError::Io { what: "write the state file".into(), source })
    }

    /// The nodes that live.
    pub(crate) async fn nodes(&self) -> Vec<NodeInfo> {
        let (nodes, pods) = (self.births.living().await, self.pods.living());
        nodes.iter().chain(&pods).map(|node| node.info()).collect()
    }

    /// Cilium's agents, to be followed.
    pub(crate) async fn agents(&self) -> Agents {
        let agents = self.agents.lock().await;
        let told = agents.iter().filter_map(|agent| Some((agent.node.clone(), agent.status.clone()?)));
        Agents::new(told.collect(), agents.iter().find_map(|agent| agent.operator.clone()))
    }

    /// Ends every node; what goes wrong with one does not keep the others.
    pub(crate) async fn end(&self) {
        self.pods.stop();
        for agent in self.agents.lock().await.drain(..) {
            // Killed, not asked: there is nobody left to whom a goodbye would matter.
            agent.task.abort();
        }
        let living: Vec<_> = self.births.living().await.into_iter().chain(self.pods.living()).collect();
        let ended = futures::future::join_all(living.iter().map(|node| node.end())).await;
        for (node, error) in
            living.iter().zip(ended).filter_map(|(node, ended)| ended.err().map(|error| (node, error)))
        {
            tracing::warn!(node = %node.name, %error, "a node did not end cleanly");
        }
        if let Err(error) = self.housing.end().await {
            tracing::warn!(%error, "the container engine did not remove everything");
        }
    }
}

fn no_cluster(what: &str) -> WorldError {
    let why = "the lab has no cluster; give it a kind configuration (`cluster:` in lab.yaml)";
    WorldError::Cluster { what: what.to_owned(), why: why.to_owned() }
}

fn no_cilium() -> WorldError {
    let why = "the lab does not say which Cilium; write `cilium: { version: 1.12.1 }` in lab.yaml";
    WorldError::Cluster { what: "install Cilium".into(), why: why.into() }
}
