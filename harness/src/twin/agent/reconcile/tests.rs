//! The loop from end to end, over a pretended API server: with a pretended gobgpd in milliseconds, and (ignored) with a
//! real one.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::twin::agent::testing::{
    ADVERTISEMENTS, NODE_CONFIGS, NODES, Netns, PEER_CONFIGS, POLICIES, Pretended, Server,
};
use crate::wait::{Deadline, until};

struct Bench {
    server: Server,
    status: watch::Receiver<AgentStatus>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
}

fn bench(node: NodeRef, version: &str) -> Bench {
    let server = Server::new();
    server.put(NODES, worker(json!({ "rack": "rack0" }), json!({})));
    server.define(version);
    let (sender, status) = watch::channel(AgentStatus::default());
    let stop = CancellationToken::new();
    let running = run(
        server.client(),
        "worker".to_owned(),
        node,
        version.parse().unwrap(),
        BgpSettings::default(),
        sender,
        stop.clone(),
    );
    Bench { server, status, stop, task: tokio::spawn(running) }
}

fn worker(labels: Value, annotations: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": "worker", "uid": "1", "labels": labels, "annotations": annotations },
        "spec": { "podCIDR": "10.1.1.0/24", "podCIDRs": ["10.1.1.0/24"] },
        "status": { "addresses": [{ "type": "InternalIP", "address": "10.9.0.1" }] },
    })
}

fn spec(peers: &[&str], export: bool) -> Value {
    let neighbors: Vec<Value> =
        peers.iter().map(|peer| json!({ "peerAddress": peer, "peerASN": 65010 })).collect();
    json!({
        "nodeSelector": { "matchLabels": { "rack": "rack0" } },
        "virtualRouters": [{ "localASN": 65010, "exportPodCIDR": export, "neighbors": neighbors }],
    })
}

impl Bench {
    async fn until(&mut self, what: &str, condition: impl Fn(&AgentStatus) -> bool) -> AgentStatus {
        let deadline = Deadline::of(what, Duration::from_secs(15));
        match until(&mut self.status, &deadline, condition).await {
            Ok(status) => status,
            Err(late) => panic!("{late}: {:#?}", late.last),
        }
    }

    async fn end(self) -> AgentStatus {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.status.borrow().clone()
    }
}

const ADVERTISE: &str = "global rib add -a ipv4 10.1.1.0/24 origin igp nexthop 0.0.0.0";

fn one_router(status: &AgentStatus) -> bool {
    status.virtual_routers.len() == 1
}

#[tokio::test]
async fn a_policy_comes_changes_and_goes() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.12.1");
    bench.until("the first look", |status| status.phase == Phase::Running).await;
    assert!(node.done().is_empty());

    bench.server.put_policy("rack0", spec(&["10.9.0.2/32"], true));
    let status = bench.until("a speaker", one_router).await;
    assert_eq!(node.done(), ["start", ADVERTISE]);
    let router = &status.virtual_routers[0];
    assert_eq!((router.asn, router.router_id), (65010, "10.9.0.1".parse().unwrap()));
    assert_eq!(router.advertised, ["10.1.1.0/24".parse().unwrap()]);
    assert!(router.neighbors[0].seen.is_some() && router.speaker_started_at.is_some());
    assert!(status.policies_seen.contains_key("rack0"));

    bench.server.put_policy("rack0", spec(&["10.9.0.2/32", "10.9.0.3/32"], false));
    bench.until("two neighbors", |status| status.virtual_routers[0].neighbors.len() == 2).await;
    assert_eq!(node.done(), ["SIGHUP", "global rib del -a ipv4 10.1.1.0/24"]);

    // The same once more: seen, and nothing done.
    bench.server.put_policy("rack0", spec(&["10.9.0.2/32", "10.9.0.3/32"], false));
    let seen = status.policies_seen["rack0"].parse::<u32>().unwrap() + 2;
    bench.until("the third version", |status| status.policies_seen["rack0"] == seen.to_string()).await;
    assert!(node.done().is_empty());

    bench.server.delete(POLICIES, "rack0");
    bench.until("no speaker", |status| status.virtual_routers.is_empty()).await;
    assert_eq!(node.done(), ["SIGHUP", "SIGTERM"]);
    let last = bench.end().await;
    assert_eq!((last.phase, last.problems.len()), (Phase::Stopped, 0));
    assert!(node.done().is_empty());
}

