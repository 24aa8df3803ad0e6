//! Why a pod does not run, a node is not ready, an interface lacks an address: from what Kubernetes and the kernel say.

use std::collections::BTreeMap;

use fabric_harness::router::{Link, LinkAddress};
use fabric_reports::record::{Content, RungName};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::json;

use super::{Blame, CLUSTER, Finding, Proof};

fn blame(kind: &'static str, rung: RungName, title: String) -> Blame {
    Blame { kind, rung, title, text: String::new(), node: None, about: None, proofs: Vec::new(), next: None }
}

fn said(title: String, line: String, content: Content) -> Proof {
    Proof { title, node: CLUSTER.to_owned(), line: Some(line), content }
}

/// What is to blame that a pod does not run; none where it runs and is ready. `seen` is none where the API has no such pod.
pub fn pod(namespace: &str, name: &str, seen: Option<&Pod>, nodes: &[Node]) -> Option<Blame> {
    let called = format!("{namespace}/{name}");
    let line = format!("kubectl -n {namespace} describe pod {name}");
    let about = Some(called.clone());
    let broken = |kind, title, text: String, content| Blame {
        text,
        about: about.clone(),
        proofs: vec![said(format!("pod {called}"), line.clone(), content)],
        next: Some(line.clone()),
        ..blame(kind, RungName::Pod, title)
    };
    let Some(pod) = seen else {
        let title = format!("there is no pod {called}");
        let text = "Nobody made it, or it was deleted.".to_owned();
        return Some(broken("pod-missing", title, text, Content::Text("not found".into())));
    };
    let status = pod.status.as_ref();
    let conditions: Vec<_> = status.iter().flat_map(|status| status.conditions.iter().flatten()).collect();
    let content = || {
        Content::Json(
            json!({ "node": pod.spec.as_ref().and_then(|spec| spec.node_name.clone()), "status": status }),
        )
    };
    let on = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let Some(on) = on else {
        let unscheduled = conditions.iter().find(|one| one.type_ == "PodScheduled" && one.status == "False");
        let why = unscheduled.and_then(|one| one.message.clone()).unwrap_or_default();
        let title = format!("pod {called} is on no node{}", colon(&why));
        return Some(broken("pod-not-scheduled", title, String::new(), content()));
    };
    let ready = conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    if ready && phase == "Running" {
        return None;
    }
    let node = nodes.iter().find(|node| node.metadata.name.as_deref() == Some(on.as_str()));
    if let Some(blame) = node.and_then(not_ready) {
        return Some(blame);
    }
    let containers = status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut waiting = containers.filter_map(|one| {
        let waiting = one.state.as_ref()?.waiting.as_ref()?;
        waiting.message.clone().or_else(|| waiting.reason.clone())
    });
    let why = waiting.next().or_else(|| status?.message.clone()).unwrap_or_default();
    let title = format!("pod {called} on {on} is {phase} and not ready{}", colon(&why));
    Some(Blame { node: Some(on), ..broken("pod-not-running", title, String::new(), content()) })
}

fn colon(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {}", why.trim_end_matches('.')) }
}

/// What is to blame that a node is not Ready; none where it is.
pub fn not_ready(node: &Node) -> Option<Blame> {
    let name = node.metadata.name.clone()?;
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().find(|one| one.type_ == "Ready");
    if ready.is_some_and(|ready| ready.status == "True") {
        return None;
    }
    let why = ready.and_then(|ready| ready.message.clone()).unwrap_or_default();
    let line = format!("kubectl describe node {name}");
    Some(Blame {
        node: Some(name.clone()),
        proofs: vec![said(format!("node {name}"), line.clone(), Content::Json(json!(ready)))],
        next: Some(line),
        ..blame("node-not-ready", RungName::Pod, format!("node {name} is not Ready{}", colon(&why)))
    })
}

/// What is to blame that a node lacks labels; none where it has them.
pub fn not_labelled(node: &Node, wanted: &BTreeMap<String, String>) -> Option<Blame> {
    let name = node.metadata.name.clone()?;
    let there = node.metadata.labels.clone().unwrap_or_default();
    let (key, value) = wanted.iter().find(|(key, value)| there.get(*key) != Some(value))?;
    let has = there.get(key).map_or("has no such label".to_owned(), |has| format!("has {key}={has}"));
    let line = "kubectl get nodes --show-labels".to_owned();
    Some(Blame {
        text: format!("{name} {has}."),
        node: Some(name.clone()),
        about: Some(key.clone()),
        proofs: vec![said(format!("{name}'s labels"), line, Content::Json(json!(there)))],
        next: Some(format!("kubectl label node {name} {key}={value}")),
        ..blame("node-not-labelled", RungName::Policy, format!("{name} is not labelled {key}={value}"))
    })
}

/// The ladder of an address that an interface should have.
pub fn address(
    place: &str,
    interface: &str,
    wanted: IpNet,
    links: &[Link],
    addresses: &[LinkAddress],
) -> Finding {
    let Some(link) = links.iter().find(|link| link.name == interface) else { return Finding::default() };
    let own: Vec<_> = addresses.iter().filter(|own| own.dev == interface).collect();
    let finding = Finding::default().holds(RungName::Link, format!("{place} has an interface {interface}"));
    if own.iter().any(|own| own.address == wanted) {
        return finding;
    }
    let proof = Proof {
        title: format!("{place}'s addresses on {interface}"),
        node: place.to_owned(),
        line: Some(format!("ip addr show dev {interface}")),
        content: Content::Json(json!({ "link": link, "addresses": own })),
    };
    finding.broken(Blame {
        node: Some(place.to_owned()),
        about: Some(interface.to_owned()),
        proofs: vec![proof],
        next: Some(format!("ip addr add {wanted} dev {interface}")),
        ..blame(
            "address-missing",
            RungName::Address,
            format!("{place} lacks its address {wanted} on {interface}"),
        )
    })
}
