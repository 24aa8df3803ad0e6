//! How long each check took over many runs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::file::PastRun;
use super::stats::quantile;

/// One check over many runs. Times are in milliseconds, of the runs in which it passed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timed {
    /// The check.
    pub check: String,
    /// In how many runs it passed.
    pub passed: usize,
    /// In how many it failed.
    pub failed: usize,
    /// Half of the times are at most this; 0 where it never passed.
    pub p50_ms: f64,
    /// Nine in ten are.
    pub p90_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// The checks of some runs, in the order of their names.
pub fn timed(runs: &[&PastRun]) -> Vec<Timed> {
    let mut all: BTreeMap<&str, (Vec<f64>, usize)> = BTreeMap::new();
    for (name, check) in runs.iter().flat_map(|run| &run.checks) {
        let (times, failed) = all.entry(name).or_default();
        if check.passed {
            times.push(check.ms);
        } else {
            *failed += 1;
        }
    }
    let of = |(name, (times, failed)): (&str, (Vec<f64>, usize))| {
        let at = |part| quantile(&times, part).unwrap_or(0.0).round();
        let (p50_ms, p90_ms, max_ms) = (at(0.5), at(0.9), at(1.0));
        Timed { check: name.to_owned(), passed: times.len(), failed, p50_ms, p90_ms, max_ms }
    };
    all.into_iter().map(of).collect()
}

/// What came of running a lab many times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stress {
    /// The lab's name.
    pub lab: String,
    /// How many runs there were.
    pub runs: usize,
    /// How many of them passed.
    pub passed: usize,
    /// How many ran side by side.
    pub jobs: usize,
    /// The checks.
    pub checks: Vec<Timed>,
    /// Runs that did not pass: their ids, how they ended, and where their records are.
    pub failures: Vec<(String, String, String)>,
}

impl Stress {
    /// Checks that passed in some runs and failed in others.
    pub fn flaky(&self) -> impl Iterator<Item = &Timed> {
        self.checks.iter().filter(|check| check.passed > 0 && check.failed > 0)
    }

    /// Checks that failed in every run in which they were judged.
    pub fn broken(&self) -> impl Iterator<Item = &Timed> {
        self.checks.iter().filter(|check| check.passed == 0 && check.failed > 0)
    }

    /// The exit code: 0 when every run passed, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.passed < self.runs)
    }
}
