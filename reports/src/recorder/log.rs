//! What a run has come to so far, and the record that is made of it.
//!
//! What lives here: the log and its reckoning: outcome, times, causes with their victims. What does not: telling it anything (`core`,
//! `guards`, `check`).

use chrono::{DateTime, Utc};

use super::core::Run;
use crate::record::{
    self, Cause, Check, Failure, LeftOut, Moment, Outcome, Phase, Record, SCHEMA_VERSION, State, Step,
    Topology, Verdict,
};
use crate::times::{Interval, micros, protocol_within, split};

/// Something in the log, and whether it still goes on.
pub(super) struct Entry<T> {
    pub(super) item: T,
    pub(super) open: bool,
}

impl<T> Entry<T> {
    pub(super) fn open(item: T) -> Self {
        Self { item, open: true }
    }
}

/// A wait: from when, and until when if it is over.
pub(super) struct Wait {
    pub(super) what: String,
    pub(super) from_ms: f64,
    pub(super) to_ms: Option<f64>,
    pub(super) protocol: bool,
}

/// All that is known of a run, while it goes on.
pub(super) struct Log {
    pub(super) run: Run,
    pub(super) error: Option<Failure>,
    pub(super) interrupted: bool,
    pub(super) finished: bool,
    pub(super) warnings: Vec<String>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) steps: Vec<Entry<Step>>,
    pub(super) phases: Vec<Entry<Phase>>,
    pub(super) checks: Vec<Entry<Check>>,
    pub(super) waits: Vec<Wait>,
    pub(super) events: Vec<Moment>,
    pub(super) states: Vec<State>,
    pub(super) topology: Option<Topology>,
    pub(super) bundle: Option<String>,
    pub(super) causes: Vec<Cause>,
}

impl Log {
    pub(super) fn record(&self, started: DateTime<Utc>, now: f64) -> Record {
        let checks: Vec<Check> = self.checks.iter().map(|entry| check_at_end(entry, now)).collect();
        let mut phases: Vec<Phase> = self.phases.iter().map(|entry| phase_at_end(entry, now)).collect();
        let outcome = self.outcome(&checks, &phases);
        let intervals = self.intervals(now);
        for phase in &mut phases {
            let (from, to) = (phase.started_ms, phase.started_ms + phase.duration_ms);
            phase.protocol_ms = protocol_within(&intervals, from, to);
        }
        let mut events = self.events.clone();
        events.sort_by(|a, b| a.ms.total_cmp(&b.ms));
        let mut states = self.states.clone();
        states.sort_by(|a, b| a.ms.total_cmp(&b.ms));
        Record {
            schema_version: SCHEMA_VERSION,
            tool_version: self.run.tool_version.clone(),
            run_id: self.run.id.clone(),
            lab: self.run.lab.clone(),
            environment: self.run.environment.clone(),
            started,
            finished: record::at(started, now),
            duration_ms: now,
            outcome,
            exit_code: outcome.exit_code(),
            error: self.error.clone(),
            warnings: self.warnings.clone(),
            left_out: self.left_out.clone(),
            topology: self.topology.clone(),
            causes: self.causes(&checks),
            bundle: self.bundle.clone(),
            steps: self.steps.iter().map(|entry| step_at_end(entry, now)).collect(),
            phases,
            checks,
            events,
            states,
            times: split(&intervals, now),
        }
    }

    /// The causes, each with its victims in the record's order.
    fn causes(&self, checks: &[Check]) -> Vec<Cause> {
        let mut causes = self.causes.clone();
        for cause in &mut causes {
            let victims = checks.iter().filter(|check| check.cause.as_deref() == Some(&cause.id));
            cause.victims = victims.map(|check| check.name.clone()).collect();
        }
        causes
    }

    /// The outcome, if the run ended now.
    pub(super) fn outcome_at(&self, now: f64) -> Outcome {
        let checks: Vec<Check> = self.checks.iter().map(|entry| check_at_end(entry, now)).collect();
        let phases: Vec<Phase> = self.phases.iter().map(|entry| phase_at_end(entry, now)).collect();
        self.outcome(&checks, &phases)
    }

    fn outcome(&self, checks: &[Check], phases: &[Phase]) -> Outcome {
        let any = |verdicts: &[Verdict]| checks.iter().any(|check| verdicts.contains(&check.verdict));
        if self.interrupted {
            Outcome::Interrupted
        } else if self.error.is_some() {
            Outcome::BringUpFailed
        } else if any(&[Verdict::Failed, Verdict::NotRun]) || phases.iter().any(|phase| !phase.reached) {
            Outcome::Failed
        } else if any(&[Verdict::Passed]) {
            Outcome::Passed
        } else {
            Outcome::NothingChecked
        }
    }

    /// The waits, and the steps as our own time.
    fn intervals(&self, now: f64) -> Vec<Interval> {
        let steps = self.steps.iter().map(|entry| {
            let Step { name, phase, started_ms, .. } = &entry.item;
            let to_ms = if entry.open { now } else { started_ms + entry.item.duration_ms };
            Interval { what: format!("{phase}: {name}"), from_ms: *started_ms, to_ms, protocol: false }
        });
        let waits = self.waits.iter().map(|wait| Interval {
            what: wait.what.clone(),
            from_ms: wait.from_ms,
            to_ms: wait.to_ms.unwrap_or(now),
            protocol: wait.protocol,
        });
        steps.chain(waits).collect()
    }
}

fn step_at_end(entry: &Entry<Step>, now: f64) -> Step {
    let mut step = entry.item.clone();
    if entry.open {
        step.duration_ms = since(step.started_ms, now);
        step.ok = false;
        let unfinished = "not finished when the run ended";
        step.detail =
            if step.detail.is_empty() { unfinished.into() } else { format!("{}; {unfinished}", step.detail) };
    }
    step
}

fn phase_at_end(entry: &Entry<Phase>, now: f64) -> Phase {
    let mut phase = entry.item.clone();
    if entry.open {
        phase.duration_ms = since(phase.started_ms, now);
    }
    phase
}

fn check_at_end(entry: &Entry<Check>, now: f64) -> Check {
    let mut check = entry.item.clone();
    if entry.open {
        check.duration_ms = since(check.started_ms, now);
        check.reason = Some("the run ended before the check had a verdict".into());
    }
    check
}

/// The length from a moment to now, without the tails of float subtraction.
pub(super) fn since(from_ms: f64, now_ms: f64) -> f64 {
    micros((now_ms - from_ms).max(0.0))
}
