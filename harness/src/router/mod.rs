//! What a router says, typed: its BGP sessions, its BGP table, its kernel's table.
//!
//! Read through [`Router`] (FRR and BIRD; [`Whichever`] runs in a node) and kept up to date by [`Observer`].

mod bird;
mod config;
mod error;
mod fib;
mod frr;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod kernel;
mod observer;
mod rib;
mod session;
mod traits;
mod vty;
mod whichever;

pub use bird::Bird;
pub use config::{Configuration, NeighborConfig, RemoteAs, Secret};
pub use error::RouterError;
pub use fib::{Fib, FibNextHop, FibRoute, RouteKind};
pub use frr::Frr;
pub use kernel::{
    Kernel, KernelEvent, Link, LinkAddress, Neighbour, Packet, RouteEvents, TcpSocket, TcpState, Way,
};
pub use observer::{Change, Listener, Observer, RouterChanges, Snapshot, Subscription, What};
pub use rib::{NextHop, Origin, Path, PathPeer, PathSource, Rib};
pub use session::{Family, FamilyState, Reset, Session, SessionState, SessionType, Sessions};
pub use traits::{PeerPulse, Pulse, Router, Show, ZebraRoute};
pub use vty::{Daemon, Vty};
pub use whichever::Whichever;

#[cfg(test)]
pub(crate) mod testing;
