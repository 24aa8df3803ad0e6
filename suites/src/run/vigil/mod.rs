//! Watching what breaks while a phase does its work: flows, prefixes, sessions, and which event was the cause.

mod causes;
mod moments;
mod tables;
mod watch;

pub(super) use moments::Moments;
pub(super) use watch::Vigil;
