//! What the record is told of a fabric beside its checks: what it is made of, what happens on it, what it looks like.
//!
//! What lives here: putting what was seen into the record's words. What does not: looking (`view`, the observers),
//! judging (`checks`).

mod cluster;
mod drawn;
mod names;
mod routers;
mod states;
mod teller;
mod ways;

pub(super) use teller::Story;
pub(super) use ways::{by_connection, by_ping, by_trace};
