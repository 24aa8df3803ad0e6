//! One run on what others brought up: finding it, choosing the phases, judging them, putting everything back.
//!
//! What lives here: the order of these, interruption included. What does not: the choice (`choose`), the engine.

use std::sync::Arc;

use fabric_harness::fabric::{Fabric, FabricError};
use fabric_harness::found::FoundSpec;
use fabric_reports::Recorder;
use fabric_reports::record::{Cluster, Kind, Runtime};
use fabric_reports::recorder::StepGuard;

use super::super::diagnose::{collected, report};
use super::super::engine::{self, Engine, Outcome, Selection};
use super::super::heard;
use super::super::prepare::Prepared;
use super::super::session::{INTERRUPTED, asked_for, interruption, none_run};
use super::super::settings::{Finished, RunSettings};
use super::choose::{Choice, by_state, to_walk};
use super::host::Host;
use super::present::Present;
use super::restore::Before;
use super::settings::FoundSettings;
use super::speakers;
use crate::plan::{CheckKind, PlannedPhase};

/// A fabric that was found, and what is to be judged of it.
struct Begun {
    fabric: Arc<Fabric>,
    choice: Choice,
    cilium: Option<String>,
    before: Option<Before>,
}

/// Runs the wanted checks on what others brought up.
pub(in crate::run) async fn run(
    prepared: Prepared,
    found: FoundSettings,
    settings: RunSettings,
    mut selection: Selection,
    recorder: Arc<Recorder>,
) -> Finished {
    let interrupted = interruption(&recorder);
    tokio::pin!(interrupted);
    let asked_for = asked_for(&prepared.plan, &selection);
    let host = Host::default();
    let beginning = async {
        host.bring(&prepared, &found, &recorder).await.map_err(|error| error.to_string())?;
        let begun = begin(&prepared, &found, &settings, &recorder).await;
        begun.map_err(|error| format!("the fabric could not be found: {error}"))
    };
    let begun = tokio::select! {
        begun = Box::pin(beginning) => Some(begun),
        () = &mut interrupted => None,
    };
    let mut diagnostics = None;
    match begun {
        Some(Ok(Begun { fabric, choice, cilium, before })) => {
            let Choice { plan, left_out, skipped } = choice;
            for (phase, why) in left_out {
                recorder.left_out(phase, why);
            }
            for (phase, check, why) in skipped {
                if let Some(teller) = selection.remove(&check.name) {
                    recorder.check(engine::subject(&phase, &check)).skip(why.clone());
                    // Who no longer listens has been told by other means.
                    let _ = teller.send(Outcome::Skipped(why));
                }
            }
            // A filtered run asks for less; and after a walk the sessions are gone.
            let all = plan.iter().flat_map(|phase| &phase.checks);
            let whole = before.is_none() && all.clone().all(|check| selection.contains_key(&check.name));
            let last = plan.last().filter(|_| whole).map(|phase| phase.name.clone());
            let captures = heard::listen(&fabric, &prepared);
            let running = async {
                if let Some(before) = &before {
                    let step = recorder.step("take away what the phases will apply", "start");
                    if let Err(error) = before.clear().await {
                        step.fail(error.to_string());
                        return Err(error.to_string());
                    }
                    step.done();
                }
                let engine = Engine::new(
                    Arc::clone(&fabric),
                    plan.clone(),
                    Arc::clone(&recorder),
                    selection,
                    cilium,
                    None,
                );
                let engine = if found.allow_apply { engine } else { engine.only_judging() };
                engine.run().await;
                heard::tell(&captures, &engine.atlas(), &recorder);
                if let Some(phase) = &last {
                    speakers::judge(&fabric, phase, &recorder).await;
                }
                Ok(())
            };
            tokio::select! {
                ran = running => if let Err(why) = ran {
                    recorder.bring_up_failed("start", &why);
                    recorder.never_begun(asked_for, &why);
                },
                () = &mut interrupted => recorder.never_begun(asked_for, INTERRUPTED),
            }
            // While it is as it was when something failed.
            diagnostics = collected(&prepared, Some(&fabric), Some(&captures), &recorder).await;
            if let Some(before) = &before {
                put_back(before, &recorder).await;
            }
        }
        Some(Err(why)) => {
            recorder.bring_up_failed("start", &why);
            none_run(&prepared.plan, selection, &recorder, &why);
        }
        None => recorder.never_begun(asked_for, INTERRUPTED),
    }
    host.take_down(&recorder).await;
    report(&recorder, &settings, None, diagnostics).await
}

