//! Collecting what happens during a run, from any thread, into a record.

mod core;
mod guards;
#[cfg(test)]
mod tests;

pub use core::{Recorder, Run};
pub use guards::{CheckGuard, PhaseGuard, StepGuard, Subject, WaitFor, WaitGuard};
