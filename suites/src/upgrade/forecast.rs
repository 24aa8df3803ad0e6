//! The whole answer: every step between two versions, and everything the rules find, in the order of harm.

use fabric_harness::cilium::{known_lines, newest_known};
use serde::Serialize;

use super::effect::{self, Effect};
use super::finding::line;
use super::{Asked, Finding, Severity, rules};

/// What an upgrade will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// From this version.
    pub from: String,
    /// To this one.
    pub to: String,
    /// The lines on the way, the last being the one that is to run.
    pub steps: Vec<Step>,
    /// What will become of the fabric's announcements, if nothing is done.
    pub effect: Effect,
    /// What was found: the worst first, in each by the line with which it begins, then by place.
    pub findings: Vec<Finding>,
}

/// One line on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The line, as people write it.
    pub line: String,
    /// Whether something is known of it. What is not known is not said to be harmless.
    pub known: bool,
}

impl Forecast {
    /// Whether something breaks.
    pub fn breaks(&self) -> bool {
        self.of(Severity::Breaks).next().is_some()
    }

    /// The findings of one severity.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }
}

/// Judges an upgrade. A pure function of what is written down.
pub fn forecast(asked: &Asked) -> Forecast {
    let mut findings = rules::all(asked);
    findings.sort_by(|a, b| (a.severity, a.with, &a.at, a.rule).cmp(&(b.severity, b.with, &b.at, b.rule)));
    findings.dedup();
    Forecast {
        from: asked.from.to_string(),
        to: asked.to.to_string(),
        steps: steps(asked),
        effect: effect::of(asked),
        findings,
    }
}

/// The lines after the first up to the last, those nothing is known of included.
fn steps(asked: &Asked) -> Vec<Step> {
    let (from, to) = (asked.from.line(), asked.to.line());
    let known: Vec<(u32, u32)> = known_lines().map(|row| row.line).collect();
    let minors = if from.0 == to.0 { from.1 + 1..=to.1 } else { 0..=to.1 };
    minors
        .map(|minor| (to.0, minor))
        .map(|step| Step { line: line(step), known: step <= newest_known() && known.contains(&step) })
        .collect()
}
