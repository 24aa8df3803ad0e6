//! What is there now of what a lab's phases would apply, delete and label.
//!
//! What lives here: reading it, changing nothing. What does not: which phases fit it (`choose`).

use std::collections::BTreeMap;

use fabric_harness::cluster::as_written;
use fabric_harness::fabric::{Fabric, FabricError};
use fabric_harness::found::cilium_version;
use fabric_harness::lab::Manifest;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::Value as Json;

use crate::checks::same_node;
use crate::plan::{Action, PlannedPhase};

/// What names an object: its kind with its API, its namespace and its name.
pub(super) type Key = (String, String, String);

/// The key of a manifest. `default` is the namespace where none is said; of what has no namespace it does not matter.
pub(super) fn key(manifest: &Manifest) -> Key {
    let namespace = manifest.namespace.clone().unwrap_or_else(|| "default".to_owned());
    (manifest.kind.clone(), namespace, manifest.name.clone())
}

/// A label of a node, by the node's name in the lab.
pub(super) type LabelKey = (String, String);

/// What is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Present {
    /// Objects that a phase names: as they are, or not there.
    pub(super) objects: BTreeMap<Key, Option<Json>>,
    /// Labels that a phase sets or removes: their values now.
    pub(super) labels: BTreeMap<LabelKey, Option<String>>,
    /// There is a cluster.
    pub(super) cluster: bool,
    /// Cilium is installed: its kinds are served.
    pub(super) cilium: bool,
    /// The version of its image, where it is run as it is installed.
    pub(super) cilium_version: Option<String>,
    /// The cluster's own version.
    pub(super) kubernetes: Option<String>,
}

/// Every object that the phases name, once, as the first to name it writes it.
pub(super) fn manifests(plan: &[PlannedPhase]) -> Vec<&Manifest> {
    let mut all: BTreeMap<Key, &Manifest> = BTreeMap::new();
    for action in plan.iter().flat_map(|phase| &phase.actions) {
        if let Action::Apply(some) | Action::Delete(some) = action {
            for manifest in some {
                all.entry(key(manifest)).or_insert(manifest);
            }
        }
    }
    all.into_values().collect()
}

impl Present {
    /// Reads it.
    pub(super) async fn read(fabric: &Fabric, plan: &[PlannedPhase]) -> Result<Self, FabricError> {
        let mut present = Self::default();
        let Ok(client) = fabric.client().await else { return Ok(present) };
        present.cluster = true;
        let groups = client.list_api_groups().await.map(|list| list.groups).unwrap_or_default();
        present.cilium = groups.iter().any(|group| group.name == "cilium.io");
        present.cilium_version = cilium_version(&client).await;
        present.kubernetes = client.apiserver_version().await.ok().map(|info| info.git_version);
        let objects = fabric.objects().await?;
        for manifest in manifests(plan) {
            present.objects.insert(key(manifest), objects.get(manifest).await?);
        }
        let nodes = Api::<Node>::all(client).list(&ListParams::default()).await;
        let nodes = nodes.map(|list| list.items).unwrap_or_default();
        for action in plan.iter().flat_map(|phase| &phase.actions) {
            let Action::Label(labels) = action else { continue };
            let node = nodes.iter().find(|node| same_node(&node.name_any(), &labels.node));
            for name in labels.set.keys().chain(&labels.remove) {
                let value = node.and_then(|node| node.labels().get(name).cloned());
                present.labels.insert((labels.node.clone(), name.clone()), value);
            }
        }
        Ok(present)
    }

    /// Objects that are there and are not what the lab's files say of them, with the first field that differs.
    pub(super) fn drifted(&self, plan: &[PlannedPhase]) -> Vec<String> {
        let differing = |manifest: &&Manifest| {
            let seen = self.objects.get(&key(manifest))?.as_ref()?;
            let difference = difference(&manifest.object, &as_written(seen), "")?;
            Some(format!("{}/{} is not as the lab's file has it: {difference}", manifest.kind, manifest.name))
        };
        manifests(plan).iter().filter_map(differing).collect()
    }
}

/// The first field of `written` that `seen` has not, or has otherwise. What the cluster adds is no difference.
fn difference(written: &Json, seen: &Json, path: &str) -> Option<String> {
    match (written, seen) {
        (Json::Object(written), Json::Object(seen)) => written.iter().find_map(|(name, value)| {
            let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match seen.get(name) {
                Some(found) => difference(value, found, &at),
                None if value.is_null() => None,
                None => Some(format!("{at} is not there, and {value} in the file")),
            }
        }),
        (Json::Array(written), Json::Array(seen)) => {
            written.iter().enumerate().find_map(|(number, value)| {
                let at = format!("{path}[{number}]");
                match seen.get(number) {
                    Some(found) => difference(value, found, &at),
                    None => Some(format!("{at} is not there, and {value} in the file")),
                }
            })
        }
        (written, seen) if written == seen => None,
        (written, seen) => Some(format!("{path} is {seen}, and {written} in the file")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::same(json!({"spec": {"a": 1}}), json!({"spec": {"a": 1, "added": true}}), None)]
    #[case::lists(json!({"l": [{"n": "x"}]}), json!({"l": [{"n": "x", "y": 1}, {"n": "added"}]}), None)]
    #[case::value(json!({"spec": {"a": 1}}), json!({"spec": {"a": 2}}), Some("spec.a is 2, and 1 in the file"))]
    #[case::missing(json!({"spec": {"l": [1, 2]}}), json!({"spec": {"l": [1]}}), Some("spec.l[1] is not there, and 2 in the file"))]
    fn what_the_cluster_adds_is_no_difference(
        #[case] written: Json,
        #[case] seen: Json,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(difference(&written, &seen, "").as_deref(), expected);
    }
}
