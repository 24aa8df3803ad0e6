//! From a live fabric to what lab.yaml would say of it.
//!
//! What lives here: a snapshot in, lines of YAML out; pure. What does not: taking the snapshot (`run::learn`), the language
//! (`expect`), judging (`checks`).

mod actions;
mod chance;
mod naming;
mod packets;
mod page;
mod routes;
mod seen;
mod sessions;
mod skeleton;
#[cfg(test)]
mod tests;

pub use actions::{LearnedPhase, lab, phase};
pub use naming::Naming;
pub use page::Line;
pub use seen::{NodeSeen, PathSeen, PodSeen, RouterSeen, Seen};
pub use skeleton::{Skeleton, SkeletonError, skeleton};
