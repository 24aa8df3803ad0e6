//! Objects as a watch tells of them, and what a pod says that is not ready.
//!
//! What lives here: keeping them by name, and reading a pod's status. What does not: what is waited for.

use std::collections::BTreeMap;

use futures::stream::{BoxStream, Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};

/// Objects as they are, by name.
#[derive(Debug)]
pub(crate) struct Seen<K>(BTreeMap<String, K>);

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: ResourceExt> Seen<K> {
    /// Takes in what a watch tells.
    pub(crate) fn hear(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.0.clear(),
            Event::InitApply(object) | Event::Apply(object) => self.put(object),
            Event::Delete(object) => drop(self.0.remove(&object.name_any())),
            Event::InitDone => {}
        }
    }

    pub(crate) fn put(&mut self, object: K) {
        self.0.insert(object.name_any(), object);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &K> {
        self.0.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What a watch tells, for ever: it tries again after an error by itself, each time a little later.
pub(crate) fn told_of<'a, K: Send + 'a>(
    watch: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'a,
) -> BoxStream<'a, Event<K>> {
    watch.default_backoff().filter_map(|event| async { event.ok() }).boxed()
}

/// Whether a pod says it is ready.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
}

/// What a pod says that is not ready, and what to type; `load` is how an image that cannot be pulled gets there, where that is known.
pub(crate) fn why_not_ready(pod: &Pod, namespace: &str, load: impl Fn(&str) -> Option<String>) -> String {
    let name = pod.name_any();
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.init_container_statuses.into_iter().flatten();
    let containers = containers.chain(status.container_statuses.into_iter().flatten());
    let waiting = containers.filter_map(|container| {
        let waiting = container.state?.waiting?;
        Some((container.image, waiting.reason.unwrap_or_default(), waiting.message.unwrap_or_default()))
    });
    let waiting = waiting.into_iter().find(|(_, reason, _)| reason != "PodInitializing");
    let Some((image, reason, message)) = waiting else {
        let conditions = status.conditions.unwrap_or_default();
        let word = conditions.into_iter().find(|one| one.status == "False").and_then(|one| one.message);
        let word = word.unwrap_or_else(|| "it runs and is not ready".to_owned());
        return format!("{name}: {word}; type: kubectl -n {namespace} logs {name}");
    };
    let known = match reason.as_str() {
        "ErrImagePull" | "ImagePullBackOff" => load(&image),
        "CrashLoopBackOff" => Some(format!("kubectl -n {namespace} logs {name} --previous")),
        _ => None,
    };
    let remedy = known.unwrap_or_else(|| format!("kubectl -n {namespace} describe pod {name}"));
    let message = if message.is_empty() { String::new() } else { format!(" ({message})") };
    format!("{name}: {reason}{message}; type: {remedy}")
}
