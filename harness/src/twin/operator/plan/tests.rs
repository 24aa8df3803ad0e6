//! Tables for the operator's decision, and the objects a real one made.

use serde_json::{Value, json};

use super::*;

/// `kubectl get ciliumbgpclusterconfigs,... -o json` of a cluster with Cilium 1.20-dev and the article's fabric.
const RECORDED: &str = include_str!("../../../../../fixtures/recorded/cilium-1.20-dev/bgp-objects.json");

fn kind() -> ApiResource {
    ApiResource {
        group: "cilium.io".into(),
        version: "v2".into(),
        api_version: "cilium.io/v2".into(),
        kind: "CiliumBGPNodeConfig".into(),
        plural: "ciliumbgpnodeconfigs".into(),
    }
}

fn cluster(name: &str, rack: Option<&str>) -> ClusterConfig {
    let mut spec = json!({ "bgpInstances": [{
        "name": "65010", "localASN": 65010,
        "peers": [{ "name": "tor0", "peerASN": 65010, "peerAddress": "10.0.0.1", "peerConfigRef": { "name": "tor" } }],
    }] });
    if let Some(rack) = rack {
        spec["nodeSelector"] = json!({ "matchLabels": { "rack": rack } });
    }
    serde_json::from_value(json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumBGPClusterConfig",
        "metadata": { "name": name, "uid": format!("uid-{name}"), "generation": 1 }, "spec": spec,
    }))
    .unwrap()
}

fn racks() -> BTreeMap<String, BTreeMap<String, String>> {
    [("worker", "rack0"), ("worker2", "rack1")]
        .map(|(node, rack)| (node.to_owned(), [("rack".to_owned(), rack.to_owned())].into()))
        .into()
}

fn input<'a>(
    clusters: &'a [ClusterConfig],
    nodes: &'a BTreeMap<String, BTreeMap<String, String>>,
    configs: &'a [NodeConfig],
) -> Input<'a> {
    Input {
        clusters: clusters.iter().collect(),
        nodes: nodes.iter().map(|(name, labels)| (name.as_str(), labels)).collect(),
        node_configs: configs.iter().map(|one| (one.metadata.name.as_deref().unwrap(), one)).collect(),
        ..Input::default()
    }
}

fn condition(outcome: &Outcome, cluster: &str, kind: &str) -> (String, String) {
    let kind = format!("cilium.io/{kind}");
    let found = outcome.clusters[cluster].iter().find(|one| one.type_ == kind).unwrap();
    (found.status.clone(), found.message.clone())
}

#[test]
fn the_objects_of_a_real_cluster_are_made_again() {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let of = |kind: &str| {
        recorded["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["kind"] == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let read = |kind: &str| -> Vec<ClusterConfig> {
        of(kind).into_iter().map(|one| serde_json::from_value(one).unwrap()).collect()
    };
    let clusters = read("CiliumBGPClusterConfig");
    let peers: Vec<PeerConfig> =
        of("CiliumBGPPeerConfig").into_iter().map(|one| serde_json::from_value(one).unwrap()).collect();
    let theirs = of("CiliumBGPNodeConfig");
    assert_eq!((clusters.len(), peers.len(), theirs.len()), (2, 1, 4));
    let racks = |owner: &str| if owner == "rack0" { "rack0" } else { "rack1" };
    let nodes: BTreeMap<String, BTreeMap<String, String>> = theirs
        .iter()
        .map(|one| {
            let owner = one["metadata"]["ownerReferences"][0]["name"].as_str().unwrap();
            let labels = [("rack".to_owned(), racks(owner).to_owned())].into();
            (one["metadata"]["name"].as_str().unwrap().to_owned(), labels)
        })
        .collect();
    let mut input = input(&clusters, &nodes, &[]);
    input.peers = peers.iter().map(|one| (one.metadata.name.as_deref().unwrap(), one)).collect();
    let outcome = plan(&input, &kind());
    assert_eq!(outcome.write.len(), 4);
    for made in &outcome.write {
        let made = serde_json::to_value(made).unwrap();
        let theirs = theirs.iter().find(|one| one["metadata"]["name"] == made["metadata"]["name"]).unwrap();
        assert_eq!(made["spec"], theirs["spec"]);
        assert_eq!(made["metadata"]["ownerReferences"], theirs["metadata"]["ownerReferences"]);
        assert_eq!(made["apiVersion"], theirs["apiVersion"]);
    }
    // The conditions of the recorded objects are what we would write: nothing changes.
    for theirs in &clusters {
        assert_eq!(outcome.clusters[&theirs.name_any()], theirs.status.as_ref().unwrap().conditions);
    }
    assert_eq!(outcome.peers["tor"], peers[0].status.as_ref().unwrap().conditions);
}

#[test]
fn a_node_goes_when_nobody_selects_it_any_more() {
    let (clusters, mut nodes) = ([cluster("rack0", Some("rack0"))], racks());
    let first = plan(&input(&clusters, &nodes, &[]), &kind());
    assert_eq!(first.write.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["worker"]);
    let configs = first.write;
    let again = plan(&input(&clusters, &nodes, &configs), &kind());
    assert!(again.write.is_empty() && again.delete.is_empty());
    assert_eq!(plan(&input(&[], &nodes, &configs), &kind()).delete, ["worker"]);
    nodes.get_mut("worker").unwrap().insert("rack".into(), "rack9".into());
    let gone = plan(&input(&clusters, &nodes, &configs), &kind());
    assert_eq!(gone.delete, ["worker"]);
    assert_eq!(condition(&gone, "rack0", "NoMatchingNode").0, "True");
}

#[test]
fn the_second_to_select_a_node_is_told_and_waits() {
    let (clusters, nodes) = ([cluster("a", None), cluster("b", Some("rack0"))], racks());
    let first = plan(&input(&clusters[1..], &nodes, &[]), &kind());
    let configs = first.write;
    // `b` has worker already: `a` comes too late for it, though it is first by name.
    let both = plan(&input(&clusters, &nodes, &configs), &kind());
    assert_eq!(both.write.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["worker2"]);
    let said = condition(&both, "a", "ConflictingClusterConfig");
    assert_eq!(said, ("True".to_owned(), "Selecting the same node(s) with ClusterConfig(s): [b]".to_owned()));
    assert_eq!(condition(&both, "b", "ConflictingClusterConfig").0, "False");
    // When `b` goes, `a` gets the node.
    let after = plan(&input(&clusters[..1], &nodes, &configs), &kind());
    assert_eq!(after.write.len(), 2);
    assert!(after.delete.is_empty());
}

#[test]
fn a_missing_peer_configuration_and_a_missing_secret_are_said() {
    let (clusters, nodes) = ([cluster("rack0", None)], racks());
    let outcome = plan(&input(&clusters, &nodes, &[]), &kind());
    let said = condition(&outcome, "rack0", "MissingPeerConfigs");
    assert_eq!(said, ("True".to_owned(), "Referenced CiliumBGPPeerConfig(s) are missing: [tor]".to_owned()));
    let peer: PeerConfig = serde_json::from_value(json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumBGPPeerConfig", "metadata": { "name": "tor" },
        "spec": { "authSecretRef": "bgp" },
    }))
    .unwrap();
    let missing = peer_conditions(&peer, &BTreeSet::new());
    assert_eq!(
        (missing[0].status.as_str(), missing[0].message.as_str()),
        ("True", "Referenced Auth Secret \"bgp\" is missing")
    );
    assert_eq!(peer_conditions(&peer, &["bgp"].into())[0].status, "False");
}