#[tokio::test]
async fn two_policies_on_one_node_end_its_sessions_and_say_so() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.12.1");
    bench.server.put_policy("rack0", spec(&["10.9.0.2/32"], false));
    bench.until("a speaker", one_router).await;
    bench.server.put_policy("other", spec(&["10.9.0.3/32"], false));
    let status = bench.until("no speaker", |status| status.virtual_routers.is_empty()).await;
    assert!(status.problems[0].contains("policies other, rack0"), "{:?}", status.problems);
    let warned = |written: &Vec<Value>| written.iter().any(|object| object["reason"] == "BGPProblem");
    until(&mut bench.server.written(), &Deadline::default().margin(), warned).await.unwrap();
    bench.server.delete(POLICIES, "rack0");
    let status = bench.until("the other's", one_router).await;
    assert_eq!(status.virtual_routers[0].neighbors[0].address, "10.9.0.3".parse::<IpAddr>().unwrap());
    assert!(status.problems.is_empty());
    bench.end().await;
}

#[tokio::test]
async fn labels_and_annotations_of_the_node_count() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.12.1");
    bench.server.put_policy("rack0", spec(&["10.9.0.2/32"], false));
    bench.until("a speaker", one_router).await;
    node.done();
    let annotations = json!({ "cilium.io/bgp-virtual-router.65010": "local-port=179" });
    bench.server.put(NODES, worker(json!({ "rack": "rack0" }), annotations));
    bench
        .until("a listener", |status| {
            status.virtual_routers.iter().any(|router| router.local_port == Some(179))
        })
        .await;
    assert_eq!(node.done(), ["SIGHUP", "SIGTERM", "start"]);
    // A mistake leaves everything as it is.
    let annotations = json!({ "cilium.io/bgp-virtual-router.65010": "local-port=bgp" });
    bench.server.put(NODES, worker(json!({ "rack": "rack0" }), annotations));
    let status = bench.until("a problem", |status| !status.problems.is_empty()).await;
    assert_eq!(status.virtual_routers[0].local_port, Some(179));
    assert!(node.done().is_empty());
    bench.server.put(NODES, worker(json!({ "rack": "rack1" }), json!({})));
    bench.until("no speaker", |status| status.virtual_routers.is_empty()).await;
    bench.end().await;
}

#[tokio::test]
async fn a_speaker_that_dies_is_started_again() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.12.1");
    bench.server.put_policy("rack0", spec(&["10.9.0.2/32"], true));
    bench.until("a speaker", one_router).await;
    node.done();
    node.crash();
    bench.until("a second one", |status| status.virtual_routers[0].restarts == 1).await;
    assert_eq!(node.done(), ["SIGKILL", "start", ADVERTISE]);
    let told = |written: &Vec<Value>| written.iter().any(|object| object["reason"] == "BGPSpeakerRestarted");
    until(&mut bench.server.written(), &Deadline::default().margin(), told).await.unwrap();
    // Twice in a moment: now it waits, as kubelet would.
    node.crash();
    bench.until("a wait", |status| status.virtual_routers[0].speaker_started_at.is_none()).await;
    assert_eq!(node.done(), ["SIGKILL"]);
    bench.end().await;
}

#[tokio::test]
async fn a_speaker_that_cannot_start_is_a_problem_and_new_input_a_new_try() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.12.1");
    node.breaks(Some("no such address family"));
    bench.server.put_policy("rack0", spec(&["10.9.0.2/32"], false));
    let status = bench.until("a problem", |status| !status.problems.is_empty()).await;
    assert!(status.problems[0].contains("no such address family"), "{:?}", status.problems);
    assert!(status.virtual_routers[0].speaker_started_at.is_none());
    node.breaks(None);
    bench.server.put_policy("rack0", spec(&["10.9.0.3/32"], false));
    let running = |status: &AgentStatus| status.virtual_routers[0].speaker_started_at.is_some();
    assert!(bench.until("a speaker", running).await.problems.is_empty());
    bench.end().await;
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_does_not_hide_the_others() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.12.1");
    bench.server.put_policy("broken", json!({ "virtualRouters": "none" }));
    bench.server.put_policy("rack0", spec(&["10.9.0.2/32"], false));
    let status = bench.until("a speaker", one_router).await;
    assert!(status.problems[0].contains("policy broken cannot be read"), "{:?}", status.problems);
    bench.end().await;
}

