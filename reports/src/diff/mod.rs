//! Two records compared by meaning: what differs, what explains it, whether it got worse.

mod cause;
mod checks;
mod compare;
mod difference;
mod durations;
mod expected;
mod facts;
mod names;
mod outage;
mod peers;
mod render;
mod routes;
mod sessions;
#[cfg(test)]
mod tests;

pub use compare::{Options, diff};
pub use difference::{Diff, Difference, Group, Kind, Side, Weight};
pub use durations::{FLOOR_MS, is_slower};
pub use expected::{Expectation, Expectations, ExpectationsError, Predicted};
pub use outage::Outage;
pub use render::{markdown, text};
