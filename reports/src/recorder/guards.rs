//! What has a start and an end during a run: steps, phases, waits. Each is a guard that ends with it; checks have a room of their own
//! (`check`).
//!
//! A guard that is dropped ends its thing as well as can be said: a step as done, or as failed while a panic
//! goes through it or when somebody stopped the run.

use std::sync::Arc;

use super::core::Recorder;
use super::log::{Entry, Wait, since};
use crate::progress::Event;
use crate::record::{Phase, Step};

/// Why something was not finished in a run that somebody stopped.
pub(super) const INTERRUPTED: &str = "the run was interrupted";

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    /// FRR or GoBGP, and nothing else: the protocols' time.
    Protocol,
    /// Anything else: our own time.
    Other,
}

/// A step under way.
#[derive(Debug)]
#[must_use = "the step ends when this is dropped"]
pub struct StepGuard {
    recorder: Arc<Recorder>,
    index: usize,
    ended: bool,
}

impl StepGuard {
    pub(super) fn start(recorder: Arc<Recorder>, name: String, phase: String) -> Self {
        let started_ms = recorder.now_ms();
        let event = Event::StepStarted { name: name.clone(), phase: phase.clone() };
        let step = Step {
            name,
            phase,
            started_ms,
            duration_ms: 0.0,
            detail: String::new(),
            ok: false,
            output: Vec::new(),
        };
        let index = push(&mut recorder.log().steps, step);
        recorder.tell(started_ms, event);
        Self { recorder, index, ended: false }
    }

    /// Says what the step came to, in a few words.
    pub fn detail(&self, text: impl Into<String>) {
        if let Some(entry) = self.recorder.log().steps.get_mut(self.index) {
            entry.item.detail = text.into();
        }
    }

    /// Keeps a line that the step's program said.
    pub fn said(&self, line: impl Into<String>) {
        if let Some(entry) = self.recorder.log().steps.get_mut(self.index) {
            entry.item.output.push(line.into());
        }
    }

    /// Ends the step: it is done.
    pub fn done(mut self) {
        self.end(true, None);
    }

    /// Ends the step: it went wrong.
    pub fn fail(mut self, error: impl Into<String>) {
        self.end(false, Some(error.into()));
    }

    fn end(&mut self, ok: bool, detail: Option<String>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let now = self.recorder.now_ms();
        let event = self.recorder.log().steps.get_mut(self.index).map(|entry| {
            entry.open = false;
            let step = &mut entry.item;
            step.duration_ms = since(step.started_ms, now);
            step.ok = ok;
            if let Some(detail) = detail {
                step.detail = detail;
            }
            let Step { name, phase, duration_ms, detail, .. } = step.clone();
            Event::StepFinished { name, phase, duration_ms, detail, ok }
        });
        if let Some(event) = event {
            self.recorder.tell(now, event);
        }
    }
}

impl Drop for StepGuard {
    fn drop(&mut self) {
        let cut_short = if std::thread::panicking() {
            Some("a panic of this program")
        } else if self.recorder.is_interrupted() {
            Some(INTERRUPTED)
        } else {
            None
        };
        self.end(cut_short.is_none(), cut_short.map(str::to_owned));
    }
}

/// A phase under way.
#[derive(Debug)]
#[must_use = "the phase ends when this is dropped"]
pub struct PhaseGuard {
    recorder: Arc<Recorder>,
    index: usize,
    ended: bool,
}

impl PhaseGuard {
    pub(super) fn start(recorder: Arc<Recorder>, name: String, actions: Vec<String>) -> Self {
        let started_ms = recorder.now_ms();
        let event = Event::PhaseStarted { name: name.clone(), actions: actions.clone() };
        let phase = Phase {
            name,
            actions,
            started_ms,
            duration_ms: 0.0,
            protocol_ms: 0.0,
            reached: true,
            unreached_reason: None,
        };
        let index = push(&mut recorder.log().phases, phase);
        recorder.tell(started_ms, event);
        Self { recorder, index, ended: false }
    }

    /// Ends the phase: its checks are over.
    pub fn done(mut self) {
        self.end(None);
    }

    /// Ends the phase: its actions could not be carried out, and this is why.
    pub fn unreached(mut self, reason: impl Into<String>) {
        self.end(Some(reason.into()));
    }

    fn end(&mut self, reason: Option<String>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let now = self.recorder.now_ms();
        let event = self.recorder.log().phases.get_mut(self.index).map(|entry| {
            entry.open = false;
            let phase = &mut entry.item;
            phase.duration_ms = since(phase.started_ms, now);
            phase.reached = reason.is_none();
            phase.unreached_reason.clone_from(&reason);
            let Phase { name, duration_ms, unreached_reason, .. } = phase.clone();
            Event::PhaseFinished { name, duration_ms, unreached_reason }
        });
        if let Some(event) = event {
            self.recorder.tell(now, event);
        }
    }
}

impl Drop for PhaseGuard {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// A wait under way.
#[derive(Debug)]
#[must_use = "the wait ends when this is dropped"]
pub struct WaitGuard {
    recorder: Arc<Recorder>,
    index: usize,
}

impl WaitGuard {
    pub(super) fn start(recorder: Arc<Recorder>, what: String, on: WaitFor) -> Self {
        let from_ms = recorder.now_ms();
        let index = push_wait(&recorder, what, from_ms, on);
        Self { recorder, index }
    }
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        let now = self.recorder.now_ms();
        if let Some(wait) = self.recorder.log().waits.get_mut(self.index) {
            wait.to_ms = Some(now);
        }
    }
}

pub(super) fn push<T>(entries: &mut Vec<Entry<T>>, item: T) -> usize {
    entries.push(Entry::open(item));
    entries.len() - 1
}

pub(super) fn push_wait(recorder: &Recorder, what: String, from_ms: f64, on: WaitFor) -> usize {
    let mut log = recorder.log();
    log.waits.push(Wait { what, from_ms, to_ms: None, protocol: on == WaitFor::Protocol });
    log.waits.len() - 1
}
