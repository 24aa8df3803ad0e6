//! The leases of the nodes: by them a kubelet says that it lives, and `kubectl describe node` when it last did.
//!
//! What lives here: making and renewing them. What does not: a node's conditions, which follow its network.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;

/// How long a kubelet's lease lasts, in seconds, and how often it is renewed: the kubelet's defaults.
const LASTS: u32 = 40;
const RENEWED: Duration = Duration::from_secs(10);

/// Renews the lease of every node until the task is dropped.
pub async fn run_leases(client: Client) {
    let nodes: Api<Node> = Api::all(client.clone());
    let leases: Api<Lease> = Api::namespaced(client, "kube-node-lease");
    loop {
        match nodes.list(&ListParams::default()).await {
            Ok(nodes) => {
                for node in nodes {
                    renew(&leases, &node).await;
                }
            }
            Err(error) => tracing::debug!(%error, "the nodes' leases were not renewed"),
        }
        // The pause is the behaviour, not a wait for something.
        tokio::time::sleep(RENEWED).await;
    }
}

async fn renew(leases: &Api<Lease>, node: &Node) {
    let name = node.name_any();
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
    let owner =
        json!({"apiVersion": "v1", "kind": "Node", "name": name, "uid": node.uid().unwrap_or_default()});
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": LASTS, "renewTime": now},
    });
    let renewed = leases.patch(&name, &PatchParams::apply("kubelet").force(), &Patch::Apply(lease)).await;
    if let Err(error) = renewed {
        tracing::debug!(%error, node = %name, "a node's lease was not renewed");
    }
}
