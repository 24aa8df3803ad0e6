//! Climbing the ladder of a check that failed: looking at what lies between the expectation and its coming true.
//!
//! What lives here: gathering facts from the live fabric, one file per kind of check. What does not: what they mean
//! (`crate::ladder`).

mod climb;

pub(super) use climb::climb;
