//! The article's lab.yaml judged on what real fabrics said: Cilium 1.12.1 and 1.20-dev with the article's FRR.

mod world;

use std::collections::BTreeSet;

use fabric_harness::lab::{Lab, load};
use rstest::rstest;
use world::{World, fixtures};

use super::Verdict;
use crate::expect::Expect;
use crate::plan::{PlannedCheck, PlannedPhase, plan};

fn lab() -> Lab<Expect> {
    load(&fixtures().join("cilium-bgp")).unwrap_or_else(|error| panic!("{error}"))
}

fn phase(name: &str) -> PlannedPhase {
    plan(&lab()).into_iter().find(|phase| phase.name == name).unwrap()
}

fn differences<'c>(world: &World, checks: impl IntoIterator<Item = &'c PlannedCheck>) -> Vec<String> {
    let failed = |check: &PlannedCheck| {
        let verdict = world.judge(check).filter(|verdict| !verdict.passed())?;
        Some(format!("{}\n{}", check.name, verdict.failure_text()))
    };
    checks.into_iter().filter_map(failed).collect()
}

#[rstest]
#[case("underlay", 0)]
#[case("policy", 2)]
#[case("workload", 2)]
#[case("withdraw", 5)]
fn the_articles_expectations_hold_on_recorded_fabrics(
    #[case] name: &str,
    #[case] moment: u8,
    #[values("1.12.1", "1.20-dev")] version: &str,
) {
    let world = World::recorded(version, moment);
    let checks = phase(name).checks;
    let failed = differences(&world, &checks);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn nodes_are_not_ready_before_the_cni_and_ready_after() {
    let mut world = World::recorded("1.12.1", 0);
    assert_eq!(differences(&world, &phase("cni").checks), Vec::<String>::new());
    let before =
        std::fs::read_to_string(fixtures().join("recorded/1.12.1/fabric/nodes-before-cni.json")).unwrap();
    let list: serde_json::Value = serde_json::from_str(&before).unwrap();
    world.nodes = serde_json::from_value(list["items"].clone()).unwrap();
    assert_eq!(differences(&world, &phase("cluster").checks), Vec::<String>::new());
    assert_eq!(differences(&world, &phase("cni").checks).len(), 1);
}

#[test]
fn every_check_can_fail() {
    let mut worlds = vec![World::default()];
    for version in ["1.12.1", "1.20-dev"] {
        worlds.extend([0, 2, 5].map(|moment| World::recorded(version, moment)));
    }
    // A ping that was answered where none should be, and one that was not.
    let answered = World::recorded("1.12.1", 2).pings;
    let mut silent = World::recorded("1.12.1", 2);
    for ping in silent.pings.values_mut() {
        ping.received = 0;
        ping.replies.clear();
    }
    let mut up_and_down = World::recorded("1.12.1", 0);
    up_and_down.pings = answered;
    for (links, _) in up_and_down.links.values_mut() {
        links.push(fabric_harness::router::Link {
            index: 99,
            name: "eth0".into(),
            up: true,
            carrier: true,
            mtu: 1500,
        });
    }
    for trace in up_and_down.traces.values_mut() {
        trace.hops.truncate(3);
    }
    for sessions in up_and_down.sessions.values_mut() {
        let mut extra = sessions.values().next().unwrap().clone();
        extra.neighbor = "net9".into();
        extra.dropped_count = 3;
        sessions.insert("net9".into(), extra);
    }
    worlds.extend([silent, up_and_down]);
    let lab = lab();
    let cannot: Vec<String> = plan(&lab)
        .iter()
        .flat_map(|phase| &phase.checks)
        .filter(|check| {
            let verdicts: Vec<Verdict> = worlds.iter().filter_map(|world| world.judge(check)).collect();
            !verdicts.is_empty() && verdicts.iter().all(Verdict::passed)
        })
        .map(|check| check.name.clone())
        .collect();
    assert_eq!(cannot, Vec::<String>::new());
}

#[test]
fn a_fabric_without_policies_fails_the_policy_phase_and_says_why() {
    let world = World::recorded("1.12.1", 0);
    let checks = phase("policy").checks;
    let wanted = [
        "policy::sessions::tor0::10.0.2.2 is established with AS 65010",
        "policy::routes::router0::rib has the 12 prefixes",
        "policy::routes::tor0::podCIDR(worker) comes from worker",
        "policy::routes::tor0::fib routes to the 13 prefixes and no others",
    ];
    let checks: Vec<_> =
        wanted.iter().map(|name| checks.iter().find(|check| check.name.starts_with(name)).unwrap()).collect();
    insta::assert_snapshot!(differences(&world, checks).join("\n"));
}

#[test]
fn routes_that_should_be_gone_are_named() {
    let world = World::recorded("1.12.1", 2);
    let checks = phase("withdraw").checks;
    let wanted = ["withdraw::routes::router0::rib has", "withdraw::routes::router0::fib lacks podCIDR(*)"];
    let checks: Vec<_> =
        wanted.iter().map(|name| checks.iter().find(|check| check.name.starts_with(name)).unwrap()).collect();
    insta::assert_snapshot!(differences(&world, checks).join("\n"));
}

#[test]
fn waiting_shows_how_far_it_is() {
    let world = World::recorded("1.12.1", 0);
    let phase = phase("policy");
    let texts: BTreeSet<String> = phase
        .checks
        .iter()
        .filter(|check| check.target == "router0")
        .filter_map(|check| world.judge(check))
        .filter(|verdict| !verdict.passed())
        .map(|verdict| verdict.waiting_text())
        .collect();
    assert!(texts.contains("router0: 8 of 12 prefixes"), "{texts:?}");
}
