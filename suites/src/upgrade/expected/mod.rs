//! What the version table says about two runs on two versions of Cilium: which changes are its doing, and which loss is.
//!
//! What lives here: predictions made of rules and rows. What does not: the rules (`rules`), and comparing
//! (`fabric_reports::diff`).

mod between;
mod fields;
mod outage;
mod places;
mod predict;

pub use between::{Between, between};

#[cfg(test)]
mod tests;
