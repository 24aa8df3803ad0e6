//! `fabric history`: what many runs of a lab show, from the folder of runs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use fabric_reports::history::{self, Findings, History, PastRun, Series, Timed};
use serde_json::json;

use super::args::Format;
use super::diff::colors;
use super::exit::{self, Usage};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing drifts and nothing is flaky; 1 something does or is; 2 bad input; 4 there are no runs."
)]
pub(super) struct HistoryArgs {
    /// The lab, by its name or its folder [default: every lab that was run].
    lab: Option<String>,
    /// The folder of runs.
    #[arg(long, value_name = "DIR", default_value = "target/fabric")]
    runs: PathBuf,
    /// Show every check.
    #[arg(long)]
    all: bool,
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn run(args: &HistoryArgs) -> Result<ExitCode> {
    let history = History::of_folder(&args.runs).map_err(|error| Usage(error.to_string()))?;
    let name = args.lab.as_deref().map(name_of);
    let series = history.series(name.as_deref());
    if series.is_empty() {
        let of = name.map(|name| format!(" of {name}")).unwrap_or_default();
        eprintln!("no run{of} is remembered in {}: `fabric test` makes one", args.runs.display());
        return Ok(ExitCode::from(4));
    }
    let told: Vec<(&Series, &Vec<&PastRun>, Findings, Vec<Timed>)> = series
        .iter()
        .map(|(series, runs)| (series, runs, history::findings(runs), history::timed(runs)))
        .collect();
    match args.format {
        Format::Json => {
            let all = told.iter().map(|(series, runs, found, checks)| {
                let runs: Vec<_> = runs
                    .iter()
                    .map(|run| json!({"run_id": run.run_id, "started": run.started, "outcome": run.outcome}))
                    .collect();
                json!({"series": series, "runs": runs, "drifts": found.drifts, "flaky": found.flaky, "checks": checks})
            });
            say!("{}", serde_json::to_string_pretty(&all.collect::<Vec<_>>())?);
        }
        Format::Text => {
            for (series, runs, found, checks) in &told {
                say!("{}", history::past(series, runs, found, checks, args.all, colors()));
            }
        }
    }
    let found = told.iter().any(|(_, _, found, _)| !found.drifts.is_empty() || !found.flaky.is_empty());
    Ok(ExitCode::from(if found { 1 } else { exit::OK }))
}

/// The name of a lab whose folder is named; else the word itself.
fn name_of(word: &str) -> String {
    let path = std::path::Path::new(word);
    match path.exists().then(|| fabric_suites::run::prepare(path)) {
        Some(Ok(prepared)) => prepared.lab.name,
        _ => word.to_owned(),
    }
}
