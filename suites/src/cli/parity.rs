//! `fabric parity`: the twin is the prediction, another environment the truth; where do they differ?
//!
//! What lives here: running both and comparing their records. What does not: the comparison.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use fabric_reports::diff::{self, Options};
use fabric_reports::progress::on_stderr;
use fabric_reports::record::Outcome;
use fabric_reports::{Record, Screen};
use fabric_suites::run::{self, Begin, Home, Prepared, RunSettings, Selection};
use tokio::sync::oneshot;

use super::args::LabArg;
use super::diff::{DiffFormat, print};
use super::exit::{self, Usage};
use super::home::{FoundArgs, HomeArgs};
use super::{pick, test};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 they do not differ; 1 they differ; 2 wrong usage; 3 one of them could not be brought up; \
4 no phase could be compared."
)]
pub(super) struct ParityArgs {
    #[command(flatten)]
    lab: LabArg,
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    found: FoundArgs,
    /// How to show where they differ.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    format: DiffFormat,
    /// Where the two records go, in folders `twin` and `other` [default: target/fabric/parity].
    #[arg(long, env = "FABRIC_REPORT_DIR", value_name = "DIR")]
    report_dir: Option<PathBuf>,
}

/// The runtime's or environment's word, for sentences.
fn called(home: &Home, begin: &Begin) -> &'static str {
    match (begin, home) {
        (Begin::Found(_), _) => "attached",
        (_, Home::Docker(_)) => "docker",
        _ => "lab",
    }
}

pub(super) async fn run(args: ParityArgs) -> Result<ExitCode> {
    let lab = LabArg { lab: args.lab.lab.clone().or_else(|| args.found.lab_dir.clone()) };
    let prepared = run::prepare(&pick::lab(&lab)?)?;
    let home = args.home.home()?;
    let begin = if args.home.is_attach() {
        Begin::Found(test::found(&args.found, args.home.clabernetes(), &prepared)?)
    } else if home == Home::Netns {
        let why = "parity compares the twin with another environment: say which, as `--env attach`, `--env lab` or \
                   `--runtime docker`";
        return Err(Usage(why.into()).into());
    } else {
        Begin::Fresh
    };
    let other = called(&home, &begin);
    let folder = args.report_dir.clone().unwrap_or_else(|| PathBuf::from("target/fabric/parity"));
    // The other one first: it may judge only what its state satisfies, and the twin then goes no further.
    let there = record(&prepared, begin, home, folder.join("other"), |_| true).await;
    if let Some(code) = unfit(&there, other) {
        return Ok(code);
    }
    let judged = |phase: &str| there.states.iter().any(|state| state.when == format!("end of phase {phase}"));
    for left in &there.left_out {
        eprintln!("    Left out {}: {}", left.phase, left.why);
    }
    let twin = record(&prepared, Begin::Fresh, Home::Netns, folder.join("twin"), judged).await;
    if let Some(code) = unfit(&twin, "the twin") {
        return Ok(code);
    }
    let seen = diff::diff(&twin, &there, &Options::parity("twin", other));
    print(&seen, args.format);
    Ok(ExitCode::from(u8::from(seen.differs())))
}

/// The code to end with when a run is nothing to compare.
fn unfit(record: &Record, called: &str) -> Option<ExitCode> {
    match record.outcome {
        Outcome::Passed | Outcome::Failed => None,
        Outcome::Interrupted => Some(ExitCode::from(Outcome::Interrupted.exit_code())),
        outcome => {
            let why = record.error.as_ref().map(|error| format!(": {}", error.text)).unwrap_or_default();
            eprintln!("error: {called} {}{why}", outcome.words());
            Some(ExitCode::from(if outcome == Outcome::NothingChecked { 4 } else { exit::ENVIRONMENT }))
        }
    }
}

/// Runs the checks of the phases that are wanted; the record.
async fn record(
    prepared: &Prepared,
    begin: Begin,
    home: Home,
    dir: PathBuf,
    wanted: impl Fn(&str) -> bool,
) -> Record {
    let mut selection = Selection::new();
    // Nobody listens to single checks: the record has them.
    let phases = prepared.plan.iter().filter(|phase| wanted(&phase.name));
    for check in phases.flat_map(|phase| &phase.checks) {
        selection.insert(check.name.clone(), oneshot::channel().0);
    }
    let settings = RunSettings { begin, name: None, report_dir: Some(dir.clone()), runs_dir: dir, home };
    let recorder = run::recorder(prepared, on_stderr(Screen::Ours));
    let finished = run::run(prepared.clone(), settings, selection, Arc::clone(&recorder)).await;
    if let Err(error) = &finished.written {
        eprintln!("{error}");
    }
    finished.record
}
