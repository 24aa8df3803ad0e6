//! What a server does to Services: it gives them addresses and node ports, and refuses what cannot be.
//!
//! What lives here: re-exports. `check` is about one object by itself, `keep` about what a change may leave out,
//! `allocate` about addresses and ports. What does not: endpoints and load balancer addresses (`twin::services`).

mod allocate;
mod check;
mod keep;

#[cfg(test)]
mod tests;

pub(super) use check::check;
pub(super) use keep::{change, fill, keep};
