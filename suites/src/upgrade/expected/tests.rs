//! Predictions held against differences: what is excused, and that nothing else is.

use std::path::{Path, PathBuf};

use fabric_reports::diff::{self, Diff, Options, Weight};
use fabric_reports::record::{Kind, Record};
use rstest::rstest;
use serde_json::{Value, json};

use super::super::kept::kept;
use super::*;
use crate::expect::Expect;

fn fixtures(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(below)
}

/// A real run of the article's lab, with what its lab gives Cilium, as if made with another version.
fn run(version: &str) -> Record {
    let mut record = Record::read(fixtures("recorded/records/link-whole.json")).unwrap();
    record.lab.cilium = kept(&fabric_harness::lab::load::<Expect>(&fixtures("cilium-bgp")).unwrap());
    record.environment.versions.insert("Cilium (modelled)".into(), version.into());
    record
}

/// Changes a field of every neighbor that the lab's policies name.
fn with_neighbor(record: &mut Record, field: &str, value: &Value) {
    for policy in &mut record.lab.cilium.as_mut().unwrap().objects {
        for router in policy["spec"]["virtualRouters"].as_array_mut().unwrap() {
            for neighbor in router["neighbors"].as_array_mut().unwrap() {
                neighbor[field] = value.clone();
            }
        }
    }
}

/// The sessions that routers have with nodes.
fn of_nodes(record: &mut Record) -> impl Iterator<Item = &mut Value> {
    let sessions = record.states.iter_mut().filter(|state| state.kind == "sessions");
    let each = sessions.flat_map(|state| state.json.as_object_mut().unwrap().iter_mut());
    each.filter(|(neighbor, _)| neighbor.starts_with("10.0.")).map(|(_, session)| session)
}

/// Takes away what came over these sessions.
fn fall_silent(record: &mut Record) {
    for session in of_nodes(record) {
        session["state"] = "Active".into();
    }
    for state in record.states.iter_mut().filter(|state| ["rib", "fib"].contains(&state.kind.as_str())) {
        let routes = state.json["routes"].as_object_mut().unwrap();
        routes.retain(|prefix, _| !(prefix.starts_with("10.1.") && prefix.ends_with("/24")));
    }
}

fn compared(old: &Record, new: &Record) -> Diff {
    let Between { expected, outage } = between(old, new);
    diff::diff(old, new, &Options { expected, outage, durations: false, ..Options::default() })
}

#[test]
fn what_an_upgrade_takes_away_is_told_in_one_sentence_and_not_excused() {
    let old = run("1.12.1");
    let mut new = run("1.20.0");
    new.lab.dir = "upgraded".into();
    fall_silent(&mut new);
    let seen = compared(&old, &new);
    let told = diff::text(&seen, false);
    assert!(seen.regressed, "{told}");
    let title = "12 routes became 8 on router0, 13 became 9 on tor0, 13 became 9 on tor1: Cilium 1.20.0 does not serve \
                 CiliumBGPPeeringPolicy any more; rack0, rack1 are ignored; write CiliumBGPClusterConfig, CiliumBGPPeerConfig \
                 and CiliumBGPAdvertisement instead (`fabric upgrade check fixtures/cilium-bgp --to 1.20.0 --write DIR`)";
    assert_eq!(seen.groups[0].title, title, "{told}");
    // Everything that is worse is in it.
    let worse: Vec<&str> = seen
        .groups
        .iter()
        .filter(|group| group.weight.regresses())
        .map(|group| group.title.as_str())
        .collect();
    assert_eq!(worse.len(), 1, "{worse:#?}");
    assert!(told.contains("1 cause"), "{told}");
    assert!(diff::markdown(&seen).contains("rack0, rack1 are ignored"));
    assert!(seen.to_json().contains("rack0, rack1 are ignored"));
}

#[rstest]
#[case::served_still("1.18.5")]
#[case::the_same_version("1.12.1")]
fn where_policies_are_served_a_loss_has_its_own_causes(#[case] to: &str) {
    let mut new = run(to);
    fall_silent(&mut new);
    let seen = compared(&run("1.12.1"), &new);
    assert!(seen.regressed && seen.groups.len() >= 4, "{}", diff::text(&seen, false));
    assert!(!seen.to_json().contains("does not serve"));
}

#[test]
fn who_moved_to_the_second_api_lost_it_otherwise() {
    let mut new = run("1.20.0");
    let given = new.lab.cilium.as_mut().unwrap();
    given.objects = vec![json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumBGPClusterConfig", "metadata": {"name": "all"},
        "spec": {"bgpInstances": [{"name": "main", "localASN": 65010, "peers": []}]},
    })];
    fall_silent(&mut new);
    let between = between(&run("1.12.1"), &new);
    assert_eq!(between.outage, None);
}

#[test]
fn an_outage_that_no_router_shows_is_told_all_the_same() {
    let seen = compared(&run("1.12.1"), &run("1.20.0"));
    let group = seen.groups.iter().find(|group| group.title.contains("does not serve")).unwrap();
    assert!(group.title.starts_with("not seen by any router here: "), "{}", group.title);
    assert_eq!(group.weight, Weight::Note);
}

