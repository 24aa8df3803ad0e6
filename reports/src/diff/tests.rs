//! Fabrics of three routers compared: what is broken, what explains it, and that noise is nothing.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::record::{Record, State, Verdict, sample};

/// What a run decides anew, and what means nothing.
#[derive(Debug, Clone)]
struct Noise {
    link_local: [u16; 4],
    seconds: [u64; 4],
    /// The worker's pod CIDR is the second or the third.
    swapped: bool,
    ra_first: bool,
    index: u32,
    ms: f64,
    older: bool,
    state: &'static str,
    cilium_host: u8,
}

const QUIET: Noise = Noise {
    link_local: [1, 2, 3, 4],
    seconds: [3, 4, 5, 6],
    swapped: false,
    ra_first: false,
    index: 7,
    ms: 2_000.0,
    older: false,
    state: "Active",
    cilium_host: 10,
};

/// What is wrong with a fabric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The link between router0 and tor0 is down.
    Link,
    /// tor0 announces its pods' prefix no more, with every session up.
    Silence,
    /// The worker's session is down.
    Worker,
    /// router0's kernel lost a route that its BGP table has.
    Kernel,
    /// The AS path became longer.
    Prepended,
}

fn session(up: bool, neighbor: &str, address: &str, hostname: &str, asn: u32, noise: &Noise) -> Value {
    let length = |secs: u64| json!({"secs": secs, "nanos": 0});
    json!({
        "neighbor": neighbor, "address": address, "local_address": "fe80::99", "hostname": up.then_some(hostname),
        "remote_as": asn, "local_as": 65000, "state": if up { "Established" } else { noise.state }, "kind": "external",
        "remote_id": "10.0.0.9", "hold": up.then(|| length(9)), "keepalive": up.then(|| length(3)),
        "configured_hold": length(9), "connect_retry": length(10), "uptime": up.then(|| length(noise.seconds[0])),
        "next_connect": (!up).then(|| length(noise.seconds[1])), "established_count": 1, "dropped_count": 0,
        "last_reset": {"reason": if noise.older { "Waiting for peer OPEN" } else { "No AFI/SAFI activated for peer" },
                       "notification": null, "code": null, "ago": length(noise.seconds[2])},
        "families": {"Ipv4Unicast": {"negotiated": up, "accepted": noise.seconds[3], "sent": noise.seconds[3]}},
    })
}

fn path(neighbor: Option<&str>, ip: &str, as_path: &[u32]) -> Value {
    json!([{
        "best": true, "valid": true, "multipath": false, "origin": "igp", "as_path": as_path,
        "next_hops": [{"ip": ip, "interface": neighbor.filter(|n| n.starts_with("net")), "used": true, "accessible": true}],
        "local_pref": null, "med": 0, "weight": 0, "peer": {"address": neighbor.map(|_| ip), "neighbor": neighbor, "hostname": null},
        "source": "external", "communities": [], "why_best": "First path received",
    }])
}

fn way(via: &str, dev: &str) -> Value {
    json!([{"protocol": "bgp", "kind": "unicast", "metric": 20, "source": null, "next_hops": [{"via": via, "dev": dev}]}])
}

