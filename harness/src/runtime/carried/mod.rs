//! Nodes into which only a started command leads: no sockets, no signals, no files of their own.
//!
//! What lives here: the one implementation of [`Node`](crate::node::Node) over any way to start words somewhere
//! ([`Carrier`]): an exec of Kubernetes (`kubectl`), a program of the user's (`prefix`).

mod carrier;
mod node;
mod process;

pub use carrier::{Carrier, CarryError, Started};
pub use node::Carried;

#[cfg(test)]
mod tests;