#[test]
fn overrides_are_of_one_node() {
    let (clusters, nodes) = ([cluster("all", None)], racks());
    let over: Override = serde_json::from_value(json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumBGPNodeConfigOverride", "metadata": { "name": "worker" },
        "spec": { "bgpInstances": [{
            "name": "65010", "routerID": "10.9.9.9", "localASN": 65099, "localPort": 1790,
            "peers": [{ "name": "tor0", "localAddress": "10.0.2.2" }],
        }] },
    }))
    .unwrap();
    let mut input = input(&clusters, &nodes, &[]);
    input.overrides.insert("worker", &over);
    let outcome = plan(&input, &kind());
    let instance = |node: &str| {
        outcome.write.iter().find(|one| one.name_any() == node).unwrap().spec.bgp_instances[0].clone()
    };
    let changed = instance("worker");
    assert_eq!((changed.router_id.as_deref(), changed.local_asn), (Some("10.9.9.9"), Some(65099)));
    assert_eq!(
        (changed.local_port, changed.peers[0].local_address.as_deref()),
        (Some(1790), Some("10.0.2.2"))
    );
    assert!(outcome.overrides.is_empty());
    let other = instance("worker2");
    assert_eq!(
        (other.router_id, other.local_asn, other.peers[0].local_address.clone()),
        (None, Some(65010), None)
    );
}

#[test]
fn what_of_an_override_changes_nothing_is_named() {
    let (clusters, nodes) = ([cluster("all", None)], racks());
    let over: Override = serde_json::from_value(json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumBGPNodeConfigOverride", "metadata": { "name": "worker" },
        "spec": { "bgpInstances": [
            { "name": "65010", "peers": [{ "name": "tor0", "localPort": 1790 }, { "name": "tor9" }] },
            { "name": "65099" },
        ] },
    }))
    .unwrap();
    let mut input = input(&clusters, &nodes, &[]);
    input.overrides.insert("worker", &over);
    let outcome = plan(&input, &kind());
    let said: Vec<&str> = outcome.overrides.iter().map(|(_, why)| why.as_str()).collect();
    assert!(outcome.overrides.iter().all(|(node, _)| node == "worker"));
    assert!(said[0].contains("bgpInstances 65010, peers tor0: localPort 1790 is not honoured"), "{said:?}");
    assert!(said[1].contains("peers tor9: CiliumBGPClusterConfig all has no such peer"), "{said:?}");
    assert!(
        said[2].contains("bgpInstances 65099: CiliumBGPClusterConfig all has no such instance"),
        "{said:?}"
    );
    assert_eq!(said.len(), 3);
}
