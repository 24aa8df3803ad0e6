//! The first API, as tables.

use std::net::IpAddr;
use std::time::Duration;

use kube::ResourceExt;
use rstest::rstest;
use serde_json::json;

use super::*;
use crate::cilium::{CiliumBGPPeeringPolicy, CiliumVersion, promises};
use crate::twin::agent::testing::neighbor;

/// What 1.12.1 makes of policies.
fn plan(policies: &[&CiliumBGPPeeringPolicy], node: &Node) -> Plan {
    plan_of("1.12.1", policies, node)
}

fn plan_of(version: &str, policies: &[&CiliumBGPPeeringPolicy], node: &Node) -> Plan {
    let version: CiliumVersion = version.parse().unwrap();
    let addresses = Addresses::default();
    super::plan(&Input {
        policies: policies.to_vec(),
        ..Input::of(version, promises(&version).unwrap(), node, &addresses)
    })
}

/// A worker of the article's cluster.
fn node() -> Node {
    serde_json::from_value(json!({
        "metadata": { "name": "worker", "labels": { "rack": "rack0", "kubernetes.io/os": "linux" } },
        "spec": { "podCIDR": "10.1.1.0/24", "podCIDRs": ["10.1.1.0/24"] },
        "status": { "addresses": [
            { "type": "InternalIP", "address": "fc00::2" },
            { "type": "InternalIP", "address": "10.0.2.2" },
            { "type": "Hostname", "address": "worker" },
        ] },
    }))
    .unwrap()
}

fn policy(name: &str, spec: serde_json::Value) -> CiliumBGPPeeringPolicy {
    CiliumBGPPeeringPolicy::new(name, serde_json::from_value(spec).unwrap())
}

/// The article's policy of one rack.
fn rack(name: &str, asn: i64, peer: &str) -> CiliumBGPPeeringPolicy {
    policy(
        name,
        json!({
            "nodeSelector": { "matchLabels": { "rack": name } },
            "virtualRouters": [
                { "localASN": asn, "exportPodCIDR": true, "neighbors": [{ "peerAddress": peer, "peerASN": asn }] },
            ],
        }),
    )
}

fn with_routers(routers: serde_json::Value) -> CiliumBGPPeeringPolicy {
    policy("p", json!({ "nodeSelector": {}, "virtualRouters": routers }))
}

#[test]
fn the_article() {
    let (rack0, rack1) = (rack("rack0", 65010, "10.0.0.1/32"), rack("rack1", 65011, "10.0.0.2/32"));
    let plan = plan(&[&rack0, &rack1], &node());
    assert_eq!((plan.problems.as_slice(), plan.keep_others), ([].as_slice(), false));
    let [router] = plan.virtual_routers.as_slice() else { panic!("{plan:?}") };
    assert_eq!(
        (router.local_asn, router.router_id, router.local_port),
        (65010, Ipv4Addr::new(10, 0, 2, 2), None)
    );
    assert_eq!(router.export, ["10.1.1.0/24".parse().unwrap()].into());
    assert_eq!(router.neighbors, [neighbor([10, 0, 0, 1], 65010)]);
    assert!(!router.filtered && !router.rejects_inbound);
}

#[test]
fn no_policy_no_speaker() {
    let silences = vec!["no CiliumBGPPeeringPolicy selects the node".to_owned()];
    let silent = Plan { silences, ..Plan::default() };
    assert_eq!(plan(&[], &node()), silent);
    assert_eq!(plan(&[&rack("rack1", 65011, "10.0.0.2/32")], &node()), silent);
}

#[test]
fn two_policies_on_one_node_remove_everything() {
    let everywhere = with_routers(
        json!([{ "localASN": 1, "neighbors": [{ "peerAddress": "1.2.3.4/32", "peerASN": 1 }] }]),
    );
    let plan = plan(&[&rack("rack0", 65010, "10.0.0.1/32"), &everywhere], &node());
    assert!(plan.virtual_routers.is_empty() && !plan.keep_others);
    assert!(plan.problems[0].contains("policies rack0, p all select node worker"), "{:?}", plan.problems);
}

