//! Running a plan on a fabric: phases in order, checks of a phase side by side, everything told to the recorder.

mod actions;
mod atlas;
mod attach;
mod attempt;
mod commands;
mod content;
mod deadline;
mod diagnose;
mod engine;
mod heard;
mod home;
mod ladder;
mod learn;
mod live;
mod nextest;
mod observe;
mod prepare;
mod probes;
mod prospects;
mod runtime;
mod session;
mod still;
mod story;
mod trials;
mod up;
mod upgrading;
mod view;
mod vigil;

pub use actions::ActionError;
pub use attach::{FoundSettings, SettingsError};
pub use engine::{Engine, Outcome, Selection};
pub use home::{Furnished, Home, RealLab};
pub use learn::{LearnSettings, learn};
pub use live::{Ended, LiveError, listen, serve};
pub use prepare::{Prepared, prepare};
pub use runtime::runtime;
pub(crate) use session::CILIUM;
pub use session::{
    Begin, Finished, NOT_MODELLED, RunError, RunSettings, VERSION, find, keeper_spec, needs, recorder, run,
};
pub use trials::main;
pub use up::bring_up;
