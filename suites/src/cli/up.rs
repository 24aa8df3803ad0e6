//! `fabric up`: a lab brought up and left up, with what to try next.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use fabric_harness::fabric::Fabric;
use fabric_harness::lab::yaml::nearest;
use fabric_harness::runtime::keeper::State;
use fabric_reports::Screen;
use fabric_reports::progress::on_stderr;
use fabric_suites::plan::{Action, PlannedPhase};
use fabric_suites::run::{self, Prepared};
use tokio::signal::unix::{SignalKind, signal};

use super::args::UpArgs;
use super::exit::Usage;
use super::{exit, pick};

pub(super) async fn run(args: UpArgs) -> Result<ExitCode> {
    let shown = pick::lab(&args.lab)?;
    let prepared = run::prepare(&shown)?;
    let last = last_phase(&prepared, args.to.as_deref())?;
    let id = args.name.clone().unwrap_or_else(|| prepared.lab.name.clone());
    let home = args.home.made()?;
    let started = std::time::Instant::now();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (fabric, unsettled) = tokio::select! {
        // An interruption makes steps fail, too: it is the cause, and it is told.
        biased;
        _ = interrupt.recv() => return Ok(interrupted(&id).await),
        _ = terminate.recv() => return Ok(interrupted(&id).await),
        up = run::bring_up(&prepared, &id, last.as_deref(), home, on_stderr(Screen::Ours)) => up?,
    };
    let state = fabric.state()?;
    print(&prepared, &shown, &state, &unsettled, started.elapsed().as_secs_f64());
    Ok(ExitCode::from(exit::OK))
}

/// The last phase to go through: the one named, else the last that brings a part of the lab up.
fn last_phase(prepared: &Prepared, named: Option<&str>) -> Result<Option<String>> {
    let names: Vec<&str> = prepared.plan.iter().map(|phase| phase.name.as_str()).collect();
    match named {
        Some(name) if names.contains(&name) => Ok(Some(name.to_owned())),
        Some(name) => {
            let near = nearest(name, names.iter().copied());
            let aside = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
            Err(Usage(format!("the lab has no phase {name}{aside}; it has {}", names.join(", "))).into())
        }
        None => {
            let brings_up =
                |phase: &&PlannedPhase| phase.actions.iter().any(|action| matches!(action, Action::Up(_)));
            Ok(prepared.plan.iter().rfind(brings_up).map(|phase| phase.name.clone()))
        }
    }
}

/// Half a fabric is no fabric. It was interrupted whatever becomes of ending it.
async fn interrupted(id: &str) -> ExitCode {
    let ended = match Fabric::attach(id) {
        Ok(fabric) => Arc::new(fabric).end().await,
        // Nothing had been made yet.
        Err(_) => Ok(()),
    };
    match ended {
        Ok(()) => eprintln!("interrupted; nothing is left of {id}"),
        Err(error) => {
            eprintln!("interrupted, and not everything of {id} could be ended: {error}");
            eprintln!("`fabric down {id}` tries again");
        }
    }
    ExitCode::from(exit::INTERRUPTED)
}

fn print(prepared: &Prepared, shown: &Path, state: &State, unsettled: &[String], seconds: f64) {
    let id = &state.spec.id;
    let fabric = pick::program();
    // A fabric that goes by the lab's own name is found without it.
    let given = (*id != prepared.lab.name).then_some(id.as_str());
    let name = given.map(|id| format!("--name {id} ")).unwrap_or_default();
    let phase = state.phase.as_deref().unwrap_or("started");
    say!("{id} is up: {} nodes, phase {phase}, {seconds:.1} s.", state.nodes.len());
    if let Some(first) = unsettled.first() {
        let more = match unsettled.len() - 1 {
            0 => String::new(),
            more => format!("\n  and {more} more"),
        };
        say!(
            "\nNot as the lab expects, and no longer waited for (`{fabric} test` says why):\n  {first}{more}"
        );
    }
    say!("\nTry next:");
    if let Some(kubeconfig) = &state.kubeconfig {
        say!("  export KUBECONFIG={}", kubeconfig.display());
        say!("  kubectl get nodes -o wide");
        for file in next_files(prepared, phase) {
            say!("  kubectl apply -f {file}");
        }
    }
    let router = prepared.lab.topology.nodes.iter().find_map(|node| Some((node, node.routing()?)));
    if let Some((router, routing)) = router {
        say!("  {fabric} exec {name}{} -- {}", router.name, routing.shows_table());
    }
    if prepared.plan.is_empty() {
        say!("  {}", pick::again(given, "status"));
    } else {
        let line = format!("{fabric} test {name}{}", shown.display());
        say!("  {line:<34} # judge it from phase {phase} on");
    }
    say!("  {}", pick::again(given, "down"));
}

/// The manifests that the phase after this one applies.
fn next_files(prepared: &Prepared, phase: &str) -> Vec<String> {
    let next = prepared.plan.iter().skip_while(|planned| planned.name != phase).nth(1);
    let mut files: Vec<String> = Vec::new();
    for action in next.iter().flat_map(|phase| &phase.actions) {
        if let Action::Apply(all) = action {
            files.extend(all.iter().map(|manifest| manifest.at.file.display().to_string()));
        }
    }
    files.dedup();
    files
}
