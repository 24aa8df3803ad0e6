//! Which nodes a pod wants by their labels.
//!
//! What lives here: `nodeSelector`, and the terms of node affinity that must hold. What does not: those that are only preferred.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, Pod};

/// Whether a node is one the pod wants.
pub(super) fn matches(pod: &Pod, node: &Node) -> bool {
    let Some(spec) = &pod.spec else { return true };
    let none = BTreeMap::new();
    let labels = node.metadata.labels.as_ref().unwrap_or(&none);
    if spec.node_selector.iter().flatten().any(|(key, value)| labels.get(key) != Some(value)) {
        return false;
    }
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|a| a.required_during_scheduling_ignored_during_execution.as_ref());
    let Some(required) = required else { return true };
    let name = node.metadata.name.clone().unwrap_or_default();
    let fields = BTreeMap::from([("metadata.name".to_owned(), name)]);
    required.node_selector_terms.iter().any(|term| {
        let expressions = term.match_expressions.as_deref().unwrap_or_default();
        let of_fields = term.match_fields.as_deref().unwrap_or_default();
        // A term that says nothing selects nothing.
        !(expressions.is_empty() && of_fields.is_empty())
            && expressions.iter().all(|requirement| meets(requirement, labels))
            && of_fields.iter().all(|requirement| meets(requirement, &fields))
    })
}

fn meets(requirement: &NodeSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let label = labels.get(&requirement.key);
    let values = requirement.values.as_deref().unwrap_or_default();
    let number = |text: &String| text.parse::<i64>().ok();
    let bound = || number(values.first().filter(|_| values.len() == 1)?);
    match requirement.operator.as_str() {
        "In" => label.is_some_and(|label| values.contains(label)),
        "NotIn" => label.is_none_or(|label| !values.contains(label)),
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        "Gt" => label.and_then(number).zip(bound()).is_some_and(|(label, bound)| label > bound),
        "Lt" => label.and_then(number).zip(bound()).is_some_and(|(label, bound)| label < bound),
        _ => false,
    }
}
