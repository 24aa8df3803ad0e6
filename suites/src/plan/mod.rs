//! The plan: a lab's phases, and in each of them one check per statement that can be false alone.
//!
//! What lives here: making checks and their names out of the files. What does not: running anything (`run`), and
//! judging (`checks`).

mod deadline;
mod drawn;
mod fabric;
mod manifests;
mod packets;
mod phases;
mod planned;
mod review;
mod routes;
mod sessions;
mod throughout;

#[cfg(test)]
mod tests;

pub use deadline::{Timers, deadline};
pub use drawn::drawn;
pub(crate) use drawn::rack;
pub use manifests::judge_manifests;
pub use phases::{Action, PlannedPhase, plan};
pub use planned::{CheckKind, CheckSpec, PlannedCheck};
pub use review::review;
