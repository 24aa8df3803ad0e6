//! The endpoint as its clients see it: kube-rs, kubectl, and clients that mean no good.
//!
//! What lives here: a served store with a pod runtime whose node is this machine, and fixtures. What does not: tests of one room,
//! which stand in that room.

mod client;
mod exec;
mod hostile;
mod kubectl;
mod node;
mod recorded;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Endpoint, install, serve};
use crate::twin::store::Store;

/// The definition of the peering policy as Cilium 1.12.1 installs it, descriptions left out.
pub(super) fn policy_crd() -> Value {
    let asn = json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u64});
    let neighbor = json!({
        "type": "object", "required": ["peerASN", "peerAddress"],
        "properties": {"peerASN": asn, "peerAddress": {"type": "string", "format": "cidr"}},
    });
    let router = json!({
        "type": "object", "required": ["localASN", "neighbors"],
        "properties": {
            "localASN": asn, "exportPodCIDR": {"type": "boolean"},
            "neighbors": {"type": "array", "minItems": 1, "items": neighbor},
        },
    });
    let expression = json!({
        "type": "object", "required": ["key", "operator"],
        "properties": {
            "key": {"type": "string"},
            "operator": {"type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]},
            "values": {"type": "array", "items": {"type": "string"}},
        },
    });
    let label = json!({"type": "string", "maxLength": 63, "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"});
    let selector = json!({
        "type": "object",
        "properties": {
            "matchLabels": {"type": "object", "additionalProperties": label},
            "matchExpressions": {"type": "array", "items": expression},
        },
    });
    let spec = json!({
        "type": "object", "required": ["virtualRouters"],
        "properties": {"nodeSelector": selector, "virtualRouters": {"type": "array", "minItems": 1, "items": router}},
    });
    let schema = json!({
        "type": "object", "required": ["metadata"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}, "spec": spec,
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "ciliumbgppeeringpolicies.cilium.io"},
        "spec": {
            "group": "cilium.io", "scope": "Cluster",
            "names": {
                "kind": "CiliumBGPPeeringPolicy", "listKind": "CiliumBGPPeeringPolicyList",
                "plural": "ciliumbgppeeringpolicies", "singular": "ciliumbgppeeringpolicy", "shortNames": ["bgpp"],
            },
            "versions": [{
                "name": "v2alpha1", "served": true, "storage": true, "subresources": {},
                "additionalPrinterColumns": [
                    {"jsonPath": ".metadata.creationTimestamp", "name": "Age", "type": "date"},
                ],
                "schema": {"openAPIV3Schema": schema},
            }],
        },
    })
}

/// A node as a kubelet registers it.
fn worker(name: &str, rack: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"rack": rack, "kubernetes.io/hostname": name}},
        "spec": {"podCIDR": "10.1.1.0/24", "podCIDRs": ["10.1.1.0/24"]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.0.2.2"}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "containerd://1.6.20",
                "kernelVersion": "6.18.44", "kubeProxyVersion": "v1.24.12", "kubeletVersion": "v1.24.12",
                "machineID": "", "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)",
                "systemUUID": "",
            },
        },
    })
}

/// A pod of the article.
fn nettool(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"run": name}},
        "spec": {
            "containers": [{"image": "cr7258/nettool:v1", "name": name}], "nodeSelector": {"rack": "rack0"},
        },
    })
}

/// Writes the status of a pod, as its kubelet does.
fn patch_status(store: &Store, pod: &str, status: &Value) {
    let rules = super::rules::Rules::new(store.clone());
    let pods = rules.registry.find("", "v1", "pods").unwrap();
    let (part, kind) = (super::rules::Part::Status, super::patch::PatchKind::Merge);
    let options = super::rules::WriteOptions::default();
    rules.patch(&pods, "default", pod, part, kind, status, &options).unwrap();
}

/// A served store with two nodes and the policies' definition.
async fn served() -> (Store, Endpoint) {
    let store = Store::new();
    for object in [worker("worker", "rack0"), worker("worker2", "rack1"), policy_crd()] {
        install(&store, &object).unwrap();
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (endpoint, _) = serve(store.clone(), Arc::new(node::ThisMachine), listener).await.unwrap();
    (store, endpoint)
}
