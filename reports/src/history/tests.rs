//! Many runs: kept, read again, and what they show.

use std::fs;
use std::path::Path;

use chrono::Duration;
use rstest::rstest;

use super::*;
use crate::record::{Record, Verdict, sample};
use crate::reports::Reports;

/// A run that began so many hours after the first, whose first check took so long.
fn run(number: i64, ms: f64) -> Record {
    let mut record = sample::passed();
    record.run_id = format!("run-{number:04}");
    record.started += Duration::hours(number);
    record.lab.content = Some("same".into());
    record.checks[0].duration_ms = ms;
    record
}

fn of(records: &[Record]) -> Vec<PastRun> {
    records.iter().map(PastRun::of).collect()
}

fn found(records: &[Record]) -> Findings {
    let runs = of(records);
    findings(&runs.iter().collect::<Vec<_>>())
}

/// Values between 0 and 1 that look like chance and are the same every time.
fn chance(number: i64) -> f64 {
    let hashed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hashed >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn a_first_connect_between_5_and_10_seconds_is_no_drift() {
    let records: Vec<Record> =
        (0..40).map(|number| run(number, 5_000.0 + 5_000.0 * chance(number))).collect();
    assert_eq!(found(&records).drifts, []);
}

#[test]
fn a_slow_drift_is_found_long_before_the_deadline_and_through_odd_runs() {
    let drifting = |number: i64| match number % 9 {
        // A busy machine now and then.
        4 => 30_000.0,
        _ => 2_000.0 + 60.0 * number as f64 + 400.0 * chance(number),
    };
    let records: Vec<Record> = (0..30).map(|number| run(number, drifting(number))).collect();
    let seen = found(&records);
    assert_eq!(seen.drifts.len(), 1, "{seen:?}");
    let drift = &seen.drifts[0];
    assert!((40.0..80.0).contains(&drift.per_run_ms), "{drift:?}");
    // The sample's deadline is 6 s.
    assert!(
        drift.to_ms < 6_000.0 && drift.fails_in.is_some_and(|runs| (10..80).contains(&runs)),
        "{drift:?}"
    );
}

#[rstest]
#[case::few(6, 500.0)]
#[case::little(30, 2.0)]
fn what_proves_nothing_is_not_told(#[case] runs: i64, #[case] slope: f64) {
    let records: Vec<Record> = (0..runs).map(|number| run(number, 2_000.0 + slope * number as f64)).collect();
    assert_eq!(found(&records).drifts, []);
}

#[test]
fn a_check_that_fails_now_and_then_on_one_lab_is_flaky_and_on_another_lab_is_not() {
    let mut records: Vec<Record> = (0..6).map(|number| run(number, 100.0)).collect();
    records[3].checks[1].verdict = Verdict::Failed;
    let seen = found(&records);
    assert_eq!(seen.flaky.len(), 1);
    assert_eq!((seen.flaky[0].failed, seen.flaky[0].runs, seen.flaky[0].last.as_str()), (1, 6, "run-0003"));
    records[3].lab.content = Some("broken by its author".into());
    assert_eq!(found(&records).flaky, []);
}

#[test]
fn runs_are_remembered_when_their_folders_have_gone() {
    let base = tempfile::tempdir().unwrap();
    for number in 0..5 {
        Reports::write_run(&run(number, 1_000.0 + number as f64), base.path()).unwrap();
    }
    let before = History::of_folder(base.path()).unwrap();
    fs::remove_dir_all(base.path().join("runs")).unwrap();
    let after = History::of_folder(base.path()).unwrap();
    assert_eq!(before, after);
    assert_eq!(after.runs.len(), 5);
    assert_eq!(after.runs[4], PastRun::of(&run(4, 1_004.0)));
    let size = fs::metadata(base.path().join("history.json")).unwrap().len();
    assert!(size < 2_500, "{size} bytes for five runs of three checks");
}

#[test]
fn records_from_before_there_was_a_history_count() {
    let base = tempfile::tempdir().unwrap();
    Reports::write_run(&run(0, 1_000.0), base.path()).unwrap();
    fs::remove_file(base.path().join("history.json")).unwrap();
    Reports::write_run(&run(1, 1_000.0), base.path()).unwrap();
    let history = History::of_folder(base.path()).unwrap();
    assert_eq!(
        history.runs.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(),
        ["run-0000", "run-0001"]
    );
}

#[test]
fn a_history_that_cannot_be_read_is_said_and_costs_no_run() {
    let base = tempfile::tempdir().unwrap();
    let file = base.path().join("history.json");
    fs::write(&file, "{\"version\": 9, \"names\": [], \"runs\": []}").unwrap();
    let error = History::of_folder(base.path()).unwrap_err().to_string();
    assert!(error.contains("version 9"), "{error}");
    Reports::write_run(&run(0, 1_000.0), base.path()).unwrap();
    assert_eq!(History::of_folder(base.path()).unwrap().runs.len(), 1);
    assert!(Path::new(&base.path().join("history.json.unreadable")).exists());
}

#[test]
fn only_so_many_runs_are_remembered() {
    let base = tempfile::tempdir().unwrap();
    let mut history = History::default();
    for number in 0..(KEPT as i64 + 3) {
        history.add(PastRun::of(&run(number, 1.0)));
    }
    assert_eq!(history.runs.len(), KEPT + 3);
    // The newest stay when one is added.
    for number in 0..3 {
        Reports::write_run(&run(number, 1.0), base.path()).unwrap();
    }
    assert_eq!(History::of_folder(base.path()).unwrap().runs.len(), 3);
}

#[test]
fn it_is_told() {
    let drifting = |number: i64| 2_000.0 + 60.0 * number as f64;
    let mut records: Vec<Record> = (0..30).map(|number| run(number, drifting(number))).collect();
    records[7].checks[2].verdict = Verdict::Failed;
    let runs = of(&records);
    let runs: Vec<&PastRun> = runs.iter().collect();
    insta::assert_snapshot!(past(&runs[0].series, &runs, &findings(&runs), &timed(&runs), false, false));
    let stressed = Stress {
        lab: "demo".into(),
        runs: 30,
        passed: 29,
        jobs: 2,
        checks: timed(&runs),
        failures: vec![("run-0007".into(), "failed".into(), "target/fabric/stress/7".into())],
    };
    assert_eq!(stressed.exit_code(), 1);
    insta::assert_snapshot!(stress(&stressed, false, false));
}
