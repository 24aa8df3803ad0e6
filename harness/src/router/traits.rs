//! The seam between a router's own words and ours: what every routing daemon must be able to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::config::Configuration;
use super::error::RouterError;
use super::rib::Rib;
use super::session::{Family, SessionState, Sessions};
use crate::node::NodeRef;

/// The least that tells whether anything changed: cheap to ask, without clocks and counters of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Per family: version of the table, number of entries.
    pub tables: BTreeMap<Family, (u64, u64)>,
    /// Per family and neighbor.
    pub peers: BTreeMap<(Family, String), PeerPulse>,
}

/// One neighbor's part of a [`Pulse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerPulse {
    /// Where the session stands.
    pub state: SessionState,
    /// Times it came up.
    pub established: u64,
    /// Times it went down.
    pub dropped: u64,
    /// Prefixes received.
    pub received: u64,
    /// Prefixes sent.
    pub sent: u64,
}

/// A route as the routing daemon's manager (FRR: zebra; BIRD: its `kernel` protocols) believes it to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZebraRoute {
    /// Where it came from (`bgp`, `connected`, `kernel`).
    pub protocol: String,
    /// Chosen among the protocols.
    pub selected: bool,
    /// Accepted by the kernel.
    pub installed: bool,
    /// Administrative distance.
    pub distance: u32,
    /// Interfaces of the next hops that are in the kernel.
    pub interfaces: Vec<String>,
}

/// What a person may want to see of a routing daemon, by its own tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Show {
    /// All sessions, a line each.
    Sessions,
    /// One session, whole.
    Session {
        /// Its key.
        key: String,
        /// What the daemon calls it ([`Session::handle`](super::Session), or the key).
        handle: String,
    },
    /// The BGP table: of IPv6 when true.
    Table(bool),
}

/// A routing daemon in a node.
#[async_trait]
pub trait Router: Send + Sync + fmt::Debug {
    /// The node it runs in.
    fn node(&self) -> &NodeRef;

    /// Name and version (`FRRouting 8.4.4`).
    async fn version(&self) -> Result<String, RouterError>;

    /// The cheap question: did anything change?
    async fn pulse(&self) -> Result<Pulse, RouterError>;

    /// All sessions, whole.
    async fn sessions(&self) -> Result<Sessions, RouterError>;

    /// The BGP table, IPv4 and IPv6 unicast; session keys are filled in where the router says them ([`Rib::resolve`]).
    async fn rib(&self) -> Result<Rib, RouterError>;

    /// What is announced to one neighbor (its key as configured) in one family.
    async fn advertised(&self, neighbor: &str, family: &Family) -> Result<BTreeSet<IpNet>, RouterError>;

    /// What the daemon believes the kernel has.
    async fn installed(&self) -> Result<BTreeMap<IpNet, Vec<ZebraRoute>>, RouterError>;

    /// What it is told to do with its neighbors; none where it does not say (BIRD).
    async fn configured(&self) -> Result<Option<Configuration>, RouterError> {
        Ok(None)
    }

    /// The command that shows it to a person, to be typed in the node.
    fn by_hand(&self, show: &Show) -> String;
}
