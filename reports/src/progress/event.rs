//! The events of a run, as data. How they look is for the consumers to say.

use serde::Serialize;

use crate::record::{Outcome, Record, Verdict};

/// Something a user may want to see while a run goes on. As JSON it is an object with a field `event`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
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
    /// The run is over.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// How many checks had which verdict.
        totals: Totals,
        /// How long it took.
        duration_ms: f64,
    },
}

/// How many checks had which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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
        let event = Event::CheckWaiting { name: "a::b".into(), what: "router0: 9 of 12 routes".into() };
        let json = serde_json::to_value(event).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"event": "check-waiting", "name": "a::b", "what": "router0: 9 of 12 routes"})
        );
    }
}
