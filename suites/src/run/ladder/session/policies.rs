//! The resources by which Cilium is told to speak BGP, read from the cluster.
//!
//! What lives here: reading them in whichever API is served. What does not: what they choose (`crate::ladder`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fabric_harness::cilium::{BgpV2, CiliumVersion, promises};
use fabric_harness::found::cilium_version;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use serde_json::Value;

use crate::ladder::session::{AgentWords, CiliumSeen, Policy};
use crate::run::atlas::Atlas;
use crate::run::observe::Context;
use crate::run::view::list;

/// What is known of Cilium on a node.
pub(super) struct Known {
    pub(super) seen: CiliumSeen,
    /// The addresses that some policy dials with a password.
    pub(super) signed: BTreeSet<IpAddr>,
}

/// Reads what the cluster and the node's agent say.
pub(super) async fn look(context: &Context, atlas: &Atlas, node: &str) -> Known {
    let version = version(context).await;
    let parsed = version.as_deref().and_then(|version| version.parse::<CiliumVersion>().ok());
    let promised = parsed.and_then(|version| promises(&version).ok());
    let mut acts_on = Vec::new();
    if let Some(promised) = promised {
        let first = promised.peering_policy.then_some("CiliumBGPPeeringPolicy");
        let second = (promised.bgp_v2 != BgpV2::Absent).then_some("CiliumBGPClusterConfig");
        acts_on.extend(first.into_iter().chain(second).map(str::to_owned));
    }
    let (policies, signed) = match read(context).await {
        Some((policies, signed)) => (Some(policies), signed),
        None => (None, BTreeSet::new()),
    };
    let labels = |node: &Node| node.metadata.labels.clone().unwrap_or_default();
    let nodes: BTreeMap<String, _> =
        atlas.nodes.iter().flatten().map(|node| (node.name_any(), labels(node))).collect();
    let agent = atlas.agents.iter().flatten().find(|agent| agent.info.node == node);
    let agent = agent.map(|agent| AgentWords {
        settled: agent.settled.is_some(),
        neighbors: agent.info.neighbors.clone(),
        problems: agent.info.problems.clone(),
        silences: agent.silences(),
    });
    let given = atlas.cluster.as_ref().and_then(|cluster| cluster.node(node));
    let control_plane = context.fabric.state().map_or(true, |state| state.spec.bgp);
    Known {
        seen: CiliumSeen {
            agent,
            labels: nodes.get(node).cloned().unwrap_or_default(),
            given_labels: given.map(|node| node.labels.clone()).unwrap_or_default(),
            acts_on,
            version,
            policies,
            nodes,
            control_plane,
        },
        signed,
    }
}

async fn version(context: &Context) -> Option<String> {
    if let Ok(state) = context.fabric.state() {
        return state.spec.cilium;
    }
    cilium_version(&context.fabric.client().await.ok()?).await
}

/// All policies of both APIs; none where the cluster does not answer.
async fn read(context: &Context) -> Option<(Vec<Policy>, BTreeSet<IpAddr>)> {
    let client = context.fabric.client().await.ok()?;
    let first = list(&client, "v2alpha1", "CiliumBGPPeeringPolicy", "ciliumbgppeeringpolicies");
    let newer = list(&client, "v2", "CiliumBGPClusterConfig", "ciliumbgpclusterconfigs");
    let older = list(&client, "v2alpha1", "CiliumBGPClusterConfig", "ciliumbgpclusterconfigs");
    let peers = list(&client, "v2", "CiliumBGPPeerConfig", "ciliumbgppeerconfigs");
    let elder = list(&client, "v2alpha1", "CiliumBGPPeerConfig", "ciliumbgppeerconfigs");
    let (first, newer, older, peers, elder) = tokio::try_join!(first, newer, older, peers, elder).ok()?;
    let peers = peers.or(elder).unwrap_or_default();
    let secret = |data: &Value| data.pointer("/spec/authSecretRef").is_some();
    let sign: BTreeSet<String> =
        peers.iter().filter(|peer| secret(&peer.data)).map(ResourceExt::name_any).collect();
    let mut signed = BTreeSet::new();
    let mut all = Vec::new();
    for object in first.unwrap_or_default() {
        all.push(policy("CiliumBGPPeeringPolicy", &object.name_any(), &object.data, &sign, &mut signed));
    }
    for object in newer.or(older).unwrap_or_default() {
        all.push(policy("CiliumBGPClusterConfig", &object.name_any(), &object.data, &sign, &mut signed));
    }
    Some((all, signed))
}

fn policy(
    kind: &str,
    name: &str,
    data: &Value,
    sign: &BTreeSet<String>,
    signed: &mut BTreeSet<IpAddr>,
) -> Policy {
    let routers = data.pointer("/spec/virtualRouters").or_else(|| data.pointer("/spec/bgpInstances"));
    let routers = routers.and_then(Value::as_array).into_iter().flatten();
    let listed = |router: &Value| {
        let peers = router.get("neighbors").or_else(|| router.get("peers"));
        peers.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut peers = Vec::new();
    for peer in routers.flat_map(listed) {
        let text = peer.get("peerAddress").and_then(Value::as_str).unwrap_or_default();
        let address = text.parse::<IpAddr>().or_else(|_| text.parse::<IpNet>().map(|net| net.addr()));
        let Ok(address) = address else { continue };
        let config = peer.pointer("/peerConfigRef/name").and_then(Value::as_str);
        if peer.get("authSecretRef").is_some() || config.is_some_and(|config| sign.contains(config)) {
            signed.insert(address);
        }
        peers.push(address);
    }
    let selector = data.pointer("/spec/nodeSelector");
    let selector = selector.and_then(|selector| serde_json::from_value(selector.clone()).ok());
    Policy { kind: kind.to_owned(), name: name.to_owned(), selector, peers }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_apis_are_read_alike() {
        let first = json!({ "spec": { "nodeSelector": { "matchLabels": { "rack": "rack0" } }, "virtualRouters": [
            { "localASN": 65010, "neighbors": [{ "peerAddress": "10.0.0.1/32", "peerASN": 65010, "authSecretRef": "s" }] }
        ] } });
        let second = json!({ "spec": { "nodeSelector": { "matchLabels": { "rack": "rack0" } }, "bgpInstances": [
            { "name": "a", "peers": [{ "name": "tor0", "peerAddress": "10.0.0.1", "peerConfigRef": { "name": "tor" } }] }
        ] } });
        let sign = BTreeSet::from(["tor".to_owned()]);
        for (kind, data) in [("CiliumBGPPeeringPolicy", first), ("CiliumBGPClusterConfig", second)] {
            let mut signed = BTreeSet::new();
            let read = policy(kind, "rack0", &data, &sign, &mut signed);
            let address: IpAddr = "10.0.0.1".parse().unwrap();
            assert_eq!((read.peers.as_slice(), signed), ([address].as_slice(), BTreeSet::from([address])));
            assert_eq!(read.selector.unwrap().match_labels["rack"], "rack0");
        }
    }
}
