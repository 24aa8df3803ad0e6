//! The events of a run, as data. How they look is for the consumers to say.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Happening, Lab, Outcome, Record, Verdict};

/// Something a user may want to see while a run goes on. As JSON it is an object with a field `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run began. It is the first event.
    RunStarted {
        /// The version of the schema of events: 1.
        schema_version: u32,
        /// The version of the program.
        tool_version: String,
        /// Names the run; its record has the same name.
        run_id: String,
        /// The lab.
        lab: Lab,
        /// When it began: the wall clock at the moment from which milliseconds count, RFC 3339, UTC.
        started: DateTime<Utc>,
    },
    /// A step of bringing the fabric up or down started.
    StepStarted {
        /// The step.
        name: String,
        /// The phase it belongs to.
        phase: String,
    },
    /// A step ended.
    StepFinished {
        /// The step.
        name: String,
        /// The phase it belongs to.
        phase: String,
        /// How long it took.
        duration_ms: f64,
        /// What it came to.
        detail: String,
        /// False when it went wrong.
        ok: bool,
    },
    /// The actions of a phase are about to be carried out.
    PhaseStarted {
        /// The phase.
        name: String,
        /// Its actions.
        actions: Vec<String>,
    },
    /// A phase and its checks are over.
    PhaseFinished {
        /// The phase.
        name: String,
        /// How long it took.
        duration_ms: f64,
        /// Why it was not reached, when it was not.
        unreached_reason: Option<String>,
    },
    /// A check started.
    CheckStarted {
        /// The check.
        name: String,
    },
    /// A check that is not done yet says what it waits for.
    CheckWaiting {
        /// The check.
        name: String,
        /// What it sees and lacks: `router0: 9 of 12 routes`.
        what: String,
        /// The timer that runs until something may change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Due>,
    },
    /// A check has its verdict.
    CheckFinished {
        /// The check.
        name: String,
        /// The verdict.
        verdict: Verdict,
        /// How long it took.
        duration_ms: f64,
        /// The first line of why it failed, or the reason it was skipped or not run.
        headline: Option<String>,
        /// What explains that it failed, in a sentence, where it was found out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
    },
    /// Something happened on the fabric.
    Happened {
        /// Who says so.
        source: String,
        /// What happened.
        what: String,
        /// The same for programs, where it is one of the things that programs know.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<Happening>,
    },
    /// Something worth knowing.
    Note {
        /// The text.
        text: String,
    },
    /// Something that may be wrong.
    Warning {
        /// The text.
        text: String,
    },
    /// The run is over. It is the last event.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// The exit code that goes with it.
        exit_code: u8,
        /// How many checks had which verdict.
        totals: Totals,
        /// How long it took.
        duration_ms: f64,
        /// How much of that was FRR's and GoBGP's timers.
        protocol_ms: f64,
    },
}

/// A timer that runs while something is waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Due {
    /// What happens when it has run out: `tor1 <-> 10.0.4.2 first connect`.
    pub what: String,
    /// When it has run out, in milliseconds from the start of the run.
    pub at_ms: f64,
}

impl Due {
    /// What is due, and in how many seconds: `first connect due in 3 s`.
    pub(crate) fn text(&self, now_ms: f64) -> String {
        let seconds = ((self.at_ms - now_ms) / 1_000.0).ceil();
        if seconds >= 1.0 {
            format!("{} due in {seconds:.0} s", self.what)
        } else {
            format!("{} due now", self.what)
        }
    }
}

/// How many checks had which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Checks that passed.
    pub passed: usize,
    /// Checks that failed.
    pub failed: usize,
    /// Checks that were not asked for or do not apply.
    pub skipped: usize,
    /// Checks that could not be judged.
    pub not_run: usize,
}

impl Totals {
    /// Counts some verdicts.
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        let mut totals = Self::default();
        for verdict in verdicts {
            totals.count(verdict);
        }
        totals
    }

    /// Counts one more.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed => self.failed += 1,
            Verdict::Skipped => self.skipped += 1,
            Verdict::NotRun => self.not_run += 1,
        }
    }

    /// Counts the verdicts of a record.
    pub fn of_record(record: &Record) -> Self {
        Self::of(record.checks.iter().map(|check| check.verdict))
    }

    /// The checks that were asked for.
    pub fn asked_for(&self) -> usize {
        self.passed + self.failed + self.not_run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_an_object_that_names_itself() {
        let due = Some(Due { what: "first connect".into(), at_ms: 4_000.0 });
        let event = Event::CheckWaiting { name: "a::b".into(), what: "router0: 9 of 12 routes".into(), due };
        let json = serde_json::to_value(event).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "event": "check-waiting", "name": "a::b", "what": "router0: 9 of 12 routes",
                "due": {"what": "first connect", "at_ms": 4_000.0},
            })
        );
    }

    #[rstest::rstest]
    #[case(0.0, "first connect due in 4 s")]
    #[case(3_000.0, "first connect due in 1 s")]
    #[case(3_999.0, "first connect due in 1 s")]
    #[case(4_000.0, "first connect due now")]
    #[case(9_000.0, "first connect due now")]
    fn timers_count_down(#[case] now_ms: f64, #[case] expected: &str) {
        assert_eq!(Due { what: "first connect".into(), at_ms: 4_000.0 }.text(now_ms), expected);
    }
}
