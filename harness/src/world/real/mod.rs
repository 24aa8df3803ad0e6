//! The cluster of a real lab: kind makes it, helm installs Cilium in it, and containerlab, if so asked, makes the topology.
//!
//! What lives here: running their command lines with progress, and the order of the article. What does not: the lines themselves
//! (`crate::outside`), waiting for agents (`ready`), the nodes' kernel settings (`loose`).

mod loose;
mod ready;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use kube::Client;
use kube::config::Kubeconfig;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::cluster::{Access, ControlPlane, write_private};
use super::gates::{Gates, Maker};
use super::parts::Part;
use super::provision::{Provision, Site, Twin};
use super::specs::own_nodes;
use super::whole::{Reporter, WorldError, no_cilium, no_cluster};
use crate::cluster::connect;
use crate::lab::KindCluster;
use crate::outside::{
    Chart, Deployer, LabSpec, MadeCluster, Outside, Said, containerlab, helm, kind, unmake,
};
use crate::runtime::keeper::{CommandEvent, ExecResult, StepReport, UpgradeOrder};

/// kind, helm and containerlab.
#[derive(Debug)]
pub(super) struct Real {
    lab: LabSpec,
    gates: Arc<Gates>,
    stopped: CancellationToken,
    /// Held while a program runs: whoever has it knows that none does.
    busy: Mutex<()>,
}

impl Real {
    pub(super) fn new(lab: LabSpec, gates: Arc<Gates>) -> Self {
        Self { lab, gates, stopped: CancellationToken::new(), busy: Mutex::default() }
    }

    /// Runs a command line and tells of it.
    async fn run(&self, command: &Outside, reporter: &Reporter) -> Result<Said, WorldError> {
        let _busy = self.busy.lock().await;
        let (line, began) = (command.line(), Instant::now());
        reporter.command(&line, CommandEvent::Began, command.limit().to_string(), began);
        let running = command.run(|said| reporter.command(&line, CommandEvent::Said, said.to_owned(), began));
        let ended = tokio::select! {
            ended = running => ended.map_err(|error| error.to_string()),
            () = self.stopped.cancelled() => Err(format!("`{line}` was ended: the fabric is taken down")),
        };
        match ended {
            Ok(said) => {
                reporter.command(&line, CommandEvent::Ended, String::new(), began);
                Ok(said)
            }
            Err(why) => {
                reporter.command(&line, CommandEvent::Failed, why.clone(), began);
                Err(WorldError::Outside(why))
            }
        }
    }