/// A fabric at the end of its phase: router0 -- tor0 -- worker, and tor1 beside them.
fn states(fault: Fault, noise: &Noise) -> Vec<State> {
    let ll: Vec<String> = noise.link_local.iter().map(|end| format!("fe80::{end:x}")).collect();
    let link = fault != Fault::Link;
    let worker = fault != Fault::Worker;
    let (mine, other) =
        if noise.swapped { ("10.1.2.0/24", "10.1.1.0/24") } else { ("10.1.1.0/24", "10.1.2.0/24") };
    let host = format!("{}.{}", &mine[..6], noise.cilium_host);
    let names = json!({
        "addresses": {(&ll[0]): "router0:net0", (&ll[1]): "tor0:net0", (&ll[2]): "router0:net1", (&ll[3]): "tor1:net0",
                      "10.0.2.2": "node(worker):net0", (&host): "node(worker):cilium_host"},
        "prefixes": {(mine): "podCIDR(worker)", (other): "podCIDR(worker2)", "10.0.2.0/24": "tor0:net2"},
    });
    let as_path: &[u32] = if fault == Fault::Prepended { &[65010, 65010] } else { &[65010] };
    let mut router0 =
        json!({"10.0.0.0/32": path(None, "0.0.0.0", &[]), (other): path(Some("net1"), &ll[3], &[65011])});
    let mut kernel0 = json!({(other): way(&ll[3], "net1"), "fe80::/64": way(&ll[0], "net0")});
    let mut tor0 = json!({"10.0.2.0/24": path(None, "0.0.0.0", &[])});
    if worker && fault != Fault::Silence {
        tor0[mine] = path(Some("10.0.2.2"), "10.0.2.2", &[]);
        if link {
            router0[mine] = path(Some("net0"), &ll[1], as_path);
        }
    }
    if link {
        router0["10.0.2.0/24"] = path(Some("net0"), &ll[1], as_path);
        tor0[other] = path(Some("net0"), &ll[0], &[65000, 65011]);
    }
    for prefix in ["10.0.2.0/24", mine] {
        if router0.get(prefix).is_some() && fault != Fault::Kernel {
            kernel0[prefix] = way(&ll[1], "net0");
        }
    }
    let mut advertised = vec![way(&ll[1], "net0"), way(&ll[3], "net1")];
    if noise.ra_first {
        advertised.reverse();
    }
    let advertised: Vec<Value> = advertised
        .into_iter()
        .map(|mut way| {
            way[0]["protocol"] = "ra".into();
            way[0].take()
        })
        .collect();
    kernel0["::/0"] = Value::Array(advertised);
    let state = |node: &str, kind: &str, json: Value| State {
        ms: noise.ms,
        when: "end of phase policy".into(),
        node: node.into(),
        kind: kind.into(),
        json,
    };
    vec![
        state("fabric", "names", names),
        state(
            "router0",
            "sessions",
            json!({
                "net0": session(link, "net0", &ll[1], "tor0", 65010, noise),
                "net1": session(true, "net1", &ll[3], "tor1", 65011, noise),
            }),
        ),
        state("router0", "rib", json!({"routes": router0})),
        state("router0", "fib", json!({"routes": kernel0})),
        state(
            "tor0",
            "sessions",
            json!({
                "net0": session(link, "net0", &ll[0], "router0", 65000, noise),
                "10.0.2.2": session(worker, "10.0.2.2", "10.0.2.2", "clab-demo-worker", 65010, noise),
            }),
        ),
        state("tor0", "rib", json!({"routes": tor0})),
    ]
}

fn record(fault: Fault, noise: &Noise) -> Record {
    let mut record = sample::passed();
    record.run_id = format!("run-{}", noise.index);
    record.states = states(fault, noise);
    for check in &mut record.checks {
        check.seen = json!({"detail": {"link": {"index": noise.index}, "uptime": noise.seconds[0]}});
        check.started_ms += noise.ms;
        check.duration_ms = noise.ms;
    }
    let breaks = fault != Fault::None;
    let rib = record.checks.iter_mut().find(|check| check.name.contains("12 prefixes"));
    if let Some(check) = rib.filter(|_| breaks) {
        check.verdict = Verdict::Failed;
    }
    record
}

fn compared(fault: Fault) -> Diff {
    diff(&record(Fault::None, &QUIET), &record(fault, &QUIET), &Options::default())
}

#[test]
fn a_record_is_what_it_was() {
    let same = compared(Fault::None);
    assert!(same.is_empty() && same.exit_code() == 0, "{}", text(&same, false));
    assert!(text(&same, false).contains("the same"));
}

