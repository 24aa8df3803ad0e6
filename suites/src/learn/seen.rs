//! What is learned from: a fabric at one moment.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fabric_harness::router::{Fib, Rib, Sessions};

use super::naming::Naming;
use crate::expect::{PodName, Symbol};

/// A fabric at one moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The routers, by name.
    pub routers: BTreeMap<String, RouterSeen>,
    /// The cluster's nodes.
    pub nodes: Vec<NodeSeen>,
    /// The pods that the lab applied.
    pub pods: Vec<PodSeen>,
    /// The ways packets took, there and back.
    pub paths: Vec<PathSeen>,
    /// What everything is called.
    pub naming: Naming,
    /// Whether there is a Cilium, whose datapath may take hops off at a pod's own end without a word.
    pub cilium: bool,
}

/// What a router says; none where it does not.
#[derive(Debug, Clone, Default)]
pub struct RouterSeen {
    /// Its sessions.
    pub sessions: Option<Arc<Sessions>>,
    /// Its BGP table.
    pub rib: Option<Arc<Rib>>,
    /// Its kernel's table.
    pub fib: Option<Arc<Fib>>,
}

/// A node of the cluster.
#[derive(Debug, Clone, Default)]
pub struct NodeSeen {
    /// Its name as kind has it, without the cluster's.
    pub name: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its InternalIPs.
    pub addresses: Vec<IpAddr>,
}

/// A pod.
#[derive(Debug, Clone)]
pub struct PodSeen {
    /// Its name.
    pub name: PodName,
    /// Its phase: `Running`.
    pub phase: String,
}

/// The ways packets took between two ends.
#[derive(Debug, Clone)]
pub struct PathSeen {
    /// One end.
    pub from: Symbol,
    /// The other.
    pub to: Symbol,
    /// Whether every request was answered.
    pub reached: bool,
    /// Who answered at each distance, flow by flow; none is silence. Empty where nothing was traced.
    pub there: Vec<Vec<Option<IpAddr>>>,
    /// The same for the way back.
    pub back: Vec<Vec<Option<IpAddr>>>,
}
