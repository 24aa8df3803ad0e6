//! JUnit XML, from the record: a suite per phase, a case per check.

mod many;
mod render;
#[cfg(test)]
mod tests;

pub use many::render_many;
pub use render::{JunitError, render};