#[tokio::test]
async fn the_agent_waits_for_its_definitions_and_writes_its_node() {
    let node = Pretended::default();
    let server = Server::new();
    server.put(NODES, worker(json!({}), json!({})));
    let (sender, status) = watch::channel(AgentStatus::default());
    let stop = CancellationToken::new();
    let version: CiliumVersion = "1.12.1".parse().unwrap();
    let running = run(
        server.client(),
        "worker".to_owned(),
        node.node(),
        version,
        BgpSettings::default(),
        sender,
        stop.clone(),
    );
    let task = tokio::spawn(running);
    tokio::task::yield_now().await;
    assert_eq!(status.borrow().phase, Phase::Starting);
    server.define("1.12.1");
    let written = |written: &Vec<Value>| written.iter().any(|object| object["kind"] == "CiliumNode");
    let all = until(&mut server.written(), &Deadline::default().margin(), written).await.unwrap();
    assert_eq!(all[0]["spec"]["ipam"]["podCIDRs"], json!(["10.1.1.0/24"]));
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn from_1_14_on_an_agent_leaves_without_a_word_and_from_1_19_on_it_reads_no_policy() {
    let node = Pretended::default();
    let mut bench14 = bench(node.node(), "1.14.0");
    bench14.server.put_policy("rack0", spec(&["10.9.0.2/32"], false));
    bench14.until("a speaker", one_router).await;
    node.done();
    bench14.end().await;
    assert_eq!(node.done(), ["SIGKILL"]);

    let mut bench19 = bench(node.node(), "1.19.0");
    bench19.server.put_policy("rack0", spec(&["10.9.0.2/32"], false));
    let status = bench19.until("the first look", |status| status.phase == Phase::Running).await;
    assert!(status.virtual_routers.is_empty() && status.policies_seen.is_empty());
    bench19.end().await;
    assert!(node.done().is_empty());
}

fn resource(kind: &str, name: &str, labels: Value, spec: Value) -> Value {
    let metadata = json!({ "name": name, "uid": format!("uid-{name}"), "labels": labels });
    json!({ "apiVersion": "cilium.io/v2", "kind": kind, "metadata": metadata, "spec": spec })
}

/// What was done beside looking.
fn deeds(node: &Pretended) -> Vec<String> {
    node.done().into_iter().filter(|done| !done.starts_with("-j ")).collect()
}

#[tokio::test]
async fn the_second_api_speaks_before_it_advertises_and_goes_with_its_configuration() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.20.0");
    let families = json!([{ "afi": "ipv4", "safi": "unicast", "advertisements": { "matchLabels": { "advertise": "bgp" } } }]);
    bench.server.put(
        PEER_CONFIGS,
        resource("CiliumBGPPeerConfig", "tor", json!({}), json!({ "families": families })),
    );
    let peer = json!({ "name": "tor0", "peerASN": 65010, "peerAddress": "10.9.0.2", "peerConfigRef": { "name": "tor" } });
    let instance = json!({ "name": "rack0", "localASN": 65010, "peers": [peer] });
    let config = json!({ "bgpInstances": [instance] });
    bench.server.put(NODE_CONFIGS, resource("CiliumBGPNodeConfig", "worker", json!({}), config));
    let status = bench.until("a speaker", one_router).await;
    assert_eq!(status.virtual_routers[0].instance.as_deref(), Some("rack0"));
    assert_eq!(status.virtual_routers[0].neighbors[0].name.as_deref(), Some("tor0"));
    assert!(status.second_seen.as_ref().is_some_and(|seen| seen.node_config.is_some()));
    assert_eq!(deeds(&node), ["start"]);

    // The policies first, then the route.
    let pods = json!({ "advertisements": [{ "advertisementType": "PodCIDR" }] });
    let labels = json!({ "advertise": "bgp" });
    bench.server.put(ADVERTISEMENTS, resource("CiliumBGPAdvertisement", "pods", labels, pods));
    bench.until("a route", |status| !status.virtual_routers[0].advertised.is_empty()).await;
    assert_eq!(deeds(&node), ["SIGHUP", "neighbor 10.9.0.2 softresetout", ADVERTISE]);

    bench.server.delete(ADVERTISEMENTS, "pods");
    bench.until("no route", |status| status.virtual_routers[0].advertised.is_empty()).await;
    let gone = "global rib del -a ipv4 10.1.1.0/24";
    assert_eq!(deeds(&node), ["SIGHUP", "neighbor 10.9.0.2 softresetout", gone]);

    let told = |written: &Vec<Value>| {
        written.iter().any(|object| object["status"]["bgpInstances"][0]["name"] == "rack0")
    };
    until(&mut bench.server.written(), &Deadline::default().margin(), told).await.unwrap();
    bench.server.delete(NODE_CONFIGS, "worker");
    bench.until("no speaker", |status| status.virtual_routers.is_empty()).await;
    assert_eq!(deeds(&node), ["SIGHUP", "SIGTERM"]);
    bench.end().await;
}

