//! OpenAPI v3: what `kubectl explain` reads, and by which kubectl knows that the server judges fields and dry runs.
//!
//! What lives here: one document per group and version, and its paths. What does not: the schemas in it (`types`). Strategic
//! merge patches are not announced: for those a client reads the merge keys in `v2`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::types::{SCHEMAS, built_in, custom, fingerprint, kind, name, place};
use crate::twin::api::ApiError;
use crate::twin::api::http::Shared;
use crate::twin::api::http::answer::{json_answer, refusal};
use crate::twin::api::http::discovery::kubernetes_version;
use crate::twin::api::registry::{Flavor, Resource};

/// `/openapi/v3`: where the documents are. The hash changes when a definition does, so that clients may keep what they have.
pub(in crate::twin::api::http) async fn index(State(shared): State<Arc<Shared>>) -> Response {
    let all = shared.rules.registry.all();
    let mut places: Vec<_> = all.iter().map(|resource| place(resource)).collect();
    places.sort_unstable();
    places.dedup();
    let paths: Map<_, _> = places
        .into_iter()
        .map(|of| {
            let hash = fingerprint(all.iter().filter(|resource| place(resource) == of));
            let url = format!("/openapi/v3/{of}?hash={hash}");
            (of, json!({"serverRelativeURL": url}))
        })
        .collect();
    json_answer(StatusCode::OK, json!({"paths": paths}).to_string())
}

/// `/openapi/v3/api/v1`, `/openapi/v3/apis/{group}/{version}`.
pub(in crate::twin::api::http) async fn document(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
) -> Response {
    let own: Vec<_> = shared.rules.registry.all().into_iter().filter(|r| place(r) == path).collect();
    if own.is_empty() {
        return refusal(&ApiError::no_resource());
    }
    json_answer(StatusCode::OK, described(&path, &own).to_string())
}

/// The document of a place.
pub(super) fn described(place: &str, resources: &[Arc<Resource>]) -> Value {
    let mut schemas = built_in(place, resources);
    let mut paths = Map::new();
    for resource in resources {
        if let Flavor::Custom { described, .. } = &resource.flavor {
            schemas.insert(name(resource), custom(resource, described));
        }
        for (path, item) in urls(place, resource) {
            paths.insert(path, item);
        }
    }
    json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": kubernetes_version()},
        "paths": paths, "components": {"schemas": schemas},
    })
}

/// The paths of a resource and what can be done there.
fn urls(place: &str, resource: &Resource) -> Vec<(String, Value)> {
    let (inside, namespace) = if resource.namespaced {
        ("/namespaces/{namespace}", vec![parameter("namespace", "path", "string")])
    } else {
        ("", Vec::new())
    };
    let list = format!("/{place}{inside}/{}", resource.plural);
    let schema = json!({"schema": {"$ref": format!("{SCHEMAS}{}", name(resource))}});
    let operation = |action: &str, query: &[(&str, &str)], types: &[&str]| {
        let parameters: Vec<_> = query.iter().map(|(name, kind)| parameter(name, "query", kind)).collect();
        let content =
            |types: &[&str]| types.iter().map(|t| ((*t).to_owned(), schema.clone())).collect::<Map<_, _>>();
        let mut operation = json!({
            "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": content(&["application/json"])}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind(resource),
        });
        if !types.is_empty() {
            operation["requestBody"] = json!({"content": content(types), "required": true});
        }
        operation
    };
    let write = [("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")];
    let bodies = ["application/json", "application/yaml"];
    let mut all = json!({"parameters": namespace, "post": operation("post", &write, &bodies)});
    if !resource.verbs.contains(&"get") {
        return vec![(list, all)];
    }
    let select = [
        ("labelSelector", "string"),
        ("fieldSelector", "string"),
        ("limit", "integer"),
        ("continue", "string"),
        ("resourceVersion", "string"),
        ("resourceVersionMatch", "string"),
        ("sendInitialEvents", "boolean"),
        ("allowWatchBookmarks", "boolean"),
        ("timeoutSeconds", "integer"),
        ("watch", "boolean"),
    ];
    let delete = [("dryRun", "string"), ("gracePeriodSeconds", "integer"), ("propagationPolicy", "string")];
    all["get"] = operation("list", &select, &[]);
    all["delete"] = operation("deletecollection", &select, &[]);
    let both = [namespace, vec![parameter("name", "path", "string")]].concat();
    let mut one = json!({"parameters": both});
    let patches =
        ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];
    let patch = [&write[..], &[("force", "boolean")]].concat();
    one["get"] = operation("get", &[], &[]);
    one["put"] = operation("put", &write, &bodies);
    one["patch"] = operation("patch", &patch, &patches);
    one["delete"] = operation("delete", &delete, &[]);
    vec![(format!("{list}/{{name}}"), one), (list, all)]
}

fn parameter(name: &str, place: &str, kind: &str) -> Value {
    json!({"name": name, "in": place, "required": place == "path", "schema": {"type": kind, "uniqueItems": true}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::api::registry::Registry;
    use crate::twin::api::rules::install;
    use crate::twin::api::tests::policy_crd;
    use crate::twin::store::Store;

    #[test]
    fn every_reference_of_every_document_leads_somewhere() {
        let store = Store::new();
        install(&store, &policy_crd()).unwrap();
        let all = Registry::new(store).all();
        let mut places: Vec<_> = all.iter().map(|resource| place(resource)).collect();
        places.dedup();
        for place_of in places {
            let own: Vec<_> = all.iter().filter(|r| place(r) == place_of).cloned().collect();
            let document = described(&place_of, &own);
            let schemas = document["components"]["schemas"].as_object().unwrap();
            for reference in document.to_string().split("\"$ref\":\"").skip(1) {
                let reference = reference.split('"').next().unwrap();
                let name = reference.strip_prefix(SCHEMAS).unwrap_or(reference);
                assert!(schemas.contains_key(name), "{place_of}: {reference}");
            }
            for resource in &own {
                let schema = &schemas[&name(resource)];
                assert_eq!(
                    schema["x-kubernetes-group-version-kind"],
                    json!([kind(resource)]),
                    "{}",
                    resource.kind
                );
            }
        }
    }
}
