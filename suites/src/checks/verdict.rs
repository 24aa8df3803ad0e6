//! The verdict of a check: what was wanted, what was seen, and the difference between the two.
//!
//! What lives here: the shape all judgements share. What does not: any judgement, and how a report shows it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::expect::Unresolved;

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is as it should be.
    Passed,
    /// It is not, and may still come to be.
    NotYet,
    /// It is not, and waiting does not help.
    Failed,
}

/// What a judgement comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Passed, not yet, or failed for good.
    pub outcome: Outcome,
    /// Whom the check is about: `router0`, `nettool-1`.
    pub subject: String,
    /// What was wanted, as a phrase: `the 12 prefixes`.
    pub expected: String,
    /// What was seen, as a phrase that a progress line can show: `9 of 12 prefixes`.
    pub seen: String,
    /// The difference, one thing per line; empty when passed.
    pub difference: Vec<String>,
    /// The evidence the judgement rests on, for the record.
    pub detail: Json,
}

impl Verdict {
    /// Passed when there is no difference, else not yet.
    pub(super) fn of(
        subject: &str,
        expected: impl Into<String>,
        seen: impl Into<String>,
        difference: Vec<String>,
    ) -> Self {
        Self {
            outcome: if difference.is_empty() { Outcome::Passed } else { Outcome::NotYet },
            subject: subject.to_owned(),
            expected: expected.into(),
            seen: seen.into(),
            difference,
            detail: Json::Null,
        }
    }

    /// A symbol of the expectation stands for nothing on this fabric, for now or for good.
    pub(super) fn unresolved(subject: &str, expected: impl Into<String>, why: &Unresolved) -> Self {
        let outcome = match why {
            Unresolved::NotYet { .. } => Outcome::NotYet,
            Unresolved::Never { .. } => Outcome::Failed,
        };
        let verdict = Self::of(subject, expected, "nothing to compare with", vec![why.to_string()]);
        Self { outcome, ..verdict }
    }

    /// Waiting does not help.
    #[must_use]
    pub(super) fn for_good(mut self) -> Self {
        if self.outcome == Outcome::NotYet {
            self.outcome = Outcome::Failed;
        }
        self
    }

    /// Keeps the evidence. What cannot be written as JSON is kept as its error: evidence never breaks a check.
    #[must_use]
    pub(super) fn detail(mut self, seen: &impl Serialize) -> Self {
        self.detail = serde_json::to_value(seen).unwrap_or_else(|error| Json::String(error.to_string()));
        self
    }

    /// True when it is as it should be.
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }

    /// What a progress line says while a check waits: `router0: 9 of 12 prefixes`.
    pub fn waiting_text(&self) -> String {
        format!("{}: {}", self.subject, self.seen)
    }

    /// The text of a failure, for people.
    pub fn failure_text(&self) -> String {
        let mut text =
            format!("{}\n  expected: {}\n  seen:     {}\n", self.subject, self.expected, self.seen);
        for line in &self.difference {
            text.push_str("  - ");
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// Names in one phrase: `a, b and c`.
pub(super) fn listed<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    match names.as_slice() {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

/// A number and its noun: `1 prefix`, `8 prefixes`.
pub(super) fn counted(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// What one set lacks and what it has too much.
pub(super) struct SetDifference<'a, T> {
    pub(super) missing: Vec<&'a T>,
    pub(super) unexpected: Vec<&'a T>,
    pub(super) common: usize,
}

/// Compares two sets.
pub(super) fn compare<'a, T: Ord>(wanted: &'a BTreeSet<T>, seen: &'a BTreeSet<T>) -> SetDifference<'a, T> {
    SetDifference {
        missing: wanted.difference(seen).collect(),
        unexpected: seen.difference(wanted).collect(),
        common: wanted.intersection(seen).count(),
    }
}
