//! Who makes a fabric's cluster and installs Cilium in it: the twin, or kind and helm.
//!
//! What lives here: the seam between the two, and the twin's side of it. What does not: the twin itself (`cluster`, `cni`), the
//! others (`real`). Nothing above this knows which it is.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::cluster::{self, Access, ControlPlane};
use super::cni;
use super::ledger::Ledger;
use super::nodes::Births;
use super::parts::Part;
use super::pods::Pods;
use super::underlay;
use super::upgrade;
use super::whole::{Reporter, WorldError, no_cilium, no_cluster};
use crate::runtime::keeper::{KeeperSpec, StepReport, UpgradeOrder};
use crate::wire::Wire;

/// What there is to work with.
pub(super) struct Site<'a> {
    pub(super) spec: &'a KeeperSpec,
    pub(super) births: &'a Arc<Births>,
    pub(super) switches: &'a Arc<Wire>,
    pub(super) pods: &'a Arc<Pods>,
    pub(super) ledger: &'a Ledger,
    /// The bridge of the management network, where a container engine made it.
    pub(super) mgmt_bridge: Option<String>,
}

/// Makes the parts of a lab.
#[async_trait]
pub(super) trait Provision: Debug + Send + Sync {
    /// Brings the cluster up: nodes registered, NotReady where there is no CNI.
    async fn cluster(
        &self,
        site: &Site<'_>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<ControlPlane, WorldError>;

    /// Brings routers and links up.
    async fn underlay(
        &self,
        site: &Site<'_>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<(), WorldError>;

    /// Installs Cilium and waits until its agents work; returns those that are ours to follow.
    async fn cni(
        &self,
        site: &Site<'_>,
        access: &Access,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<Vec<Part>, WorldError>;

    /// Goes from the version that runs (`from`) to another; `parts` are those that are ours to follow, before and after.
    async fn upgrade(
        &self,
        site: &Site<'_>,
        (access, from): (&Access, Option<&str>),
        order: &UpgradeOrder,
        parts: &mut Vec<Part>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<(), WorldError>;

    /// Stops what is under way; returns when nothing is.
    async fn stop(&self) {}

    /// Takes away what was made and the kernel does not take with us; what is left, a sentence each.
    async fn end(&self, _site: &Site<'_>) -> Vec<String> {
        Vec::new()
    }
}

/// The cluster of our own.
#[derive(Debug)]
pub(super) struct Twin;

#[async_trait]
impl Provision for Twin {
    async fn cluster(
        &self,
        site: &Site<'_>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<ControlPlane, WorldError> {
        let Site { spec, births, switches, pods, .. } = site;
        let cluster = spec.cluster.as_ref().ok_or_else(|| no_cluster("bring up the cluster"))?;
        cluster::bring_up(spec, cluster, births, switches, pods, report, reporter).await
    }

    async fn underlay(
        &self,
        site: &Site<'_>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<(), WorldError> {
        let switches =
            underlay::Switches { wire: Arc::clone(site.switches), mgmt_bridge: site.mgmt_bridge.clone() };
        underlay::bring_up(site.spec, site.births, switches, report, reporter).await
    }

    async fn cni(
        &self,
        site: &Site<'_>,
        access: &Access,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<Vec<Part>, WorldError> {
        let spec = site.spec;
        let version = spec.cilium.as_deref().ok_or_else(no_cilium)?;
        let Access::Within(within) = access else {
            let why = "the cluster is a real one, and Cilium's part is not the twin's to do".to_owned();
            return Err(WorldError::Cluster { what: "install Cilium".into(), why });
        };
        let bgp = spec.bgp.then_some(&spec.bgp_settings);
        cni::bring_up(version, bgp, within, site.births, site.pods, report, reporter).await
    }

    async fn upgrade(
        &self,
        site: &Site<'_>,
        (access, from): (&Access, Option<&str>),
        order: &UpgradeOrder,
        parts: &mut Vec<Part>,
        report: &mut StepReport,
        reporter: &Reporter,
    ) -> Result<(), WorldError> {
        let Access::Within(within) = access else {
            let why = "the cluster is a real one, and Cilium's part is not the twin's to do".to_owned();
            return Err(WorldError::Cluster { what: "upgrade Cilium".into(), why });
        };
        upgrade::upgrade(from, order, within, site.births, parts, report, reporter).await
    }
}
