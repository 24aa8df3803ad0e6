//! Fabrics that others brought up: their nodes are found, not made.
//!
//! What lives here: ways into routers as a user writes them (`way`), the nodes they lead to (`nodes`). What does not: making
//! anything, judging anything.

mod cluster;
mod error;
mod labs;
mod nodes;
mod speakers;
mod way;

pub use cluster::{BgpApi, ClusterSeen, NodeSeen, cilium_version};
pub use error::FoundError;
pub use labs::{LabSeen, clabernetes, containerlab, kept};
pub use nodes::{Found, FoundSpec};
pub use speakers::{SpeakerSession, SpeakersSeen};
pub use way::{RouterWay, Way, WayError};
