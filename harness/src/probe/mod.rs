//! Packets sent and caught in a node's network namespace: ping and traceroute, without running a program in the node.
//!
//! The same reports are read from the text of `ping` and `traceroute` where only exec leads into a node.

mod engine;
mod error;
mod packet;
mod ping;
mod report;
pub(crate) mod socket;
pub mod text;
mod traceroute;

pub use error::ProbeError;
pub use ping::{Ping, ping};
pub use report::{Answer, Hop, HopKind, IcmpError, PingFault, PingReport, Reply, TraceReport};
pub use traceroute::{Protocol, Trace, traceroute};
