//! What Cilium itself says of its BGP sessions.
//!
//! What lives here: reading it, from the status of CiliumBGPNodeConfig where the cluster serves it, else from `cilium bgp
//! peers -o json` in the agent of each node (Cilium 1.13 and later; the program is called cilium-dbg since 1.15). What does
//! not: comparing it with what the routers say.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Client, ResourceExt};
use serde::{Deserialize, Serialize};

use super::nodes::{Found, agents};
use super::way::Way;
use crate::node::{Command, Node, NodeError};
use crate::runtime::kubectl::{KubeNode, PodContainer};

/// One session, as Cilium tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpeakerSession {
    /// The node whose agent speaks.
    pub node: String,
    /// Its own AS.
    pub local_as: Option<u32>,
    /// The neighbor's address.
    pub neighbor: IpAddr,
    /// The neighbor's AS.
    pub remote_as: Option<u32>,
    /// The session's state, in Cilium's words (`established`, `active`, `idle`).
    pub state: String,
    /// The hold time in force, in seconds.
    pub hold: Option<u32>,
    /// How many prefixes went to the neighbor, by family (`ipv4/unicast`).
    pub advertised: BTreeMap<String, u32>,
    /// How many came from it.
    pub received: BTreeMap<String, u32>,
}

/// What Cilium says, and where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpeakersSeen {
    /// Where: `CiliumBGPNodeConfig` or `cilium bgp peers`.
    pub source: &'static str,
    /// The sessions.
    pub sessions: Vec<SpeakerSession>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeStatus {
    bgp_instances: Vec<InstanceStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InstanceStatus {
    #[serde(rename = "localASN")]
    local_asn: Option<u32>,
    peers: Vec<PeerStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PeerStatus {
    peer_address: IpAddr,
    #[serde(rename = "peerASN")]
    peer_asn: Option<u32>,
    #[serde(default)]
    peering_state: String,
    #[serde(default)]
    timers: Timers,
    #[serde(default)]
    route_count: Vec<Count>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timers {
    applied_hold_time_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Count {
    afi: String,
    safi: String,
    #[serde(default)]
    advertised: u32,
    #[serde(default)]
    received: u32,
}

/// A peer as `cilium bgp peers -o json` prints it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Peer {
    peer_address: IpAddr,
    local_asn: Option<u32>,
    peer_asn: Option<u32>,
    #[serde(default)]
    session_state: String,
    applied_hold_time_seconds: Option<u32>,
    #[serde(default)]
    families: Vec<Count>,
}

fn counts(all: &[Count], of: impl Fn(&Count) -> u32) -> BTreeMap<String, u32> {
    all.iter().map(|count| (format!("{}/{}", count.afi, count.safi), of(count))).collect()
}

/// The sessions in the status of one CiliumBGPNodeConfig.
fn of_status(node: &str, status: serde_json::Value) -> Result<Vec<SpeakerSession>, serde_json::Error> {
    let status: NodeStatus = serde_json::from_value(status)?;
    let session = |local_as: Option<u32>, peer: PeerStatus| SpeakerSession {
        node: node.to_owned(),
        local_as,
        neighbor: peer.peer_address,
        remote_as: peer.peer_asn,
        state: peer.peering_state,
        hold: peer.timers.applied_hold_time_seconds,
        advertised: counts(&peer.route_count, |count| count.advertised),
        received: counts(&peer.route_count, |count| count.received),
    };
    let instances = status.bgp_instances.into_iter();
    Ok(instances
        .flat_map(|one| one.peers.into_iter().map(move |peer| session(one.local_asn, peer)))
        .collect())
}

/// The sessions that `cilium bgp peers -o json` printed; nothing for a node without any.
fn of_peers(node: &str, text: &str) -> Result<Vec<SpeakerSession>, serde_json::Error> {
    let peers: Option<Vec<Peer>> = serde_json::from_str(text)?;
    let session = |peer: Peer| SpeakerSession {
        node: node.to_owned(),
        local_as: peer.local_asn,
        neighbor: peer.peer_address,
        remote_as: peer.peer_asn,
        state: peer.session_state,
        hold: peer.applied_hold_time_seconds,
        advertised: counts(&peer.families, |count| count.advertised),
        received: counts(&peer.families, |count| count.received),
    };
    Ok(peers.unwrap_or_default().into_iter().map(session).collect())
}

impl Found {
    /// What Cilium says of its sessions, or why it says nothing, in a sentence.
    pub async fn speakers(&self) -> Result<SpeakersSeen, String> {
        let client = self.client().ok_or("no cluster was named to look at")?;
        if let Some(sessions) = by_status(client).await? {
            return Ok(SpeakersSeen { source: "CiliumBGPNodeConfig", sessions });
        }
        let agents = agents(client).await.map_err(|error| error.to_string())?;
        if agents.is_empty() {
            return Err(
                "no agents of Cilium run in the cluster, and it has no CiliumBGPNodeConfig".to_owned()
            );
        }
        let mut sessions = Vec::new();
        for (node, way) in agents {
            let Way::Kubectl { namespace, pod, container, .. } = way else { continue };
            let place = PodContainer::new(client.clone(), &namespace, &pod, container.as_deref());
            sessions.extend(by_program(&KubeNode::by(&node, place)).await?);
        }
        Ok(SpeakersSeen { source: "cilium bgp peers", sessions })
    }
}

/// From the objects; none where there are none with a status.
async fn by_status(client: &Client) -> Result<Option<Vec<SpeakerSession>>, String> {
    for version in ["v2", "v2alpha1"] {
        let gvk = GroupVersionKind::gvk("cilium.io", version, "CiliumBGPNodeConfig");
        let resource = ApiResource::from_gvk_with_plural(&gvk, "ciliumbgpnodeconfigs");
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let Ok(list) = api.list(&ListParams::default()).await else { continue };
        let mut sessions = Vec::new();
        for object in &list.items {
            let Some(status) = object.data.get("status") else { continue };
            let name = object.name_any();
            let read = of_status(&name, status.clone());
            sessions.extend(read.map_err(|error| format!("CiliumBGPNodeConfig {name}: {error}"))?);
        }
        if !sessions.is_empty() {
            return Ok(Some(sessions));
        }
    }
    Ok(None)
}

/// From the program in an agent.
async fn by_program(agent: &dyn Node) -> Result<Vec<SpeakerSession>, String> {
    for program in ["cilium-dbg", "cilium"] {
        let asked = agent.exec(&Command::new([program, "bgp", "peers", "-o", "json"])).await;
        let output = match asked {
            Err(NodeError::NotFound { .. }) => continue,
            other => other.map_err(|error| error.to_string())?,
        };
        if output.success() {
            let read = of_peers(agent.name(), &output.text());
            return read.map_err(|error| format!("{}: `{program} bgp peers -o json`: {error}", agent.name()));
        }
        let said = output.error_text();
        if said.contains("unknown command") {
            return Err("this Cilium has no `cilium bgp peers`: it is of 1.13 and later".to_owned());
        }
        return Err(format!("{}: `{program} bgp peers -o json`: {}", agent.name(), said.trim()));
    }
    Err(format!("{}: the agent has no program `cilium`", agent.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::testing::recorded;

    /// Cilium 1.20-dev, session of the worker with tor0: as the same moment's router says, 1 prefix out and 11 in.
    fn holds(session: &SpeakerSession) {
        assert_eq!((session.local_as, session.remote_as, session.hold), (Some(65010), Some(65010), Some(9)));
        assert_eq!(
            (session.neighbor.to_string().as_str(), session.state.as_str()),
            ("10.0.0.1", "established")
        );
        assert_eq!((session.advertised["ipv4/unicast"], session.received["ipv4/unicast"]), (1, 11));
    }

    #[test]
    fn the_status_of_node_configs_is_read() {
        let text = recorded("cilium-1.20-dev/ciliumbgpnodeconfigs.yaml");
        let list: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let all: Vec<SpeakerSession> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|one| {
                of_status(one["metadata"]["name"].as_str().unwrap(), one["status"].clone()).unwrap()
            })
            .collect();
        assert_eq!(all.len(), 4);
        holds(all.iter().find(|session| session.node == "clab-bgp-cplane-demo-worker").unwrap());
    }

    #[test]
    fn the_output_of_the_program_is_read() {
        let all = of_peers("worker", &recorded("cilium-1.20-dev/bgp-peers-worker.json")).unwrap();
        assert_eq!(all.len(), 1);
        holds(&all[0]);
        assert!(of_peers("worker", "null").unwrap().is_empty());
    }
}
