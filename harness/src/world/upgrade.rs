//! Another version of Cilium in the place of the one that runs: definitions, operator and agents, in the order that is asked for.
//!
//! What lives here: the order, as `helm upgrade` and Kubernetes make it. What does not: a part (`parts`), helm (`real`). What an
//! upgrade leaves behind it leaves here too: definitions and objects of the version before stay.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use tokio::sync::{Notify, Semaphore, watch};

use super::cni::secrets_namespace;
use super::nodes::{Births, Live};
use super::parts::{Part, What};
use super::whole::{Reporter, WorldError};
use crate::cilium::{BgpSettings, CiliumVersion, crds, takes_rights};
use crate::lab::First;
use crate::node::{Command, NodeError};
use crate::runtime::keeper::{StepReport, UpgradeOrder};
use crate::twin::agent::Phase;
use crate::twin::api::Within;

/// What all of it needs.
struct Roll<'a> {
    /// As whom agents and the operator speak to the API.
    agent: Client,
    operator: Client,
    from: Option<CiliumVersion>,
    to: CiliumVersion,
    bgp: Option<&'a BgpSettings>,
    /// What the agents' speakers are to be, by the path a node's shell finds first.
    programs: Vec<(PathBuf, Vec<u8>)>,
    reporter: &'a Reporter,
    began: Instant,
}

/// Goes to another version; `parts` are those of the version before, and afterwards those of this one.
pub(super) async fn upgrade(
    from: Option<&str>,
    order: &UpgradeOrder,
    within: &Within,
    births: &Births,
    parts: &mut Vec<Part>,
    report: &mut StepReport,
    reporter: &Reporter,
) -> Result<(), WorldError> {
    let to = order.to.parse().map_err(|error| failed("read Cilium's version", &error))?;
    let as_part =
        |name: &'static str| within.client(name).map_err(|error| failed("reach the API endpoint", &error));
    let roll = Roll {
        agent: as_part("cilium-agent")?,
        operator: as_part("cilium-operator-generic")?,
        from: from.and_then(|from| from.parse().ok()),
        to,
        bgp: order.bgp.then_some(&order.bgp_settings),
        programs: programs(order.speaker.as_deref()).await?,
        reporter,
        began: Instant::now(),
    };
    secrets_namespace(&roll.agent, roll.bgp).await?;
    let (mut agents, mut rest) = (Vec::new(), Vec::new());
    for part in parts.drain(..) {
        match part.what.clone() {
            What::Agent { node, .. } => {
                agents.push((births.get(&node).await.map_err(WorldError::Node)?, part));
            }
            _ => rest.push(part),
        }
    }
    let count = agents.len();
    let at_once = order.roll.at_once.unwrap_or(agents.len()).clamp(1, agents.len().max(1));
    let agents = roll.take_rights(agents).await;
    let (may_begin, begun) = (Notify::new(), Notify::new());
    let operator = async {
        if order.roll.first == First::Agents && count > 0 {
            begun.notified().await;
        }
        let done = roll.operator(rest).await;
        may_begin.notify_one();
        done
    };
    let nodes = async {
        if order.roll.first == First::Operator {
            may_begin.notified().await;
        }
        roll.agents(agents, at_once, &begun).await
    };
    let (operator, nodes) = tokio::join!(operator, nodes);
    parts.extend(operator?);
    parts.extend(nodes);
    reporter.done(report, format!("{count} agents are of Cilium {to}"), roll.began);
    Ok(())
}

