//! The top of the record: which run this was, where, and how it ended.
//!
//! What happened during the run is in `happened`; what was judged is in `check`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Check, Cilium, Moment, Phase, State, Step, Topology};
use crate::times::Times;

/// The version of the record's schema that this crate writes, and the only one it reads.
///
/// It goes up when a field changes its meaning or goes away. A new optional field does not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything one run saw, in one JSON document. Every report is rendered from it.
///
/// There is one clock: `started` is a wall-clock time in UTC, and each field whose name ends in `_ms` is
/// in milliseconds: `started_ms`, `taken_ms` and `ms` of events and states count from `started`; `duration_ms`,
/// `waited_ms` and `budget_ms` are lengths.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The version of this schema: 1.
    pub schema_version: u32,
    /// The version of the program that wrote the record.
    pub tool_version: String,
    /// Names this run; no two runs share it. It sorts by time and is usable as a folder's name.
    pub run_id: String,
    /// The lab that was brought up.
    pub lab: Lab,
    /// Where the fabric lived and what it was made of.
    pub environment: Environment,
    /// When the run started: RFC 3339, UTC, with milliseconds.
    #[serde(with = "rfc3339_ms")]
    #[schemars(with = "DateTime<Utc>")]
    pub started: DateTime<Utc>,
    /// When the run ended: `started` plus `duration_ms`, so it is on the same clock.
    #[serde(with = "rfc3339_ms")]
    #[schemars(with = "DateTime<Utc>")]
    pub finished: DateTime<Utc>,
    /// How long the run took, bring-up and teardown included.
    pub duration_ms: f64,
    /// How the run ended.
    pub outcome: Outcome,
    /// The exit code that goes with `outcome`.
    pub exit_code: u8,
    /// Why the fabric could not be brought up, when it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What was said to the user on the way and is still true at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The phases that were not gone through on a fabric that others brought up, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// What the fabric is made of, for those who draw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    /// The steps of bringing the fabric up and down, by start.
    pub steps: Vec<Step>,
    /// The phases, in the lab's order.
    pub phases: Vec<Phase>,
    /// The checks, in the order in which they were declared or started.
    pub checks: Vec<Check>,
    /// What explains the checks that failed, as far as it was found out, in the order in which it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// The archive of logs, tables and captures that belongs to this record, by its name beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// What happened on the fabric, by time.
    pub events: Vec<Moment>,
    /// What routers, speakers and nodes looked like at the end of phases and at failures, by time.
    pub states: Vec<State>,
    /// Where the time went.
    pub times: Times,
}

/// A phase that was not gone through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// The phase.
    pub phase: String,
    /// Why, in a sentence.
    pub why: String,
}

/// The lab of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lab {
    /// The lab's name, as its topology gives it.
    pub name: String,
    /// The folder it was loaded from, as the user would type it.
    pub dir: String,
    /// A sum over the lab's files: two runs with the same one were runs of the same lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What the lab is about, in a sentence or two; empty when it does not say.
    #[serde(default)]
    pub description: String,
    /// What it gives Cilium to act on; none where it has no cluster, and in records of earlier programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cilium: Option<Cilium>,
}

/// Where a fabric lived and what it was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Which of the environments.
    pub env: Kind,
    /// Where the nodes lived.
    pub runtime: Runtime,
    /// Who served the Kubernetes side.
    pub cluster: Cluster,
    /// True when the run needed no privilege.
    pub rootless: bool,
    /// The kernel's release, as `uname -r` gives it.
    pub kernel: String,
    /// The distribution, as os-release's PRETTY_NAME gives it.
    pub distro: String,
    /// How many CPUs the run could use.
    pub cpus: usize,
    /// What took part, by name, with its version: `frr` -> `8.4.4`.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// What this environment does not model, one sentence each: a reader must know what a pass does not say.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The kind of environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Namespaces and the embedded cluster.
    #[default]
    Twin,
    /// Containers and a real cluster, made for the run.
    Lab,
    /// Something that already ran.
    Attach,
}

/// Where nodes live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// Linux namespaces of our own.
    #[default]
    Netns,
    /// Containers.
    Docker,
    /// Wherever they were already.
    Attach,
}

/// Who serves the Kubernetes side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cluster {
    /// The embedded cluster.
    #[default]
    Twin,
    /// kind.
    Kind,
    /// A cluster that was there already.
    Attach,
    /// The lab has no cluster.
    None,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every check that ran passed, and at least one ran.
    Passed,
    /// A check failed, or could not be judged.
    Failed,
    /// Somebody stopped the run.
    Interrupted,
    /// The fabric could not be brought up.
    BringUpFailed,
    /// No check ran.
    NothingChecked,
}

