//! The diagnostics of a run that went wrong: when there are any, and where they are put.
//!
//! What lives here: the decision, and the order of bundle and record. What does not: what is in a bundle (`bundle`).
//!
//! A bundle holds the record that names it: the record is finished first, then the bundle is written, then the record beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fabric_harness::capture::Captures;
use fabric_harness::fabric::Fabric;
use fabric_reports::record::{Outcome, Record};
use fabric_reports::{Recorder, Reports};

use super::prepare::Prepared;
use super::session::interruption;
use super::settings::{Finished, RunSettings};
use crate::bundle::{Captured, Collected, NAME, Piece, Sources, collect};

/// What is asked for a second time to end, ends without a bundle.
const GIVEN_UP: &str = "the diagnostics were given up: the run was interrupted while they were collected";

/// Collects the diagnostics if something failed; to be called while the fabric is still there.
pub(super) async fn collected(
    prepared: &Prepared,
    fabric: Option<&Arc<Fabric>>,
    captures: Option<&Captures>,
    recorder: &Arc<Recorder>,
) -> Option<Collected> {
    let why = match recorder.outcome() {
        Outcome::Passed | Outcome::NothingChecked => return None,
        Outcome::Interrupted if !recorder.has_failures() => return None,
        Outcome::Interrupted => "checks had failed when the run was interrupted",
        Outcome::Failed => "a check failed",
        Outcome::BringUpFailed => "the fabric could not be brought up, or a phase not be reached",
    };
    let step = recorder.step("collect the diagnostics", "teardown");
    let keeper = fabric.and_then(|fabric| fabric.state().ok()).map(|state| state.spec.dir);
    let sources = Sources {
        name: fabric.map_or_else(|| prepared.lab.name.clone(), |fabric| fabric.id().to_owned()),
        why: why.to_owned(),
        fabric: fabric.cloned(),
        lab: Some(prepared.lab.dir.clone()),
        keeper,
        captures: captures.map_or_else(Captured::default, |captures| Captured::Links(captures.links())),
    };
    let again = interruption(recorder);
    let collected = tokio::select! {
        collected = collect(sources) => collected,
        () = again => {
            recorder.warning(GIVEN_UP);
            step.fail(GIVEN_UP);
            return None;
        }
    };
    step.done();
    Some(collected)
}

/// Ends a run: its record, its bundle if there is one, its reports.
pub(super) async fn report(
    recorder: &Recorder,
    settings: &RunSettings,
    kept: Option<String>,
    collected: Option<Collected>,
) -> Finished {
    if collected.is_some() {
        recorder.bundle(NAME);
    }
    let mut record = recorder.finish();
    let path = folder(settings, &record).join(NAME);
    match collected {
        Some(collected) => {
            if let Err(why) = write(collected, &record, path).await {
                record.bundle = None;
                record.warnings.push(why);
            }
        }
        // That of an earlier run would belong to no record.
        None => drop(std::fs::remove_file(&path)),
    }
    let written = match &settings.report_dir {
        Some(dir) => Reports::write_all(&record, dir),
        None => Reports::write_run(&record, &settings.runs_dir),
    };
    Finished { record, written, kept }
}

/// Where the reports of a run are put.
fn folder(settings: &RunSettings, record: &Record) -> PathBuf {
    let of_runs = |base: &Path| base.join("runs").join(&record.run_id);
    settings.report_dir.clone().unwrap_or_else(|| of_runs(&settings.runs_dir))
}

async fn write(mut collected: Collected, record: &Record, path: PathBuf) -> Result<(), String> {
    let text = serde_json::to_string_pretty(record).map_err(|error| error.to_string())?;
    collected.add(Piece::text(
        "record.json",
        "the record of the run, as it stands beside this archive",
        "the run",
        text,
    ));
    // Looking for secrets in some megabytes keeps a thread busy.
    let written = tokio::task::spawn_blocking(move || collected.write(&path)).await;
    written.map_err(|error| error.to_string())?.map(drop).map_err(|error| error.to_string())
}