#[rstest]
#[case::link(Fault::Link, "the session router0 net0 -- tor0 net0 is down")]
#[case::silence(
    Fault::Silence,
    "tor0 has routes no more that come from worker, and the session is what it was"
)]
#[case::worker(Fault::Worker, "the session tor0 10.0.2.2 is down")]
#[case::kernel(Fault::Kernel, "router0's kernel routes otherwise")]
#[case::prepended(
    Fault::Prepended,
    "router0 has routes otherwise that come from tor0, and the session is what it was"
)]
fn one_fault_is_one_cause(#[case] fault: Fault, #[case] title: &str) {
    let seen = compared(fault);
    let told = text(&seen, false);
    assert_eq!(seen.groups.len(), 1, "{told}");
    assert!(seen.groups[0].title.starts_with(title), "{told}");
    assert!(seen.regressed && seen.exit_code() == 1);
    // The failed check is explained by it, and told once.
    let checks = seen.groups[0].differences.iter().filter(|one| one.kind == Kind::Check).count();
    assert_eq!(checks, 1, "{told}");
    // What got worse one way gets better, or is at least told, the other way.
    let back = diff(&record(fault, &QUIET), &record(Fault::None, &QUIET), &Options::default());
    assert!(!back.is_empty());
}

#[test]
fn a_cause_is_told_with_what_follows() {
    insta::assert_snapshot!(text(&compared(Fault::Link), false));
    insta::assert_snapshot!(markdown(&compared(Fault::Link)));
}

#[test]
fn what_was_predicted_is_no_regression_and_what_was_not_seen_is_told() {
    let predicted = |kind, node: &str, about: &str| Expectation {
        change: Predicted {
            kind,
            node: Some(node.into()),
            about: Some(about.into()),
            ..Predicted::default()
        },
        source: "the release notes".into(),
        must: true,
    };
    let expected = Expectations(vec![
        predicted(Some(Kind::Route), "*", "*"),
        predicted(Some(Kind::Check), "*", "*"),
        Expectation { must: false, ..predicted(Some(Kind::Kernel), "*", "*") },
        predicted(Some(Kind::Session), "tor9", "*"),
    ]);
    let options = Options { expected, ..Options::default() };
    let seen = diff(&record(Fault::None, &QUIET), &record(Fault::Prepended, &QUIET), &options);
    assert!(!seen.regressed, "{}", text(&seen, false));
    assert_eq!(seen.unmet, ["sessions tor9 * (the release notes)"]);
    let still = diff(&record(Fault::None, &QUIET), &record(Fault::Link, &QUIET), &options);
    assert!(still.regressed, "the session was not predicted");
}

/// What is known of the worker, with what became of it.
fn with_outage(fault: Fault) -> Diff {
    let outage = Outage { nodes: ["demo-worker".to_owned()].into(), why: "nobody tells it to speak".into() };
    let options = Options { outage: Some(outage), ..Options::default() };
    diff(&record(Fault::None, &QUIET), &record(fault, &QUIET), &options)
}

#[test]
fn an_outage_is_one_cause_with_what_was_counted() {
    let seen = with_outage(Fault::Worker);
    let told = text(&seen, false);
    assert!(seen.regressed, "{told}");
    assert_eq!(seen.groups.len(), 1, "{told}");
    let title = "4 routes became 3 on router0, 3 became 2 on tor0: nobody tells it to speak";
    assert_eq!(seen.groups[0].title, title, "{told}");
    assert!(told.contains(title) && markdown(&seen).contains(title) && seen.to_json().contains(title));
}

#[rstest]
#[case::link(Fault::Link, "the session router0 net0 -- tor0 net0 is down")]
#[case::silence(
    Fault::Silence,
    "tor0 has routes no more that come from worker, and the session is what it was"
)]
fn what_an_outage_does_not_explain_keeps_its_cause(#[case] fault: Fault, #[case] title: &str) {
    let seen = with_outage(fault);
    let told = text(&seen, false);
    assert!(seen.groups[0].title.starts_with(title), "{told}");
    // Known, and not seen: that is told, and weighs nothing.
    assert_eq!(seen.groups.len(), 2, "{told}");
    assert!(seen.groups[1].title.starts_with("not seen by any router here: nobody"), "{told}");
    assert_eq!(seen.groups[1].weight, Weight::Note);
}

