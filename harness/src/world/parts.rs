//! The parts of Cilium at work: an agent per node, the operator, and what hands out addresses of pools.
//!
//! What lives here: starting and stopping one. What does not: what each does (`twin`), the order (`cni`, `upgrade`).

use std::sync::Arc;

use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::nodes::Live;
use crate::cilium::{BgpSettings, CiliumVersion, promises};
use crate::twin::agent::{self, AgentStatus};
use crate::twin::operator::{self, OperatorStatus};
use crate::twin::services::run_lbipam;

/// A part of Cilium at work.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) what: What,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

/// Which part, and where it tells how it stands: the place is the same for the one that comes after it.
#[derive(Debug, Clone)]
pub(super) enum What {
    /// The agent of a node.
    Agent { node: String, said: watch::Sender<AgentStatus> },
    /// The operator.
    Operator { said: watch::Sender<OperatorStatus> },
    /// The operator's LB-IPAM.
    Pools,
}

impl Part {
    /// Starts the agent of a node.
    pub(super) fn agent(
        client: &Client,
        live: &Arc<Live>,
        version: CiliumVersion,
        bgp: Option<&BgpSettings>,
        said: watch::Sender<AgentStatus>,
    ) -> Self {
        let stop = CancellationToken::new();
        said.send_replace(AgentStatus {
            version: Some(version.to_string()),
            reads_policies: promises(&version).is_ok_and(|row| row.peering_policy),
            ..AgentStatus::default()
        });
        let (client, name, node) = (client.clone(), live.name.clone(), Arc::clone(&live.node));
        let (bgp, stopped, tells) = (bgp.cloned(), stop.clone(), said.clone());
        let task = tokio::spawn(async move {
            let Some(settings) = bgp else {
                return agent::run_without_bgp(client, name, node, stopped).await;
            };
            let ran = agent::run(client, name.clone(), node, version, settings, tells, stopped).await;
            if let Err(error) = ran {
                tracing::error!(node = %name, %error, "the agent ended");
            }
        });
        Self { what: What::Agent { node: live.name.clone(), said }, task, stop }
    }

    /// A part that has ended, in its place until another one takes it.
    pub(super) fn ended(what: What) -> Self {
        Self { what, task: tokio::spawn(std::future::ready(())), stop: CancellationToken::new() }
    }

    /// Starts the operator.
    pub(super) fn operator(
        client: &Client,
        version: CiliumVersion,
        settings: &BgpSettings,
        said: watch::Sender<OperatorStatus>,
    ) -> Self {
        let stop = CancellationToken::new();
        said.send_replace(OperatorStatus::default());
        let (client, settings, stopped, tells) =
            (client.clone(), settings.clone(), stop.clone(), said.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = operator::run(client, version, settings, tells, stopped).await {
                tracing::error!(%error, "the operator ended");
            }
        });
        Self { what: What::Operator { said }, task, stop }
    }

    /// Starts what gives services the addresses of pools.
    pub(super) fn pools(client: &Client, version: CiliumVersion) -> Self {
        let stop = CancellationToken::new();
        let (client, stopped) = (client.clone(), stop.clone());
        let task = tokio::spawn(async move {
            stopped.run_until_cancelled(run_lbipam(client, version)).await;
        });
        Self { what: What::Pools, task, stop }
    }

    /// Ends it as its version of Cilium ends when Kubernetes asks it to; returns when it is gone.
    pub(super) async fn stop(self) -> What {
        self.stop.cancel();
        // One that panicked is gone as well.
        let _ = self.task.await;
        self.what
    }

    /// Ends it without a word.
    pub(super) fn kill(&self) {
        self.task.abort();
    }
}
