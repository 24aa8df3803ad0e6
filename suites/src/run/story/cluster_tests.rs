//! What happened between two snapshots, without a fabric.

use std::path::Path;
use std::time::Duration;

use fabric_harness::lab::load;
use fabric_harness::router::LinkAddress;
use fabric_harness::runtime::keeper::{AgentSession, AgentSpeaker};
use serde_json::{Value, json};

use super::super::super::atlas::{AgentSeen, Interfaces};
use super::*;
use crate::expect::Expect;

fn object<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn nothing() -> Atlas {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
    let lab = load::<Expect>(&dir).unwrap_or_else(|error| panic!("{error}"));
    let mut atlas = Atlas::before(&lab.topology, lab.cluster.as_ref());
    let address = |dev: &str, address: &str| LinkAddress {
        dev: dev.into(),
        address: address.parse().unwrap(),
        tentative: false,
    };
    let link = Link { index: 1, name: "net1".into(), up: true, carrier: true, mtu: 1500 };
    let seen = Interfaces { links: vec![link], addresses: vec![address("lo", "10.0.0.1/32")], unread: None };
    atlas.interfaces.insert("tor0".into(), seen);
    atlas.nodes = Some(vec![object(json!({"metadata": {"name": WORKER}}))]);
    atlas.pods = Some(Vec::new());
    atlas
}

const WORKER: &str = "clab-bgp-cplane-demo-worker";

fn told(before: &Atlas, after: &Atlas) -> Vec<String> {
    between(before, after).into_iter().map(|news| format!("{}: {}", news.source, news.what)).collect()
}

#[test]
fn what_is_there_at_first_is_no_news() {
    let atlas = nothing();
    let empty = Atlas::before(&atlas.topology, atlas.cluster.as_deref());
    assert!(told(&empty, &atlas).is_empty());
    assert!(told(&atlas, &atlas).is_empty());
}

#[test]
fn links_and_addresses_come_and_go() {
    let (before, mut after) = (nothing(), nothing());
    let seen = after.interfaces.get_mut("tor0").unwrap();
    seen.links[0].carrier = false;
    seen.addresses[0].address = "10.0.0.9/32".parse().unwrap();
    assert_eq!(
        told(&before, &after),
        ["tor0: net1 went down", "tor0: 10.0.0.1/32 left lo", "tor0: 10.0.0.9/32 came to lo"]
    );
}

#[test]
fn a_pod_has_its_story() {
    let pod = |uid: &str, node: Value, ip: Value, ready: &str| {
        object(json!({
            "metadata": {"namespace": "default", "name": "nettool-1", "uid": uid},
            "spec": {"nodeName": node, "containers": []},
            "status": {"podIP": ip, "conditions": [{"type": "Ready", "status": ready}]},
        }))
    };
    let at = |pods: Vec<Pod>| Atlas { pods: Some(pods), ..nothing() };
    let steps = [
        at(vec![]),
        at(vec![pod("a", json!(null), json!(null), "False")]),
        at(vec![pod("a", json!("worker"), json!("10.1.1.7"), "True")]),
        // Another pod of that name.
        at(vec![pod("b", json!("worker2"), json!(null), "False")]),
    ];
    let story: Vec<String> = steps.windows(2).flat_map(|two| told(&two[0], &two[1])).collect();
    assert_eq!(
        story,
        [
            "default/nettool-1: the pod was made",
            "default/nettool-1: the pod was scheduled onto worker",
            "default/nettool-1: the pod has the address 10.1.1.7",
            "default/nettool-1: the pod is Ready",
            "default/nettool-1: the pod was made",
            "default/nettool-1: the pod was scheduled onto worker2",
            "default/nettool-1: the pod is gone",
        ]
    );
}

#[test]
fn a_node_turns_ready() {
    let mut after = nothing();
    after.nodes = Some(vec![object(json!({
        "metadata": {"name": WORKER},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }))]);
    assert_eq!(told(&nothing(), &after), [format!("{WORKER}: the node is Ready")]);
    assert_eq!(told(&after, &nothing()), [format!("{WORKER}: the node is not Ready any more")]);
}

#[test]
fn speakers_and_their_sessions_tell() {
    let began = SystemTime::now() - Duration::from_secs(9);
    let agent = |session: Option<AgentSession>| {
        let neighbors = session.map(|session| AgentNeighbor {
            address: "10.0.0.1".parse().unwrap(),
            asn: 65_010,
            local_asn: 65_010,
            families: vec![],
            session: Some(session),
        });
        let speakers = neighbors.iter().map(|_| AgentSpeaker {
            instance: None,
            asn: 65_010,
            router_id: "10.0.2.2".parse().unwrap(),
            local_port: None,
            started_at: Some(began),
            restarts: 0,
            advertised: vec![],
        });
        let info = AgentInfo {
            node: WORKER.into(),
            speakers: speakers.collect(),
            neighbors: neighbors.into_iter().collect(),
            ..AgentInfo::default()
        };
        Atlas { agents: Some(vec![AgentSeen { info, settled: None, ignores: None }]), ..nothing() }
    };
    let down = AgentSession { added_at: began, up_since: None, times_up: 0, last_down: None };
    let up = AgentSession { up_since: Some(began + Duration::from_secs(5)), times_up: 1, ..down.clone() };
    let lost = AgentSession { last_down: Some("hold-timer-expired".into()), times_up: 1, ..down.clone() };
    let steps = [agent(None), agent(Some(down)), agent(Some(up)), agent(Some(lost)), agent(None)];
    let story: Vec<String> = steps.windows(2).flat_map(|two| told(&two[0], &two[1])).collect();
    let of = |text: &str| format!("{WORKER}: {text}");
    assert_eq!(
        story,
        [
            of("the speaker of AS 65010 runs"),
            of("session 10.0.0.1: not configured -> Down"),
            of("session 10.0.0.1: Down -> Established"),
            of("session 10.0.0.1: Established -> Down (hold-timer-expired)"),
            of("the speaker of AS 65010 has ended"),
            of("session 10.0.0.1: Down -> not configured"),
        ]
    );
    let news = between(&steps[1], &steps[2]);
    assert_eq!(news[0].at, Some(began + Duration::from_secs(5)), "the log knows when");
    assert!(
        matches!(&news[0].of, Happening::Session { peer: Some(peer), .. } if peer == "tor0"),
        "{:?}",
        news[0]
    );
}
