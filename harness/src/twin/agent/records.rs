//! What an agent writes into the API: its CiliumNode, and events about its node.
//!
//! What lives here: the objects and how they are written. What does not: when (`reconcile`).

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Event, EventSource, Node, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};

use super::plan::pod_cidrs;
use crate::cilium::{CiliumNode, CiliumNodeAddress, CiliumNodeIpam, CiliumNodeSpec};
use crate::node::{Command, NodeRef};

/// Who writes: the field manager, and the source of events.
const AGENT: &str = "cilium-agent";

/// The CiliumNode of a node, as 1.12 fills it in when Kubernetes hands out the pod CIDRs. `cilium_host` is the
/// address of that interface, if it has one.
pub fn cilium_node(node: &Node, cilium_host: Option<IpAddr>) -> CiliumNode {
    let address = |kind: &str, ip: String| CiliumNodeAddress { kind: kind.to_owned(), ip };
    let listed = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
    let of_node = listed
        .filter(|listed| listed.address.parse::<IpAddr>().is_ok())
        .map(|listed| address(&listed.type_, listed.address.clone()));
    let own = cilium_host.map(|ip| address("CiliumInternalIP", ip.to_string()));
    // A CIDR that cannot be read is a problem that `plan` names; here it is left out.
    let pod_cidrs = pod_cidrs(node).unwrap_or_default().iter().map(ToString::to_string).collect();
    let spec = CiliumNodeSpec {
        addresses: of_node.chain(own).collect(),
        ipam: CiliumNodeIpam { pod_cidrs },
        ..CiliumNodeSpec::default()
    };
    let mut made = CiliumNode::new(&node.name_any(), spec);
    made.metadata.labels = node.metadata.labels.clone();
    made.metadata.owner_references = node.uid().map(|uid| {
        let (api_version, kind, name) = ("v1".to_owned(), "Node".to_owned(), node.name_any());
        vec![OwnerReference { api_version, kind, name, uid, ..OwnerReference::default() }]
    });
    made
}

/// Writes a CiliumNode, over whatever is there.
pub(super) async fn write(client: &Client, node: &CiliumNode) -> Result<(), kube::Error> {
    let parameters = PatchParams::apply(AGENT).force();
    Api::<CiliumNode>::all(client.clone())
        .patch(&node.name_any(), &parameters, &Patch::Apply(node))
        .await
        .map(drop)
}

/// The address of cilium_host in a node; `None` where there is no such interface (yet), or no `ip`.
pub(super) async fn cilium_host(node: &NodeRef) -> Option<IpAddr> {
    let command = Command::new(["ip", "-json", "-4", "address", "show", "dev", "cilium_host"]);
    let output = node.exec(&command).await.ok().filter(crate::node::Output::success)?;
    first_address(&output.stdout)
}

fn first_address(json: &[u8]) -> Option<IpAddr> {
    let links: serde_json::Value = serde_json::from_slice(json).ok()?;
    links.pointer("/0/addr_info/0/local")?.as_str()?.parse().ok()
}

/// Posts a warning about a node, without waiting for it: an API server that is away must not hold the agent up.
pub(in crate::twin) fn warn(client: &Client, node: &str, reason: &str, message: &str) {
    tracing::warn!(node, reason, "{message}");
    let event = event(node, reason, message);
    let client = client.clone();
    tokio::spawn(async move {
        let events = Api::<Event>::namespaced(client, "default");
        if let Err(error) = events.create(&PostParams::default(), &event).await {
            tracing::debug!(%error, "an event could not be posted");
        }
    });
}

fn event(node: &str, reason: &str, message: &str) -> Event {
    let now = Time(k8s_openapi::jiff::Timestamp::now());
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{node}.{:016x}", rand::random::<u64>())),
            namespace: Some("default".to_owned()),
            ..ObjectMeta::default()
        },
        // Events about nodes name the node as its uid, as kubelet's do.
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(node.to_owned()),
            uid: Some(node.to_owned()),
            ..ObjectReference::default()
        },
        type_: Some("Warning".to_owned()),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        source: Some(EventSource { component: Some(AGENT.to_owned()), host: Some(node.to_owned()) }),
        count: Some(1),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// `kubectl get ciliumnodes -o json` of a cluster with Cilium 1.12.1: one item.
    const RECORDED: &str = include_str!("../../../../fixtures/recorded/cilium-1.12.1/ciliumnode-worker.json");

    #[test]
    fn the_cilium_node_says_what_the_real_one_says() {
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let node: Node = serde_json::from_value(json!({
            "metadata": {
                "name": recorded["metadata"]["name"],
                "uid": recorded["metadata"]["ownerReferences"][0]["uid"],
                "labels": recorded["metadata"]["labels"],
            },
            "spec": { "podCIDR": "10.1.1.0/24", "podCIDRs": ["10.1.1.0/24"] },
            "status": { "addresses": [
                { "type": "InternalIP", "address": "10.0.2.2" },
                { "type": "Hostname", "address": recorded["metadata"]["name"] },
            ] },
        }))
        .unwrap();
        let own = recorded["spec"]["addresses"][1]["ip"].as_str().unwrap();
        let made = serde_json::to_value(cilium_node(&node, Some(own.parse().unwrap()))).unwrap();
        for key in ["name", "labels", "ownerReferences"] {
            assert_eq!(made["metadata"][key], recorded["metadata"][key], "{key}");
        }
        for key in ["addresses", "ipam", "encryption"] {
            assert_eq!(made["spec"][key], recorded["spec"][key], "{key}");
        }
        assert_eq!((&made["apiVersion"], &made["kind"]), (&recorded["apiVersion"], &recorded["kind"]));
    }

    #[test]
    fn the_address_of_cilium_host() {
        let shown = br#"[{"ifname":"cilium_host","addr_info":[{"family":"inet","local":"10.1.1.143","prefixlen":32}]}]"#;
        assert_eq!(first_address(shown), Some("10.1.1.143".parse().unwrap()));
        assert_eq!(first_address(b"[{}]"), None);
        assert_eq!(first_address(b"Device does not exist"), None);
    }

    #[test]
    fn an_event_names_its_node() {
        let event = event("worker", "BGP", "no session");
        assert!(event.metadata.name.unwrap().starts_with("worker."));
        assert_eq!(event.involved_object.name.as_deref(), Some("worker"));
    }
}
