use rstest::rstest;
use serde_json::json;

use super::*;

fn state(status: Json, pods: &[(&str, bool)]) -> State {
    let mut topology = Seen::default();
    let object = json!({
        "apiVersion": "c9s.run/v1alpha1", "kind": "Topology", "metadata": {"name": "two", "generation": 2}, "status": status,
    });
    topology.put(serde_json::from_value(object).unwrap());
    let mut seen = Seen::default();
    for (label, ready) in pods {
        let ready = if *ready { "True" } else { "False" };
        let pod = json!({
            "metadata": {"name": format!("p-{label}"), "labels": {(*label): "r"}},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        });
        seen.put(serde_json::from_value::<Pod>(pod).unwrap());
    }
    State { topology, pods: seen, nodes: 1 }
}

#[rstest]
#[case::says_so(json!({"topologyReady": true, "observedGeneration": 2}), &[], true)]
#[case::of_an_older_definition(json!({"topologyReady": true, "observedGeneration": 1}), &[], false)]
#[case::not_yet(json!({"topologyReady": false}), &[("c9s.run/topologyNode", true)], false)]
#[case::older_versions_say_nothing(json!({"kind": "containerlab"}), &[("clabernetes/topologyNode", true)], true)]
#[case::a_planner_is_no_node(json!({}), &[("c9s.run/planner", true)], false)]
#[case::nothing_said_yet(json!(null), &[("c9s.run/topologyNode", false)], false)]
fn it_is_up(#[case] status: Json, #[case] pods: &[(&str, bool)], #[case] up: bool) {
    assert_eq!(state(status, pods).is_up(), up);
}

#[rstest]
#[case(json!({"error": "node \"r1\" has no image", "topologyState": "deployfailed"}), Some("node \"r1\" has no image"))]
#[case(json!({"error": "", "topologyState": "deployfailed"}), Some("its state is deployfailed"))]
#[case(json!({"topologyState": "deploying"}), None)]
fn a_refusal_is_clabernetes_own_word(#[case] status: Json, #[case] why: Option<&str>) {
    assert_eq!(state(status, &[]).refused().as_deref(), why);
}

#[test]
fn who_is_late_is_named() {
    let late = state(json!({}), &[("c9s.run/topologyNode", false)]);
    let said = late.why_not("c9s-two");
    assert!(said.contains("kubectl -n c9s-two logs p-c9s.run/topologyNode"), "{said}");
}
