//! What was seen of a session, from both of its ends, at one moment. Data only: it can be written down and read again.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fabric_harness::cilium::LabelSelector;
use fabric_harness::router::{Family, Fib, Link, LinkAddress, Neighbour, RemoteAs, Session, TcpSocket};
use fabric_harness::runtime::keeper::AgentNeighbor;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// All that was seen of one session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionFacts {
    /// Its ends, in the lab's order, routers before nodes of the cluster: whoever asks, the same order. One end alone where
    /// nobody of this lab is the other.
    pub ends: Vec<End>,
    /// What passwords say, where both are known.
    pub passwords: Option<Passwords>,
    /// For how long nothing has been done to the fabric.
    pub still: Duration,
}

/// How the passwords of two ends stand to each other; never what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passwords {
    /// Neither end has one.
    None,
    /// Both have the same.
    Same,
    /// Both have one, and they differ.
    Differ,
    /// Both have one, and what it is is known of one of them at most.
    Both,
    /// Only the end of this name has one.
    Only(String),
}

/// One end of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The box, as it is gone into.
    pub name: String,
    /// Its first process has ended, and everything in it.
    pub gone: bool,
    /// The interface that the link between the ends has here, where one joins them.
    pub interface: Option<String>,
    /// Its interfaces; none where they cannot be looked at.
    pub links: Option<Vec<Link>>,
    /// Its addresses; none where they cannot be looked at.
    pub addresses: Option<Vec<LinkAddress>>,
    /// The addresses that the lab gives it.
    pub given: Vec<Given>,
    /// Whom it dials, and takes calls from.
    pub peer: Option<IpAddr>,
    /// Its neighbor table.
    pub neighbours: Vec<Neighbour>,
    /// Its kernel's routes; none where they cannot be looked at.
    pub fib: Option<Fib>,
    /// What speaks BGP here.
    pub speaker: Speaker,
    /// Its TCP sockets on port 179; none where they cannot be looked at.
    pub sockets: Option<Vec<TcpSocket>>,
    /// What its kernel counts of TCP MD5 signatures.
    pub md5: BTreeMap<String, u64>,
    /// The lines of its packet filter that speak of BGP's port.
    pub filters: Vec<String>,
    /// What dialing the peer came to.
    pub dialed: Option<Dialed>,
}

/// An address that the lab gives to an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The interface.
    pub dev: String,
    /// The address.
    pub address: IpNet,
    /// Who gives it: a line of the topology, or the router's configuration.
    pub by: String,
}

/// What dialing TCP port 179 came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialed {
    /// Whom.
    pub to: SocketAddr,
    /// How it went.
    pub came: Came,
    /// For how long an answer was waited for.
    pub waited: Duration,
}

/// How a call went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// A connection was made.
    Connected,
    /// It was refused at once.
    Refused,
    /// Nothing came back.
    Silence,
    /// The kernel did not let it out, or was told that nobody is there.
    Unreachable(String),
}

/// What speaks BGP in a box.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::large_enum_variant, reason = "a session has two of them, and no more live at a time")]
pub enum Speaker {
    /// A routing daemon that answers.
    Router(RouterSeen),
    /// A routing daemon should, and none runs; the words of who looked.
    Missing(String),
    /// A routing daemon is there and does not answer; the words of who asked.
    Hung(String),
    /// Cilium.
    Cilium(CiliumSeen),
    /// Nobody that could be asked.
    #[default]
    Unknown,
}

/// A routing daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RouterSeen {
    /// What it calls the other end, where it knows it or should.
    pub key: Option<String>,
    /// Its session with the other end.
    pub session: Option<Session>,
    /// All its neighbors by key, with their addresses.
    pub neighbors: BTreeMap<String, Option<IpAddr>>,
    /// Its own AS; none where no BGP is configured.
    pub local_as: Option<u32>,
    /// The AS it is told to expect.
    pub expects: Option<RemoteAs>,
    /// The address or interface it is told to speak from.
    pub update_source: Option<String>,
    /// Whether it is told to wait for the other end's call, and never to call itself.
    #[serde(default)]
    pub passive: bool,
    /// The line that shows the session.
    pub line: String,
}

/// Cilium on a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CiliumSeen {
    /// What its agent says, where one can be asked.
    pub agent: Option<AgentWords>,
    /// The node's labels.
    pub labels: BTreeMap<String, String>,
    /// The labels that the lab gives to the node.
    pub given_labels: BTreeMap<String, String>,
    /// Which kinds of resources this version of Cilium acts on.
    pub acts_on: Vec<String>,
    /// The version, where it is known.
    pub version: Option<String>,
    /// The resources that choose nodes to speak BGP; none where they cannot be read.
    pub policies: Option<Vec<Policy>>,
    /// Every node of the cluster with its labels.
    pub nodes: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether the chart's values switch the BGP control plane on.
    pub control_plane: bool,
}