#[test]
fn a_router_that_does_not_answer_is_one_cause() {
    let mut new = record(Fault::Link, &QUIET);
    for state in new.states.iter_mut().filter(|state| state.node == "tor0") {
        state.json = json!({"unreadable": "vtysh: connection refused"});
    }
    let seen = diff(&record(Fault::None, &QUIET), &new, &Options::default());
    assert_eq!(seen.groups.len(), 1, "{}", text(&seen, false));
    assert_eq!(seen.groups[0].title, "tor0 does not answer");
}

#[rstest]
#[case(Verdict::Passed, Verdict::Failed, 1)]
#[case(Verdict::Passed, Verdict::NotRun, 1)]
#[case(Verdict::Passed, Verdict::Skipped, 0)]
#[case(Verdict::Failed, Verdict::Passed, 0)]
#[case(Verdict::Failed, Verdict::Failed, 0)]
fn verdicts_weigh(#[case] was: Verdict, #[case] is: Verdict, #[case] code: u8) {
    let (mut old, mut new) = (sample::passed(), sample::passed());
    old.checks[0].verdict = was;
    new.checks[0].verdict = is;
    assert_eq!(diff(&old, &new, &Options::default()).exit_code(), code);
}

#[test]
fn a_check_that_is_not_made_any_more_is_told() {
    let mut new = sample::passed();
    new.checks.remove(0);
    let seen = diff(&sample::passed(), &new, &Options::default());
    assert!(seen.regressed, "{}", text(&seen, false));
    let common = Options { missing: false, ..Options::default() };
    assert!(diff(&sample::passed(), &new, &common).is_empty());
}

#[test]
fn what_the_run_found_out_itself_is_told() {
    let seen = diff(&sample::passed(), &sample::failed(), &Options::default());
    let worse = seen.groups.iter().find(|group| group.because.is_some()).expect("a cause");
    assert_eq!(worse.because.as_deref(), Some("nothing listens on 10.0.4.2:179"));
    assert!(text(&seen, false).contains("because   nothing listens"), "{}", text(&seen, false));
    assert!(markdown(&seen).contains("because   nothing listens"));
}

#[test]
fn text_of_others_stays_text() {
    let mut new = sample::passed();
    new.checks[0].verdict = Verdict::Failed;
    new.checks[0].name = "underlay::sessions::router0::\u{1b}[31m<b>@all|`x`".into();
    let mut old = sample::passed();
    old.checks[0].name = new.checks[0].name.clone();
    let seen = diff(&old, &new, &Options::default());
    assert!(!text(&seen, false).contains('\u{1b}'));
    let page = markdown(&seen);
    let (before, rest) = page.split_once("```text").unwrap();
    let (_, after) = rest.split_once("\n```\n").unwrap();
    assert!(!before.contains("@all") && !after.contains("@all"), "{page}");
}

