//! From a lab to what its fabric shows, phase by phase: on one that is up in the phase it is in, on a new one in each.

use std::sync::Arc;
use std::time::Duration;

use fabric_reports::Recorder;

use super::super::engine::{Engine, Selection};
use super::super::home::Home;
use super::super::prepare::Prepared;
use super::super::session::{begin, why_gone};
use super::super::settings::{Begin, RunError, RunSettings};
use super::{look, quiet};
use crate::learn::Seen;

/// The longest that a fabric may go on moving before it is taken as it is.
const LIMIT: Duration = Duration::from_secs(120);

/// How to learn.
#[derive(Debug, Clone)]
pub struct LearnSettings {
    /// The fabric that is up; none makes a new one that ends with the learning.
    pub up: Option<String>,
    /// Where the nodes of a new one are to live.
    pub home: Home,
    /// How long nothing may have moved; none lets the timers behind what is down say it.
    pub quiet: Option<Duration>,
}

/// Looks at a fabric at the end of phases: the phase's number, and what was seen.
///
/// # Errors
/// When the fabric could not be made or found, when a phase could not be reached, or when what it lives on ended.
pub async fn learn(
    prepared: &Prepared,
    settings: &LearnSettings,
    recorder: &Arc<Recorder>,
) -> Result<Vec<(usize, Seen)>, RunError> {
    let id = format!("{}-learn-{}", prepared.lab.name, std::process::id());
    let run = RunSettings {
        begin: settings.up.clone().map_or(Begin::Fresh, Begin::Attach),
        name: Some(id),
        report_dir: None,
        runs_dir: std::path::PathBuf::new(),
        home: settings.home.clone(),
    };
    let (fabric, reached) = begin(prepared, &run, recorder).await?;
    let cilium = prepared.lab.cilium.as_ref().map(|cilium| cilium.version.clone());
    let nodes = prepared.lab.topology.nodes.iter();
    let routers: Vec<String> =
        nodes.filter(|node| node.routing().is_some()).map(|node| node.name.clone()).collect();
    let engine = Engine::new(
        Arc::clone(&fabric),
        prepared.plan.clone(),
        Arc::clone(recorder),
        Selection::new(),
        cilium.clone(),
        reached.as_deref(),
    );
    let looking = async {
        let mut seen = Vec::new();
        let first =
            reached.as_ref().and_then(|name| prepared.plan.iter().position(|phase| phase.name == *name));
        // A fabric that is up is in one phase: the last, where nothing says which.
        let last = prepared.plan.len().saturating_sub(1);
        let phases = match &settings.up {
            Some(_) => first.unwrap_or(last)..(first.unwrap_or(last) + 1).min(prepared.plan.len()),
            None => 0..prepared.plan.len(),
        };
        for number in phases {
            let phase = &prepared.plan[number];
            let guard = recorder.phase(&phase.name, Vec::new());
            if settings.up.is_none() {
                engine.act_of(number).await?;
            } else {
                engine.follow().await;
            }
            let underlay = fabric.state().is_ok_and(|state| !state.nodes.is_empty());
            if underlay {
                for (router, why) in look::watch(engine.context(), &routers).await {
                    recorder.note(format!("{router} cannot be asked: {why}"));
                }
            }
            let step = recorder.step("wait until nothing moves", &phase.name);
            quiet::quiet(&fabric, settings.quiet, LIMIT).await;
            step.done();
            seen.push((number, look::look(engine.context(), &routers, cilium.is_some()).await));
            guard.done();
        }
        Ok::<_, RunError>(seen)
    };
    let learned = tokio::select! {
        learned = looking => learned,
        gone = fabric.gone() => Err(RunError::Gone { id: fabric.id().to_owned(), why: why_gone(gone) }),
    };
    if settings.up.is_none() {
        // What was seen matters more than how the fabric ended.
        let _ = fabric.end().await;
    }
    learned
}
