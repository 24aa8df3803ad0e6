//! `fabric bench`: where the time of a run goes, several runs side by side.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use fabric_reports::Record;
use fabric_reports::progress::Silent;
use fabric_suites::run::{self, Begin, RunSettings, Selection};
use tokio::sync::oneshot;

use super::args::BenchArgs;
use super::{exit, pick};

pub(super) async fn run(args: BenchArgs) -> Result<ExitCode> {
    let prepared = run::prepare(&pick::lab(&args.lab)?)?;
    let home = args.home.made()?;
    let scratch = std::env::temp_dir().join(format!("fabric-bench-{}", std::process::id()));
    let mut records: Vec<Record> = Vec::new();
    say!("run   checks   total     protocol   own");
    for number in 1..=args.runs {
        let mut selection = Selection::new();
        let mut listeners = Vec::new();
        for check in prepared.plan.iter().flat_map(|phase| &phase.checks) {
            let (tell, told) = oneshot::channel();
            selection.insert(check.name.clone(), tell);
            listeners.push(told);
        }
        let settings = RunSettings {
            begin: Begin::Fresh,
            name: None,
            report_dir: Some(scratch.clone()),
            runs_dir: scratch.clone(),
            home: home.clone(),
        };
        let recorder = run::recorder(&prepared, Arc::new(Silent));
        let record = run::run(prepared.clone(), settings, selection, recorder).await.record;
        let passed = record
            .checks
            .iter()
            .filter(|check| check.verdict == fabric_reports::record::Verdict::Passed)
            .count();
        let seconds = |ms: f64| format!("{:.2} s", ms / 1e3);
        say!(
            "{number:>3}   {passed:>3}/{:<3}  {:>8}  {:>8}   {:>8}",
            record.checks.len(),
            seconds(record.times.total_ms),
            seconds(record.times.protocol_ms),
            seconds(record.times.own_ms),
        );
        records.push(record);
    }
    let _ = std::fs::remove_dir_all(&scratch);
    print_parts(&records);
    let failed = records.iter().any(|record| record.exit_code != 0);
    Ok(ExitCode::from(if failed { 1 } else { exit::OK }))
}

/// The parts of our own time, median over the runs.
fn print_parts(records: &[Record]) {
    let Some(first) = records.first() else { return };
    say!("\nour own time by step (median of {} runs)", records.len());
    for step in &first.steps {
        let mut all: Vec<f64> = records
            .iter()
            .flat_map(|record| &record.steps)
            .filter(|other| other.name == step.name && other.phase == step.phase)
            .map(|other| other.duration_ms)
            .collect();
        all.sort_by(f64::total_cmp);
        let median = all.get(all.len() / 2).copied().unwrap_or(0.0);
        say!("  {median:>8.1} ms  {}: {}", step.phase, step.name);
    }
}
