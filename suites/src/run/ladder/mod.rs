//! Climbing the ladder of a check that failed: looking at what lies between the expectation and its coming true.
//!
//! What lives here: gathering facts from the live fabric, one file per kind of check. What does not: what they mean
//! (`crate::ladder`).

mod boxes;
mod climb;
mod facts;
mod kept;
mod map;
mod packets;
mod routes;
mod session;

pub(super) use climb::climb;
pub(super) use facts::Facts;
pub(super) use kept::Kept;
pub(super) use session::Daemon;
