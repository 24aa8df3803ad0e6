//! A check under way, as whoever runs it tells of it: a guard that ends with it.
//!
//! What lives here: its verdict, its evidence, its waits. What does not: other guards (`guards`). A check must not end without a
//! verdict: dropped, it was not run, or failed by the panic that goes through it.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::core::Recorder;
use super::guards::{INTERRUPTED, WaitFor, push, push_wait};
use super::log::since;
use crate::progress::{Due, Event};
use crate::record::{self, Cause, Check, Deadline, Evidence, Happening, Moment, Place, Rung, Verdict};
use crate::times::micros;

/// What a check is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The name by which it can be run again.
    pub name: String,
    /// Its phase.
    pub phase: String,
    /// Its kind: `sessions`, `routes`, `reach`, `paths`.
    pub kind: String,
    /// The node it looks at, when it looks at one.
    pub node: Option<String>,
}

impl Subject {
    /// The check of which nothing is known yet.
    pub(super) fn not_run(self, started_ms: f64) -> Check {
        Check {
            name: self.name,
            phase: self.phase,
            kind: self.kind,
            node: self.node,
            verdict: Verdict::NotRun,
            reason: None,
            started_ms,
            duration_ms: 0.0,
            waited_ms: 0.0,
            deadline: None,
            written_at: None,
            expected: Value::Null,
            seen: Value::Null,
            evidence: Vec::new(),
            failure: None,
            next_command: None,
            ladder: Vec::new(),
            cause: None,
            paths: Vec::new(),
        }
    }
}

/// A check under way.
#[derive(Debug)]
#[must_use = "a check that is dropped counts as not run"]
pub struct CheckGuard {
    recorder: Arc<Recorder>,
    index: usize,
    name: String,
    /// What its waits are called where the time is split: checks of a kind wait for the same thing.
    waits_as: String,
    wait: std::sync::Mutex<Option<(WaitFor, usize)>>,
    ended: bool,
}

impl CheckGuard {
    pub(super) fn start(recorder: Arc<Recorder>, subject: Subject) -> Self {
        let started_ms = recorder.now_ms();
        let check = subject.not_run(started_ms);
        let (name, waits_as) = (check.name.clone(), format!("{}: {}", check.phase, check.kind));
        let index = push(&mut recorder.log().checks, check);
        recorder.tell(started_ms, Event::CheckStarted { name: name.clone() });
        Self { recorder, index, name, waits_as, wait: std::sync::Mutex::new(None), ended: false }
    }

    /// Says how long the check may take, and why.
    pub fn deadline(&self, deadline: Deadline) {
        self.change(|check| check.deadline = Some(deadline));
    }

    /// Says where the lab says it.
    pub fn written_at(&self, place: Place) {
        self.change(|check| check.written_at = Some(place));
    }

    /// Says what is expected.
    pub fn expected(&self, json: Value) {
        self.change(|check| check.expected = json);
    }

    /// Says what was seen; the last one said is kept.
    pub fn seen(&self, json: Value) {
        self.change(|check| check.seen = json);
    }

    /// Keeps evidence; see [`Recorder::evidence`].
    pub fn evidence(&self, evidence: Evidence) {
        self.change(|check| check.evidence.push(evidence));
    }

    /// Says what the check waits for and what it sees so far: `router0: 9 of 12 routes`. The wait goes on until
    /// [`done_waiting`](Self::done_waiting) or the verdict; call this again whenever the text changes.
    pub fn waiting(&self, on: WaitFor, what: impl Into<String>) {
        self.waiting_until(on, what, None);
    }

    /// The same, and says which timer runs meanwhile, and when it has run out.
    pub fn waiting_until(&self, on: WaitFor, what: impl Into<String>, due: Option<(String, Instant)>) {
        let now = self.recorder.now_ms();
        {
            let mut wait = self.wait.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if wait.is_none_or(|(kind, _)| kind != on) {
                self.end_wait(&mut wait, now);
                *wait = Some((on, push_wait(&self.recorder, self.waits_as.clone(), now, on)));
            }
        }
        let due = due.map(|(what, at)| Due { what, at_ms: self.recorder.at_ms(at) });
        self.recorder.tell(now, Event::CheckWaiting { name: self.name.clone(), what: what.into(), due });
    }

    /// The check has what it waited for, and goes on.
    pub fn done_waiting(&self) {
        let mut wait = self.wait.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.end_wait(&mut wait, self.recorder.now_ms());
    }

    /// The expectation holds.
    pub fn pass(mut self) {
        self.end(Verdict::Passed, |_| ());
    }

