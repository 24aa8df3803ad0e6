//! Waiting: deadlines computed from protocol timers, conditions as values, "holds for".
//!
//! What lives here: how long something may take and why, and how to wait for it on a `tokio::sync::watch` channel:
//! woken by changes, never by polling. What does not: who feeds the channels, and what is expected of the values.

mod condition;
mod deadline;
mod protocol;

pub use condition::{Broke, Condition, TimedOut, holds, until};
pub use deadline::{Deadline, MARGIN, Term};
pub use protocol::{CiliumEnd, DownCause, FrrEnd};
