//! Looking at a live fabric to learn from it: going through phases, waiting until nothing moves, taking the snapshot.

mod look;
mod names;
mod quiet;
mod session;

pub use session::{LearnSettings, learn};
