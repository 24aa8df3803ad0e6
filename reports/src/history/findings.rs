//! What many runs show that one does not: durations that grow, and verdicts that change while nothing else does.

use std::collections::BTreeMap;

use serde::Serialize;

use super::file::PastRun;
use super::stats::{mann_kendall, median, median_deviation, theil_sen};

/// How many runs a trend takes.
const RUNS: usize = 8;
/// How many of the last runs are looked at: a drift of last year is no news.
const WINDOW: usize = 60;
/// How probable it may be that durations without any trend are called a drift, over all checks of a series together.
const CHANCE: f64 = 0.01;
/// What a duration must have grown by at least, as a part of what it was.
const PART: f64 = 0.2;
/// What it must have grown by at least, in milliseconds.
const LEAST_MS: f64 = 100.0;

/// What was found in one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Checks whose durations grow, the steepest first.
    pub drifts: Vec<Drift>,
    /// Checks that passed and failed on the same lab, the most often failing first.
    pub flaky: Vec<Flaky>,
}

/// A check that takes longer and longer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// The check.
    pub check: String,
    /// How many runs show it.
    pub runs: usize,
    /// What it took at the beginning of the trend, in milliseconds.
    pub from_ms: f64,
    /// What it takes at its end, in milliseconds.
    pub to_ms: f64,
    /// By how much it grows from one run to the next, in milliseconds (Theil-Sen).
    pub per_run_ms: f64,
    /// How probable durations without a trend are to rise like this (Mann-Kendall, one-sided).
    pub p: f64,
    /// After how many more runs like these it passes its deadline; none where that is more than 10,000 or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fails_in: Option<u64>,
}

/// A check that passes and fails while the lab is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaky {
    /// The check.
    pub check: String,
    /// How often it failed.
    pub failed: usize,
    /// Of how many runs.
    pub runs: usize,
    /// The last run in which it failed.
    pub last: String,
}

/// Looks at the runs of one series, in order.
pub fn findings(runs: &[&PastRun]) -> Findings {
    let recent = &runs[runs.len().saturating_sub(WINDOW)..];
    let mut names: Vec<&String> = recent.iter().flat_map(|run| run.checks.keys()).collect();
    names.sort();
    names.dedup();
    let limit = CHANCE / names.len().max(1) as f64;
    let mut drifts: Vec<Drift> = names.iter().filter_map(|name| drift(name, recent, limit)).collect();
    drifts.sort_by(|a, b| b.per_run_ms.total_cmp(&a.per_run_ms));
    let mut flaky: Vec<Flaky> = names.iter().filter_map(|name| unsteady(name, recent)).collect();
    flaky.sort_by_key(|one| std::cmp::Reverse(one.failed * 1_000 / one.runs.max(1)));
    Findings { drifts, flaky }
}

fn drift(name: &str, runs: &[&PastRun], limit: f64) -> Option<Drift> {
    // How long a check takes that fails is its deadline.
    let passed: Vec<_> =
        runs.iter().filter_map(|run| run.checks.get(name)).filter(|check| check.passed).collect();
    let values: Vec<f64> = passed.iter().map(|check| check.ms).collect();
    if values.len() < RUNS {
        return None;
    }
    let slope = theil_sen(&values)?;
    let middle = median(&values)?;
    let last = (values.len() - 1) as f64;
    let (from, to) = ((middle - slope * last / 2.0).max(0.0), middle + slope * last / 2.0);
    // The spread that is left when the trend is taken away.
    let rest: Vec<f64> = values.iter().enumerate().map(|(at, value)| value - slope * at as f64).collect();
    let grown = slope * last;
    let enough = grown > LEAST_MS && grown > from * PART && grown > median_deviation(&rest)?;
    let p = mann_kendall(&values);
    if !enough || p > limit {
        return None;
    }
    let budget = passed.last().map_or(0.0, |check| check.budget_ms);
    let left = (budget - to) / slope;
    let fails_in = (budget > 0.0 && left < 10_000.0).then(|| left.max(0.0).ceil() as u64);
    Some(Drift {
        check: name.to_owned(),
        runs: values.len(),
        from_ms: from.round(),
        to_ms: to.round(),
        per_run_ms: (slope * 10.0).round() / 10.0,
        p,
        fails_in,
    })
}

fn unsteady(name: &str, runs: &[&PastRun]) -> Option<Flaky> {
    // Of the lab's contents the one on which it was most unsteady. Where the content is not known, any may be another.
    let mut by_content: BTreeMap<&str, (usize, usize, &str)> = BTreeMap::new();
    for run in runs {
        let (Some(content), Some(check)) = (&run.content, run.checks.get(name)) else { continue };
        let (failed, all, last) = by_content.entry(content).or_insert((0, 0, ""));
        *all += 1;
        if !check.passed {
            *failed += 1;
            *last = &run.run_id;
        }
    }
    let both = by_content.into_values().filter(|(failed, all, _)| *failed > 0 && failed < all);
    let (failed, runs, last) = both.max_by_key(|(failed, all, _)| failed * 1_000 / all)?;
    Some(Flaky { check: name.to_owned(), failed, runs, last: last.to_owned() })
}
