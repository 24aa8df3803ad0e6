//! The record of one run and its faces: JSON with a published schema, JUnit, TAP, HTML, Markdown, the terminal.
//!
//! The flow has one direction. Whoever runs checks tells a [`Recorder`] what happens, as it happens; the
//! recorder forwards each event to a [`progress`] consumer and, at the end, gives the [`Record`]. Every
//! report is rendered from the record alone, so it can also be rendered later and elsewhere.
//!
//! This crate decides nothing and observes nothing: it knows neither labs nor routers nor expectations.

// Standard output belongs to the test harness that runs the checks.
#![deny(clippy::print_stdout)]

pub mod drawing;
pub mod github;
pub mod html;
pub mod junit;
pub mod live;
pub mod markdown;
pub mod progress;
pub mod record;
pub mod recorder;
pub mod reports;
pub mod summary;
pub mod tap;
mod text;
pub mod times;

pub use progress::{Event, Progress, Screen};
pub use record::{Record, RecordError};
pub use recorder::Recorder;
pub use reports::{ReportError, Reports, Written};
