//! What the states of a record look like, kind by kind: the shapes of [`State::json`](super::State).
//!
//! A state is kept as it was taken. These types say what is in it, for the published schema and for those who read it
//! in Rust; fields that a router does not tell are null or left out.

mod bgp;
mod boxes;

pub use bgp::{
    Announcer, AnnouncerPeer, Family, Fib, KernelHop, KernelRoute, NextHop, PathPeer, Reset, Rib, RibPath,
    Session, Sessions, Span, Speaker, is_last_reason,
};
pub use boxes::{Address, Addresses, ClusterNode, Link, Links, Names, Pod, PodPlace, Unreadable};

/// The kinds of states, in the order in which the schema gives their shapes.
pub(super) const KINDS: [&str; 9] =
    ["sessions", "rib", "fib", "links", "addresses", "speaker", "node", "pod", "names"];
