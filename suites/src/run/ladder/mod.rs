//! Climbing the ladder of a check that failed: looking at what lies between the expectation and its coming true.
//!
//! What lives here: gathering facts from the live fabric, one file per kind of check. What does not: what they mean
//! (`crate::ladder`).

mod boxes;
mod climb;
mod kept;
mod packets;
mod routes;
mod session;

pub(super) use climb::climb;
pub(super) use kept::Kept;
