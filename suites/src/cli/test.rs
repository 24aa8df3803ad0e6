//! `fabric test`: judging a lab, for people.

use std::process::ExitCode;

use anyhow::Result;
use fabric_reports::progress::{lines, on_stderr};
use fabric_reports::record::{Kind, Outcome};
use fabric_reports::{Screen, github, summary};
use fabric_suites::run::{self, Begin, Finished, FoundSettings, Prepared, RunSettings, Selection};
use tokio::sync::oneshot;

use super::args::{Format, LabArg, TestArgs};
use super::exit::{self, Usage};
use super::home::FoundArgs;
use super::pick;

pub(super) async fn run(args: TestArgs) -> Result<ExitCode> {
    let lab = LabArg { lab: args.lab.lab.clone().or_else(|| args.found.lab_dir.clone()) };
    let prepared = run::prepare(&pick::lab(&lab)?)?;
    let begin = if args.home.is_attach() { Some(found_of(&args, &prepared)?) } else { None };
    let names = selected(&prepared, &args);
    if args.list {
        for name in names {
            say!("{name}");
        }
        return Ok(ExitCode::from(exit::OK));
    }
    let begin = match begin {
        Some(found) => Begin::Found(found),
        None => ours(&args, &prepared)?,
    };
    let settings = RunSettings {
        begin,
        name: args.name.clone(),
        report_dir: args.report_dir.clone(),
        runs_dir: "target/fabric".into(),
        home: args.home.home()?,
    };
    let mut selection = Selection::new();
    let mut listeners = Vec::new();
    for name in names {
        let (tell, told) = oneshot::channel();
        selection.insert(name, tell);
        listeners.push(told);
    }
    let programs = args.format == Format::Json;
    let progress = if programs { lines(std::io::stdout()) } else { on_stderr(Screen::Ours) };
    let recorder = run::recorder(&prepared, progress);
    let finished = run::run(prepared, settings, selection, recorder).await;
    github::tell(&finished.record);
    if programs {
        return Ok(tell_briefly(&finished));
    }
    Ok(tell(&finished))
}

/// A fabric of this program's.
fn ours(args: &TestArgs, prepared: &Prepared) -> Result<Begin> {
    let FoundArgs { kubeconfig, routers, phases, allow_apply, .. } = &args.found;
    if kubeconfig.is_some() || !routers.is_empty() || !phases.is_empty() || *allow_apply {
        let why = "--kubeconfig, --router, --phase and --allow-apply are for what somebody else brought up: say \
                   `--env attach`, too";
        return Err(Usage(why.into()).into());
    }
    let up = if args.fresh { None } else { run::find(prepared, args.name.as_deref())? };
    Ok(match up {
        Some(id) => Begin::Attach(id),
        None if args.keep => Begin::KeepOnFailure,
        None => Begin::Fresh,
    })
}

/// What somebody else brought up, if nothing is said that belongs to a fabric of ours.
fn found_of(args: &TestArgs, prepared: &Prepared) -> Result<FoundSettings> {
    if args.fresh || args.keep || args.name.is_some() {
        let why =
            "--fresh, --keep and --name are for fabrics of this program's, and `--env attach` makes none";
        return Err(Usage(why.into()).into());
    }
    found(&args.found, args.home.clabernetes(), prepared)
}

/// What somebody else brought up, and whether clabernetes is to put its routers there first.
pub(super) fn found(args: &FoundArgs, clabernetes: bool, prepared: &Prepared) -> Result<FoundSettings> {
    let FoundArgs { kubeconfig, routers, phases, allow_apply, .. } = args.clone();
    let known: Vec<&str> = prepared.plan.iter().map(|phase| phase.name.as_str()).collect();
    if let Some(unknown) = phases.iter().find(|phase| !known.contains(&phase.as_str())) {
        return Err(Usage(format!("the lab has no phase {unknown}; it has {}", known.join(", "))).into());
    }
    if kubeconfig.is_none() && prepared.lab.cluster.is_some() {
        let why = "the lab has a cluster: say how to reach it, as `--kubeconfig ~/.kube/config`";
        return Err(Usage(why.into()).into());
    }
    if kubeconfig.is_none() && clabernetes {
        let why = "--deployer clabernetes puts the routers into a cluster: say how to reach it, as `--kubeconfig ~/.kube/config`";
        return Err(Usage(why.into()).into());
    }
    Ok(FoundSettings { kubeconfig, ways: routers, phases, allow_apply, clabernetes })
}

fn selected(prepared: &Prepared, args: &TestArgs) -> Vec<String> {
    let checks = prepared.plan.iter().flat_map(|phase| &phase.checks).map(|check| check.name.clone());
    checks
        .filter(|name| args.only.is_empty() || args.only.iter().any(|text| name.contains(text)))
        .filter(|name| !args.skip.iter().any(|text| name.contains(text)))
        .collect()
}

/// The end of a run whose events went to a program: what is not in them.
fn tell_briefly(finished: &Finished) -> ExitCode {
    if let Err(error) = &finished.written {
        eprintln!("{error}");
    }
    ExitCode::from(finished.record.exit_code)
}

/// The end of a run: what became of it, where the reports are, and the exit code.
fn tell(finished: &Finished) -> ExitCode {
    summary::print(&finished.record, finished.written.as_ref().ok());
    if let Err(error) = &finished.written {
        eprintln!("{error}");
    }
    if let (Some(bundle), Ok(written)) = (&finished.record.bundle, &finished.written) {
        eprintln!(" Diagnostics: {}", written.dir.join(bundle).display());
    }
    if let Some(id) = &finished.kept {
        let id = Some(id.as_str());
        let reached = finished.record.phases.iter().rfind(|phase| phase.reached);
        let phase = reached.map(|phase| format!(", in phase {}", phase.name)).unwrap_or_default();
        eprintln!("    Still up{phase}: {}", pick::again(id, "status"));
        eprintln!("      To end it: {}", pick::again(id, "down"));
    }
    let (fabric, lab) = (pick::program(), &finished.record.lab.dir);
    match finished.record.outcome {
        Outcome::Failed if finished.kept.is_none() && finished.record.environment.env == Kind::Twin => {
            eprintln!("     To keep it: {fabric} test {lab} --keep leaves the fabric up when a check fails");
        }
        Outcome::NothingChecked => {
            eprintln!(
                "        Next: {fabric} test {lab} --list shows the names that --only and --skip choose from"
            );
        }
        _ => {}
    }
    ExitCode::from(finished.record.exit_code)
}
