//! Waiting for nodes and for Cilium's agents, on their own conditions.
//!
//! What lives here: the watch, the limit, and what the agents say when it is over. What does not: making any of it.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Client;
use kube::api::Api;
use kube::runtime::watcher::{Config, watcher};

use super::super::whole::WorldError;
use crate::cluster::{Seen, is_ready, told_of, why_not_ready};
use crate::outside::Limit;

/// What Cilium's charts call the agents' pods, every version of them.
const AGENTS: &str = "k8s-app=cilium";

/// Waits until the cluster has its nodes; kind returns when kubeadm has joined them, the API may be a moment behind.
pub(super) async fn registered(client: &Client, count: usize) -> Result<(), WorldError> {
    let limit = Limit::of(Duration::from_secs(60), "for kubelets that have joined to register their nodes");
    let mut nodes = Seen::<Node>::default();
    let waiting = async {
        let mut events = told_of(watcher(Api::<Node>::all(client.clone()), Config::default()));
        while nodes.len() < count {
            if let Some(event) = events.next().await {
                nodes.hear(event);
            }
        }
    };
    let waited = tokio::time::timeout(limit.time(), waiting).await;
    waited.map_err(|_| WorldError::Cluster {
        what: "wait for the cluster's nodes".into(),
        why: format!("{} of {count} have registered after {limit}", nodes.len()),
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
    let (mut pods, mut nodes) = (Seen::<Pod>::default(), Seen::<Node>::default());
    let waiting = async {
        let of_agents = Config::default().labels(AGENTS);
        let agents = watcher(Api::<Pod>::namespaced(client.clone(), "kube-system"), of_agents);
        let mut agents = told_of(agents);
        let mut all = told_of(watcher(Api::<Node>::all(client.clone()), Config::default()));
        let mut told = String::new();
        loop {
            tokio::select! {
                Some(event) = agents.next() => pods.hear(event),
                Some(event) = all.next() => nodes.hear(event),
                // Watches do not end.
                else => std::future::pending().await,
            }
            let (working, ready) = (working(&pods), ready(&nodes));
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
        why: format!("after {limit}: {}", why_not(&pods, &nodes, count)),
    })
}

/// Nodes with a ready agent.
fn working(pods: &Seen<Pod>) -> usize {
    let mut on: Vec<&str> = pods
        .all()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && is_ready(pod))
        .filter_map(|pod| pod.spec.as_ref()?.node_name.as_deref())
        .collect();
    on.sort_unstable();
    on.dedup();
    on.len()
}

fn ready(nodes: &Seen<Node>) -> usize {
    let is_ready = |node: &&Node| {
        let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
    };
    nodes.all().filter(is_ready).count()
}

/// What agents and nodes say that are not ready, and what to type.
fn why_not(pods: &Seen<Pod>, nodes: &Seen<Node>, count: usize) -> String {
    if pods.len() == 0 {
        return format!(
            "there is no pod labelled {AGENTS} in kube-system; type: kubectl -n kube-system describe daemonset cilium"
        );
    }
    let mut all: Vec<String> = pods
        .all()
        .filter(|pod| !is_ready(pod))
        .map(|pod| why_not_ready(pod, "kube-system", by_kind))
        .collect();
    if all.is_empty() && ready(nodes) < count {
        all.push(format!(
            "{} of {count} nodes are Ready though their agents are; type: kubectl describe nodes",
            ready(nodes)
        ));
    }
    all.join("; ")
}

/// How an image gets into kind's nodes that they cannot pull.
fn by_kind(image: &str) -> Option<String> {
    Some(format!("docker pull {image} and kind load docker-image {image} --name CLUSTER"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods<const N: usize>(all: [(&str, &str, serde_json::Value); N]) -> Seen<Pod> {
        let mut seen = Seen::default();
        for (name, node, status) in all {
            let pod = json!({"metadata": {"name": name}, "spec": {"nodeName": node, "containers": []}, "status": status});
            seen.put(serde_json::from_value(pod).unwrap());
        }
        seen
    }

    #[test]
    fn agents_count_by_node_and_only_when_ready() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let pods = pods([
            ("a", "worker", ready.clone()),
            ("b", "worker", ready.clone()),
            ("c", "worker2", json!({"conditions": [{"type": "Ready", "status": "False"}]})),
        ]);
        assert_eq!(working(&pods), 1);
    }

    #[test]
    fn what_an_agent_says_that_does_not_come_up() {
        let state = json!({"containerStatuses": [{
            "name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.12.1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
        }]});
        let said = why_not(&pods([("cilium-x", "worker", state)]), &Seen::default(), 1);
        assert_eq!(
            said,
            "cilium-x: ImagePullBackOff (Back-off pulling image); type: docker pull quay.io/cilium/cilium:v1.12.1 and kind load \
             docker-image quay.io/cilium/cilium:v1.12.1 --name CLUSTER"
        );
        assert!(
            why_not(&Seen::default(), &Seen::default(), 4)
                .contains("kubectl -n kube-system describe daemonset cilium")
        );
    }
}
