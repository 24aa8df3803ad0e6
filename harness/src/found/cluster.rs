//! What a cluster says of itself: nodes, Cilium, and which of Cilium's BGP APIs is in use.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Client, ResourceExt};
use serde::Serialize;

use super::nodes::agents;
use crate::cluster::ClusterError;

/// A cluster as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterSeen {
    /// Its version.
    pub version: String,
    /// Its nodes.
    pub nodes: Vec<NodeSeen>,
    /// The version of Cilium, as the image of its agents is called; none where no agents run.
    pub cilium: Option<String>,
    /// Cilium's BGP APIs that are served, with how many objects there are of each.
    pub bgp: Vec<BgpApi>,
}

/// A node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeSeen {
    /// Its name.
    pub name: String,
    /// Whether it says it is Ready.
    pub ready: bool,
    /// The way into it that was found, as it would be written.
    pub way: Option<String>,
}

/// One of Cilium's BGP APIs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BgpApi {
    /// The kind that begins it.
    pub kind: &'static str,
    /// Its version.
    pub version: &'static str,
    /// How many objects there are.
    pub objects: usize,
}

/// The kinds by which Cilium's BGP is switched on, by version of the API.
const APIS: [(&str, &str, &str); 3] = [
    ("CiliumBGPPeeringPolicy", "v2alpha1", "ciliumbgppeeringpolicies"),
    ("CiliumBGPClusterConfig", "v2alpha1", "ciliumbgpclusterconfigs"),
    ("CiliumBGPClusterConfig", "v2", "ciliumbgpclusterconfigs"),
];

impl ClusterSeen {
    /// Looks at a cluster. Changes nothing.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn look(client: &Client) -> Result<Self, ClusterError> {
        let version = client.apiserver_version().await;
        let version = version.map_err(|error| ClusterError::api("ask the cluster what it is", error))?;
        let all = ListParams::default();
        let nodes = Api::<Node>::all(client.clone()).list(&all).await;
        let nodes = nodes.map_err(|error| ClusterError::api("list the cluster's nodes", error))?;
        let ways = agents(client).await?;
        let node = |node: &Node| {
            let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
            NodeSeen {
                name: node.name_any(),
                ready: ready.any(|condition| condition.status == "True"),
                way: ways.get(&node.name_any()).map(ToString::to_string),
            }
        };
        let mut bgp = Vec::new();
        for (kind, version, plural) in APIS {
            let gvk = GroupVersionKind::gvk("cilium.io", version, kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            // Not served is an answer, too.
            if let Ok(list) = api.list(&all).await {
                bgp.push(BgpApi { kind, version, objects: list.items.len() });
            }
        }
        Ok(Self {
            version: version.git_version,
            nodes: nodes.iter().map(node).collect(),
            cilium: cilium_version(client).await,
            bgp,
        })
    }
}

/// The version in the name of the image that Cilium's agents run; none where no agents run.
pub async fn cilium_version(client: &Client) -> Option<String> {
    let wanted = ListParams::default().labels("k8s-app=cilium");
    let sets = Api::<DaemonSet>::all(client.clone()).list(&wanted).await.ok()?;
    let containers = |set: DaemonSet| set.spec?.template.spec.map(|spec| spec.containers);
    let images = sets.items.into_iter().filter_map(containers).flatten().filter_map(|one| one.image);
    images.filter_map(|image| version_of(&image)).next()
}

/// `quay.io/cilium/cilium:v1.12.1@sha256:...` is 1.12.1.
fn version_of(image: &str) -> Option<String> {
    let image = image.split('@').next()?;
    // A colon before the last slash is that of the registry's port.
    let (_, tag) = image.rsplit('/').next()?.rsplit_once(':')?;
    let version = tag.strip_prefix('v').unwrap_or(tag);
    version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "quay.io/cilium/cilium:v1.12.1@sha256:ea2db1ee21b88127b5c18a96ad155c25485d0815a667ef77c2b7c7f31cab601b",
        Some("1.12.1")
    )]
    #[case("registry:5000/cilium/cilium:v1.20.0-dev", Some("1.20.0-dev"))]
    #[case("quay.io/cilium/cilium-ci:latest", None)]
    #[case("registry:5000/cilium", None)]
    fn an_image_names_its_version(#[case] image: &str, #[case] version: Option<&str>) {
        assert_eq!(version_of(image).as_deref(), version);
    }
}
