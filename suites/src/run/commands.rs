//! Command lines of other programs, told while they run and kept in the record.
//!
//! What lives here: a step of the record for each, with its output. What does not: running them (the keeper's affair).

use std::sync::Arc;

use fabric_harness::runtime::keeper::{CommandEvent, CommandMoment};
use fabric_reports::Recorder;
use fabric_reports::recorder::StepGuard;

/// The command lines of one step of bringing up. One runs at a time.
pub(super) struct Commands {
    recorder: Arc<Recorder>,
    phase: String,
    running: Option<StepGuard>,
}

impl Commands {
    pub(super) fn new(recorder: Arc<Recorder>, phase: &str) -> Self {
        Self { recorder, phase: phase.to_owned(), running: None }
    }

    /// Something happened to a command line.
    pub(super) fn hear(&mut self, command: &CommandMoment, text: &str) {
        match (command.what, &self.running) {
            (CommandEvent::Began, _) => {
                self.recorder.event(self.phase.as_str(), format!("`{}`, at most {text}", command.line));
                self.running = Some(self.recorder.step(format!("`{}`", command.line), self.phase.as_str()));
            }
            (CommandEvent::Said, Some(step)) => {
                step.said(text);
                let program = command.line.split(' ').next().unwrap_or_default();
                self.recorder.note(format!("{program}: {text}"));
            }
            (CommandEvent::Ended, _) => drop(self.running.take().map(StepGuard::done)),
            (CommandEvent::Failed, _) => drop(self.running.take().map(|step| step.fail(text))),
            (CommandEvent::Said, None) => {}
        }
    }
}
