//! The kernel of a node: its routes, links, addresses and neighbours, and word of their changes.
//!
//! All over `NETLINK_ROUTE` sockets that live in the node's network namespace; nothing is run in the node.

mod dump;
mod events;
mod messages;
mod socket;

pub use dump::{Kernel, Link, LinkAddress, Neighbour};
pub use events::{KernelEvent, RouteEvents};
