//! Running a plan on a fabric: phases in order, checks of a phase side by side, everything told to the recorder.

mod atlas;
mod attempt;
mod deadline;
mod engine;
mod observe;
mod session;
mod states;
mod trials;
mod view;

pub use engine::{Engine, Outcome, Selection};
pub use session::{Begin, RunError, RunSettings, prepare, Prepared};
pub use trials::main;
