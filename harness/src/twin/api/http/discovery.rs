//! Discovery: which groups, versions and resources there are.
//!
//! What lives here: `/version`, `/api`, `/apis` and below, plain and aggregated. What does not: the resources themselves
//! (`registry`), their types (`openapi`).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{json_answer, refusal};
use crate::twin::api::ApiError;
use crate::twin::api::registry::Resource;

/// The Kubernetes whose types the twin speaks.
const KUBERNETES: (&str, &str) = ("1", "33");

fn ok(value: &Value) -> Response {
    json_answer(StatusCode::OK, value.to_string())
}

/// The version the endpoint says it is, as a kubelet of it would say too: `v1.33.0+fabric.0.1.0`.
pub fn kubernetes_version() -> String {
    let (major, minor) = KUBERNETES;
    format!("v{major}.{minor}.0+fabric.{}", env!("CARGO_PKG_VERSION"))
}

/// `/version`.
pub(super) async fn version() -> Response {
    let (major, minor) = KUBERNETES;
    ok(&json!({
        "major": major, "minor": minor, "gitVersion": kubernetes_version(),
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }))
}

/// The version of aggregated discovery a client takes first, if any.
fn aggregated(headers: &HeaderMap) -> Option<&'static str> {
    let accept = headers.get(header::ACCEPT)?.to_str().ok()?;
    accept.split(',').find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let json = parts.next() == Some("application/json");
        let parts: Vec<_> = parts.collect();
        let has = |part: &str| parts.contains(&part);
        let wanted = json && has("as=APIGroupDiscoveryList") && has("g=apidiscovery.k8s.io");
        match wanted {
            true if has("v=v2") => Some("v2"),
            true if has("v=v2beta1") => Some("v2beta1"),
            _ => None,
        }
    })
}

/// Groups with their versions, in the order in which they are found; versions of a group in order of preference.
fn groups_of(resources: &[Arc<Resource>]) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for resource in resources {
        match groups.iter_mut().find(|(group, _)| *group == resource.group) {
            Some((_, versions)) if versions.contains(&resource.version) => {}
            Some((_, versions)) => versions.push(resource.version.clone()),
            None => groups.push((resource.group.clone(), vec![resource.version.clone()])),
        }
    }
    for (_, versions) in &mut groups {
        versions.sort_by_key(|version| std::cmp::Reverse(crate::twin::api::registry::rank(version)));
    }
    groups
}

fn aggregate(resources: &[Arc<Resource>], core: bool, version: &'static str) -> Response {
    let groups = groups_of(resources).into_iter().filter(|(group, _)| group.is_empty() == core);
    let items: Vec<_> = groups
        .map(|(group, versions)| {
            let versions: Vec<_> = versions
                .iter()
                .map(|version| {
                    let own = resources.iter().filter(|r| r.group == group && r.version == *version);
                    let own: Vec<_> = own.map(|resource| resource.aggregated()).collect();
                    json!({"version": version, "resources": own, "freshness": "Current"})
                })
                .collect();
            json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
        })
        .collect();
    let api_version = format!("apidiscovery.k8s.io/{version}");
    let list =
        json!({"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items});
    let mut response = ok(&list);
    let media_type = match version {
        "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// `/api`.
pub(super) async fn core(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if let Some(version) = aggregated(&headers) {
        return aggregate(&shared.rules.registry.all(), true, version);
    }
    ok(&json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}))
}

fn group_object(group: &str, versions: &[String]) -> Value {
    let version =
        |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({
        "name": group, "versions": versions.iter().map(version).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(version),
    })
}

/// `/apis`.
pub(super) async fn groups(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let resources = shared.rules.registry.all();
    if let Some(version) = aggregated(&headers) {
        return aggregate(&resources, false, version);
    }
    let groups = groups_of(&resources).into_iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<_> = groups.map(|(group, versions)| group_object(&group, &versions)).collect();
    ok(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

/// `/apis/{group}`.
pub(super) async fn group(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    let resources = shared.rules.registry.all();
    let found = groups_of(&resources).into_iter().find(|(group, _)| *group == name && !name.is_empty());
    let Some((group, versions)) = found else { return refusal(&ApiError::no_resource()) };
    let mut object = group_object(&group, &versions);
    object["kind"] = json!("APIGroup");
    object["apiVersion"] = json!("v1");
    ok(&object)
}

/// `/api/{version}`.
pub(super) async fn core_version(State(shared): State<Arc<Shared>>, Path(version): Path<String>) -> Response {
    resources(&shared, "", &version)
}

/// `/apis/{group}/{version}`.
pub(super) async fn version_of_group(
    State(shared): State<Arc<Shared>>,
    Path((group, version)): Path<(String, String)>,
) -> Response {
    resources(&shared, &group, &version)
}

fn resources(shared: &Shared, group: &str, version: &str) -> Response {
    let all = shared.rules.registry.all();
    let own = all.iter().filter(|resource| resource.group == group && resource.version == version);
    let described: Vec<_> = own.flat_map(|resource| resource.described()).collect();
    if described.is_empty() {
        return refusal(&ApiError::no_resource());
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    ok(&json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": described,
    }))
}