#[tokio::test]
async fn what_the_second_api_cannot_have_is_in_the_status_of_the_node_configuration() {
    let node = Pretended::default();
    let mut bench = bench(node.node(), "1.20.0");
    let config = json!({ "bgpInstances": [{ "name": "rack0", "peers": [] }] });
    bench.server.put(NODE_CONFIGS, resource("CiliumBGPNodeConfig", "worker", json!({}), config));
    bench.until("a problem", |status| !status.problems.is_empty()).await;
    let told = |written: &Vec<Value>| {
        written.iter().any(|object| {
            let condition = &object["status"]["conditions"][0];
            condition["type"] == "cilium.io/BGPReconcileError"
                && condition["status"] == "True"
                && condition["message"]
                    .as_str()
                    .is_some_and(|text| text.starts_with("rack0: ") && text.contains("localASN"))
        })
    };
    until(&mut bench.server.written(), &Deadline::default().margin(), told).await.unwrap();
    bench.end().await;
}

/// The whole way: an object in the API, a session with its route on the other end, and the Cease when it is deleted.
#[tokio::test]
#[ignore = "needs a real gobgpd and 5 to 10 s"]
async fn a_policy_becomes_a_real_session() {
    use crate::twin::agent::speaker::{Family, Speaker};
    use crate::twin::agent::testing;

    let (near, far) = Netns::pair("worker", "tor0").await;
    let neighbors = vec![testing::neighbor([10, 9, 0, 1], 65010)];
    let tor = VirtualRouter { local_port: Some(179), ..testing::router(65010, [10, 9, 0, 2], neighbors) };
    let tor = Speaker::start(far.node(), tor, Arc::default()).await.unwrap();
    let mut bench = bench(near.node(), "1.12.1");
    bench.until("the first look", |status| status.phase == Phase::Running).await;
    let applied = Instant::now();
    bench.server.put_policy("rack0", spec(&["10.9.0.2/32"], true));
    bench.until("a speaker", one_router).await;
    eprintln!("applied to speaking: {:?}", applied.elapsed());
    bench.until("established", AgentStatus::all_up).await;
    eprintln!("applied to established: {:?}", applied.elapsed());
    let rib = tor.client().rib(Family::Ipv4).await.unwrap();
    assert_eq!(rib[&"10.1.1.0/24".parse().unwrap()][0].origin, Some(0));

    bench.server.delete(POLICIES, "rack0");
    let peer = IpAddr::from([10, 9, 0, 1]);
    let told = |view: &crate::twin::agent::speaker::SpeakerView| view.peers[&peer].last_down.is_some();
    let view = until(&mut tor.watch(), &Deadline::default().margin(), told).await.unwrap();
    assert!(view.peers[&peer].last_down.as_deref().unwrap().contains("peer deconfigured"));
    bench.end().await;
}
