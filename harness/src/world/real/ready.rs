//! Waiting for nodes and for Cilium's agents, on their own conditions.
//!
//! What lives here: the watch, the limit, and what the agents say when it is over. What does not: making any of it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::Api;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};

use super::super::whole::WorldError;
use crate::outside::Limit;

/// What Cilium's charts call the agents' pods, every version of them.
const AGENTS: &str = "k8s-app=cilium";

/// Objects as they are, by name.
struct Seen<K>(BTreeMap<String, K>);

impl<K: ResourceExt> Seen<K> {
    fn hear(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.0.clear(),
            Event::InitApply(object) | Event::Apply(object) => drop(self.0.insert(object.name_any(), object)),
            Event::Delete(object) => drop(self.0.remove(&object.name_any())),
            Event::InitDone => {}
        }
    }
}

/// Waits until the cluster has its nodes; kind returns when kubeadm has joined them, the API may be a moment behind.
pub(super) async fn registered(client: &Client, count: usize) -> Result<(), WorldError> {
    let limit = Limit::of(Duration::from_secs(60), "for kubelets that have joined to register their nodes");
    let mut nodes = Seen::<Node>(BTreeMap::new());
    let waiting = async {
        let mut events = watcher(Api::<Node>::all(client.clone()), Config::default()).boxed();
        while nodes.0.len() < count {
            // An error is told by the watch and tried again by it.
            if let Some(Ok(event)) = events.next().await {
                nodes.hear(event);
            }
        }
    };
    let waited = tokio::time::timeout(limit.time(), waiting).await;
    waited.map_err(|_| WorldError::Cluster {
        what: "wait for the cluster's nodes".into(),
        why: format!("{} of {count} have registered after {limit}", nodes.0.len()),
    })
}

/// Waits until every node has a ready agent and is Ready; `tell` hears how far it is.
pub(super) async fn agents(
    client: &Client,
    count: usize,
    tell: &(dyn Fn(String) + Sync),
) -> Result<(), WorldError> {
    // Cilium's startup probe: 105 times every 2 s.
    let limit = Limit::of(Duration::from_secs(210), "the startup probe of Cilium's agents")
        .and_pull(500, "Cilium's images")
        .and(Duration::from_secs(30), "for the kubelets to see the CNI");
    let (mut pods, mut nodes) = (Seen::<Pod>(BTreeMap::new()), Seen::<Node>(BTreeMap::new()));
    let waiting = async {
        let of_agents = Config::default().labels(AGENTS);
        let mut agents = watcher(Api::<Pod>::namespaced(client.clone(), "kube-system"), of_agents).boxed();
        let mut all = watcher(Api::<Node>::all(client.clone()), Config::default()).boxed();
        let mut told = String::new();
        loop {
            tokio::select! {
                Some(Ok(event)) = agents.next() => pods.hear(event),
                Some(Ok(event)) = all.next() => nodes.hear(event),
                else => continue,
            }
            let (working, ready) = (working(&pods.0), ready(&nodes.0));
            if working >= count && ready >= count {
                return;
            }
            let text = format!("{working} of {count} agents ready, {ready} of {count} nodes Ready");
            if text != told {
                tell(text.clone());
                told = text;
            }
        }
    };
    let waited = tokio::time::timeout(limit.time(), waiting).await;
    waited.map_err(|_| WorldError::Cluster {
        what: "wait for Cilium's agents".into(),
        why: format!("after {limit}: {}", why_not(&pods.0, &nodes.0, count)),
    })
}

/// Nodes with a ready agent.
fn working(pods: &BTreeMap<String, Pod>) -> usize {
    let mut on: Vec<&str> = pods
        .values()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && is_ready(pod))
        .filter_map(|pod| pod.spec.as_ref()?.node_name.as_deref())
        .collect();
    on.sort_unstable();
    on.dedup();
    on.len()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
}

fn ready(nodes: &BTreeMap<String, Node>) -> usize {
    let is_ready = |node: &&Node| {
        let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
    };
    nodes.values().filter(is_ready).count()
}

/// What agents and nodes say that are not ready, and what to type.
fn why_not(pods: &BTreeMap<String, Pod>, nodes: &BTreeMap<String, Node>, count: usize) -> String {
    if pods.is_empty() {
        return format!(
            "there is no pod labelled {AGENTS} in kube-system; type: kubectl -n kube-system describe daemonset cilium"
        );
    }
    let mut all: Vec<String> = pods.values().filter(|pod| !is_ready(pod)).map(says).collect();
    if all.is_empty() && ready(nodes) < count {
        all.push(format!(
            "{} of {count} nodes are Ready though their agents are; type: kubectl describe nodes",
            ready(nodes)
        ));
    }
    all.join("; ")
}

/// What a pod that is not ready says.
fn says(pod: &Pod) -> String {
    let name = pod.name_any();
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.init_container_statuses.into_iter().flatten();
    let containers = containers.chain(status.container_statuses.into_iter().flatten());
    let waiting = containers.filter_map(|container| {
        let waiting = container.state?.waiting?;
        Some((container.image, waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default()))
    });
    let waiting = waiting.into_iter().find(|(_, reason, _)| reason != "PodInitializing");
    let Some((image, reason, message)) = waiting else {
        let conditions = status.conditions.unwrap_or_default();
        let word = conditions.into_iter().find(|one| one.status == "False").and_then(|one| one.message);
        let word = word.unwrap_or_else(|| "it runs and is not ready".to_owned());
        return format!("{name}: {word}; type: kubectl -n kube-system logs {name}");
    };
    let remedy = match reason.as_str() {
        "ErrImagePull" | "ImagePullBackOff" => {
            format!("docker pull {image} and kind load docker-image {image} --name CLUSTER")
        }
        "CrashLoopBackOff" => format!("kubectl -n kube-system logs {name} --previous"),
        _ => format!("kubectl -n kube-system describe pod {name}"),
    };
    let message = if message.is_empty() { String::new() } else { format!(" ({message})") };
    format!("{name}: {reason}{message}; type: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, node: &str, status: serde_json::Value) -> (String, Pod) {
        let pod = json!({"metadata": {"name": name}, "spec": {"nodeName": node, "containers": []}, "status": status});
        (name.to_owned(), serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn agents_count_by_node_and_only_when_ready() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let pods = BTreeMap::from([
            pod("a", "worker", ready.clone()),
            pod("b", "worker", ready.clone()),
            pod("c", "worker2", json!({"conditions": [{"type": "Ready", "status": "False"}]})),
        ]);
        assert_eq!(working(&pods), 1);
    }

    #[test]
    fn what_an_agent_says_that_does_not_come_up() {
        let state = json!({"containerStatuses": [{
            "name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.12.1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
        }]});
        let pods = BTreeMap::from([pod("cilium-x", "worker", state)]);
        let said = why_not(&pods, &BTreeMap::new(), 1);
        assert_eq!(
            said,
            "cilium-x: ImagePullBackOff (Back-off pulling image); type: docker pull quay.io/cilium/cilium:v1.12.1 and kind load \
             docker-image quay.io/cilium/cilium:v1.12.1 --name CLUSTER"
        );
        assert!(
            why_not(&BTreeMap::new(), &BTreeMap::new(), 4)
                .contains("kubectl -n kube-system describe daemonset cilium")
        );
    }
}
