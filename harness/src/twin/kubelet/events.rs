//! Events about pods: what `kubectl describe pod` shows at its end.
//!
//! What lives here: writing them, the same one again as a count. What does not: when there is something to say.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::status::now;

/// How many events are remembered for counting: enough for any pod that is in trouble now.
const REMEMBERED: usize = 4096;
/// How many events there are at most; the oldest goes for a new one. A real server forgets them after an hour.
const MOST: usize = 10_000;

/// Who says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// The scheduler.
    Scheduler,
    /// A node's kubelet.
    Kubelet(String),
    /// What ends pods on tainted nodes.
    Taints,
}

impl Source {
    fn component(&self) -> &'static str {
        match self {
            Self::Scheduler => "default-scheduler",
            Self::Kubelet(_) => "kubelet",
            Self::Taints => "taint-eviction-controller",
        }
    }

    /// Whose fields those are that it writes: a real cluster's programs go by the names of their executables.
    pub(super) fn manager(&self) -> &'static str {
        match self {
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet(_) => "kubelet",
            Self::Taints => "kube-controller-manager",
        }
    }
}

/// One thing to say about a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Saying {
    pub(super) source: Source,
    pub(super) warning: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// Such as `spec.containers{nettool}`.
    pub(super) field: Option<String>,
}

type Known = HashMap<(String, Saying), (String, i32)>;

/// Writes events.
#[derive(Clone)]
pub(super) struct Events {
    client: Client,
    known: Arc<Mutex<Known>>,
    written: Arc<Mutex<VecDeque<(String, String)>>>,
}

impl Events {
    pub(super) fn new(client: Client) -> Self {
        Self { client, known: Arc::default(), written: Arc::default() }
    }

    /// Says it. An event that cannot be written (its namespace is going) is not worth an error.
    pub(super) async fn say(&self, pod: &Pod, saying: Saying) {
        let namespace = pod.namespace().unwrap_or_default();
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let key = (pod.uid().unwrap_or_default(), saying.clone());
        let manager = Some(saying.source.manager().to_owned());
        let again = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_mut(&key).map(|(name, count)| {
                *count += 1;
                (name.clone(), *count)
            })
        };
        if let Some((name, count)) = again {
            let patch = json!({"count": count, "lastTimestamp": now()});
            let parameters = PatchParams { field_manager: manager.clone(), ..PatchParams::default() };
            if api.patch(&name, &parameters, &Patch::Merge(patch)).await.is_ok() {
                return;
            }
        }
        // As a real cluster names them: lists come in the order of names, and so in the order of what happened.
        let nanoseconds = chrono::Utc::now().timestamp_nanos_opt().unwrap_or_default();
        let name = format!("{}.{nanoseconds:x}", pod.name_any());
        let (component, host) = match &saying.source {
            Source::Kubelet(host) => ("kubelet", host.as_str()),
            other => (other.component(), ""),
        };
        let time = now();
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": pod.name_any(), "uid": pod.uid(),
                "resourceVersion": pod.resource_version(), "fieldPath": saying.field,
            },
            "type": if saying.warning { "Warning" } else { "Normal" },
            "reason": saying.reason, "message": saying.message, "count": 1,
            "firstTimestamp": time, "lastTimestamp": time,
            "source": if host.is_empty() { json!({"component": component}) } else { json!({"component": component, "host": host}) },
            "reportingComponent": component, "reportingInstance": host,
        });
        let Ok(event) = serde_json::from_value::<Event>(event) else { return };
        let parameters = PostParams { field_manager: manager, ..PostParams::default() };
        match api.create(&parameters, &event).await {
            Ok(_) => {
                {
                    let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                    if known.len() >= REMEMBERED {
                        known.clear();
                    }
                    known.insert(key, (name.clone(), 1));
                }
                self.forget_oldest(namespace, name).await;
            }
            Err(error) => tracing::debug!(%error, reason = saying.reason, "an event was not written"),
        }
    }

    async fn forget_oldest(&self, namespace: String, name: String) {
        let oldest = {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            written.push_back((namespace, name));
            if written.len() > MOST { written.pop_front() } else { None }
        };
        if let Some((namespace, name)) = oldest {
            let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
            // Gone already is as good as forgotten.
            let _ = api.delete(&name, &DeleteParams::default()).await;
        }
    }
}
