//! One check of the record: what was expected, what was seen, the verdict, and the evidence for it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Rung;
use crate::times::micros;

/// One expectation, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The name by which it can be run again: `policy::routes::router0::rib has the 12 prefixes`.
    pub name: String,
    /// The phase it belongs to.
    pub phase: String,
    /// What kind of check: `sessions`, `routes`, `reach`, `paths`.
    pub kind: String,
    /// The node it looks at, when it looks at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it was skipped or not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it started, from the start of the run.
    pub started_ms: f64,
    /// How long it took.
    pub duration_ms: f64,
    /// How much of that it waited for the fabric.
    pub waited_ms: f64,
    /// How long it was given, and why so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    /// Where the lab says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Place>,
    /// What was expected; null when the check has nothing to say beyond its name.
    #[serde(default)]
    pub expected: Value,
    /// What was seen last; null when nothing was.
    #[serde(default)]
    pub seen: Value,
    /// What the verdict rests on, kept whether it passed or failed.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Why it failed: what was expected, what was seen, which timer still ran. Its first line stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What to type next to look further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_command: Option<String>,
    /// What lies between the expectation and its coming true, from the ground up to the first that is broken. Only of
    /// checks that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<Rung>,
    /// The cause that explains why it failed, by its id among the record's causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The ways that packets took, where the check looked at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<Path>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file, as the user would type it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A way that packets took: who answered, hop by hop.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Path {
    /// Who asked: a pod (`default/nettool-1`) or a box.
    pub from: String,
    /// Whom it was to reach, by the same kind of name; the address where it is nobody's.
    pub to: String,
    /// The hops, by distance; several of one distance where the path is spread. Of a ping that was answered only the last
    /// is known, and its distance is read off the TTL of the answer. None where nothing came back.
    pub hops: Vec<Hop>,
}

/// One hop of a path.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hop {
    /// How far away: the probe's TTL.
    pub ttl: u8,
    /// Who answered; none for a hop that was silent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The box or pod that has this address, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The round trip, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
}

impl Check {
    /// The first line of why it failed, or the reason it was skipped or not run.
    pub fn headline(&self) -> Option<&str> {
        let text = self.failure.as_deref().or(self.reason.as_deref())?;
        text.lines().map(str::trim).find(|line| !line.is_empty())
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The expectation holds.
    Passed,
    /// It does not.
    Failed,
    /// It was not asked for, or does not apply here.
    Skipped,
    /// It was asked for and could not be judged: its phase was not reached, or the run ended.
    NotRun,
}

/// How long a check was given: the sum of what the protocols may take.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deadline {
    /// The whole.
    pub budget_ms: f64,
    /// What it is made of.
    pub terms: Vec<Term>,
}

impl Deadline {
    /// The deadline that is the sum of these terms: what may take time, and how many milliseconds.
    pub fn of<W: Into<String>>(terms: impl IntoIterator<Item = (W, f64)>) -> Self {
        let terms: Vec<Term> = terms.into_iter().map(|(what, ms)| Term { what: what.into(), ms }).collect();
        Self { budget_ms: micros(terms.iter().map(|term| term.ms).sum()), terms }
    }
}

/// One term of a deadline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Term {
    /// What may take that long: `GoBGP's first connect`.
    pub what: String,
    /// How long it may take.
    pub ms: f64,
}

/// Something a verdict rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What it shows: `router0's BGP table`.
    pub title: String,
    /// The command that shows it, as one would type it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What came back.
    pub content: Content,
    /// When it was taken, from the start of the run.
    pub taken_ms: f64,
}

/// What came back from a look at the fabric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Text, as printed.
    Text(String),
    /// Data.
    Json(Value),
}

impl Content {
    /// The content as text; data is indented JSON.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Json(value) => pretty(value),
        }
    }
}

/// A value as indented JSON. A value always serializes; should that change, its short form stands in.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_the_sum_of_its_terms() {
        let deadline = Deadline::of([("first connect", 10_000.0), ("margin", 500.0)]);
        assert_eq!(deadline.budget_ms, 10_500.0);
        assert_eq!(deadline.terms.len(), 2);
    }
}
