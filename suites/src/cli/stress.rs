//! `fabric stress`: a lab run many times, each time on a new fabric.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use fabric_reports::Record;
use fabric_reports::history::{self, PastRun, Stress};
use fabric_reports::progress::Silent;
use fabric_reports::record::Outcome;
use fabric_suites::run::{self, Begin, Home, Prepared, RunSettings, Selection};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::args::{Format, LabArg};
use super::diff::colors;
use super::home::HomeArgs;
use super::pick;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 every run passed; 1 one did not; 130 interrupted.")]
pub(super) struct StressArgs {
    /// How many runs.
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    #[command(flatten)]
    lab: LabArg,
    #[command(flatten)]
    home: HomeArgs,
    /// How many runs side by side: more than there are cores makes all of them slower [default: half the cores, at least 1].
    #[arg(long, short, value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Only checks whose name contains one of these.
    #[arg(long = "only", short = 'o', value_name = "TEXT")]
    only: Vec<String>,
    /// Show every check.
    #[arg(long)]
    all: bool,
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Where the records of runs that do not pass are kept.
    #[arg(long, value_name = "DIR", default_value = "target/fabric/stress")]
    report_dir: PathBuf,
}

pub(super) async fn run(args: StressArgs) -> Result<ExitCode> {
    let prepared = run::prepare(&pick::lab(&args.lab)?)?;
    let home = args.home.made()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or((cores / 2).max(1), |jobs| jobs as usize).min(args.runs as usize);
    let mut running = JoinSet::new();
    let mut records: Vec<(Record, PathBuf)> = Vec::new();
    let mut begun = 0;
    let mut interrupted = false;
    while begun < args.runs || !running.is_empty() {
        while begun < args.runs && running.len() < jobs && !interrupted {
            begun += 1;
            let dir = args.report_dir.join(format!("{}-{begun}", std::process::id()));
            running.spawn(one(prepared.clone(), home.clone(), args.only.clone(), begun, dir));
        }
        let Some(ended) = running.join_next().await else { break };
        let (record, dir) = ended?;
        eprintln!("     Run {:>4} of {}: {}", records.len() + 1, args.runs, record.outcome.words());
        // A signal reaches every run; none is begun after it.
        interrupted |= record.outcome == Outcome::Interrupted;
        if record.outcome == Outcome::Passed {
            // What passed is in the figures.
            let _ = std::fs::remove_dir_all(&dir);
        }
        records.push((record, dir));
    }
    // Empty, if everything passed.
    let _ = std::fs::remove_dir(&args.report_dir);
    let told = told(&prepared, jobs, &records);
    match args.format {
        Format::Json => say!("{}", serde_json::to_string_pretty(&told)?),
        Format::Text => say!("{}", history::stress(&told, args.all, colors()).trim_end()),
    }
    Ok(ExitCode::from(if interrupted { Outcome::Interrupted.exit_code() } else { told.exit_code() }))
}

/// One run on a fabric of its own.
async fn one(
    prepared: Prepared,
    home: Home,
    only: Vec<String>,
    number: u32,
    dir: PathBuf,
) -> (Record, PathBuf) {
    let mut selection = Selection::new();
    let checks = prepared.plan.iter().flat_map(|phase| &phase.checks);
    for check in checks.filter(|check| only.is_empty() || only.iter().any(|text| check.name.contains(text))) {
        // Nobody listens to single checks: the record has them.
        selection.insert(check.name.clone(), oneshot::channel().0);
    }
    let settings = RunSettings {
        begin: Begin::Fresh,
        name: Some(format!("{}-{}-{number}", prepared.lab.name, std::process::id())),
        report_dir: Some(dir.clone()),
        runs_dir: dir.clone(),
        home,
    };
    let recorder = run::recorder(&prepared, Arc::new(Silent));
    let finished = run::run(prepared, settings, selection, recorder).await;
    if let Err(error) = finished.written {
        eprintln!("{error}");
    }
    (finished.record, dir)
}

fn told(prepared: &Prepared, jobs: usize, records: &[(Record, PathBuf)]) -> Stress {
    let past: Vec<PastRun> = records.iter().map(|(record, _)| PastRun::of(record)).collect();
    let how = |record: &Record| match &record.error {
        Some(error) => {
            format!("{}: {}", record.outcome.words(), error.text.lines().next().unwrap_or_default())
        }
        None => record.outcome.words().to_owned(),
    };
    let place = |dir: &Path| dir.join("record.json").display().to_string();
    let failed = records.iter().filter(|(record, _)| record.outcome != Outcome::Passed);
    Stress {
        lab: prepared.lab.name.clone(),
        runs: records.len(),
        passed: records.iter().filter(|(record, _)| record.outcome == Outcome::Passed).count(),
        jobs,
        checks: history::timed(&past.iter().collect::<Vec<_>>()),
        failures: failed.map(|(record, dir)| (record.run_id.clone(), how(record), place(dir))).collect(),
    }
}
