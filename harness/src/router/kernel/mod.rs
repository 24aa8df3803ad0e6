//! The kernel of a node: its routes, links, addresses and neighbours, and word of their changes.
//!
//! Over `NETLINK_ROUTE` sockets that live in the node's network namespace, and nothing is run in the node. A node that
//! gives no sockets is asked by `ip -json`; what comes of it has the same types.

mod dump;
mod events;
mod iproute;
mod messages;
mod socket;
mod tcp;
mod way;

pub use dump::{Kernel, Link, LinkAddress, Neighbour};
pub use events::{KernelEvent, RouteEvents};
pub use tcp::{TcpSocket, TcpState};
pub use way::{Packet, Way};
