//! What passes on the links of a fabric: the last packets of BGP, ICMP and ARP of each, and what BGP said in them.
//!
//! What lives here: hearing packets in a node's namespace, keeping the last of them, reading the few bytes that tell how a session
//! came up or ended, and writing captures as files. What does not: whom an address belongs to, and telling a report (crate
//! `fabric-suites`).

mod bgp;
mod captures;
mod conversation;
mod filter;
mod frame;
mod link;
mod notification;
mod pcapng;
mod ring;
mod tap;

pub use bgp::{MessageKind, Said};
pub use captures::{Captures, LinkCapture};
pub use conversation::{Heard, What};
pub use link::LinkPoint;
pub use notification::Notification;
pub use pcapng::{WriteError, write};
pub use ring::Packet;

/// Any bytes as the stream of a session, cut anywhere, and as a frame.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    conversation::fuzz(data);
}