#[rstest]
#[case::as_written(6, true)]
#[case::otherwise(7, false)]
fn timers_that_begin_to_count(#[case] seen_hold: u64, #[case] excused: bool) {
    let mut old = run("1.13.4");
    with_neighbor(&mut old, "holdTimeSeconds", &json!(6));
    let mut new = old.clone();
    new.environment.versions.insert("Cilium (modelled)".into(), "1.14.0".into());
    for session in of_nodes(&mut new) {
        session["hold"] = json!({"secs": seen_hold, "nanos": 0});
        session["keepalive"] = json!({"secs": 2, "nanos": 0});
    }
    let seen = compared(&old, &new);
    let told = diff::text(&seen, false);
    assert_eq!(!seen.regressed, excused, "{told}");
    // What was expected is not counted.
    assert_eq!(told.contains("4 causes, 4 differences"), !excused, "{told}");
    assert!(
        told.contains("expected: Cilium 1.14, field-takes-effect: git log of pkg/k8s/apis/cilium.io"),
        "{told}"
    );
    assert_eq!(seen.unmet, Vec::<String>::new());
}

/// The same change where no field explains it.
#[test]
fn timers_that_nobody_wrote_are_a_regression() {
    let mut new = run("1.14.0");
    for session in of_nodes(&mut new) {
        session["hold"] = json!({"secs": 6, "nanos": 0});
    }
    assert!(compared(&run("1.13.4"), &new).regressed);
}

#[rstest]
#[case::begins(Some("1.14.9"), "1.15.0", false)]
#[case::known_before(Some("1.15.0"), "1.16.0", true)]
#[case::not_written(None, "1.15.0", true)]
fn communities_that_begin_to_count(#[case] from: Option<&str>, #[case] to: &str, #[case] regressed: bool) {
    let mut old = run(from.unwrap_or("1.14.9"));
    let said = json!([{"selectorType": "PodCIDR", "communities": {"standard": ["65010:7"]}}]);
    if from.is_some() {
        with_neighbor(&mut old, "advertisedPathAttributes", &said);
    }
    let mut new = old.clone();
    new.environment.versions.insert("Cilium (modelled)".into(), to.into());
    for state in new.states.iter_mut().filter(|state| state.kind == "rib") {
        let routes = state.json["routes"].as_object_mut().unwrap();
        for (_, paths) in routes.iter_mut().filter(|(prefix, _)| prefix.starts_with("10.1.")) {
            paths[0]["communities"] = json!(["65010:7"]);
        }
    }
    let seen = compared(&old, &new);
    assert_eq!(seen.regressed, regressed, "{}", diff::text(&seen, false));
}

#[rstest]
#[case::upgraded_in_place(Kind::Attach, 1, false)]
#[case::twice_in_one_step(Kind::Attach, 2, true)]
#[case::two_fabrics(Kind::Twin, 1, true)]
fn sessions_end_once_with_their_agents(#[case] env: Kind, #[case] drops: u64, #[case] regressed: bool) {
    let (mut old, mut new) = (run("1.16.0"), run("1.17.0"));
    for record in [&mut old, &mut new] {
        record.environment.env = env;
    }
    for session in of_nodes(&mut new) {
        session["dropped_count"] = drops.into();
    }
    let seen = compared(&old, &new);
    assert_eq!(seen.regressed, regressed, "{}", diff::text(&seen, false));
}

#[rstest]
#[case::no_word("Peer closed the session", None, false)]
#[case::another("BGP Notification received", Some("Hold Timer Expired"), true)]
fn an_agent_that_stops_has_another_last_word(
    #[case] reason: &str,
    #[case] word: Option<&str>,
    #[case] regressed: bool,
) {
    let (mut old, mut new) = (run("1.13.4"), run("1.14.0"));
    let down = |record: &mut Record, reason: &str, word: Option<&str>| {
        for session in of_nodes(record) {
            session["state"] = "Active".into();
            session["dropped_count"] = 1.into();
            session["last_reset"] = json!({"reason": reason, "notification": word});
        }
    };
    down(&mut old, "BGP Notification received", Some("Cease/Peer De-configured"));
    down(&mut new, reason, word);
    let seen = compared(&old, &new);
    assert_eq!(seen.regressed, regressed, "{}", diff::text(&seen, false));
}

#[test]
fn a_lost_route_is_never_expected() {
    for (from, to) in [("1.12.1", "1.18.5"), ("1.14.0", "1.20.0")] {
        let mut old = run(from);
        with_neighbor(&mut old, "holdTimeSeconds", &json!(9));
        let mut new = old.clone();
        new.environment.versions.insert("Cilium (modelled)".into(), to.into());
        fall_silent(&mut new);
        let seen = compared(&old, &new);
        let excused = seen
            .groups
            .iter()
            .flat_map(|group| &group.differences)
            .filter(|one| one.weight == Weight::Worse && one.expected.is_some())
            .count();
        assert_eq!(excused, 0, "{}", diff::text(&seen, false));
    }
}

#[rstest]
#[case::back("1.20.0", "1.12.1")]
#[case::no_version("newest", "1.20.0")]
fn only_an_upgrade_is_known(#[case] from: &str, #[case] to: &str) {
    assert_eq!(between(&run(from), &run(to)), Between::default());
}

#[test]
fn a_record_that_does_not_say_what_it_was_given_predicts_nothing() {
    let mut old = run("1.12.1");
    old.lab.cilium = None;
    assert_eq!(between(&old, &run("1.20.0")), Between::default());
}