    /// Makes the cluster, or takes the one that is there.
    async fn make(
        &self,
        site: &Site<'_>,
        cluster: &KindCluster,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<(), WorldError> {
        let (lab, own) = (site.spec.lab.as_path(), site.spec.dir.as_path());
        let name = cluster.name.clone();
        let there = kind::listed(&self.run(&kind::list(&self.lab, lab), reporter).await?.out);
        let adopted = there.contains(&name);
        if adopted && !self.lab.reuse {
            return Err(WorldError::Cluster {
                what: format!("make the cluster {name}"),
                why: format!(
                    "kind has a cluster of that name already; take it as it is with `--reuse`, or delete it: kind delete cluster --name {name}"
                ),
            });
        }
        // Written down before it is made: a keeper that is killed meanwhile leaves a record of it.
        let made = MadeCluster { name: name.clone(), adopted };
        site.ledger.change(|state| state.made.cluster = Some(made)).await?;
        if adopted {
            report.warnings.push(format!(
                "kind's cluster {name} was there and is taken as it is; it stays when the fabric ends, with what was applied to it"
            ));
        } else {
            let create = kind::create(&self.lab, cluster, lab, &own.join("kubeconfig"));
            let created = self.run(&create, reporter).await;
            if created.as_ref().is_err_and(|error| error.to_string().contains("already exist for a cluster"))
            {
                // Somebody made it since we looked: it is theirs, and not ours to delete.
                site.ledger.change(|state| state.made.cluster = None).await?;
            }
            created?;
        }
        Ok(())
    }

    /// The way to the API, for us alone.
    async fn connect(
        &self,
        site: &Site<'_>,
        name: &str,
        reporter: &Reporter,
    ) -> Result<ControlPlane, WorldError> {
        let kubeconfig = site.spec.dir.join("kubeconfig");
        let said = self.run(&kind::kubeconfig(&self.lab, name, &site.spec.lab), reporter).await?;
        write_private(&kubeconfig, &said.out)
            .map_err(|source| WorldError::Io { what: format!("write {}", kubeconfig.display()), source })?;
        let failed = |why: String| WorldError::Cluster { what: format!("speak to the cluster {name}"), why };
        let client = connect(&kubeconfig).await.map_err(|error| failed(error.to_string()))?;
        let url = server(&kubeconfig).ok_or_else(|| failed("its kubeconfig names no server".into()))?;
        Ok(ControlPlane { access: Access::Client(client), url, kubeconfig })
    }
}

/// Where a kubeconfig's API is.
fn server(kubeconfig: &Path) -> Option<String> {
    let file = Kubeconfig::read_from(kubeconfig).ok()?;
    file.clusters.into_iter().find_map(|named| named.cluster?.server)
}

#[async_trait]
impl Provision for Real {
    async fn cluster(
        &self,
        site: &Site<'_>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<ControlPlane, WorldError> {
        let cluster = site.spec.cluster.as_ref().ok_or_else(|| no_cluster("bring up the cluster"))?;
        let started = Instant::now();
        self.make(site, cluster, report, reporter).await?;
        self.gates.open(Maker::Cluster);
        let mut loosened = 0;
        for node in &cluster.nodes {
            let live = site.births.get(&node.name).await.map_err(WorldError::Node)?;
            loosened += usize::from(loose::loosen(live.pid).await.map_err(|source| WorldError::Io {
                what: format!("{}: set rp_filter to 0", node.name),
                source,
            })?);
        }
        if loosened > 0 {
            report.warnings.push(format!(
                "rp_filter was on in {loosened} of kind's nodes, which drops what comes in by net0 and would go out by eth0; it is set to 0 there"
            ));
        }
        if !cluster.disable_default_cni && site.spec.cilium.is_some() {
            report.warnings.push(
                "the cluster has kind's own CNI beside Cilium; write `networking: { disableDefaultCNI: true }` in its file".into(),
            );
        }
        let plane = self.connect(site, &cluster.name, reporter).await?;
        let registered = ready::registered(client_of(&plane.access)?, cluster.nodes.len());
        self.unless_stopped(registered).await?;
        reporter.done(
            report,
            format!("{} nodes of kind's cluster {}", cluster.nodes.len(), cluster.name),
            started,
        );
        Ok(plane)
    }

    async fn underlay(
        &self,
        site: &Site<'_>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<(), WorldError> {
        let program = match (self.lab.deployer, &self.lab.containerlab) {
            (Deployer::Containerlab, Some(program)) => program,
            _ => return Twin.underlay(site, report, reporter).await,
        };
        let began = Instant::now();
        let topology = &site.spec.topology;
        site.ledger.change(|state| state.made.topology = true).await?;
        let deploy = containerlab::deploy(program, &self.lab, topology, &site.spec.lab);
        let said = self.run(&deploy, reporter).await?;
        self.gates.open(Maker::Topology);
        for node in own_nodes(site.spec) {
            site.births.get(&node.name).await.map_err(WorldError::Node)?;
        }
        report.exec.extend(lines(site, &said, began));
        reporter.done(report, format!("{} nodes that containerlab made", topology.nodes.len()), began);
        Ok(())
    }

