//! JUnit XML, from the record: a suite per phase, a case per check.

mod render;
#[cfg(test)]
mod tests;

pub use render::{JunitError, render};