fn noises() -> impl Strategy<Value = Noise> {
    let ends = prop::array::uniform4(1u16..).prop_filter("links differ", |ends| {
        let mut sorted = ends.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len() == 4
    });
    let state = prop::sample::select(vec!["Active", "Connect", "Idle", "OpenSent"]);
    (
        ends,
        prop::array::uniform4(0u64..100_000),
        any::<[bool; 3]>(),
        any::<u32>(),
        100.0f64..4_500.0,
        state,
        1u8..255,
    )
        .prop_map(|(link_local, seconds, [swapped, ra_first, older], index, ms, state, cilium_host)| {
            Noise { link_local, seconds, swapped, ra_first, index, ms, older, state, cilium_host }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Uptimes, running timers, link-local addresses, interface numbers, the order in which nodes joined, counters, the time.
    #[test]
    fn noise_is_no_difference(one in noises(), other in noises(), worker in any::<bool>()) {
        let fault = if worker { Fault::Worker } else { Fault::None };
        let seen = diff(&record(fault, &one), &record(fault, &other), &Options::default());
        prop_assert!(seen.is_empty(), "{}", text(&seen, false));
    }

    /// Noise hides no fault, and makes no second one of it.
    #[test]
    fn noise_hides_nothing(one in noises(), other in noises(), number in 0usize..5) {
        let fault = [Fault::Link, Fault::Silence, Fault::Worker, Fault::Kernel, Fault::Prepended][number];
        let seen = diff(&record(Fault::None, &one), &record(fault, &other), &Options::default());
        prop_assert_eq!(seen.groups.len(), 1, "{}", text(&seen, false));
        prop_assert!(seen.regressed);
    }

    /// Whatever a record's states hold, comparing them ends.
    #[test]
    fn no_state_is_a_panic(kind in "sessions|rib|fib|names|other", text in any::<String>(), at in 0usize..6) {
        let mut strange = record(Fault::None, &QUIET);
        strange.states[at].kind = kind;
        strange.states[at].json = json!({"routes": {(&text): [{"best": true, "next_hops": text}]}, "x": {"state": text}, "pods": text});
        let _ = diff(&record(Fault::None, &QUIET), &strange, &Options::default());
        let _ = diff(&strange, &record(Fault::Link, &QUIET), &Options::default());
    }
}

/// A router with two equal paths, of which one, or both, are in use; which one is called the best is `first`.
fn equal_paths(multipath: bool, first: usize, why: &str) -> Record {
    let mut record = record(Fault::None, &QUIET);
    let one = |number: usize| {
        let neighbor = format!("net{number}");
        let mut path = path(Some(&neighbor), &format!("fe80::{number}"), &[65010])[0].clone();
        path["best"] = (number == first).into();
        path["multipath"] = multipath.into();
        path["why_best"] = if number == first { why.into() } else { Value::Null };
        path
    };
    let rib = record.states.iter_mut().find(|state| state.kind == "rib").unwrap();
    rib.json["routes"]["192.0.2.0/24"] = json!([one(0), one(1)]);
    let fib = record.states.iter_mut().find(|state| state.kind == "fib").unwrap();
    fib.json["routes"]["192.0.2.0/24"] =
        way("fe80::1", if multipath { "net0" } else { ["net0", "net1"][first] });
    record
}

#[rstest]
#[case::ecmp(true)]
#[case::by_age(false)]
fn which_of_equal_paths_is_the_oldest_is_chance(#[case] multipath: bool) {
    let of = |multipath, first, why| equal_paths(multipath, first, why);
    // Heard one after the other, and heard in one moment.
    for why in ["Older Path", "Router ID"] {
        let seen = diff(&of(multipath, 0, "Older Path"), &of(multipath, 1, why), &Options::default());
        assert!(seen.is_empty(), "{why}: {}", text(&seen, false));
    }
    let seen = diff(&of(false, 0, "MED"), &of(false, 1, "MED"), &Options::default());
    assert!(!seen.is_empty(), "that one is chosen for a reason");
    // One way less is none.
    let seen = diff(&of(true, 0, "Older Path"), &of(false, 0, "Older Path"), &Options::default());
    assert!(seen.regressed, "{}", text(&seen, false));
}

/// Two real runs, and a link that was taken down between them.
#[test]
fn a_link_to_a_node_is_one_cause_of_everything() {
    let read = |name: &str| {
        let path = format!("{}/../fixtures/recorded/records/link-{name}.json", env!("CARGO_MANIFEST_DIR"));
        Record::read(path).unwrap()
    };
    let seen = diff(&read("whole"), &read("broken"), &Options::default());
    insta::assert_snapshot!(text(&seen, false));
    assert_eq!(seen.groups.len(), 1);
    let whole = read("whole");
    assert!(diff(&whole, &whole, &Options::default()).is_empty());
}
