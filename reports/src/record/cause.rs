//! Why checks failed: the ladder each of them climbed, and the causes that explain them.
//!
//! A cause explains many checks, and is written down once. Finding it is not done here.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;

/// What can be between an expectation and its coming true, from the ground up. A check climbs those that are on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RungName {
    /// The pod is there, scheduled and running.
    Pod,
    /// The interface is there and has a carrier.
    Link,
    /// The addresses that the lab wants are on it.
    Address,
    /// The neighbor's link-layer address is known.
    Neighbor,
    /// There is a route to the peer.
    RouteToPeer,
    /// A policy or configuration makes this speaker have this neighbor.
    Policy,
    /// A TCP connection to port 179 comes about.
    Tcp,
    /// The OPEN messages agree: AS, capabilities, password.
    Open,
    /// The session stays: keepalives arrive within the hold time.
    Session,
    /// The address family is negotiated.
    Family,
    /// The far end announces the route.
    Update,
    /// The near end's policy lets it in.
    Filter,
    /// It is the best path.
    BestPath,
    /// Its next hop can be reached.
    NextHop,
    /// It is in the kernel's table.
    Kernel,
    /// Packets are forwarded: no blackhole, no reverse path filter, no drop.
    Forwarding,
    /// Packets of this size fit the links.
    Mtu,
    /// The far end has a route back.
    Return,
    /// Hops may answer as often as they are asked.
    Icmp,
}

impl RungName {
    /// The rung in words: `route to the peer`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Link => "link",
            Self::Address => "address",
            Self::Neighbor => "link-layer neighbor",
            Self::RouteToPeer => "route to the peer",
            Self::Policy => "policy",
            Self::Tcp => "TCP 179",
            Self::Open => "OPEN",
            Self::Session => "hold time",
            Self::Family => "address family",
            Self::Update => "UPDATE",
            Self::Filter => "import policy",
            Self::BestPath => "best path",
            Self::NextHop => "next hop",
            Self::Kernel => "kernel route",
            Self::Forwarding => "forwarding",
            Self::Mtu => "MTU",
            Self::Return => "way back",
            Self::Icmp => "ICMP limits",
        }
    }
}

/// How one rung of a check's ladder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rung {
    /// Which.
    pub name: RungName,
    /// How it stands.
    pub standing: Standing,
    /// What was seen, in a line: `tor1's net0 is up, with a carrier`.
    pub seen: String,
}

/// How a rung stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It holds.
    Holds,
    /// It is broken.
    Broken,
    /// It could not be looked at here.
    Unknown,
}

/// What explains one or more failed checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// Names it within this record: `c1`.
    pub id: String,
    /// What kind of cause, in one word: `link-down`, `wrong-as`.
    pub kind: String,
    /// The rung that is broken.
    pub rung: RungName,
    /// What is broken, in one sentence that stands alone: `the link tor1:net1 -- cilium-bgp-worker3:net0 is down`.
    pub title: String,
    /// What makes us think so, and what follows from it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The box where it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The interface, neighbor or prefix there that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it rests on.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What to type next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_command: Option<String>,
    /// The checks it explains, by name, in the record's order.
    pub victims: Vec<String>,
}

impl fmt::Display for RungName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}
