//! The second BGP API on labs of its own: over hops, to other ports, in IPv6; and what cannot come is not waited for.

use std::process::Command;

use super::second_api::lab as article_v2;
use super::support::{Ground, Record, SOON, copy, foreign};

fn phase(record: &Record, name: &str) -> (f64, f64) {
    let phases = record.0["phases"].as_array().unwrap();
    let phase = phases.iter().find(|phase| phase["name"] == name).unwrap();
    let started = phase["started_ms"].as_f64().unwrap();
    (started, started + phase["duration_ms"].as_f64().unwrap())
}

/// eBGP to a neighbor two hops away, to another port, IPv6 sessions, an AS number of one node's own, attributes, graceful
/// restart; and a route that one neighbor loses stays at another all the while.
#[test]
fn over_hops_to_another_port_and_in_ipv6() {
    let Some(ground) = Ground::new("over_hops_to_another_port_and_in_ipv6") else { return };
    let lab = foreign(&ground, "hops");
    ground.run(&["test", lab.to_str().unwrap()]).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    let (from, to) = phase(&record, "one-loses");
    let moved = record.0["events"].as_array().unwrap().iter().filter(|event| {
        let at = event["ms"].as_f64().unwrap();
        let left = event["what"].as_str().unwrap().contains(" left the ");
        event["source"] == "far" && left && (from..to).contains(&at)
    });
    let moved: Vec<_> = moved.collect();
    assert!(moved.is_empty(), "what the far router keeps went for a moment: {moved:#?}");
}

/// Before GoBGP 4.7 a soft reset withdraws nothing: Cilium up to 1.19 leaves the route where it was, and so does the twin,
/// which says so.
#[test]
fn an_older_cilium_leaves_a_route_that_another_neighbor_keeps() {
    let name = "an_older_cilium_leaves_a_route_that_another_neighbor_keeps";
    let Some(ground) = Ground::new(name) else { return };
    let lab = foreign(&ground, "hops");
    let file = lab.join("lab.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("  - name: one-loses\n").unwrap();
    let phase = after.split_once("  - name: one-hop\n").unwrap().0;
    let kept = phase
        .replace("received: 0", "received: 1, holds: 2s")
        .replace("        near: { removes: [podCIDR(control-plane), podCIDR(worker)] }\n", "");
    let text = format!("{before}  - name: one-loses\n{kept}").replace("version: 1.20.0", "version: 1.18.0");
    std::fs::write(&file, text).unwrap();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "k", "--to", "one-loses"]).code(0);
    ground.run(&["test", lab.to_str().unwrap(), "--name", "k", "--only", "one-loses::"]).code(0);
    if Command::new("kubectl").args(["version", "--client"]).output().is_ok() {
        let status = ground.run(&["status", "--name", "k", "--format", "json"]).json();
        let mut command = ground.command("kubectl");
        command.env("KUBECONFIG", status["kubeconfig"].as_str().unwrap()).env("HOME", ground.path("home"));
        command.args(["get", "events", "-A"]);
        let events = ground.start(command).wait().code(0).out;
        assert!(
            events.contains("BGPRouteKept") && events.contains("neighbor 192.168.51.1 keeps"),
            "{events}"
        );
    }
    ground.run(&["down", "--name", "k"]).code(0);
}

/// Runs the lab of the second API as far as its sessions or routes, with its objects changed; what the record has.
fn changed(test: &str, file: &str, from: &str, to: &str, only: &str) -> Option<Record> {
    let ground = Ground::new(test)?;
    let lab = ground.path("lab");
    copy(&article_v2(), &lab);
    let path = lab.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(text, changed);
    std::fs::write(&path, changed).unwrap();
    let begun = std::time::Instant::now();
    ground.run(&["test", lab.to_str().unwrap(), "--only", only]).code(1);
    // The deadlines computed from Cilium's timers are over two minutes.
    assert!(begun.elapsed() < SOON * 60, "it waited for what cannot come: {:?}", begun.elapsed());
    Some(Record::read(&ground.path("target/fabric/latest")))
}

#[track_caller]
fn says(record: &Record, check: &str, words: &[&str]) {
    let text = record.failure(check);
    for word in words {
        assert!(text.contains(word), "no `{word}` in {text}");
    }
}

const SESSIONS: &str = "sessions::sessions::tor0::10.0.2.2";
const SESSION: &str = "sessions::sessions::tor0::10.0.2.2 is established with AS 65010";
const RIB: &str = "policy::routes::router0::rib has the 12 prefixes";

#[test]
fn a_configuration_that_selects_nobody_is_not_waited_for() {
    let test = "a_configuration_that_selects_nobody_is_not_waited_for";
    let Some(record) = changed(test, "bgp.yaml", "rack: rack0", "rack: rack7", SESSIONS) else { return };
    says(
        &record,
        SESSION,
        &["peers with nobody, not with tor0", "no CiliumBGPClusterConfig selects the node"],
    );
}

#[test]
fn a_missing_peer_configuration_is_not_waited_for() {
    let test = "a_missing_peer_configuration_is_not_waited_for";
    let (from, to) = ("        name: tor\n", "        name: tower\n");
    let Some(record) = changed(test, "bgp.yaml", from, to, SESSIONS) else { return };
    says(
        &record,
        SESSION,
        &["peers with nobody", "peer tor0 is not dialed: there is no CiliumBGPPeerConfig tower"],
    );
}

#[test]
fn a_peer_with_a_wrong_as_is_not_waited_for() {
    let test = "a_peer_with_a_wrong_as_is_not_waited_for";
    let Some(record) = changed(test, "bgp.yaml", "peerASN: 65010", "peerASN: 65099", SESSIONS) else {
        return;
    };
    says(&record, SESSION, &["expects AS 65099 of tor0, which is AS 65010"]);
}

#[test]
fn a_peer_that_is_not_there_is_not_waited_for() {
    let test = "a_peer_that_is_not_there_is_not_waited_for";
    let (from, to) = ("peerAddress: 10.0.0.1", "peerAddress: 10.0.0.9");
    let Some(record) = changed(test, "bgp.yaml", from, to, SESSIONS) else { return };
    says(&record, SESSION, &["peers with 10.0.0.9, not with tor0"]);
}

#[test]
fn a_family_of_one_side_alone_is_not_waited_for() {
    let test = "a_family_of_one_side_alone_is_not_waited_for";
    let (from, to) =
        ("received: 0, sent: 9, hostname: worker }", "families: [ipv4, ipv6], hostname: worker }");
    let Some(record) = changed(test, "lab.yaml", from, to, SESSIONS) else { return };
    let failed = record.names("failed");
    let [check] = failed.iter().copied().collect::<Vec<_>>()[..] else { panic!("{failed:?}") };
    says(&record, check, &["tor0 has not activated ipv6/unicast for 10.0.2.2"]);
}

#[test]
fn an_advertisement_that_nothing_selects_is_not_waited_for() {
    let test = "an_advertisement_that_nothing_selects_is_not_waited_for";
    let (from, to) = ("advertise: bgp", "advertise: nothing");
    let Some(record) = changed(test, "advertisement.yaml", from, to, "policy::routes::router0::rib") else {
        return;
    };
    says(
        &record,
        RIB,
        &[
            "no route has moved for",
            "peer tor0 is told nothing of ipv4/unicast: it selects no CiliumBGPAdvertisement",
        ],
    );
}
