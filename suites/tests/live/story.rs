//! What a run leaves to be told: the record of a run that passed and of one that failed, the stream of its events, and
//! what GitHub is told.

use std::collections::BTreeSet;
use std::fs;

use fabric_reports::progress::{Event, Line};
use fabric_reports::record::{Happening, Outcome, PodChange, Role, Table, shape};
use fabric_reports::{Record, record};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::support::{Ground, article, copy};

/// The events of a run, as they came on standard output.
#[track_caller]
fn events(out: &str) -> Vec<Event> {
    let read = |line| serde_json::from_str::<Line>(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    out.lines().map(|line| read(line).event).collect()
}

/// Nothing is lost or added when a state goes through its shape: the published schema tells all of it.
#[track_caller]
fn is_told_whole<T: Serialize + DeserializeOwned>(json: &Value) {
    let shape: T = serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error} in {json}"));
    assert_eq!(&serde_json::to_value(shape).unwrap(), json);
}

fn happenings(record: &Record) -> impl Iterator<Item = (&str, &Happening)> {
    record.events.iter().filter_map(|one| Some((one.source.as_str(), one.of.as_ref()?)))
}

const WORKER: &str = "clab-bgp-cplane-demo-worker";

#[test]
fn a_run_that_passed_tells_what_it_saw() {
    let Some(ground) = Ground::new("a_run_that_passed_tells_what_it_saw") else { return };
    let lab = article();
    let summary = ground.path("summary.md");
    fs::write(&summary, "").unwrap();
    let mut command = ground.fabric(&["test", lab.to_str().unwrap(), "--format", "json"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let done = ground.start(command).wait().code(0);
    let stream = events(&done.out);
    assert!(matches!(stream.first(), Some(Event::RunStarted { .. })), "{:?}", stream.first());
    let last = stream.last();
    assert!(
        matches!(last, Some(Event::RunFinished { outcome: Outcome::Passed, exit_code: 0, .. })),
        "{last:?}"
    );
    assert!(!done.err.contains("::error"), "{}", done.err);
    assert!(fs::read_to_string(&summary).unwrap().contains("the run passed"));

    let record = Record::read(ground.path("target/fabric/latest/record.json")).unwrap();
    let happened = stream.iter().filter(|event| matches!(event, Event::Happened { .. })).count();
    assert_eq!(happened, record.events.len(), "what is in the record was in the stream");
    drawn(&record);
    states(&record);
    story(&record);
    ways(&record);
}

fn drawn(record: &Record) {
    let drawn = record.topology.as_ref().unwrap();
    let of = |role| drawn.nodes.iter().filter(move |node| node.role == role);
    let routers: Vec<_> = of(Role::Router).map(|node| (node.name.as_str(), node.asn)).collect();
    assert_eq!(routers, [("router0", Some(65_000)), ("tor0", Some(65_010)), ("tor1", Some(65_011))]);
    let cluster: Vec<_> = of(Role::ClusterNode).map(|node| (node.asn, node.rack.as_deref())).collect();
    let (rack0, rack1) = ((Some(65_010), Some("rack0")), (Some(65_011), Some("rack1")));
    assert_eq!(cluster, [rack0, rack0, rack1, rack1]);
    assert!(of(Role::ClusterNode).all(|node| node.also.len() == 1), "{drawn:?}");
    assert_eq!((drawn.nodes.len(), drawn.links.len()), (7, 6));
    for end in drawn.links.iter().flat_map(|link| &link.ends) {
        assert!(drawn.nodes.iter().any(|node| node.name == end.node), "{end:?}");
    }
}

fn states(record: &Record) {
    for state in &record.states {
        assert!(state.json.get("unreadable").is_none(), "{state:?}");
        match state.kind.as_str() {
            "sessions" => is_told_whole::<shape::Sessions>(&state.json),
            "rib" => is_told_whole::<shape::Rib>(&state.json),
            "fib" => is_told_whole::<shape::Fib>(&state.json),
            "links" => is_told_whole::<shape::Links>(&state.json),
            "addresses" => is_told_whole::<shape::Addresses>(&state.json),
            "speaker" => is_told_whole::<shape::Speaker>(&state.json),
            "node" => is_told_whole::<shape::ClusterNode>(&state.json),
            "pod" => is_told_whole::<shape::Pod>(&state.json),
            "names" => is_told_whole::<shape::Names>(&state.json),
            other => panic!("a state of kind {other}"),
        }
    }
    let at = |phase: &str, kind: &str| -> BTreeSet<&str> {
        let when = format!("end of phase {phase}");
        let of = record.states.iter().filter(move |state| state.when == when && state.kind == kind);
        of.map(|state| state.node.as_str()).collect()
    };
    let routers = BTreeSet::from(["router0", "tor0", "tor1"]);
    for phase in ["underlay", "cni", "policy", "workload", "withdraw"] {
        for kind in ["sessions", "rib", "fib"] {
            assert_eq!(at(phase, kind), routers, "{kind} at the end of {phase}");
        }
        for (kind, count) in [("links", 7), ("addresses", 7), ("node", 4), ("names", 1)] {
            assert_eq!(at(phase, kind).len(), count, "{kind} at the end of {phase}");
        }
    }
    assert_eq!(at("policy", "speaker").len(), 4);
    assert_eq!(at("workload", "pod"), BTreeSet::from(["default/nettool-1", "default/nettool-2"]));
    let of = |phase: &str, node: &str, kind: &str| {
        let when = format!("end of phase {phase}");
        let found = record.states.iter().find(|s| s.when == when && s.node == node && s.kind == kind);
        found.unwrap_or_else(|| panic!("{kind} of {node} at the end of {phase}")).json.clone()
    };
    let speaker: shape::Speaker = serde_json::from_value(of("policy", WORKER, "speaker")).unwrap();
    let [speaker] = speaker.speakers.as_slice() else { panic!("{speaker:?}") };
    let [peer] = speaker.peers.as_slice() else { panic!("{speaker:?}") };
    assert_eq!((peer.peer.as_deref(), peer.state.as_str()), (Some("tor0"), "established"));
    assert_eq!(speaker.advertised.len(), 1);
    let rib: shape::Rib = serde_json::from_value(of("policy", "router0", "rib")).unwrap();
    assert_eq!(rib.routes.len(), 12);
    let names: shape::Names = serde_json::from_value(of("workload", "fabric", "names")).unwrap();
    assert_eq!(names.prefixes[&speaker.advertised[0]], "podCIDR(worker)");
    assert_eq!(names.addresses["10.0.0.1"], "tor0:lo");
    assert!(!names.pods["nettool-1"].gateways.is_empty(), "{names:?}");
}

fn story(record: &Record) {
    let any = |source: &str, is: &dyn Fn(&Happening) -> bool| {
        assert!(happenings(record).any(|(from, of)| from == source && is(of)), "nothing of {source}");
    };
    let up = |of: &Happening, with: &str| matches!(of, Happening::Session { peer: Some(peer), to: Some(to), .. } if peer == with && to == "Established");
    any("router0", &|of| up(of, "tor1"));
    any("tor0", &|of| up(of, WORKER));
    // Cilium's end tells, too.
    any(WORKER, &|of| up(of, "tor0"));
    any(WORKER, &|of| matches!(of, Happening::Speaker { asn: 65_010, running: true }));
    any(WORKER, &|of| matches!(of, Happening::Speaker { asn: 65_010, running: false }));
    any(WORKER, &|of| matches!(of, Happening::Ready { ready: true }));
    let scheduled = Some(PodChange::Scheduled);
    any(
        "default/nettool-1",
        &|of| matches!(of, Happening::Pod { change, node: Some(_) } if Some(*change) == scheduled),
    );
    any(
        "default/nettool-1",
        &|of| matches!(of, Happening::FirstPacket { to, .. } if to == "default/nettool-2"),
    );
    any("api", &|of| matches!(of, Happening::Action { phase } if phase == "policy"));
    for table in [Table::Rib, Table::Fib] {
        any(
            "router0",
            &|of| matches!(of, Happening::Route { table: in_table, prefix, change: record::RouteChange::Came, .. } if *in_table == table && prefix.starts_with("10.1.")),
        );
    }
    any(
        "router0",
        &|of| matches!(of, Happening::Route { table: Table::Rib, from: Some(from), .. } if from == "tor1"),
    );
    assert!(record.events.iter().all(|event| event.ms >= 0.0 && event.ms <= record.duration_ms));
    // Cause before effect, on one clock.
    let when = |source: &str, is: &dyn Fn(&Happening) -> bool| {
        let found = record.events.iter().find(|one| one.source == source && one.of.as_ref().is_some_and(is));
        found.map(|one| one.ms).unwrap()
    };
    let applied = when("api", &|of| matches!(of, Happening::Action { phase } if phase == "policy"));
    let (theirs, ours) = (when(WORKER, &|of| up(of, "tor0")), when("tor0", &|of| up(of, WORKER)));
    assert!(
        applied < theirs && applied < ours && (theirs - ours).abs() < 1_500.0,
        "{applied} {theirs} {ours}"
    );
}

fn ways(record: &Record) {
    let way = |name: &str| {
        let check = record.checks.iter().find(|check| check.name.starts_with(name));
        check.unwrap_or_else(|| panic!("no check {name}")).paths.first().unwrap()
    };
    let path = way("workload::paths::nettool-1 to nettool-2");
    assert_eq!((path.from.as_str(), path.to.as_str()), ("default/nettool-1", "default/nettool-2"));
    let hops: Vec<&str> = path.hops.iter().map(|hop| hop.node.as_deref().unwrap()).collect();
    assert_eq!(hops.len(), 6);
    assert_eq!(
        (hops[0], &hops[1..4], hops[5]),
        (WORKER, &["tor0", "router0", "tor1"][..], "default/nettool-2")
    );
    let ping = way("workload::reach::nettool-1 pings nettool-2");
    let [end] = ping.hops.as_slice() else { panic!("{ping:?}") };
    assert_eq!((end.ttl, end.node.as_deref()), (6, Some("default/nettool-2")));
    assert!(record.checks.iter().all(|check| check.written_at.is_some()));
}

#[test]
fn a_run_that_failed_tells_where_and_what_it_looked_like() {
    let Some(ground) = Ground::new("a_run_that_failed_tells_where_and_what_it_looked_like") else { return };
    let lab = ground.path("bad");
    copy(&article(), &lab);
    let file = lab.join("lab.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let right = "received: 3, sent: 9";
    let line = text[..text.find(right).unwrap()].lines().count();
    fs::write(&file, text.replacen(right, "received: 4, sent: 8", 1)).unwrap();
    let mut command = ground.fabric(&["test", "bad", "--only", "underlay::sessions::router0"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", ground.path(""));
    let done = ground.start(command).wait().code(1);
    let told: Vec<&str> = done.err.lines().filter(|line| line.starts_with("::error ")).collect();
    assert!(!told.is_empty(), "{}", done.err);
    assert!(told.iter().any(|one| one.contains(&format!("file=bad/lab.yaml,line={line},"))), "{told:#?}");

    let record = Record::read(ground.path("target/fabric/latest/record.json")).unwrap();
    let failed: Vec<&str> = record
        .checks
        .iter()
        .filter(|check| check.verdict == record::Verdict::Failed)
        .map(|check| check.name.as_str())
        .collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    let failures = happenings(&record).filter(|(_, of)| matches!(of, Happening::Failure { .. })).count();
    assert_eq!(failures, failed.len());
    // Of the two ends of the session, and of them alone; what looks the same is kept once, however much fails.
    let kept: Vec<_> = record
        .states
        .iter()
        .filter(|state| state.when.starts_with("failure of "))
        .map(|state| (state.node.as_str(), state.kind.as_str()))
        .collect();
    let distinct: BTreeSet<_> = kept.iter().collect();
    assert_eq!(distinct.len(), kept.len(), "{kept:?}");
    assert!(kept.iter().all(|(node, _)| ["router0", "tor0"].contains(node)), "{kept:?}");
    assert!(
        ["sessions", "rib", "fib", "links", "addresses"].iter().all(|kind| kept.contains(&("router0", kind)))
    );

    let report = |arguments: &[&str]| ground.run(&[&["report"], arguments].concat()).code(0).out;
    let tap = report(&["--format", "tap"]);
    assert!(tap.starts_with("TAP version 14\n") && tap.contains("\nnot ok "), "{tap}");
    assert!(
        tap.contains("    file: \"bad/lab.yaml\"\n") && tap.contains(&format!("    line: {line}\n")),
        "{tap}"
    );
    assert!(report(&["--format", "text"]).contains("the run failed"));
    assert_eq!(report(&["--format", "tap", "-o", "run.tap"]), "");
    assert_eq!(fs::read_to_string(ground.path("run.tap")).unwrap(), tap);
    // A record of another version is told as such, not as a broken one.
    let path = ground.path("other.json");
    let mut other: Value = serde_json::to_value(&record).unwrap();
    other["schema_version"] = 99.into();
    fs::write(&path, other.to_string()).unwrap();
    let done = ground.run(&["report", "other.json", "--format", "tap"]).code(2);
    assert!(done.err.contains("schema version 99"), "{}", done.err);
}
