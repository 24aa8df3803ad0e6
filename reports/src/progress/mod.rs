//! What a user sees while a run goes on: events, and consumers that show them: on standard error for people, as lines of
//! JSON for programs.
//!
//! Standard output is never written to unless it is handed over: the test harness prints there.

mod clock;
mod event;
mod json;
mod live;
mod plain;
mod style;
mod terminal;
mod waiting;

pub(crate) use clock::brief;
pub use event::{Due, Event, Totals};
pub use json::{Line, SCHEMA_FILE, SCHEMA_VERSION, lines, schema};
pub(crate) use plain::unlabelled;
pub(crate) use style::Paint;
pub(crate) use terminal::NO_TERMINAL;
pub use terminal::{Screen, Silent, on_stderr};

/// Takes the events of a run as they happen.
///
/// Events come from many threads. A consumer must not panic and must not block for long: checks wait for it.
pub trait Progress: Send + Sync {
    /// Takes one event; `at_ms` is when it happened, in milliseconds from the start of the run.
    fn event(&self, at_ms: f64, event: &Event);
}