impl Roll<'_> {
    fn tell(&self, what: String) {
        self.reporter.tell(what, self.began);
    }

    /// The chart's roles change before anything else does. Where they leave out what agents of the version before still watch,
    /// these lose their sessions at once, and not when their turn comes.
    async fn take_rights(&self, agents: Vec<(Arc<Live>, Part)>) -> Vec<(Arc<Live>, Part)> {
        let Some(from) = self.from.filter(|from| takes_rights(from, &self.to)) else { return agents };
        let silenced = agents.into_iter().map(|(live, part)| async move {
            self.tell(format!(
                "{}: the roles of Cilium {}'s chart take the right to watch CiliumBGPPeeringPolicy from the agent of {from}, which runs no BGP without",
                live.name, self.to
            ));
            let what = part.stop().await;
            (live, Part::ended(what))
        });
        futures::future::join_all(silenced).await
    }

    /// The operator of the new version in the place of the old one: it registers its definitions.
    async fn operator(&self, old: Vec<Part>) -> Result<Vec<Part>, WorldError> {
        let mut said = None;
        for part in old {
            if let What::Operator { said: its } = part.stop().await {
                said = Some(its);
            }
        }
        self.define().await?;
        self.tell(format!("the operator of Cilium {} has registered its definitions", self.to));
        let mut parts = vec![Part::pools(&self.operator, self.to)];
        if let Some(settings) = self.bgp {
            let said = said.unwrap_or_else(watch::Sender::default);
            parts.push(Part::operator(&self.operator, self.to, settings, said));
        }
        Ok(parts)
    }

    /// Definitions that are there are brought up to date, never back: Cilium's operator compares their schema versions. Those that
    /// this version does not have any more stay.
    async fn define(&self) -> Result<(), WorldError> {
        let api: Api<CustomResourceDefinition> = Api::all(self.operator.clone());
        let newer = self.from.is_none_or(|from| from.line() < self.to.line());
        for definition in crds(&self.to) {
            let name = definition.name_any();
            let what = format!("register {name}");
            let there = api.get_opt(&name).await.map_err(|error| failed(&what, &error))?;
            let done = match there {
                None => api.create(&PostParams::default(), &definition).await,
                Some(there) if newer => {
                    let mut definition = definition;
                    definition.metadata.resource_version = there.resource_version();
                    api.replace(&name, &PostParams::default(), &definition).await
                }
                Some(there) => Ok(there),
            };
            done.map_err(|error| failed(&what, &error))?;
        }
        Ok(())
    }

    /// Every agent, so many at a time; a node's next one waits until it has acted on what there is, as Kubernetes waits until it
    /// is ready.
    async fn agents(&self, agents: Vec<(Arc<Live>, Part)>, at_once: usize, begun: &Notify) -> Vec<Part> {
        let places = Semaphore::new(at_once);
        let started = std::sync::atomic::AtomicUsize::new(0);
        let mut rolling: FuturesUnordered<_> = agents
            .into_iter()
            .map(|(live, part)| {
                let (places, started) = (&places, &started);
                async move {
                    // It is never closed.
                    let _place = places.acquire().await;
                    self.agent(&live, part, || {
                        if started.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == at_once {
                            begun.notify_one();
                        }
                    })
                    .await
                }
            })
            .collect();
        let mut parts = Vec::new();
        while let Some(part) = rolling.next().await {
            parts.push(part);
        }
        parts
    }

    async fn agent(&self, live: &Arc<Live>, old: Part, started: impl FnOnce()) -> Part {
        // Told before it is: what comes of it is seen elsewhere before it has ended.
        let before = self.from.map(|from| format!(" of Cilium {from}")).unwrap_or_default();
        self.tell(format!("{}: the agent{before} is ended", live.name));
        let said = match old.stop().await {
            What::Agent { said, .. } => said,
            _ => watch::Sender::default(),
        };
        if let Err(why) = self.furnish(live).await {
            self.tell(format!("{}: it keeps the speaker it had: {why}", live.name));
        }
        let new = Part::agent(&self.agent, live, self.to, self.bgp, said.clone());
        started();
        if self.bgp.is_some() {
            let mut status = said.subscribe();
            // Whoever says it lives as long as the part.
            let _ = status.wait_for(|status| status.phase == Phase::Running).await;
        }
        self.tell(format!("{}: the agent of Cilium {} works", live.name, self.to));
        new
    }
}

/// Where a node's shell looks before it looks where packages put programs.
const OWN: &str = "/usr/local/bin";
const PROGRAMS: [&str; 2] = ["gobgpd", "gobgp"];

/// The programs of a speaker, read once for all nodes.
async fn programs(folder: Option<&Path>) -> Result<Vec<(PathBuf, Vec<u8>)>, WorldError> {
    let mut all = Vec::new();
    for name in folder.iter().flat_map(|_| PROGRAMS) {
        let file = folder.unwrap_or(Path::new("")).join(name);
        let read = tokio::fs::read(&file).await;
        let bytes =
            read.map_err(|source| WorldError::Io { what: format!("read {}", file.display()), source })?;
        all.push((Path::new(OWN).join(name), bytes));
    }
    Ok(all)
}

impl Roll<'_> {
    /// Gives a node whose agent has ended the speaker of the new version, or takes one away that an upgrade before has given.
    async fn furnish(&self, live: &Live) -> Result<(), NodeError> {
        for (path, bytes) in &self.programs {
            live.node.write_file(path, bytes, 0o755).await?;
        }
        if self.programs.is_empty() {
            let line = PROGRAMS.map(|name| format!("{OWN}/{name}"));
            let remove = ["rm", "-f"].map(str::to_owned).into_iter().chain(line);
            live.node.exec(&Command::new(remove)).await?;
        }
        Ok(())
    }
}

fn failed(what: &str, why: &dyn std::fmt::Display) -> WorldError {
    WorldError::Cluster { what: what.to_owned(), why: why.to_string() }
}
