//! Pods placed and refused.

use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use super::super::taints::endurance;
use super::*;

fn node(name: &str, rack: &str, taint: Option<(&str, &str)>) -> Node {
    let taints: Vec<_> =
        taint.into_iter().map(|(key, effect)| json!({"key": key, "effect": effect})).collect();
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"rack": rack, "slot": "7"}}, "spec": {"taints": taints}
    }))
    .unwrap()
}

fn pod(spec: Value) -> Pod {
    let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": []}});
    json_patch::merge(&mut pod["spec"], &spec);
    serde_json::from_value(pod).unwrap()
}

fn nodes() -> Vec<Node> {
    vec![
        node("control-plane", "rack0", Some(("node-role.kubernetes.io/control-plane", "NoSchedule"))),
        node("worker", "rack0", None),
        node("worker2", "rack1", None),
        node("worker3", "rack1", None),
    ]
}

fn affinity(terms: Value) -> Value {
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
}

fn expression(key: &str, operator: &str, values: &[&str]) -> Value {
    let values = if values.is_empty() { Value::Null } else { json!(values) };
    json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}])
}

const NOWHERE: &str = "0/4 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 3 \
    node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available: 4 Preemption is not helpful for \
    scheduling.";

#[rstest]
#[case::by_label(json!({"nodeSelector": {"rack": "rack0"}}), Ok("worker"))]
#[case::fewest_pods(json!({"nodeSelector": {"rack": "rack1"}}), Ok("worker3"))]
#[case::tolerated(
    json!({"nodeSelector": {"rack": "rack0"},
           "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}),
    Ok("control-plane")
)]
#[case::nowhere(json!({"nodeSelector": {"rack": "rack9"}}), Err(NOWHERE))]
#[case::affine(affinity(expression("rack", "In", &["rack1", "rack2"])), Ok("worker3"))]
#[case::not_in(affinity(expression("rack", "NotIn", &["rack1"])), Ok("worker"))]
#[case::greater(affinity(expression("slot", "Gt", &["7"])), Err(NOWHERE))]
#[case::exists(affinity(expression("gpu", "Exists", &[])), Err(NOWHERE))]
#[case::empty_term(affinity(json!([{}])), Err(NOWHERE))]
#[case::second_term(
    affinity(json!([{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]},
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["worker2"]}]}])),
    Ok("worker2")
)]
#[case::port_taken(
    json!({"hostNetwork": true, "nodeSelector": {"rack": "rack0"},
           "containers": [{"name": "a", "ports": [{"containerPort": 179}]}]}),
    Err("0/4 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 1 node(s) had untolerated \
         taint {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 \
         nodes are available: 1 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling.")
)]
fn placed(#[case] spec: Value, #[case] expected: Result<&str, &str>) {
    let count = |pods: usize| Load { pods, ports: BTreeSet::from([("TCP".to_owned(), 179)]) };
    let load = BTreeMap::from([("worker".to_string(), count(3)), ("worker2".to_string(), count(1))]);
    let seen = place(&pod(spec), &nodes(), &load).map_err(|why| why.message);
    assert_eq!(seen.as_deref().map_err(String::as_str), expected);
}

#[test]
fn a_node_that_is_full_or_cordoned_or_not_there_is_named_so() {
    let full = BTreeMap::from([("n".to_owned(), Load { pods: 110, ports: BTreeSet::new() })]);
    let why = place(&pod(json!({})), &[node("n", "r", None)], &full).unwrap_err().message;
    assert!(why.starts_with("0/1 nodes are available: 1 Too many pods. preemption: "), "{why}");
    let mut cordoned = node("n", "r", None);
    cordoned.spec.as_mut().unwrap().unschedulable = Some(true);
    let why = place(&pod(json!({})), &[cordoned], &BTreeMap::new()).unwrap_err().message;
    assert!(why.starts_with("0/1 nodes are available: 1 node(s) were unschedulable. "), "{why}");
    let why = place(&pod(json!({})), &[], &BTreeMap::new()).unwrap_err().message;
    assert_eq!(why, "no nodes available to schedule pods");
}

#[test]
fn a_soft_taint_only_comes_last() {
    let nodes = [node("a", "r", Some(("slow", "PreferNoSchedule"))), node("b", "r", None)];
    let load = BTreeMap::from([("b".to_owned(), Load { pods: 50, ports: BTreeSet::new() })]);
    assert_eq!(place(&pod(json!({})), &nodes, &load).unwrap(), "b");
    assert_eq!(place(&pod(json!({})), &nodes[..1], &load).unwrap(), "a");
}

#[rstest]
#[case::at_once(json!({}), Some(0))]
#[case::for_a_while(json!({"tolerations": [{"key": "down", "operator": "Exists", "tolerationSeconds": 5}]}), Some(5))]
#[case::for_good(json!({"tolerations": [{"operator": "Exists"}]}), None)]
#[case::another_effect(json!({"tolerations": [{"key": "down", "operator": "Exists", "effect": "NoSchedule"}]}), Some(0))]
fn a_taint_that_ends_pods_is_endured(#[case] spec: Value, #[case] seconds: Option<u64>) {
    let node = node("n", "r", Some(("down", "NoExecute")));
    assert_eq!(endurance(&pod(spec), &node), seconds.map(Duration::from_secs));
}
