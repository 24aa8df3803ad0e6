//! Collecting what happens during a run, from any thread, into a record.

mod check;
mod core;
mod guards;
mod log;
#[cfg(test)]
mod tests;

pub use check::{CheckGuard, Subject};
pub use core::{Recorder, Run};
pub use guards::{PhaseGuard, StepGuard, WaitFor, WaitGuard};
