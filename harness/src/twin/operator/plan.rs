//! From CiliumBGPClusterConfigs and nodes to CiliumBGPNodeConfigs and conditions: a pure function.
//!
//! What lives here: which node gets which configuration, and what is wrong. What does not: writing it (`run`).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::core::{ApiResource, Object};

use crate::cilium::bgp::{
    CiliumBGPClusterConfigSpec, CiliumBGPNodeConfigOverrideSpec, CiliumBGPNodeConfigSpec,
    CiliumBGPPeerConfigSpec, ClusterInstance, Condition, Conditions, InstanceOverride, NodeInstance,
    NodePeer,
};
use crate::twin::agent::plan::{NodeConfig, PeerConfig};
use crate::twin::agent::selector::selects;

/// A CiliumBGPClusterConfig, in whichever version it is served.
pub type ClusterConfig = Object<CiliumBGPClusterConfigSpec, Conditions>;
/// A CiliumBGPNodeConfigOverride, in whichever version it is served.
pub type Override = Object<CiliumBGPNodeConfigOverrideSpec, Option<()>>;

/// What the operator looks at.
#[derive(Debug, Default)]
pub struct Input<'a> {
    /// The cluster's configurations.
    pub clusters: Vec<&'a ClusterConfig>,
    /// The nodes that run Cilium, with their labels: the CiliumNodes.
    pub nodes: BTreeMap<&'a str, &'a BTreeMap<String, String>>,
    /// Peer configurations, by name.
    pub peers: BTreeMap<&'a str, &'a PeerConfig>,
    /// Overrides, by node.
    pub overrides: BTreeMap<&'a str, &'a Override>,
    /// Node configurations that are there, by node.
    pub node_configs: BTreeMap<&'a str, &'a NodeConfig>,
    /// The names of the Secrets in the namespace of passwords.
    pub secrets: BTreeSet<&'a str>,
}

/// What the operator does about it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Node configurations to make, or to give this content.
    pub write: Vec<NodeConfig>,
    /// Node configurations to delete.
    pub delete: Vec<String>,
    /// The conditions of each of the cluster's configurations.
    pub clusters: BTreeMap<String, Vec<Condition>>,
    /// The conditions of each peer configuration.
    pub peers: BTreeMap<String, Vec<Condition>>,
    /// What is wrong and has no condition of its own, one sentence each.
    pub problems: Vec<String>,
    /// What of a node's override changes nothing: the node, and a sentence. An override has no status to say it in.
    pub overrides: Vec<(String, String)>,
}

/// What is to be done. `kind` is that of CiliumBGPNodeConfig as it is served; `owner_version` the version of the owner's.
pub fn plan(input: &Input<'_>, kind: &ApiResource) -> Outcome {
    let mut outcome = Outcome::default();
    // Who has which node: those that have it already, then whoever comes first by name.
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for (node, config) in &input.node_configs {
        match owner(config)
            .and_then(|uid| input.clusters.iter().find(|cluster| cluster.uid().as_deref() == Some(uid)))
        {
            Some(cluster) if selected(cluster, input, node) == Ok(true) => {
                owners.insert((*node).to_owned(), cluster.name_any());
            }
            // Nobody selects the node any more. (That its owner is gone, a real cluster's garbage collector would see.)
            _ => outcome.delete.push((*node).to_owned()),
        }
    }
    let mut clusters = input.clusters.clone();
    clusters.sort_by_key(|cluster| cluster.name_any());
    for cluster in clusters {
        one(cluster, input, kind, &mut owners, &mut outcome);
    }
    let writes: BTreeSet<String> = outcome.write.iter().map(ResourceExt::name_any).collect();
    outcome.delete.retain(|node| !writes.contains(node));
    for (name, peer) in &input.peers {
        outcome.peers.insert((*name).to_owned(), peer_conditions(peer, &input.secrets));
    }
    outcome
}

fn one(
    cluster: &ClusterConfig,
    input: &Input<'_>,
    kind: &ApiResource,
    owners: &mut BTreeMap<String, String>,
    outcome: &mut Outcome,
) {
    let name = cluster.name_any();
    let (mut matching, mut conflicts) = (0_usize, BTreeSet::new());
    for node in input.nodes.keys() {
        match selected(cluster, input, node) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(why) => {
                outcome.problems.push(format!("CiliumBGPClusterConfig {name}: nodeSelector: {why}"));
                return;
            }
        }
        matching += 1;
        let owner = owners.entry((*node).to_owned()).or_insert_with(|| name.clone());
        if *owner != name {
            conflicts.insert(owner.clone());
            continue;
        }
        let over = input.overrides.get(node).copied();
        outcome.overrides.extend(
            over.iter()
                .flat_map(|over| without_effect(cluster, over))
                .map(|why| ((*node).to_owned(), format!("CiliumBGPNodeConfigOverride {node}: {why}"))),
        );
        let spec = node_spec(cluster, over);
        let old = input.node_configs.get(node);
        let ours = |config: &&NodeConfig| config.spec == spec && owner_is(config, cluster);
        if old.filter(|config| ours(config)).is_none() {
            outcome.write.push(made(node, spec, cluster, old.copied(), kind));
        }
    }
    let missing: BTreeSet<&str> = cluster
        .spec
        .bgp_instances
        .iter()
        .flat_map(|instance| &instance.peers)
        .filter_map(|peer| peer.peer_config_ref.as_ref())
        .map(|reference| reference.name.as_str())
        .filter(|name| !input.peers.contains_key(name))
        .collect();
    let mut conditions = cluster.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
    let generation = cluster.metadata.generation;
    let mut put = |kind: &str, reason: &str, holds: bool, message: String| {
        Condition::new(&format!("cilium.io/{kind}"), holds, reason, message, generation).put(&mut conditions);
    };
    // Cilium says this whether it holds or not; the other two speak only when they do.
    put("NoMatchingNode", "NoMatchingNode", matching == 0, "No node matches spec.nodeSelector".to_owned());
    let text = listed("Referenced CiliumBGPPeerConfig(s) are missing", &missing);
    put("MissingPeerConfigs", "MissingPeerConfigs", !missing.is_empty(), text);
    let conflicts: BTreeSet<&str> = conflicts.iter().map(String::as_str).collect();
    let text = listed("Selecting the same node(s) with ClusterConfig(s)", &conflicts);
    put("ConflictingClusterConfig", "ConflictingClusterConfigs", !conflicts.is_empty(), text);
    outcome.clusters.insert(name, conditions);
}