#[rstest]
#[case::all(json!({}), true)]
#[case::absent(json!(null), false)]
#[case::expression(json!({ "matchExpressions": [{ "key": "rack", "operator": "In", "values": ["rack0"] }] }), true)]
#[case::negation(json!({ "matchExpressions": [{ "key": "rack", "operator": "NotIn", "values": ["rack0"] }] }), false)]
#[case::both(json!({ "matchLabels": { "rack": "rack0" }, "matchExpressions": [{ "key": "x", "operator": "Exists" }] }), false)]
fn selects_by(#[case] selector: serde_json::Value, #[case] selected: bool) {
    let neighbors = json!([{ "peerAddress": "10.0.0.1/32", "peerASN": 65010 }]);
    let mut spec = json!({ "virtualRouters": [{ "localASN": 65010, "neighbors": neighbors }] });
    if !selector.is_null() {
        spec["nodeSelector"] = selector;
    }
    let policy = policy("p", spec);
    assert_eq!(plan(&[&policy], &node()).virtual_routers.len(), usize::from(selected));
}

#[test]
fn a_selector_that_cannot_be_selects_nothing_and_is_named() {
    let spec = json!({
        "nodeSelector": { "matchExpressions": [{ "key": "rack", "operator": "In" }] },
        "virtualRouters": [{ "localASN": 1, "neighbors": [{ "peerAddress": "1.2.3.4/32", "peerASN": 1 }] }],
    });
    let plan = plan(&[&policy("odd", spec), &rack("rack0", 65010, "10.0.0.1/32")], &node());
    assert_eq!(plan.virtual_routers.len(), 1);
    assert!(plan.problems[0].starts_with("policy odd selects no node: "), "{:?}", plan.problems);
}

#[rstest]
#[case("router-id=9.9.9.9", Ipv4Addr::new(9, 9, 9, 9), None)]
#[case("local-port=1790", Ipv4Addr::new(10, 0, 2, 2), Some(1790))]
#[case("router-id=9.9.9.9,local-port=179", Ipv4Addr::new(9, 9, 9, 9), Some(179))]
fn annotations_set(#[case] value: &str, #[case] id: Ipv4Addr, #[case] port: Option<u16>) {
    let mut node = node();
    node.annotations_mut().insert("cilium.io/bgp-virtual-router.65010".to_owned(), value.to_owned());
    node.annotations_mut()
        .insert("cilium.io/bgp-virtual-router.1".to_owned(), "router-id=1.1.1.1".to_owned());
    let plan = plan(&[&rack("rack0", 65010, "10.0.0.1/32")], &node);
    assert_eq!((plan.virtual_routers[0].router_id, plan.virtual_routers[0].local_port), (id, port));
}

#[test]
fn a_bad_annotation_leaves_everything_as_it_is() {
    let mut node = node();
    node.annotations_mut().insert("cilium.io/bgp-virtual-router.65010".to_owned(), "local-port=x".to_owned());
    let plan = plan(&[&rack("rack0", 65010, "10.0.0.1/32")], &node);
    assert!(plan.virtual_routers.is_empty() && plan.keep_others);
    assert!(plan.problems[0].contains("local-port `x`"), "{:?}", plan.problems);
}

#[test]
fn several_speakers_and_one_that_cannot_be() {
    let policy = with_routers(json!([
        { "localASN": 65020, "neighbors": [{ "peerAddress": "10.0.0.1/32", "peerASN": 65000 }] },
        { "localASN": 65010, "exportPodCIDR": true, "neighbors": [{ "peerAddress": "fc00::1/128", "peerASN": 65000 }] },
        { "localASN": 65030, "neighbors": [{ "peerAddress": "10.0.0.1", "peerASN": 65000 }] },
    ]));
    let plan = plan(&[&policy], &node());
    let asns: Vec<u32> = plan.virtual_routers.iter().map(|router| router.local_asn).collect();
    assert_eq!(asns, [65010, 65020]);
    assert!(plan.virtual_routers[1].export.is_empty() && !plan.keep_others);
    assert!(plan.problems[0].contains("virtualRouters[2]") && plan.problems[0].contains("10.0.0.1/32"));
}

#[test]
fn the_second_of_one_local_asn_is_not_read() {
    let router =
        |peer: &str| json!({ "localASN": 65010, "neighbors": [{ "peerAddress": peer, "peerASN": 65010 }] });
    let plan = plan(&[&with_routers(json!([router("10.0.0.1/32"), router("10.0.0.9/32")]))], &node());
    assert_eq!(plan.virtual_routers.len(), 1);
    assert_eq!(plan.virtual_routers[0].neighbors[0].address, "10.0.0.1".parse::<IpAddr>().unwrap());
    assert!(plan.keep_others && plan.problems[0].contains("localASN 65010 is there twice"));
}

