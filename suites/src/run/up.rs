//! A lab brought up and left up, without a judgement.

use std::path::PathBuf;
use std::sync::Arc;

use fabric_harness::fabric::Fabric;
use fabric_reports::Progress;

use super::engine::{Engine, Selection};
use super::home::Home;
use super::prepare::Prepared;
use super::session::{begin, recorder, why_gone};
use super::settings::{Begin, RunError, RunSettings};

/// Brings a lab up to a phase and leaves it up; without phases, everything the lab has. On an error nothing is left. With
/// the fabric come the names of the checks whose subject was waited for in vain.
pub async fn bring_up(
    prepared: &Prepared,
    id: &str,
    last: Option<&str>,
    home: Home,
    progress: Arc<dyn Progress>,
) -> Result<(Arc<Fabric>, Vec<String>), RunError> {
    let recorder = recorder(prepared, progress);
    let settings = RunSettings {
        begin: Begin::KeepOnFailure,
        name: Some(id.to_owned()),
        report_dir: None,
        runs_dir: PathBuf::new(),
        home,
    };
    let (fabric, _) = begin(prepared, &settings, &recorder).await?;
    let cilium = prepared.lab.cilium.as_ref().map(|cilium| cilium.version.clone());
    let engine =
        Engine::new(Arc::clone(&fabric), prepared.plan.clone(), recorder, Selection::new(), cilium, None);
    let walk = async {
        match last {
            Some(last) => engine.walk(last).await,
            None => engine.everything(prepared.lab.cluster.is_some(), prepared.lab.cilium.is_some()).await,
        }
    };
    let walked = tokio::select! {
        walked = walk => walked,
        // What it waits for will not come.
        gone = fabric.gone() => return Err(RunError::Gone { id: id.to_owned(), why: why_gone(gone) }),
    };
    match walked {
        Ok(()) => Ok((fabric, engine.unsettled())),
        Err(why) => {
            // Half a fabric is no fabric; why it is none matters more than how it ended.
            let _ = fabric.end().await;
            Err(why.into())
        }
    }
}
