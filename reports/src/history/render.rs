//! Many runs as text for a terminal.

use super::file::{PastRun, Series};
use super::findings::Findings;
use super::timed::{Stress, Timed};
use crate::progress::Paint;
use crate::record::Outcome;
use crate::text::{count, one_line, time};

/// How many checks a table shows, the slowest first, unless all are wanted.
const TOLD: usize = 15;

/// One series of runs: what was found, and how long checks take.
pub fn past(
    series: &Series,
    runs: &[&PastRun],
    found: &Findings,
    checks: &[Timed],
    all: bool,
    colors: bool,
) -> String {
    let paint = Paint::new(colors);
    let passed = runs.iter().filter(|run| run.outcome == Outcome::Passed).count();
    let days = match (runs.first(), runs.last()) {
        (Some(first), Some(last)) => {
            format!(
                ", {} to {}",
                first.started.format("%Y-%m-%d %H:%M"),
                last.started.format("%Y-%m-%d %H:%M")
            )
        }
        _ => String::new(),
    };
    let mut page = format!(
        "{} ({}, nodes in {}): {}{days}, {passed} passed\n",
        paint.strong(one_line(&series.lab)),
        series.env,
        series.runtime,
        count(runs.len(), "run")
    );
    if found.drifts.is_empty() && found.flaky.is_empty() {
        page.push_str(&format!("  {}\n", paint.good("nothing drifts, nothing is flaky")));
    }
    let told = if all { usize::MAX } else { TOLD };
    for drift in found.drifts.iter().take(told) {
        let fails = match drift.fails_in {
            Some(0) => ", at its deadline now".to_owned(),
            Some(runs) => format!(", at its deadline in {}", count(runs as usize, "run")),
            None => String::new(),
        };
        page.push_str(&format!(
            "  {} {}: {} -> {} over {} (+{} a run, {}){fails}\n",
            paint.doubtful("drift"),
            one_line(&drift.check),
            time(drift.from_ms),
            time(drift.to_ms),
            count(drift.runs, "run"),
            time(drift.per_run_ms),
            if drift.p < 1e-9 { "p < 1e-9".to_owned() } else { format!("p {:.0e}", drift.p) }
        ));
    }
    for flaky in found.flaky.iter().take(told) {
        page.push_str(&format!(
            "  {} {}: failed in {} of {} on the same lab, last in {}\n",
            paint.bad("flaky"),
            one_line(&flaky.check),
            flaky.failed,
            count(flaky.runs, "run"),
            one_line(&flaky.last)
        ));
    }
    let more = found.drifts.len().saturating_sub(told) + found.flaky.len().saturating_sub(told);
    if more > 0 {
        page.push_str(&format!("  and {more} more: --all shows them\n"));
    }
    page.push_str(&table(checks, all));
    page
}

/// What came of running a lab many times.
pub fn stress(stress: &Stress, all: bool, colors: bool) -> String {
    let paint = Paint::new(colors);
    let verdict = format!("{} of {} passed", stress.passed, count(stress.runs, "run"));
    let verdict = if stress.passed == stress.runs { paint.good(verdict) } else { paint.bad(verdict) };
    let mut page = format!("{}: {verdict}, {} at a time\n", paint.strong(one_line(&stress.lab)), stress.jobs);
    for check in stress.broken() {
        page.push_str(&format!("  {} {}: in every run\n", paint.bad("failed"), one_line(&check.check)));
    }
    for check in stress.flaky() {
        let runs = check.passed + check.failed;
        page.push_str(&format!(
            "  {} {}: failed in {} of {}\n",
            paint.bad("flaky"),
            one_line(&check.check),
            check.failed,
            count(runs, "run")
        ));
    }
    for (run, how, place) in &stress.failures {
        page.push_str(&format!("  run {} {}: {}\n", one_line(run), one_line(how), one_line(place)));
    }
    page.push_str(&table(&stress.checks, all));
    page
}

/// The slowest checks, or all.
fn table(checks: &[Timed], all: bool) -> String {
    let mut sorted: Vec<&Timed> = checks.iter().collect();
    sorted.sort_by(|a, b| b.p90_ms.total_cmp(&a.p90_ms));
    let told = if all { sorted.len() } else { TOLD.min(sorted.len()) };
    if told == 0 {
        return String::new();
    }
    let mut page =
        format!("\n  {:>9} {:>9} {:>9}  {:>6} {:>6}  check\n", "p50", "p90", "max", "passed", "failed");
    for check in sorted.iter().take(told) {
        page.push_str(&format!(
            "  {:>9} {:>9} {:>9}  {:>6} {:>6}  {}\n",
            time(check.p50_ms),
            time(check.p90_ms),
            time(check.max_ms),
            check.passed,
            check.failed,
            one_line(&check.check)
        ));
    }
    if let Some(more) = sorted.len().checked_sub(told).filter(|more| *more > 0) {
        page.push_str(&format!("  and {more} faster ones: --all shows them\n"));
    }
    page
}