/// What an agent says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentWords {
    /// Whether it has acted on the newest of everything.
    pub settled: bool,
    /// With whom it speaks.
    pub neighbors: Vec<AgentNeighbor>,
    /// What is wrong, in its own words.
    pub problems: Vec<String>,
    /// Why it does not say more though nothing is wrong.
    pub silences: Vec<String>,
}

/// A resource that chooses nodes and tells them whom to peer with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its kind: `CiliumBGPPeeringPolicy`, `CiliumBGPClusterConfig`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Which nodes.
    pub selector: Option<LabelSelector>,
    /// Whom they are to dial.
    pub peers: Vec<IpAddr>,
}

impl SessionFacts {
    /// The end that is not `end`.
    pub fn other(&self, end: &End) -> Option<&End> {
        self.ends.iter().find(|other| !std::ptr::eq(*other, end))
    }

    /// Each end with the other.
    pub fn pairs(&self) -> impl Iterator<Item = (&End, &End)> {
        self.ends.iter().filter_map(|end| Some((end, self.other(end)?)))
    }

    /// The session as a routing daemon has it that says it is up.
    pub fn up(&self) -> Option<(&End, &Session)> {
        self.ends.iter().find_map(|end| Some((end, end.session().filter(|session| session.is_up())?)))
    }

    /// Whether a connection to port 179 was made, in whichever direction.
    pub fn connects(&self) -> bool {
        let made = |end: &End| end.dialed.as_ref().is_some_and(|dialed| dialed.came == Came::Connected);
        self.ends.iter().any(made)
    }
}

impl End {
    /// Its own addresses.
    pub fn own(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().flatten().map(|address| address.address.addr())
    }

    /// Whether it never calls the other end by itself.
    pub fn passive(&self) -> bool {
        matches!(&self.speaker, Speaker::Router(RouterSeen { passive: true, .. }))
    }

    /// Its routing daemon's session.
    pub fn session(&self) -> Option<&Session> {
        match &self.speaker {
            Speaker::Router(RouterSeen { session, .. }) => session.as_ref(),
            _ => None,
        }
    }

    /// Its routing daemon.
    pub fn router(&self) -> Option<&RouterSeen> {
        match &self.speaker {
            Speaker::Router(seen) => Some(seen),
            _ => None,
        }
    }

    /// Its Cilium.
    pub fn cilium(&self) -> Option<&CiliumSeen> {
        match &self.speaker {
            Speaker::Cilium(seen) => Some(seen),
            _ => None,
        }
    }

    /// The other end as Cilium has it here: a neighbor with one of its addresses.
    pub fn cilium_neighbor(&self, other: &End) -> Option<&AgentNeighbor> {
        let agent = self.cilium()?.agent.as_ref()?;
        let own: Vec<IpAddr> = other.own().collect();
        agent.neighbors.iter().find(|neighbor| own.contains(&neighbor.address))
    }

    /// The AS number it says it has.
    pub fn local_as(&self, other: &End) -> Option<u32> {
        match &self.speaker {
            Speaker::Router(seen) => seen.session.as_ref().map(|session| session.local_as).or(seen.local_as),
            Speaker::Cilium(_) => self.cilium_neighbor(other).map(|neighbor| neighbor.local_asn),
            _ => None,
        }
    }

    /// Which families it offers to the other end; none where that is not known.
    pub fn families(&self, other: Option<&End>) -> Option<Vec<Family>> {
        match &self.speaker {
            Speaker::Router(seen) => Some(seen.session.as_ref()?.families.keys().cloned().collect()),
            Speaker::Cilium(_) => {
                let neighbor = self.cilium_neighbor(other?)?;
                let named = |name: &String| match name.as_str() {
                    "ipv4/unicast" => Family::Ipv4Unicast,
                    "ipv6/unicast" => Family::Ipv6Unicast,
                    other => Family::Other(other.to_owned()),
                };
                (!neighbor.families.is_empty()).then(|| neighbor.families.iter().map(named).collect())
            }
            _ => None,
        }
    }

    /// What its routing daemon calls the other end; else the address it dials.
    pub fn calls_peer(&self) -> Option<String> {
        let key = self.router().and_then(|router| router.key.clone());
        key.or_else(|| self.peer.map(|peer| peer.to_string()))
    }

    /// Whether it listens on port 179, where that can be looked at: at this address, or at any.
    pub fn listens(&self, at: Option<IpAddr>) -> Option<bool> {
        let sockets = self.sockets.as_ref()?;
        let fits = |socket: &&TcpSocket| {
            let local = socket.local;
            let here = local.ip().is_unspecified() || at.is_none_or(|at| at == local.ip());
            socket.state == fabric_harness::router::TcpState::Listen && local.port() == 179 && here
        };
        Some(sockets.iter().find(fits).is_some())
    }
}
