//! Which phases of the article's lab a state satisfies.

use std::collections::BTreeMap;
use std::path::Path;

use rstest::rstest;
use serde_json::json;

use super::choose::{Choice, by_state, to_walk};
use super::present::{Present, key, manifests};
use super::settings::FoundSettings;
use crate::plan::PlannedPhase;
use crate::run::prepare;

fn article() -> Vec<PlannedPhase> {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
    prepare(&lab).unwrap().plan
}

/// A cluster with Cilium in which these are there.
fn with(plan: &[PlannedPhase], there: &[&str]) -> Present {
    let object = |manifest: &&fabric_harness::lab::Manifest| {
        let is_there = there.iter().any(|kind| manifest.kind == *kind);
        (key(manifest), is_there.then(|| json!({"spec": {}})))
    };
    let objects = manifests(plan).iter().map(object).collect();
    Present { objects, cluster: true, cilium: true, ..Present::default() }
}

fn judged(choice: &Choice) -> Vec<&str> {
    choice.plan.iter().map(|phase| phase.name.as_str()).collect()
}

fn why<'c>(choice: &'c Choice, phase: &str) -> &'c str {
    choice.left_out.iter().find(|(name, _)| name == phase).map_or("", |(_, why)| why)
}

const POLICY: &str = "CiliumBGPPeeringPolicy";

#[rstest]
#[case::nothing(&[], &["cluster", "underlay", "cni"])]
#[case::policies(&[POLICY], &["policy"])]
#[case::all(&[POLICY, "Pod"], &["workload"])]
#[case::pods(&["Pod"], &["withdraw"])]
fn the_present_state_satisfies_some_phases(#[case] there: &[&str], #[case] expected: &[&str]) {
    let plan = article();
    let choice = by_state(&plan, &with(&plan, there), &[]);
    assert_eq!(judged(&choice), expected);
    assert_eq!(choice.plan.len() + choice.left_out.len(), plan.len());
}

#[test]
fn what_was_left_out_is_said_with_the_reason() {
    let plan = article();
    let choice = by_state(&plan, &with(&plan, &[POLICY]), &[]);
    assert_eq!(
        why(&choice, "underlay"),
        "CiliumBGPPeeringPolicy/rack0 and CiliumBGPPeeringPolicy/rack1 are there, and not in this phase"
    );
    assert_eq!(why(&choice, "workload"), "Pod/nettool-1 and Pod/nettool-2 are not there");
    let bare = Present { cilium: false, ..with(&plan, &[]) };
    assert_eq!(why(&by_state(&plan, &bare, &[]), "cni"), "Cilium is not installed in the cluster");
}

#[test]
fn what_cannot_be_asked_any_more_is_skipped_alone() {
    let plan = article();
    let choice = by_state(&plan, &with(&plan, &[]), &[]);
    let skipped: BTreeMap<&str, &str> =
        choice.skipped.iter().map(|(_, check, why)| (check.name.as_str(), why.as_str())).collect();
    assert!(skipped.contains_key("cluster::nodes::all are NotReady"), "{skipped:?}");
    let of_cluster = choice.plan.iter().find(|phase| phase.name == "cluster").unwrap();
    assert!(of_cluster.checks.iter().any(|check| check.name == "cluster::nodes::there are 4"));
    assert!(
        choice.plan.iter().flat_map(|phase| &phase.checks).all(|check| !check.name.contains("::lines::"))
    );
}

#[test]
fn a_named_phase_is_judged_whatever_the_state() {
    let plan = article();
    let choice = by_state(&plan, &with(&plan, &[]), &["workload".to_owned()]);
    assert_eq!(judged(&choice), ["workload"]);
    assert_eq!(why(&choice, "policy"), "it was not asked for");
}

#[test]
fn a_walk_goes_through_all() {
    let plan = article();
    let choice = to_walk(&plan, &with(&plan, &[]), &[]);
    assert_eq!(judged(&choice), ["cluster", "underlay", "cni", "policy", "workload", "withdraw"]);
    let some = to_walk(&plan, &with(&plan, &[]), &["policy".to_owned()]);
    assert_eq!(judged(&some).last(), Some(&"policy"));
}

#[rstest]
#[case(&[], None)]
#[case(&[("FABRIC_ENV", "twin")], None)]
#[case(&[("FABRIC_ENV", "attach"), ("FABRIC_KUBECONFIG", "k"), ("FABRIC_ROUTERS", "router0=docker:a; tor0=exec:ssh tor0")], Some(2))]
fn the_environment_says_it_for_cargo_test(#[case] said: &[(&str, &str)], #[case] ways: Option<usize>) {
    let read =
        |name: &str| said.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let settings = FoundSettings::of(read).unwrap();
    assert_eq!(settings.map(|settings| settings.ways.len()), ways);
}

#[rstest]
#[case(&[("FABRIC_ENV", "cloud")], "write `twin` or `attach`")]
#[case(&[("FABRIC_ENV", "attach"), ("FABRIC_ROUTERS", "router0")], "there is no `=`")]
#[case(&[("FABRIC_ENV", "attach"), ("FABRIC_DEPLOYER", "clabernetes")], "say how to reach it by FABRIC_KUBECONFIG")]
#[case(&[("FABRIC_ENV", "attach"), ("FABRIC_DEPLOYER", "containerlab")], "write `clabernetes` or nothing")]
fn an_environment_that_makes_no_sense_says_so(#[case] said: &[(&str, &str)], #[case] why: &str) {
    let read =
        |name: &str| said.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    assert!(FoundSettings::of(read).unwrap_err().to_string().contains(why));
}
