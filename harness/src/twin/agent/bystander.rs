//! An agent without BGP: what is left of it when `bgpControlPlane.enabled` is not true.
//!
//! What lives here: keeping the node's CiliumNode as Cilium does. Policies are not even looked at.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, watcher};
use kube::{Api, Client};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::records;
use crate::node::NodeRef;

/// How long to wait before a CiliumNode that the server did not take is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// Runs an agent of one node that does not speak BGP, until `stop`.
pub async fn run_without_bgp(client: Client, node_name: String, node: NodeRef, stop: CancellationToken) {
    let own = Config::default().fields(&format!("metadata.name={node_name}"));
    let mut nodes =
        watcher(Api::<Node>::all(client.clone()), own).default_backoff().applied_objects().boxed();
    let mut written = None;
    while let Some(Some(seen)) = stop.run_until_cancelled(nodes.next()).await {
        let Ok(seen) = seen else { continue };
        let new = records::cilium_node(&seen, records::cilium_host(&node).await);
        if written.as_ref() == Some(&new) {
            continue;
        }
        while let Err(error) = records::write(&client, &new).await {
            tracing::warn!(node = node_name, %error, "the CiliumNode cannot be written");
            if stop.run_until_cancelled(sleep(WRITE_AGAIN)).await.is_none() {
                return;
            }
        }
        written = Some(new);
    }
}
