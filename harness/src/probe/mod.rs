//! Packets sent and caught in a node's network namespace: ping, traceroute and TCP connections, without running a program in the node.
//!
//! The same reports are read from the text of `ping` and `traceroute` where only exec leads into a node.

mod by_program;
mod connect;
mod engine;
mod error;
mod packet;
mod ping;
mod report;
pub(crate) mod socket;
pub mod text;
mod traceroute;
mod vigil;

pub use by_program::connect_by_program;
pub(crate) use connect::reach;
pub use connect::{Connect, ConnectReport, connect};
pub use error::ProbeError;
pub use ping::{Ping, ping};
pub use report::{Answer, Hop, HopKind, IcmpError, PingFault, PingReport, Reply, TraceReport};
pub use traceroute::{Protocol, Trace, traceroute};
pub use vigil::{Gap, Vigil, VigilReport, keep_vigil};
