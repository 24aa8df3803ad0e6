//! Putting a cluster back as it was before a walk through a lab's phases.
//!
//! What lives here: remembering the objects and labels the phases may touch, in memory and in a file, and putting them back.
//! What does not: the walk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fabric_harness::cluster::{ClusterError, Objects, as_written, words};
use fabric_harness::fabric::{Fabric, FabricError};
use fabric_harness::lab::Manifest;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::{Value as Json, json};

use super::present::{LabelKey, Present, key, manifests};
use crate::checks::same_node;
use crate::plan::PlannedPhase;

/// How long an object may take to go: the longest a pod is given by default (30 s) and as much again for its node to say so.
const GOING: Duration = Duration::from_secs(60);

/// What was there before.
pub(super) struct Before {
    objects: Arc<Objects>,
    fabric: Arc<Fabric>,
    seen: Vec<(Manifest, Option<Json>)>,
    labels: BTreeMap<LabelKey, Option<String>>,
    /// A copy for people, should this process be killed.
    file: Option<PathBuf>,
}

impl Before {
    /// Remembers what the phases may touch.
    pub(super) async fn of(
        fabric: &Arc<Fabric>,
        plan: &[PlannedPhase],
        present: &Present,
    ) -> Result<Self, FabricError> {
        let objects = fabric.objects().await?;
        let seen = |manifest: &Manifest| {
            let there = present.objects.get(&key(manifest)).cloned().flatten();
            (manifest.clone(), there)
        };
        Ok(Self {
            objects,
            fabric: Arc::clone(fabric),
            seen: manifests(plan).into_iter().map(seen).collect(),
            labels: present.labels.clone(),
            file: None,
        })
    }

    /// Whether there is anything that could have to be put back.
    pub(super) fn touches_nothing(&self) -> bool {
        self.seen.is_empty() && self.labels.is_empty()
    }

    /// Writes what was there into a file for `kubectl apply -f`, should this process be killed before it puts it back.
    pub(super) fn write(&mut self, file: &Path) -> std::io::Result<()> {
        let items: Vec<Json> =
            self.seen.iter().filter_map(|(_, seen)| seen.as_ref().map(as_written)).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        if let Some(above) = file.parent() {
            std::fs::create_dir_all(above)?;
        }
        std::fs::write(file, format!("{list:#}\n"))?;
        self.file = Some(file.to_path_buf());
        Ok(())
    }

    /// Takes away what the phases would apply, so that the first of them finds what it expects.
    pub(super) async fn clear(&self) -> Result<(), ClusterError> {
        let there = self.seen.iter().filter(|(_, seen)| seen.is_some());
        let removed = there.map(|(manifest, _)| self.objects.remove(manifest, GOING));
        futures::future::try_join_all(removed).await.map(drop)
    }

    /// Puts everything back; what could not be is told, each with the reason.
    pub(super) async fn put_back(&self) -> Vec<String> {
        let each = self.seen.iter().map(|(manifest, seen)| async move {
            let put = match seen {
                Some(seen) => self.objects.put_back(manifest, seen, GOING).await,
                None => self.objects.remove(manifest, GOING).await,
            };
            put.err().map(|error| error.to_string())
        });
        let mut wrong: Vec<String> = futures::future::join_all(each).await.into_iter().flatten().collect();
        wrong.extend(self.labels_back().await);
        if wrong.is_empty()
            && let Some(file) = &self.file
        {
            let _ = std::fs::remove_file(file);
        } else if let Some(file) = &self.file {
            wrong.push(format!("what was there is in {}: `kubectl apply -f` it", file.display()));
        }
        wrong
    }

    async fn labels_back(&self) -> Vec<String> {
        if self.labels.is_empty() {
            return Vec::new();
        }
        let back = async {
            let api: Api<Node> = Api::all(self.fabric.client().await.map_err(|error| error.to_string())?);
            let nodes = api.list(&ListParams::default()).await.map_err(words)?;
            for ((node, name), value) in &self.labels {
                let Some(node) = nodes.iter().find(|seen| same_node(&seen.name_any(), node)) else {
                    continue;
                };
                if node.labels().get(name) == value.as_ref() {
                    continue;
                }
                let patch = json!({"metadata": {"labels": {name: value}}});
                let patched =
                    api.patch(&node.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await;
                patched.map_err(words)?;
            }
            Ok::<_, String>(())
        };
        back.await.err().map(|why| format!("put the nodes' labels back: {why}")).into_iter().collect()
    }
}
