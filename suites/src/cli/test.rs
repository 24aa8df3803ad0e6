//! `fabric test`: judging a lab, for people.

use std::process::ExitCode;

use anyhow::Result;
use fabric_reports::progress::on_stderr;
use fabric_reports::record::Outcome;
use fabric_reports::{Screen, summary};
use fabric_suites::run::{self, Begin, Finished, Prepared, RunSettings, Selection};
use tokio::sync::oneshot;

use super::args::TestArgs;
use super::{exit, pick};

pub(super) async fn run(args: TestArgs) -> Result<ExitCode> {
    let prepared = run::prepare(&pick::lab(&args.lab)?)?;
    let names = selected(&prepared, &args);
    if args.list {
        for name in names {
            say!("{name}");
        }
        return Ok(ExitCode::from(exit::OK));
    }
    let up = if args.fresh { None } else { run::find(&prepared, args.name.as_deref())? };
    let begin = match up {
        Some(id) => Begin::Attach(id),
        None if args.keep => Begin::KeepOnFailure,
        None => Begin::Fresh,
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
    let recorder = run::recorder(&prepared, on_stderr(Screen::Ours));
    let finished = run::run(prepared, settings, selection, recorder).await;
    Ok(tell(&finished))
}

fn selected(prepared: &Prepared, args: &TestArgs) -> Vec<String> {
    let checks = prepared.plan.iter().flat_map(|phase| &phase.checks).map(|check| check.name.clone());
    checks
        .filter(|name| args.only.is_empty() || args.only.iter().any(|text| name.contains(text)))
        .filter(|name| !args.skip.iter().any(|text| name.contains(text)))
        .collect()
}

/// The end of a run: what became of it, where the reports are, and the exit code.
fn tell(finished: &Finished) -> ExitCode {
    summary::print(&finished.record, finished.written.as_ref().ok());
    if let Err(error) = &finished.written {
        eprintln!("{error}");
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
        Outcome::Failed if finished.kept.is_none() => {
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
