//! Applying a topology to a cluster with clabernetes, waiting for it, taking it away.
//!
//! What lives here: what was made, so that just that is taken away, and when it is up. What does not: the objects (`object`).

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{Config, watcher};
use kube::{Client, ResourceExt};
use serde_json::Value as Json;

use super::error::ClabernetesError;
use super::object;
use crate::cluster::{ClusterError, Objects, Seen, is_ready, told_of, why_not_ready};
use crate::lab::{Manifest, Topology};
use crate::outside::Limit;

/// The groups that have had a Topology of this shape, newest first, with the version to speak.
const GROUPS: [(&str, &str); 2] = [("c9s.run", "v1alpha1"), ("clabernetes.containerlab.dev", "v1alpha1")];

/// How long a namespace may take to go: a pod's 30 s by default, and as much again for everything in it to be collected.
const GOING: Duration = Duration::from_secs(60);

/// A topology of ours in a cluster.
pub struct Clabernetes {
    client: Client,
    objects: Objects,
    /// What was made, in that order. Nothing is held across a wait.
    made: Mutex<Vec<Manifest>>,
}

impl std::fmt::Debug for Clabernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clabernetes").finish_non_exhaustive()
    }
}

impl Clabernetes {
    /// Nothing yet, in that cluster.
    pub fn new(client: Client) -> Self {
        Self { objects: Objects::new(client.clone()), client, made: Mutex::default() }
    }

    /// Applies a topology and waits until its pods are up; `file` is the topology's, `tell` hears how far it is.
    ///
    /// # Errors
    /// When clabernetes is not there, when the topology is already, when it holds what cannot be a pod, when it does not come up.
    /// What was made by then is known, and taken away by [`Self::take_down`].
    pub async fn deploy(
        &self,
        topology: &Topology,
        file: &Path,
        tell: &(dyn Fn(String) + Sync),
    ) -> Result<(), ClabernetesError> {
        let api_version = self.served().await?;
        let wrong = |source| ClabernetesError::File { path: file.display().to_string(), source };
        let text = fs::read_to_string(file).map_err(wrong)?;
        let dir = file.parent().unwrap_or(Path::new("."));
        let all = object::objects(&api_version, topology, dir, &text)?;
        let namespace = object::namespace_of(topology);
        // In a namespace of somebody else's nothing of his is written over, and none of it taken away.
        if let Some(Manifest { kind, name, .. }) = self.there(&all).await? {
            return Err(ClabernetesError::There { kind: kind.clone(), name: name.clone(), namespace });
        }
        let home = object::namespace(&namespace);
        let homeless = self.objects.get(&home).await?.is_none();
        for manifest in homeless.then_some(home).into_iter().chain(all) {
            // Known before it is there: what is interrupted meanwhile is taken away, too.
            self.note(manifest.clone());
            self.objects.apply(&manifest).await?;
        }
        self.up(&api_version, topology, tell).await
    }

    /// Takes away what was made; what could not be is told, a sentence each.
    pub async fn take_down(&self) -> Vec<String> {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        // A namespace takes with it all that is in it.
        let home = made.iter().find(|manifest| manifest.kind == "Namespace");
        let mut wrong = Vec::new();
        for manifest in home.map_or_else(|| made.iter().rev().collect(), |home| vec![home]) {
            if let Err(error) = self.objects.remove(manifest, GOING).await {
                let namespace = manifest.namespace.as_deref().unwrap_or(&manifest.name);
                wrong.push(format!("{error}; type: kubectl delete namespace {namespace}"));
            }
        }
        wrong
    }