impl Outcome {
    /// The exit code of a run that ended so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::BringUpFailed => 3,
            Self::NothingChecked => 4,
            Self::Interrupted => 130,
        }
    }

    /// The outcome in words that end a sentence starting with "the run".
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Interrupted => "was interrupted",
            Self::BringUpFailed => "could not bring the fabric up",
            Self::NothingChecked => "checked nothing",
        }
    }
}

/// Why a fabric could not be brought up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The step or phase in which it went wrong.
    pub phase: String,
    /// What was tried, on what, what came back, and what to do next.
    pub text: String,
}

impl Record {
    /// The record of a run that came to nothing before it began.
    pub fn that_failed(outcome: Outcome, error: Failure) -> Self {
        let now = Utc::now().trunc_subsecs(3);
        Self {
            schema_version: SCHEMA_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: new_run_id(),
            lab: Lab::default(),
            environment: Environment::default(),
            started: now,
            finished: now,
            duration_ms: 0.0,
            outcome,
            exit_code: outcome.exit_code(),
            error: Some(error),
            warnings: Vec::new(),
            left_out: Vec::new(),
            topology: None,
            steps: Vec::new(),
            phases: Vec::new(),
            checks: Vec::new(),
            causes: Vec::new(),
            bundle: None,
            events: Vec::new(),
            states: Vec::new(),
            times: Times::default(),
        }
    }

    /// The checks of one phase, in the record's order.
    pub fn checks_of<'a>(&'a self, phase: &'a str) -> impl Iterator<Item = &'a Check> {
        self.checks.iter().filter(move |check| check.phase == phase)
    }

    /// The names of the phases in the order in which reports show them: the lab's order, then phases that
    /// only a check names.
    pub fn phase_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let declared = self.phases.iter().map(|phase| phase.name.as_str());
        for name in declared.chain(self.checks.iter().map(|check| check.phase.as_str())) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

/// A new name for a run: the time to the millisecond, so that names sort by time, and a random end, so that
/// runs that start together, also in different pid namespaces that share a folder, do not meet.
pub fn new_run_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", Utc::now().format("%Y%m%dT%H%M%S%3f"), random.get(..8).unwrap_or(&random))
}

/// A length as the record's milliseconds, rounded to the microsecond: more digits would be noise.
pub(crate) fn milliseconds(length: Duration) -> f64 {
    let whole = length.as_nanos() / 1_000;
    whole as f64 / 1_000.0
}

/// The record's milliseconds as a length; what is not a length (negative, not finite) is none.
pub(crate) fn length(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or_default()
}

/// The time at an offset of the run, to the millisecond.
pub(crate) fn at(started: DateTime<Utc>, ms: f64) -> DateTime<Utc> {
    let offset = chrono::Duration::from_std(length(ms)).unwrap_or_default();
    started.checked_add_signed(offset).unwrap_or(started).trunc_subsecs(3)
}

/// RFC 3339 in UTC with exactly three decimals. Chrono's own serialization drops decimals that are zero.
mod rfc3339_ms {
    use super::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
        DateTime::<Utc>::deserialize(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Outcome::Passed, 0)]
    #[case(Outcome::Failed, 1)]
    #[case(Outcome::BringUpFailed, 3)]
    #[case(Outcome::NothingChecked, 4)]
    #[case(Outcome::Interrupted, 130)]
    fn outcomes_have_their_exit_codes(#[case] outcome: Outcome, #[case] code: u8) {
        assert_eq!(outcome.exit_code(), code);
    }

    #[test]
    fn run_ids_differ_and_are_folder_names() {
        let (one, other) = (new_run_id(), new_run_id());
        assert_ne!(one, other);
        assert!(one.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{one}");
    }

    #[rstest]
    #[case(Duration::from_nanos(1_234_567), 1.234)]
    #[case(Duration::from_secs(12), 12_000.0)]
    #[case(Duration::ZERO, 0.0)]
    fn milliseconds_stop_at_the_microsecond(#[case] length: Duration, #[case] ms: f64) {
        assert_eq!(milliseconds(length), ms);
    }

    #[rstest]
    #[case(f64::NAN)]
    #[case(-1.0)]
    #[case(f64::INFINITY)]
    fn what_is_not_a_length_is_none(#[case] ms: f64) {
        assert_eq!(length(ms), Duration::ZERO);
    }
}
