//! Taints of nodes and what pods say to them.
//!
//! What lives here: which taints a pod does not tolerate, and for how long it endures those that end pods. What does not:
//! ending them (`pods`).

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

/// A node's taints of these effects that a pod does not tolerate.
pub(super) fn untolerated<'a>(
    pod: &'a Pod,
    node: &'a Node,
    effects: &'a [&str],
) -> impl Iterator<Item = &'a Taint> {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints
        .filter(|taint| effects.contains(&taint.effect.as_str()))
        .filter(|taint| !tolerations(pod).any(|toleration| tolerates(toleration, taint)))
}

fn tolerations(pod: &Pod) -> impl Iterator<Item = &Toleration> {
    pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten())
}

/// Whether a toleration is one of a taint.
pub(super) fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
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

/// How long a pod may stay on a node; `None`: for good.
pub(super) fn endurance(pod: &Pod, node: &Node) -> Option<Duration> {
    if untolerated(pod, node, &["NoExecute"]).next().is_some() {
        return Some(Duration::ZERO);
    }
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let ending = taints.filter(|taint| taint.effect == "NoExecute");
    let limits = ending.flat_map(|taint| {
        let of_it = tolerations(pod).filter(move |toleration| tolerates(toleration, taint));
        of_it.filter_map(|toleration| toleration.toleration_seconds)
    });
    limits.min().map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}
