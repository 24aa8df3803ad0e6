//! Routers that are put into the cluster first, and taken away at the end.
//!
//! What lives here: the steps of it, as a run tells of them. What does not: how it is done (`fabric_harness::outside`).

use std::sync::Arc;

use fabric_harness::cluster::connect;
use fabric_harness::outside::{Clabernetes, ClabernetesError};
use fabric_reports::Recorder;
use tokio::sync::OnceCell;

use super::super::prepare::Prepared;
use super::session::end;
use super::settings::FoundSettings;

/// The routers that this run puts into the cluster; none where somebody else has.
#[derive(Default)]
pub(super) struct Host(OnceCell<Clabernetes>);

impl Host {
    /// Puts them there, if that is asked for.
    pub(super) async fn bring(
        &self,
        prepared: &Prepared,
        found: &FoundSettings,
        recorder: &Arc<Recorder>,
    ) -> Result<(), ClabernetesError> {
        let (true, Some(kubeconfig)) = (found.clabernetes, &found.kubeconfig) else { return Ok(()) };
        let lab = &prepared.lab;
        let step = recorder.step("deploy the topology with clabernetes", "start");
        let deployed = async {
            let client = connect(kubeconfig).await?;
            let clabernetes = self.0.get_or_init(|| async { Clabernetes::new(client) }).await;
            let tell = |text: String| recorder.note(format!("clabernetes: {text}"));
            clabernetes.deploy(&lab.topology, &lab.dir.join(&lab.files.topology), &tell).await
        };
        match deployed.await {
            Ok(()) => {
                step.detail(format!(
                    "{} pods in the namespace c9s-{}",
                    lab.topology.nodes.len(),
                    lab.topology.name
                ));
                step.done();
                Ok(())
            }
            Err(error) => {
                step.fail(error.to_string());
                Err(error)
            }
        }
    }

    /// Takes away what this run put there.
    pub(super) async fn take_down(&self, recorder: &Arc<Recorder>) {
        let Some(clabernetes) = self.0.get() else { return };
        let step = recorder.step("take the topology out of the cluster", "teardown");
        end(step, clabernetes.take_down().await, recorder);
    }
}