#[test]
fn the_same_neighbor_twice_is_one_and_with_two_as_numbers_none() {
    let peer = |asn: i64| json!({ "peerAddress": "10.0.0.1/32", "peerASN": asn });
    let twice = with_routers(json!([{ "localASN": 1, "neighbors": [peer(5), peer(5)] }]));
    assert_eq!(plan(&[&twice], &node()).virtual_routers[0].neighbors.len(), 1);
    let torn = with_routers(json!([{ "localASN": 1, "neighbors": [peer(5), peer(6)] }]));
    let plan = plan(&[&torn], &node());
    assert!(plan.virtual_routers.is_empty() && plan.problems[0].contains("with AS 5 and with AS 6"));
}

#[test]
fn without_an_address_there_is_no_router_id() {
    let mut node = node();
    node.status = None;
    let plan = plan(&[&rack("rack0", 65010, "10.0.0.1/32")], &node);
    assert!(plan.virtual_routers.is_empty());
    assert!(plan.problems[0].contains("router-id="), "{:?}", plan.problems);
}

#[test]
fn pod_cidrs_come_from_the_node() {
    let mut node = node();
    let spec = node.spec.as_mut().unwrap();
    spec.pod_cidrs = Some(vec!["10.1.7.0/24".to_owned(), "fd00:1::/64".to_owned()]);
    spec.pod_cidr = Some("10.1.7.0/24".to_owned());
    assert_eq!(pod_cidrs(&node).unwrap().len(), 2);
    node.spec.as_mut().unwrap().pod_cidrs = Some(vec!["10.1.7.0".to_owned()]);
    let plan = plan(&[&rack("rack0", 65010, "10.0.0.1/32")], &node);
    assert!(plan.virtual_routers.is_empty() && plan.problems[0].contains("`10.1.7.0` is no CIDR"));
    node.spec = None;
    assert!(pod_cidrs(&node).unwrap().is_empty());
}

#[test]
fn everything_a_policy_of_1_16_can_say() {
    let policy = with_routers(json!([{
        "localASN": 65010, "exportPodCIDR": true,
        "neighbors": [{
            "peerAddress": "10.0.0.1/32", "peerASN": 65000, "peerPort": 1790, "eBGPMultihopTTL": 3,
            "connectRetryTimeSeconds": 5, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3,
            "gracefulRestart": { "enabled": true, "restartTimeSeconds": 60 },
            "families": [{ "afi": "ipv4", "safi": "unicast" }],
            "authSecretRef": "absent",
            "advertisedPathAttributes": [
                { "selectorType": "PodCIDR", "communities": { "standard": ["65010:7"], "wellKnown": ["no-export"] }, "localPreference": 150 },
                { "selectorType": "CiliumPodIPPool" },
            ],
        }],
    }]));
    let plan = plan_of("1.16.0", &[&policy], &node());
    let [router] = plan.virtual_routers.as_slice() else { panic!("{plan:?}") };
    let neighbor = &router.neighbors[0];
    let seconds = Duration::from_secs;
    assert_eq!((neighbor.port, neighbor.ebgp_ttl, neighbor.hold), (1790, 3, seconds(9)));
    assert_eq!((neighbor.connect_retry, neighbor.keepalive), (seconds(5), seconds(3)));
    assert_eq!((neighbor.graceful_restart, neighbor.idle_after_reset), (Some(seconds(60)), Some(seconds(5))));
    assert_eq!((neighbor.families.as_slice(), neighbor.password.clone()), ([Family::IPV4].as_slice(), None));
    let said = &neighbor.exports.prefixes[&"10.1.1.0/24".parse().unwrap()];
    assert_eq!(said.communities, ["65010:7".to_owned(), "no-export".to_owned()].into());
    assert_eq!(said.local_preference, Some(150));
    assert!(neighbor.exports.others && router.filtered && router.rejects_inbound);
    // What is not done is said, by field.
    assert!(plan.problems.iter().any(|one| one.contains("kube-system/absent")), "{:?}", plan.problems);
    assert!(
        plan.problems.iter().any(|one| one.contains("advertisedPathAttributes[1]")),
        "{:?}",
        plan.problems
    );
}

#[test]
fn a_keepalive_above_the_hold_time_is_refused() {
    let policy = with_routers(json!([{ "localASN": 1, "neighbors": [
        { "peerAddress": "10.0.0.1/32", "peerASN": 1, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 10 },
    ] }]));
    let plan = plan_of("1.14.0", &[&policy], &node());
    assert!(plan.virtual_routers.is_empty());
    assert!(
        plan.problems[0].contains("keepAliveTimeSeconds 10 is above holdTimeSeconds 9"),
        "{:?}",
        plan.problems
    );
}