    async fn cni(
        &self,
        site: &Site<'_>,
        access: &Access,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<Vec<Part>, WorldError> {
        let version = site.spec.cilium.as_deref().ok_or_else(no_cilium)?;
        let program = self.lab.helm.as_deref().ok_or_else(no_cilium)?;
        let (lab, own) = (site.spec.lab.as_path(), site.spec.dir.as_path());
        let adopted = site.ledger.made().await.cluster.is_some_and(|cluster| cluster.adopted);
        let there = if adopted {
            helm::installed(&self.run(&helm::list(program, lab, own), reporter).await?.out)
        } else {
            None
        };
        match there {
            Some(chart) => {
                let other = if chart == format!("cilium-{version}") {
                    ""
                } else {
                    ", which is not the lab's version"
                };
                report.warnings.push(format!("the cluster has {chart}{other}; it is taken as it is"));
            }
            None => {
                if let Some(add) = helm::repository(program, &self.lab, lab, own) {
                    self.run(&add, reporter).await?;
                }
                site.ledger.change(|state| state.made.release = true).await?;
                self.run(&helm::install(program, &self.lab, version, lab, own), reporter).await?;
            }
        }
        let started = Instant::now();
        let nodes = site.spec.cluster.as_ref().map_or(0, |cluster| cluster.nodes.len());
        let tell = |text: String| reporter.tell(text, started);
        self.unless_stopped(ready::agents(client_of(access)?, nodes, &tell)).await?;
        reporter.done(report, format!("{nodes} agents ready, nodes Ready"), started);
        Ok(Vec::new())
    }

    async fn upgrade(
        &self,
        site: &Site<'_>,
        (access, _): (&Access, Option<&str>),
        order: &UpgradeOrder,
        _: &mut Vec<Part>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<(), WorldError> {
        let (lab, own) = (site.spec.lab.as_path(), site.spec.dir.as_path());
        let started = Instant::now();
        match &order.command {
            Some(line) => drop(self.run(&helm::by_command(line, lab, own), reporter).await?),
            None => {
                let program = self.lab.helm.as_deref().ok_or_else(no_cilium)?;
                if let Chart::Local(path) = &self.lab.chart {
                    let path = path.display();
                    return Err(WorldError::Cluster {
                        what: format!("upgrade Cilium to {}", order.to),
                        why: format!(
                            "the chart is the one at {path}, of one version; write `command: helm upgrade ... --wait` under `upgrade`"
                        ),
                    });
                }
                self.run(
                    &helm::upgrade(program, &self.lab, (&order.to, order.values_file.as_deref()), lab, own),
                    reporter,
                )
                .await?;
            }
        }
        let nodes = site.spec.cluster.as_ref().map_or(0, |cluster| cluster.nodes.len());
        let tell = |text: String| reporter.tell(text, started);
        self.unless_stopped(ready::agents(client_of(access)?, nodes, &tell)).await?;
        reporter.done(report, format!("{nodes} agents of Cilium {} ready", order.to), started);
        Ok(())
    }

    async fn stop(&self) {
        self.stopped.cancel();
        drop(self.busy.lock().await);
    }

    async fn end(&self, site: &Site<'_>) -> Vec<String> {
        let made = site.ledger.made().await;
        let tell = |line: &str, said: &str| tracing::info!(line, said);
        unmake(&made, &self.lab, &site.spec.lab, &site.spec.dir, tell).await
    }
}

impl Real {
    async fn unless_stopped<T>(
        &self,
        waiting: impl Future<Output = Result<T, WorldError>>,
    ) -> Result<T, WorldError> {
        tokio::select! {
            done = waiting => done,
            () = self.stopped.cancelled() => Err(WorldError::Outside("the fabric is taken down".into())),
        }
    }
}

/// The `exec:` lines as containerlab told of them, in the order of the topology.
fn lines(site: &Site<'_>, said: &Said, began: Instant) -> Vec<ExecResult> {
    let ran = containerlab::ran(&said.all, &site.spec.topology);
    let took_ms = began.elapsed().as_secs_f64() * 1e3;
    let result = |ran: containerlab::Ran| ExecResult {
        node: ran.node,
        line: ran.line,
        at: site.spec.topology.name.clone(),
        code: ran.code,
        stdout: String::new(),
        stderr: ran.said,
        began_ms: 0.0,
        // containerlab does not say how long one took: no more than all of it.
        took_ms,
    };
    ran.into_iter().map(result).collect()
}

/// The client of a real cluster.
fn client_of(access: &Access) -> Result<&Client, WorldError> {
    match access {
        Access::Client(client) => Ok(client),
        Access::Within(_) => {
            let why = "its API is the twin's".to_owned();
            Err(WorldError::Cluster { what: "speak to a real cluster".into(), why })
        }
    }
}
