//! What an agent tells about itself, for status displays and for computing deadlines.
//!
//! What lives here: the types. They are filled in by `reconcile`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::SystemTime;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::plan::Family;
use super::speaker::PeerView;

/// Where an agent stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It waits for the resources it needs to be defined and listed.
    #[default]
    Starting,
    /// It has seen its node and all policies, and has acted on them at least once.
    Running,
    /// It has ended its speakers and left.
    Stopped,
}

/// Everything an agent tells about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AgentStatus {
    /// Its version of Cilium; none before it has been started.
    pub version: Option<String>,
    /// Whether that version reads CiliumBGPPeeringPolicies.
    pub reads_policies: bool,
    /// Where it stands.
    pub phase: Phase,
    /// The resourceVersion of its Node object that it last acted on.
    pub node_seen: Option<String>,
    /// The resourceVersion of each policy that it last acted on, by name. A policy that selects other nodes is seen,
    /// too.
    pub policies_seen: BTreeMap<String, String>,
    /// What of the second BGP API it last acted on; none where that is not served.
    pub second_seen: Option<SecondSeen>,
    /// Its speakers, by local AS number.
    pub virtual_routers: Vec<RouterStatus>,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
    /// Why something is not spoken though nothing is wrong, one sentence each.
    pub silences: Vec<String>,
}

/// Objects by name, each with what its content is known by (`cilium::bgp::content`).
pub type Contents = BTreeMap<String, String>;

/// What an agent has acted on of the second BGP API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondSeen {
    /// The content of the CiliumBGPNodeConfig.
    pub node_config: Option<String>,
    /// CiliumBGPPeerConfigs.
    pub peers: Contents,
    /// CiliumBGPAdvertisements.
    pub advertisements: Contents,
}

/// One speaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouterStatus {
    /// The name of its instance in the second BGP API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Its AS number.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Where it listens, if at all.
    pub local_port: Option<u16>,
    /// When its gobgpd was started; `None` while it waits to be started again.
    pub speaker_started_at: Option<SystemTime>,
    /// The unix socket of gobgpd's API, in the node: what [`Client`](super::speaker::Client) asks.
    pub api_socket: Option<PathBuf>,
    /// How often gobgpd had to be started again after it ended by itself.
    pub restarts: u32,
    /// Its neighbors.
    pub neighbors: Vec<NeighborStatus>,
    /// The prefixes it advertises.
    pub advertised: Vec<IpNet>,
}

/// One neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeighborStatus {
    /// Its name in the second BGP API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    pub address: IpAddr,
    /// The AS number it must have.
    pub asn: u32,
    /// The address families that are offered to it.
    pub families: Vec<Family>,
    /// What the speaker's log tells: since when it is configured, and up. `None` while the speaker does not run.
    #[serde(flatten)]
    pub seen: Option<PeerView>,
}

impl NeighborStatus {
    /// Whether its session is Established.
    pub fn up(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.up_since.is_some())
    }
}

impl AgentStatus {
    /// Whether every configured session is Established, and there is one.
    pub fn all_up(&self) -> bool {
        let mut sessions = self.virtual_routers.iter().flat_map(|router| &router.neighbors).peekable();
        sessions.peek().is_some() && sessions.all(NeighborStatus::up)
    }
}