    /// The expectation does not hold: why, and what to type next. The first line of the text stands alone.
    pub fn fail(mut self, failure: impl Into<String>, next_command: Option<String>) {
        self.end(Verdict::Failed, |check| {
            check.failure = Some(failure.into());
            check.next_command = next_command;
        });
    }

    /// Now, in milliseconds from the start of the run.
    pub fn now_ms(&self) -> f64 {
        self.recorder.now_ms()
    }

    /// Keeps ways that packets took. Those of an earlier look are forgotten.
    pub fn paths(&self, paths: Vec<record::Path>) {
        self.change(|check| check.paths = paths);
    }

    /// Says how far the expectation came, from the ground up, and what is to blame. A cause that has been named before
    /// (of the same kind, at the same place) is the same cause, and this check one more that it explains.
    ///
    /// `cause.id` and `cause.victims` are given by the recorder.
    pub fn ladder(&self, ladder: Vec<Rung>, cause: Option<Cause>) {
        let mut log = self.recorder.log();
        let id = cause.map(|cause| {
            let same = |known: &&Cause| {
                known.kind == cause.kind && known.node == cause.node && known.about == cause.about
            };
            if let Some(known) = log.causes.iter().find(same) {
                return known.id.clone();
            }
            let id = format!("c{}", log.causes.len() + 1);
            log.causes.push(Cause { id: id.clone(), victims: Vec::new(), ..cause });
            id
        });
        if let Some(entry) = log.checks.get_mut(self.index) {
            entry.item.ladder = ladder;
            entry.item.cause = id;
        }
    }

    /// The check was not asked for or does not apply.
    pub fn skip(mut self, reason: impl Into<String>) {
        self.end(Verdict::Skipped, |check| check.reason = Some(reason.into()));
    }

    /// The check could not be judged.
    pub fn not_run(mut self, reason: impl Into<String>) {
        self.end(Verdict::NotRun, |check| check.reason = Some(reason.into()));
    }

    fn change(&self, change: impl FnOnce(&mut Check)) {
        if let Some(entry) = self.recorder.log().checks.get_mut(self.index) {
            change(&mut entry.item);
        }
    }

    fn end_wait(&self, wait: &mut Option<(WaitFor, usize)>, now: f64) {
        let Some((_, index)) = wait.take() else { return };
        let mut log = self.recorder.log();
        let Some(wait) = log.waits.get_mut(index) else { return };
        wait.to_ms = Some(now);
        let waited = since(wait.from_ms, now);
        if let Some(entry) = log.checks.get_mut(self.index) {
            entry.item.waited_ms = micros(entry.item.waited_ms + waited);
        }
    }

    fn end(&mut self, verdict: Verdict, change: impl FnOnce(&mut Check)) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.done_waiting();
        let now = self.recorder.now_ms();
        let mut ended = self.recorder.log().checks.get_mut(self.index).map(|entry| {
            entry.open = false;
            let check = &mut entry.item;
            check.verdict = verdict;
            check.duration_ms = since(check.started_ms, now);
            change(check);
            let event = Event::CheckFinished {
                name: check.name.clone(),
                verdict,
                duration_ms: check.duration_ms,
                headline: check.headline().map(str::to_owned),
                cause: check.cause.clone(),
            };
            let failure = (verdict == Verdict::Failed).then(|| Moment {
                ms: now,
                source: check.node.clone().unwrap_or_else(|| check.phase.clone()),
                what: check.headline().unwrap_or("a check failed").to_owned(),
                of: Some(Happening::Failure { check: check.name.clone() }),
            });
            (event, failure)
        });
        // A cause is known by its title where its id says nothing.
        if let Some((Event::CheckFinished { cause: Some(cause), .. }, _)) = &mut ended {
            let known = self.recorder.log().causes.iter().find(|known| known.id == *cause).cloned();
            *cause = known.map_or_else(|| std::mem::take(cause), |known| known.title);
        }
        if let Some((event, failure)) = ended {
            failure.into_iter().for_each(|moment| self.recorder.moment(moment));
            self.recorder.tell(now, event);
        }
    }
}

impl Drop for CheckGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.end(Verdict::Failed, |check| {
                check.failure = Some("the check panicked: a fault of this program, not of the fabric".into());
            });
        } else {
            let interrupted = self.recorder.is_interrupted();
            let why = if interrupted { INTERRUPTED } else { "the check ended without a verdict" };
            self.end(Verdict::NotRun, |check| check.reason = Some(why.into()));
        }
    }
}
