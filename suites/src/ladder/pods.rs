//! What is to blame for a pod that does not run.

use fabric_reports::record::{Content, RungName};
use k8s_openapi::api::core::v1::Pod;

use super::{Blame, Finding, Proof};

/// How far a pod came; `pod` is none when the cluster has no such pod. `name` is `namespace/name`.
pub fn climb(name: &str, pod: Option<&Pod>) -> Finding {
    let finding = Finding::default();
    let Some(pod) = pod else {
        return finding.broken(blame(
            "pod-missing",
            name,
            format!("there is no pod {name}"),
            "Nobody has made it, or somebody has deleted it.".to_owned(),
            "the cluster's API has no such object".to_owned(),
        ));
    };
    let status = pod.status.as_ref();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    let said = conditions(pod);
    let Some(node) = node else {
        let why = status.into_iter().flat_map(|status| status.conditions.iter().flatten());
        let why = why.filter(|condition| condition.type_ == "PodScheduled" && condition.status != "True");
        let why: Vec<String> = why.filter_map(|condition| condition.message.clone()).collect();
        let text = if why.is_empty() {
            "No scheduler has said anything of it.".to_owned()
        } else {
            format!("The scheduler says: {}", why.join("; "))
        };
        let title = format!("pod {name} is on no node");
        return finding.broken(blame("pod-not-scheduled", name, title, text, said));
    };
    let running = phase == "Running";
    let has_address = status.and_then(|status| status.pod_ip.as_deref()).is_some_and(|ip| !ip.is_empty());
    let ready = |condition: &k8s_openapi::api::core::v1::PodCondition| {
        condition.type_ == "Ready" && condition.status == "True"
    };
    let is_ready = status.into_iter().flat_map(|status| status.conditions.iter().flatten()).any(ready);
    if running && has_address && is_ready {
        return finding.holds(RungName::Pod, format!("{name} is Running on {node}"));
    }
    let what = if !running {
        format!("is {phase}, not Running")
    } else if has_address {
        "is Running, and its containers are not ready".to_owned()
    } else {
        "is Running without an address".to_owned()
    };
    let title = format!("pod {name} {what}, on {node}");
    finding.broken(blame("pod-not-running", name, title, waiting(pod), said))
}

fn blame(kind: &'static str, name: &str, title: String, text: String, said: String) -> Blame {
    let proof = Proof {
        title: format!("pod {name}"),
        node: name.to_owned(),
        line: None,
        content: Content::Text(said),
    };
    Blame {
        kind,
        rung: RungName::Pod,
        title,
        text,
        // It is in no box, as far as it does not run; what it is about tells it apart.
        node: None,
        about: Some(name.to_owned()),
        proofs: vec![proof],
        next: None,
    }
}

/// What its containers wait for, or how they ended.
fn waiting(pod: &Pod) -> String {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let of = |status: &k8s_openapi::api::core::v1::ContainerStatus| {
        let state = status.state.as_ref()?;
        let (reason, message) = match (&state.waiting, &state.terminated) {
            (Some(waiting), _) => (waiting.reason.clone(), waiting.message.clone()),
            (_, Some(ended)) => (ended.reason.clone(), ended.message.clone()),
            _ => return None,
        };
        let words: Vec<String> = reason.into_iter().chain(message).collect();
        Some(format!("Container {}: {}.", status.name, words.join(", ")))
    };
    statuses.into_iter().flatten().filter_map(of).collect::<Vec<_>>().join(" ")
}

/// Its phase and conditions, a line each.
fn conditions(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    let mut text = format!("phase {phase}\n");
    for condition in status.into_iter().flat_map(|status| status.conditions.iter().flatten()) {
        let why = [condition.reason.as_deref(), condition.message.as_deref()];
        let why: Vec<&str> = why.into_iter().flatten().collect();
        text += &format!("{} {} {}\n", condition.type_, condition.status, why.join(": "));
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: Value, status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": spec, "status": status})).unwrap()
    }

    #[rstest]
    #[case::missing(None, Some("pod-missing"), "there is no pod default/a")]
    #[case::nowhere(
        Some(pod(json!({"containers": []}), json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/4 nodes are available"}]}))),
        Some("pod-not-scheduled"), "pod default/a is on no node")]
    #[case::pulling(
        Some(pod(json!({"containers": [], "nodeName": "w"}), json!({"phase": "Pending", "containerStatuses": [{"name": "c",
            "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}))),
        Some("pod-not-running"), "pod default/a is Pending, not Running, on w")]
    #[case::whole(
        Some(pod(json!({"containers": [], "nodeName": "w"}), json!({"phase": "Running", "podIP": "10.1.1.1",
            "conditions": [{"type": "Ready", "status": "True"}]}))),
        None, "")]
    fn pods_come_so_far(#[case] pod: Option<Pod>, #[case] kind: Option<&str>, #[case] title: &str) {
        let finding = climb("default/a", pod.as_ref());
        let blame = finding.blame;
        assert_eq!(blame.as_ref().map(|blame| blame.kind), kind);
        assert_eq!(blame.as_ref().map_or("", |blame| &blame.title), title);
    }

    #[test]
    fn the_scheduler_is_quoted() {
        let status = json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/4 nodes are available"}]});
        let blame = climb("default/a", Some(&pod(json!({"containers": []}), status))).blame.unwrap();
        assert_eq!(blame.text, "The scheduler says: 0/4 nodes are available");
    }
}
