//! Labs that others brought up, found by the labels their tools leave on them.
//!
//! What lives here: clabernetes' pods in a cluster, containerlab's containers, fabrics of this program. What does not: the
//! cluster's own nodes (`nodes`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use serde::Serialize;

use super::way::{RouterWay, Way};
use crate::cluster::ClusterError;
use crate::runtime::docker::ContainerSeen;
use crate::runtime::keeper::states;
use crate::runtime::prefix::Prefix;

/// A lab that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabSeen {
    /// Its name.
    pub name: String,
    /// What brought it up: `containerlab`, `clabernetes`, `fabric`.
    pub by: &'static str,
    /// Its routers and the ways into them.
    #[serde(serialize_with = "as_text")]
    pub routers: Vec<RouterWay>,
    /// The kubeconfig of its cluster, where that is known.
    pub kubeconfig: Option<String>,
}

fn as_text<S: serde::Serializer>(ways: &[RouterWay], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(ways.iter().map(ToString::to_string))
}

/// The labels of clabernetes (srl-labs/clabernetes, `constants/labels.go`): to 0.5, and since it is called c9s.
const FAMILIES: [&str; 2] = ["clabernetes", "c9s.run"];

/// The labs that clabernetes runs in a cluster.
///
/// # Errors
/// When the cluster does not answer.
pub async fn clabernetes(client: &Client) -> Result<Vec<LabSeen>, ClusterError> {
    let mut labs: BTreeMap<String, Vec<RouterWay>> = BTreeMap::new();
    for family in FAMILIES {
        let wanted = ListParams::default().labels(&format!("{family}/topologyNode"));
        let pods = Api::<Pod>::all(client.clone()).list(&wanted).await;
        let pods = pods.map_err(|error| ClusterError::api("list clabernetes' pods", error))?;
        for pod in pods {
            let label = |name: &str| pod.labels().get(&format!("{family}/{name}")).cloned();
            let Some(node) = label("topologyNode") else { continue };
            let lab = label("topologyOwner").unwrap_or_else(|| pod.namespace().unwrap_or_default());
            if let Some(way) = way_into(&pod, &node, family) {
                labs.entry(lab).or_default().push(RouterWay { node, way });
            }
        }
    }
    let seen = |(name, routers)| LabSeen { name, by: "clabernetes", routers, kubeconfig: None };
    Ok(labs.into_iter().map(seen).collect())
}

/// The labs that containerlab runs, by the labels it leaves on its containers.
pub fn containerlab(running: &[ContainerSeen]) -> Vec<LabSeen> {
    let mut labs: BTreeMap<String, Vec<RouterWay>> = BTreeMap::new();
    for one in running {
        let (Some(lab), Some(node)) = (one.labels.get("containerlab"), one.labels.get("clab-node-name"))
        else {
            continue;
        };
        let way = Way::Docker(one.name.clone());
        labs.entry(lab.clone()).or_default().push(RouterWay { node: node.clone(), way });
    }
    let seen = |(name, routers)| LabSeen { name, by: "containerlab", routers, kubeconfig: None };
    labs.into_iter().map(seen).collect()
}

/// A launcher runs the router as a container of its own Docker; later the router is a container of the pod.
fn way_into(pod: &Pod, node: &str, family: &str) -> Option<Way> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let own = containers.map(|one| one.name.as_str()).find(|name| *name == node);
    let launched = own.is_none() && family == "clabernetes";
    let before =
        if launched { ["docker", "exec", "-i", node].map(str::to_owned).to_vec() } else { Vec::new() };
    Some(Way::Kubectl {
        namespace: pod.namespace()?,
        pod: pod.name_any(),
        container: own.map(str::to_owned),
        before,
    })
}

/// The fabrics that this program keeps for this user, as others would reach them.
pub fn kept(program: &str) -> Vec<LabSeen> {
    let all = states().unwrap_or_default();
    let seen = |state: crate::runtime::keeper::State| {
        let id = &state.spec.id;
        let nodes = state.nodes.iter().filter(|node| matches!(node.role.as_str(), "router" | "cluster"));
        let way = |node: &crate::runtime::keeper::NodeInfo| {
            let words = format!("{program} exec --name {id} {} --", node.name);
            let way = Way::Exec(Prefix::parse(&words).ok()?);
            Some(RouterWay { node: node.name.clone(), way })
        };
        LabSeen {
            name: id.clone(),
            by: "fabric",
            routers: nodes.filter_map(way).collect(),
            kubeconfig: state.kubeconfig.map(|path| path.display().to_string()),
        }
    };
    all.into_iter().map(seen).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_are_labs_by_their_labels() {
        let container = |name: &str, labels: &[(&str, &str)]| ContainerSeen {
            name: name.to_owned(),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        };
        let running = [
            container("clab-demo-tor0", &[("containerlab", "demo"), ("clab-node-name", "tor0")]),
            container("other-x", &[("containerlab", "other"), ("clab-node-name", "x")]),
            container("database", &[]),
        ];
        let labs = containerlab(&running);
        assert_eq!(labs.len(), 2);
        assert_eq!(labs[0].routers[0].to_string(), "tor0=docker:clab-demo-tor0");
    }

    #[rstest]
    #[case::launcher("clabernetes", &["launcher"], "kubectl:lab/p -- docker exec -i tor0")]
    #[case::native("clabernetes", &["clabernetes-launcher", "tor0"], "kubectl:lab/p/tor0")]
    #[case::c9s("c9s.run", &["device", "clabwire"], "kubectl:lab/p")]
    fn a_router_is_the_pod_or_a_container_in_it(
        #[case] family: &str,
        #[case] containers: &[&str],
        #[case] expected: &str,
    ) {
        let containers: Vec<_> = containers.iter().map(|name| json!({"name": name})).collect();
        let pod = json!({"metadata": {"name": "p", "namespace": "lab"}, "spec": {"containers": containers}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        assert_eq!(way_into(&pod, "tor0", family).unwrap().to_string(), expected);
    }
}
