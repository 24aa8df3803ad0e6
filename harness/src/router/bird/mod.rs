//! BIRD's words: what `birdc` prints, read into the router's types, and the daemon that is asked for it.
//!
//! BIRD answers in text made for people. Its versions (2.0 to 3.4) differ little, and every difference known is dealt with
//! in the readers here. What BIRD has no word for is left out, not made up: [`Bird`] names it.

mod control;
mod counts;
mod daemon;
mod protocols;
mod reasons;
mod routes;
mod sessions;

pub(super) use control::SOCKETS;
pub use daemon::Bird;

#[cfg(test)]
mod tests;