fn listed(what: &str, names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("{what}: [{}]", names.iter().copied().collect::<Vec<_>>().join(" "))
}

/// Whether a configuration selects a node; without a selector it selects all.
fn selected(cluster: &ClusterConfig, input: &Input<'_>, node: &str) -> Result<bool, String> {
    let Some(labels) = input.nodes.get(node) else { return Ok(false) };
    match &cluster.spec.node_selector {
        None => Ok(true),
        Some(selector) => selects(Some(selector), labels),
    }
}

fn owner(config: &NodeConfig) -> Option<&str> {
    let owners = config.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().find(|owner| owner.kind == "CiliumBGPClusterConfig").map(|owner| owner.uid.as_str())
}

fn owner_is(config: &NodeConfig, cluster: &ClusterConfig) -> bool {
    owner(config).is_some_and(|uid| cluster.uid().as_deref() == Some(uid))
}

fn made(
    node: &str,
    spec: CiliumBGPNodeConfigSpec,
    cluster: &ClusterConfig,
    old: Option<&NodeConfig>,
    kind: &ApiResource,
) -> NodeConfig {
    let mut made = NodeConfig::new(node, kind, spec);
    made.metadata.resource_version = old.and_then(ResourceExt::resource_version);
    made.metadata.owner_references = Some(vec![OwnerReference {
        api_version: kind.api_version.clone(),
        kind: "CiliumBGPClusterConfig".to_owned(),
        name: cluster.name_any(),
        uid: cluster.uid().unwrap_or_default(),
        controller: Some(true),
        ..OwnerReference::default()
    }]);
    made
}

fn node_spec(cluster: &ClusterConfig, over: Option<&Override>) -> CiliumBGPNodeConfigSpec {
    let over = over.map(|over| over.spec.bgp_instances.as_slice()).unwrap_or_default();
    let instance = |instance: &ClusterInstance| {
        let found = over.iter().find(|over| over.name == instance.name).cloned();
        node_instance(instance, &found.unwrap_or_default())
    };
    CiliumBGPNodeConfigSpec { bgp_instances: cluster.spec.bgp_instances.iter().map(instance).collect() }
}

/// What of an override changes nothing on its node, by field.
fn without_effect(cluster: &ClusterConfig, over: &Override) -> Vec<String> {
    let mut found = Vec::new();
    for over in &over.spec.bgp_instances {
        let place = format!("bgpInstances {}", over.name);
        let Some(instance) = cluster.spec.bgp_instances.iter().find(|one| one.name == over.name) else {
            found
                .push(format!("{place}: CiliumBGPClusterConfig {} has no such instance", cluster.name_any()));
            continue;
        };
        for peer in &over.peers {
            let place = format!("{place}, peers {}", peer.name);
            if !instance.peers.iter().any(|one| one.name == peer.name) {
                found
                    .push(format!("{place}: CiliumBGPClusterConfig {} has no such peer", cluster.name_any()));
            }
            if let Some(port) = peer.local_port {
                found.push(format!(
                    "{place}: localPort {port} is not honoured: GoBGP dials from the port that the kernel gives, and Cilium never hands it on; leave it out (to listen, set localPort of the instance)"
                ));
            }
        }
    }
    found
}

fn node_instance(instance: &ClusterInstance, over: &InstanceOverride) -> NodeInstance {
    let peers = instance.peers.iter().map(|peer| NodePeer {
        name: peer.name.clone(),
        peer_address: peer.peer_address.clone(),
        peer_asn: peer.peer_asn,
        auto_discovery: peer.auto_discovery.clone(),
        local_address: over
            .peers
            .iter()
            .find(|over| over.name == peer.name)
            .and_then(|over| over.local_address.clone()),
        peer_config_ref: peer.peer_config_ref.clone(),
    });
    NodeInstance {
        name: instance.name.clone(),
        local_asn: over.local_asn.or(instance.local_asn),
        router_id: over.router_id.clone(),
        local_port: over.local_port.or(instance.local_port),
        peers: peers.collect(),
    }
}

fn peer_conditions(peer: &PeerConfig, secrets: &BTreeSet<&str>) -> Vec<Condition> {
    let mut conditions = peer.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
    let spec: &CiliumBGPPeerConfigSpec = &peer.spec;
    let missing = spec.auth_secret_ref.as_deref().filter(|name| !secrets.contains(name));
    let message =
        missing.map(|name| format!("Referenced Auth Secret {name:?} is missing")).unwrap_or_default();
    let kind = "cilium.io/MissingAuthSecret";
    Condition::new(kind, missing.is_some(), "MissingAuthSecret", message, peer.metadata.generation)
        .put(&mut conditions);
    conditions
}

#[cfg(test)]
mod tests;
