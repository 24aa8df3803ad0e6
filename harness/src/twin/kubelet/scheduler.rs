//! Which node a pod goes to: nodeSelector, taints, readiness, then the fewest pods.
//!
//! What lives here: the decision, pure. What does not: writing it down (`pods`). Not modelled: affinity, resources,
//! priorities, topology spread; a pod that asks for them is placed as if it had not.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

/// Why no node takes a pod, in the words of the real scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unschedulable {
    /// `0/4 nodes are available: ...`.
    pub message: String,
}

/// Picks a node for a pod, or says why none will do. `load` counts the pods that each node has already.
pub fn place(pod: &Pod, nodes: &[Node], load: &BTreeMap<String, usize>) -> Result<String, Unschedulable> {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut fitting: Vec<(usize, String)> = Vec::new();
    for node in nodes {
        match refusal(pod, node) {
            Some(why) => *refused.entry(why).or_default() += 1,
            None => {
                let name = node.metadata.name.clone().unwrap_or_default();
                fitting.push((load.get(&name).copied().unwrap_or(0), name));
            }
        }
    }
    fitting.sort();
    if let Some((_, name)) = fitting.into_iter().next() {
        return Ok(name);
    }
    let reasons: Vec<String> = refused.iter().map(|(why, count)| format!("{count} {why}")).collect();
    let why =
        if reasons.is_empty() { "no nodes available to schedule pods".into() } else { reasons.join(", ") };
    Err(Unschedulable { message: format!("0/{} nodes are available: {why}.", nodes.len()) })
}

fn refusal(pod: &Pod, node: &Node) -> Option<String> {
    let labels = node.metadata.labels.clone().unwrap_or_default();
    let spec = pod.spec.as_ref()?;
    let wanted = spec.node_selector.iter().flatten();
    if wanted.into_iter().any(|(key, value)| labels.get(key) != Some(value)) {
        return Some("node(s) didn't match Pod's node affinity/selector".into());
    }
    let node_spec = node.spec.as_ref();
    if node_spec.and_then(|spec| spec.unschedulable).unwrap_or(false) {
        return Some("node(s) were unschedulable".into());
    }
    let tolerations = spec.tolerations.as_deref().unwrap_or_default();
    let taints = node_spec.and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let untolerated = taints
        .iter()
        .filter(|taint| taint.effect != "PreferNoSchedule")
        .find(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)));
    untolerated.map(|taint| {
        let value = taint.value.as_deref().unwrap_or_default();
        format!("node(s) had untolerated taint {{{}: {value}}}", taint.key)
    })
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.as_deref().unwrap_or_default();
    if !effect.is_empty() && effect != taint.effect {
        return false;
    }
    let key = toleration.key.as_deref().unwrap_or_default();
    match toleration.operator.as_deref() {
        Some("Exists") => key.is_empty() || key == taint.key,
        _ => {
            key == taint.key
                && toleration.value.as_deref().unwrap_or_default()
                    == taint.value.as_deref().unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn node(name: &str, rack: &str, taint: Option<&str>) -> Node {
        let taints: Vec<_> =
            taint.into_iter().map(|key| json!({"key": key, "effect": "NoSchedule"})).collect();
        serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"rack": rack}}, "spec": {"taints": taints}
        }))
        .unwrap()
    }

    fn pod(spec: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap()
    }

    fn nodes() -> Vec<Node> {
        vec![
            node("control-plane", "rack0", Some("node-role.kubernetes.io/control-plane")),
            node("worker", "rack0", None),
            node("worker2", "rack1", None),
            node("worker3", "rack1", None),
        ]
    }

    #[rstest]
    #[case::by_label(json!({"containers": [], "nodeSelector": {"rack": "rack0"}}), Ok("worker"))]
    #[case::fewest_pods(json!({"containers": [], "nodeSelector": {"rack": "rack1"}}), Ok("worker3"))]
    #[case::tolerated(
        json!({"containers": [], "nodeSelector": {"rack": "rack0"},
               "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}),
        Ok("control-plane")
    )]
    #[case::nowhere(
        json!({"containers": [], "nodeSelector": {"rack": "rack9"}}),
        Err("0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector.")
    )]
    fn placed(#[case] spec: serde_json::Value, #[case] expected: Result<&str, &str>) {
        let load = BTreeMap::from([("worker".to_string(), 3), ("worker2".to_string(), 1)]);
        let seen = place(&pod(spec), &nodes(), &load).map_err(|why| why.message);
        assert_eq!(seen.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn a_taint_nobody_tolerates_is_named() {
        let only = [node("n", "rack0", Some("node.kubernetes.io/not-ready"))];
        let why = place(&pod(json!({"containers": []})), &only, &BTreeMap::new()).unwrap_err();
        assert_eq!(
            why.message,
            "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }."
        );
    }
}
