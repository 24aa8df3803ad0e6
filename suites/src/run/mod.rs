//! Running a plan on a fabric: phases in order, checks of a phase side by side, everything told to the recorder.

mod actions;
mod atlas;
mod attempt;
mod commands;
mod deadline;
mod engine;
mod home;
mod observe;
mod probes;
mod prospects;
mod session;
mod states;
mod trials;
mod view;

pub use actions::ActionError;
pub use engine::{Engine, Outcome, Selection};
pub use home::{Furnished, Home, RealLab};
pub use session::{
    Begin, Finished, NOT_MODELLED, Prepared, RunError, RunSettings, VERSION, bring_up, find, keeper_spec,
    needs, prepare, recorder, run,
};
pub use trials::main;
