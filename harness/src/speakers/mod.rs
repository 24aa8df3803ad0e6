//! The speakers of a fabric as their own command line and Cilium's API show them: peers and routes of every node.
//!
//! What lives here: asking the gobgpd of a node ([`ask`]), and its answers in the words of Cilium's API ([`Peer`],
//! [`Route`]). What does not: starting and changing speakers (`twin::agent`), and printing (crate `fabric-suites`).

mod ask;
mod attributes;
mod capabilities;
pub(crate) mod neighbor;
mod peer;
mod route;

pub use ask::{Asked, Speaker, SpeakersError, Which, ask};
pub use peer::{GracefulRestart, Peer, PeerFamily, WireCapability};
pub use route::{Bytes, Path, Route, RouteFamily};
