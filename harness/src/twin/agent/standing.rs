//! How a node's speakers are doing, as the status of its CiliumBGPNodeConfig tells it.
//!
//! What lives here: asking the speakers, making the status, writing it. What does not: when (`reconcile`).

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::gobgp;
use super::plan::{NodeConfig, Plan, VirtualRouter};
use super::slot::Slot;
use super::speaker::{Client as SpeakerClient, Family};
use super::watches::node_configs;
use crate::cilium::bgp::{
    Condition, InstanceStatus, NodeConfigStatus, NodePeer, PeerStatus, RouteCount, TimersState,
};
use crate::cilium::{CiliumVersion, Promises};

/// Numbers of routes make no line in gobgpd's log. They are asked for when anything else happened, then at this pace for
/// as long as they lately changed (a neighbor's routes follow its session), and after that as often as Cilium writes.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// Cilium's own interval (`CRDStatusUpdateInterval`).
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
/// What the condition about a node's configuration is called.
const RECONCILE_ERROR: &str = "cilium.io/BGPReconcileError";

/// What is looked at of a speaker.
pub(super) struct Look {
    wanted: VirtualRouter,
    client: Option<SpeakerClient>,
    problem: Option<String>,
}

impl Look {
    pub(super) fn at(slot: &Slot) -> Self {
        let problem = slot.problem().map(str::to_owned);
        Self { wanted: slot.wanted().clone(), client: slot.client(), problem }
    }
}

/// The status of a node's configuration.
pub(super) async fn status(
    config: &NodeConfig,
    plan: &Plan,
    slots: &[Look],
    version: &CiliumVersion,
) -> NodeConfigStatus {
    let mut status = NodeConfigStatus::default();
    for instance in &config.spec.bgp_instances {
        let slot = slots.iter().find(|slot| slot.wanted.instance.as_deref() == Some(&instance.name));
        let mut peers = Vec::new();
        for peer in &instance.peers {
            peers.extend(peer_status(peer, slot).await);
        }
        if slot.is_some() {
            let (name, local_asn) = (instance.name.clone(), instance.local_asn);
            status.bgp_instances.push(InstanceStatus { name, local_asn, peers });
        }
    }
    // Conditions of the node's configuration came with 1.18.
    if version.line() >= (1, 18) {
        status.conditions = config.status.as_ref().map(|old| old.conditions.clone()).unwrap_or_default();
        let failed =
            slots.iter().filter_map(|slot| Some((slot.wanted.instance.clone()?, slot.problem.clone()?)));
        let wrong: String = plan
            .instance_problems
            .iter()
            .cloned()
            .chain(failed)
            .map(|(instance, why)| format!("{instance}: {why}\n"))
            .collect();
        let known = status.conditions.iter().any(|condition| condition.type_ == RECONCILE_ERROR);
        if !wrong.is_empty() || known {
            let message = wrong.chars().take(32 * 1024).collect();
            let generation = config.metadata.generation;
            Condition::new(RECONCILE_ERROR, !wrong.is_empty(), "BGPReconcileError", message, generation)
                .put(&mut status.conditions);
        }
    }
    status
}

/// A peer without an address or an AS number is not in the status.
async fn peer_status(peer: &NodePeer, slot: Option<&Look>) -> Option<PeerStatus> {
    let wanted = slot.and_then(|slot| {
        slot.wanted.neighbors.iter().find(|neighbor| neighbor.name.as_deref() == Some(&peer.name))
    });
    let address = peer.peer_address.clone().or_else(|| wanted.map(|wanted| wanted.address.to_string()))?;
    let mut status = PeerStatus {
        name: peer.name.clone(),
        peer_address: address,
        peer_asn: Some(peer.peer_asn?),
        ..PeerStatus::default()
    };
    let (Some(wanted), Some(client)) = (wanted, slot.and_then(|slot| slot.client.as_ref())) else {
        return Some(status);
    };
    // A speaker that is just ending is looked at again when it has ended.
    let Ok(standing) = client.standing(wanted.address).await else { return Some(status) };
    if peer.peer_asn == Some(0) {
        status.peer_asn = standing.asn.map(i64::from);
    }
    status.peering_state = standing.state.map(|state| state.in_cilium().to_owned());
    let seconds = |seconds: u64| i32::try_from(seconds).ok();
    status.timers = Some(TimersState {
        applied_hold_time_seconds: seconds(standing.hold),
        applied_keepalive_seconds: seconds(standing.keepalive),
    });
    let since = standing.up_since.and_then(|since| i64::try_from(since).ok());
    status.established_time =
        since.and_then(|since| Timestamp::from_second(since).ok()).map(|since| since.to_string());
    for family in &wanted.families {
        let received = standing.received.get(&numbers(family.afi, family.safi)).copied().unwrap_or(0);
        let advertised = advertised(client, wanted.address, family.gobgp).await;
        status.route_count.push(RouteCount {
            afi: family.afi.to_owned(),
            safi: family.safi.to_owned(),
            received: seconds(received),
            advertised: Some(advertised),
        });
    }
    Some(status)
}

async fn advertised(client: &SpeakerClient, neighbor: std::net::IpAddr, family: &str) -> i32 {
    let family = match family {
        "ipv4-unicast" => Family::Ipv4,
        "ipv6-unicast" => Family::Ipv6,
        // Nothing is put into the tables of the others.
        _ => return 0,
    };
    let table = client.advertised_to(neighbor, family).await.unwrap_or_default();
    i32::try_from(gobgp::prefixes(&table)).unwrap_or(i32::MAX)
}

/// IANA's numbers of the two unicast families; the others have no routes here.
fn numbers(afi: &str, safi: &str) -> (u64, u64) {
    match (afi, safi) {
        ("ipv4", "unicast") => (1, 1),
        ("ipv6", "unicast") => (2, 1),
        _ => (0, 0),
    }
}

/// Writes the status. A configuration that is gone has none.
pub(super) async fn write(
    client: &Client,
    promises: &Promises,
    config: &NodeConfig,
    status: &NodeConfigStatus,
) -> Result<(), kube::Error> {
    let Some(kind) = node_configs(promises) else { return Ok(()) };
    let conditions = (!status.conditions.is_empty()).then_some(&status.conditions);
    let patch = json!({ "status": { "bgpInstances": status.bgp_instances, "conditions": conditions } });
    let api = Api::<NodeConfig>::all_with(client.clone(), &kind);
    match api.patch_status(&config.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await {
        Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(()),
        other => other.map(drop),
    }
}
