//! The record as TAP version 14 (<https://testanything.org/tap-version-14-specification.html>).
//!
//! What lives here: a test point for each check, with a YAML diagnostic for each that has no pass. What does not: evidence;
//! the record has it.

mod render;
mod yaml;

pub use render::render;