    /// The first of some objects that the cluster has.
    async fn there<'m>(&self, all: &'m [Manifest]) -> Result<Option<&'m Manifest>, ClusterError> {
        for manifest in all {
            if self.objects.get(manifest).await?.is_some() {
                return Ok(Some(manifest));
            }
        }
        Ok(None)
    }

    fn note(&self, manifest: Manifest) {
        self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(manifest);
    }

    /// The API that clabernetes serves here.
    async fn served(&self) -> Result<String, ClabernetesError> {
        let groups = self.client.list_api_groups().await;
        let groups = groups.map_err(|error| ClusterError::api("ask the cluster what it serves", error))?;
        let served = |(group, version): &&(&str, &str)| {
            let named = groups.groups.iter().find(|one| one.name == *group);
            named.is_some_and(|one| one.versions.iter().any(|served| served.version == *version))
        };
        let (group, version) = GROUPS.iter().find(served).ok_or(ClabernetesError::NotInstalled)?;
        Ok(format!("{group}/{version}"))
    }

    async fn up(
        &self,
        api_version: &str,
        topology: &Topology,
        tell: &(dyn Fn(String) + Sync),
    ) -> Result<(), ClabernetesError> {
        let (name, namespace) = (topology.name.as_str(), object::namespace_of(topology));
        let mut images: Vec<&str> = topology.nodes.iter().filter_map(|node| node.image.as_deref()).collect();
        images.sort_unstable();
        images.dedup();
        let mut limit = Limit::of(Duration::from_secs(900), "clabernetes' own limit for a node's start");
        for image in images {
            limit = limit.and_pull(300, image);
        }
        let (group, version) = api_version.split_once('/').unwrap_or((api_version, ""));
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, "Topology"));
        let topologies: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &namespace, &kind);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &namespace);
        let mut seen =
            State { topology: Seen::default(), pods: Seen::default(), nodes: topology.nodes.len() };
        let waiting = async {
            let of_it = Config::default().fields(&format!("metadata.name={name}"));
            let mut topologies = told_of(watcher(topologies, of_it));
            let mut pods = told_of(watcher(pods, Config::default()));
            let mut told = String::new();
            loop {
                tokio::select! {
                    Some(event) = topologies.next() => seen.topology.hear(event),
                    Some(event) = pods.next() => seen.pods.hear(event),
                    // Watches do not end.
                    else => std::future::pending().await,
                }
                if let Some(why) = seen.refused() {
                    let (name, namespace) = (name.to_owned(), namespace.clone());
                    return Err(ClabernetesError::Refused { name, namespace, why });
                }
                if seen.is_up() {
                    return Ok(());
                }
                let text = format!("{} of {} pods ready", seen.ready(), seen.nodes);
                if text != told {
                    tell(text.clone());
                    told = text;
                }
            }
        };
        match tokio::time::timeout(limit.time(), waiting).await {
            Ok(ended) => ended,
            Err(_) => {
                let why = seen.why_not(&namespace);
                Err(ClabernetesError::Late { name: name.to_owned(), limit: limit.to_string(), why })
            }
        }
    }
}

/// What the cluster says of the topology.
struct State {
    topology: Seen<DynamicObject>,
    pods: Seen<Pod>,
    nodes: usize,
}

impl State {
    fn status(&self, key: &str) -> Option<&Json> {
        self.topology.all().next()?.data.get("status")?.get(key)
    }

    /// Why clabernetes will not have it, if it says so.
    fn refused(&self) -> Option<String> {
        let said = self.status("error").and_then(Json::as_str).filter(|text| !text.is_empty());
        let failed = self.status("topologyState").and_then(Json::as_str) == Some("deployfailed");
        said.map(str::to_owned).or_else(|| failed.then(|| "its state is deployfailed".to_owned()))
    }

    /// Up: clabernetes says so of the present definition; versions that say nothing of it have as many ready pods as nodes.
    fn is_up(&self) -> bool {
        let Some(topology) = self.topology.all().next() else { return false };
        let observed = self.status("observedGeneration").and_then(Json::as_i64);
        let current = observed.is_none() || observed == topology.metadata.generation;
        match self.status("topologyReady").and_then(Json::as_bool) {
            Some(ready) => ready && current,
            None => self.ready() >= self.nodes,
        }
    }

    /// Pods of nodes that are ready. Others may be there, which plan or pull.
    fn ready(&self) -> usize {
        self.pods.all().filter(|pod| is_node(pod) && is_ready(pod)).count()
    }

    fn why_not(&self, namespace: &str) -> String {
        let waiting: Vec<String> = self
            .pods
            .all()
            .filter(|pod| is_node(pod) && !is_ready(pod))
            .map(|pod| why_not_ready(pod, namespace, |_| None))
            .collect();
        if waiting.is_empty() {
            return format!(
                "{} of {} pods are ready; type: kubectl -n {namespace} get topologies,pods",
                self.ready(),
                self.nodes
            );
        }
        waiting.join("; ")
    }
}

/// Whether a pod stands for a node of the topology.
fn is_node(pod: &Pod) -> bool {
    pod.labels().keys().any(|key| key.ends_with("/topologyNode"))
}

#[cfg(test)]
#[path = "deploy_tests.rs"]
mod tests;
