//! FRR's words: its JSON, read into the router's types, and the daemon that is asked for it.
//!
//! FRR 8.2 to 10.x differ in names and shapes of a few fields; every difference known is dealt with here and nowhere else.

mod config;
mod daemon;
mod lenient;
mod neighbors;
mod reasons;
mod summary;
mod table;
mod zebra;

pub(super) use config::configuration;
pub use daemon::Frr;
pub(super) use neighbors::sessions;
pub(super) use summary::pulse;
pub(super) use table::{advertised, table};
pub(super) use zebra::installed;

#[cfg(test)]
mod dual_tests;
#[cfg(test)]
mod ecmp_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod versions_tests;
