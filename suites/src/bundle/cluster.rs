//! The cluster's objects and events, and the logs of Cilium's pods.

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, LogParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt, discovery};
use serde_json::Value as Json;

use super::part::{Content, Part, Piece};
use super::redact::Redactor;

/// Kinds that every bundle has: group, version, kind, plural, what it is.
const KINDS: [(&str, &str, &str, &str, &str); 13] = [
    ("", "v1", "Node", "nodes", "the cluster's nodes"),
    ("", "v1", "Pod", "pods", "pods"),
    ("", "v1", "Service", "services", "services"),
    ("", "v1", "Endpoints", "endpoints", "who is behind which service"),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", "who is behind which service"),
    ("", "v1", "Namespace", "namespaces", "namespaces"),
    ("", "v1", "ConfigMap", "configmaps", "configuration, Cilium's among it"),
    ("", "v1", "Secret", "secrets", "Secrets, without what is in them"),
    ("", "v1", "ServiceAccount", "serviceaccounts", "service accounts"),
    ("", "v1", "Event", "events", "what the cluster says has happened"),
    ("apps", "v1", "DaemonSet", "daemonsets", "daemon sets"),
    ("apps", "v1", "Deployment", "deployments", "deployments"),
    ("apps", "v1", "ReplicaSet", "replicasets", "replica sets"),
];
/// Lines of a pod's log.
const LINES: i64 = 2000;

/// What is asked of a cluster; what Secrets hold goes to the redactor.
pub(super) async fn parts(client: &Client, redactor: &Arc<Mutex<Redactor>>) -> (Vec<Part>, Vec<Piece>) {
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    for (group, version, kind, plural, about) in KINDS {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        parts.push(objects(client, resource, about.to_owned(), redactor));
    }
    match discovery::group(client, "cilium.io").await {
        Ok(group) => {
            for (resource, _) in group.resources_by_stability() {
                let about = format!("every {}", resource.kind);
                parts.push(objects(client, resource, about, redactor));
            }
        }
        Err(error) => {
            let why = format!("the API does not say which kinds it has: {error}");
            missing.push(Piece::missing("cluster/cilium.io", "Cilium's objects", "the group cilium.io", why));
        }
    }
    parts.push(definitions(client));
    let pods: Api<Pod> = Api::all(client.clone());
    // A cluster that does not list its pods says so where they are asked for.
    let pods = pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
    parts.extend(pods.iter().filter(|pod| is_ciliums(pod)).flat_map(|pod| logs(client, pod)));
    (parts, missing)
}

fn objects(client: &Client, resource: ApiResource, about: String, redactor: &Arc<Mutex<Redactor>>) -> Part {
    let group = if resource.group.is_empty() { String::new() } else { format!(".{}", resource.group) };
    let (path, from) = (
        format!("cluster/{}{group}.json", resource.plural),
        format!("kubectl get {}.{}{group} -A -o json", resource.plural, resource.version),
    );
    let (api, redactor): (Api<DynamicObject>, _) =
        (Api::all_with(client.clone(), &resource), Arc::clone(redactor));
    Part::new(path, about, from, async move {
        let list = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let mut items: Vec<Json> =
            list.items.iter().filter_map(|object| serde_json::to_value(object).ok()).collect();
        for item in &mut items {
            // Who set which field when is noise here, and the longest part of most objects.
            if let Some(metadata) = item.get_mut("metadata").and_then(Json::as_object_mut) {
                metadata.remove("managedFields");
            }
            // Items of a list may leave their kind out.
            if let Some(item) = item.as_object_mut() {
                item.insert("kind".into(), Json::from(resource.kind.as_str()));
            }
        }
        let mut list = Json::from(items);
        redactor.lock().unwrap_or_else(PoisonError::into_inner).object(&mut list);
        let text = serde_json::to_string_pretty(&list).map_err(|error| error.to_string())?;
        Ok(Content::Text(text + "\n"))
    })
}

/// The names of all definitions with their versions: which Cilium this is.
fn definitions(client: &Client) -> Part {
    let gvk = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "customresourcedefinitions");
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    Part::new(
        "cluster/definitions.txt",
        "the names of all CRDs, with their versions",
        "kubectl get crds",
        async move {
            let list = api.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            let mut lines: Vec<String> = list.items.iter().map(definition).collect();
            lines.sort();
            Ok(Content::Text(lines.concat()))
        },
    )
}

fn definition(object: &DynamicObject) -> String {
    let versions = object.data.pointer("/spec/versions").and_then(Json::as_array);
    let names: Vec<&str> = versions
        .into_iter()
        .flatten()
        .filter_map(|version| version.get("name").and_then(Json::as_str))
        .collect();
    format!("{} {}\n", object.name_any(), names.join(", "))
}

fn is_ciliums(pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    matches!(label("k8s-app"), Some("cilium")) || matches!(label("io.cilium/app"), Some("operator"))
}

fn logs(client: &Client, pod: &Pod) -> Vec<Part> {
    let (namespace, name) = (pod.namespace().unwrap_or_else(|| "default".into()), pod.name_any());
    let containers =
        pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| container.name.clone());
    let part = |container: String| {
        let api: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let from = format!("kubectl logs -n {namespace} {name} -c {container} --tail {LINES}");
        let path = format!("cluster/logs/{namespace}/{name}/{container}.txt");
        let name = name.clone();
        Part::new(path, "the end of a log of Cilium's", from, async move {
            let params =
                LogParams { container: Some(container), tail_lines: Some(LINES), ..LogParams::default() };
            api.logs(&name, &params).await.map(Content::Text).map_err(|error| error.to_string())
        })
    };
    containers.map(part).collect()
}