async fn put_back(before: &Before, recorder: &Arc<Recorder>) {
    let step = recorder.step("put everything back as it was", "teardown");
    let wrong = before.put_back().await;
    end(step, wrong.iter().map(|why| format!("not everything is back as it was: {why}")).collect(), recorder);
}

/// Ends a step of teardown, which goes on whatever went wrong: each of it is a warning.
pub(super) fn end(step: StepGuard, wrong: Vec<String>, recorder: &Recorder) {
    if wrong.is_empty() {
        return step.done();
    }
    step.fail(wrong.join("; "));
    wrong.into_iter().for_each(|why| recorder.warning(why));
}

async fn begin(
    prepared: &Prepared,
    found: &FoundSettings,
    settings: &RunSettings,
    recorder: &Arc<Recorder>,
) -> Result<Begun, FabricError> {
    let lab = &prepared.lab;
    let step = recorder.step("find the routers and the cluster", "start");
    let spec = FoundSpec {
        name: lab.name.clone(),
        topology: lab.topology.clone(),
        cluster: lab.cluster.clone(),
        kubeconfig: found.kubeconfig.clone(),
        ways: found.ways.clone(),
    };
    let fabric = Arc::new(Fabric::find(spec).await?);
    step.done();
    let step = recorder.step("see what is there", "start");
    let present = Present::read(&fabric, &prepared.plan).await?;
    note(&fabric, &prepared.plan, &present, recorder).await;
    step.done();
    let choice = if found.allow_apply {
        to_walk(&prepared.plan, &present, &found.phases)
    } else {
        by_state(&prepared.plan, &present, &found.phases)
    };
    let mut before = None;
    if found.allow_apply {
        let mut remembered = Before::of(&fabric, &choice.plan, &present).await?;
        if !remembered.touches_nothing() {
            let dir = settings.report_dir.as_ref().unwrap_or(&settings.runs_dir);
            if let Err(error) = remembered.write(&dir.join("before.json")) {
                recorder
                    .warning(format!("what was there could not be written to {}: {error}", dir.display()));
            }
            before = Some(remembered);
        }
    }
    let cilium = present.cilium_version.or_else(|| lab.cilium.as_ref().map(|cilium| cilium.version.clone()));
    Ok(Begun { fabric, choice, cilium, before })
}

/// Tells the record what the fabric is, and makes every router be looked at: what it lost before is not this run's doing.
async fn note(fabric: &Arc<Fabric>, plan: &[PlannedPhase], present: &Present, recorder: &Arc<Recorder>) {
    recorder.environment(|environment| {
        environment.env = Kind::Attach;
        environment.runtime = Runtime::Attach;
        environment.cluster = if present.cluster { Cluster::Attach } else { Cluster::None };
        environment.rootless = false;
        environment.notes.clear();
        let versions = [("Kubernetes", &present.kubernetes), ("Cilium", &present.cilium_version)];
        for (name, version) in versions {
            environment.versions.extend(version.clone().map(|version| (name.to_owned(), version)));
        }
    });
    for drift in present.drifted(plan) {
        recorder.warning(drift);
    }
    let checks = plan.iter().flat_map(|phase| &phase.checks);
    let routers: std::collections::BTreeSet<&str> = checks
        .filter(|check| matches!(check.kind, CheckKind::Sessions | CheckKind::Routes))
        .map(|check| check.target.as_str())
        .collect();
    let looking = routers.into_iter().map(|router| async move {
        let observer = fabric.observer(router).await.ok()?;
        observer.now().await;
        observer.router().version().await.ok()
    });
    let versions: Vec<String> = futures::future::join_all(looking).await.into_iter().flatten().collect();
    recorder.environment(|environment| {
        for version in versions {
            if let Some((name, version)) = version.rsplit_once(' ') {
                environment.versions.insert(name.to_owned(), version.to_owned());
            }
        }
    });
    let Some(found) = fabric.found() else { return };
    let nodes = found.cluster().into_iter().flat_map(|cluster| &cluster.nodes);
    let unseen: Vec<&str> =
        nodes.map(|node| node.name.as_str()).filter(|name| !found.ways().contains_key(*name)).collect();
    if let [first, ..] = unseen.as_slice() {
        recorder.warning(format!(
            "nothing leads into {}: their interfaces cannot be seen, and what needs them fails; \
             say how, as `--router {first}=docker:{first}`",
            unseen.join(", ")
        ));
    }
}
