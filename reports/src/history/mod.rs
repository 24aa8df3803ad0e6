//! Many runs of one lab: how long each check took, what drifts, what is flaky.

mod file;
mod findings;
mod render;
mod stats;
#[cfg(test)]
mod tests;
mod timed;

pub use file::{History, HistoryError, KEPT, PastCheck, PastRun, Series};
pub use findings::{Drift, Findings, Flaky, findings};
pub use render::{past, stress};
pub use stats::{mann_kendall, median, median_deviation, quantile, theil_sen};
pub use timed::{Stress, Timed, timed};
