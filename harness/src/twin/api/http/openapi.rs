//! OpenAPI v3: what `kubectl explain` reads, and by which kubectl knows that the server judges fields and dry runs.
//!
//! What lives here: one document per group and version, made of the types of `k8s-openapi` and of the schemas of
//! CustomResourceDefinitions. What does not: judging objects (`schema`, `rules`). Strategic merge patches are not announced: a client
//! that builds one from a document needs the merge keys of every list in it, and otherwise uses its own.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Shared;
use super::answer::{json_answer, refusal};
use super::discovery::kubernetes_version;
use crate::twin::api::ApiError;
use crate::twin::api::registry::{Flavor, Resource};

/// Where the types of Kubernetes' own stand in a document.
const SCHEMAS: &str = "#/components/schemas/";
const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// The words of a real server for the three fields every object has.
const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert \
    recognized schemas to the latest internal value, and may reject unrecognized values. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the \
    endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const STANDARD: &str = "Standard object's metadata. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// Components of the built-in types by `api/v1` and the like. Describing a few hundred types takes a moment, so it is done once.
type Components = HashMap<String, Map<String, Value>>;
static BUILT_IN: LazyLock<std::sync::Mutex<Components>> = LazyLock::new(Default::default);

fn place(resource: &Resource) -> String {
    if resource.group.is_empty() {
        format!("api/{}", resource.version)
    } else {
        format!("apis/{}/{}", resource.group, resource.version)
    }
}

/// `/openapi/v3`: where the documents are. The hash changes when a definition does, so that clients may keep what they have.
pub(super) async fn index(State(shared): State<Arc<Shared>>) -> Response {
    let mut paths = Map::new();
    let mut hashes: HashMap<String, Sha256> = HashMap::new();
    for resource in shared.rules.registry.all() {
        let hash = hashes.entry(place(&resource)).or_default();
        hash.update(kubernetes_version());
        hash.update(&resource.plural);
        if let Flavor::Custom { described, .. } = &resource.flavor {
            hash.update(described.to_string());
        }
    }
    for (place, hash) in hashes {
        let hash = hash.finalize().iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02X}");
            text
        });
        let url = format!("/openapi/v3/{place}?hash={hash}");
        paths.insert(place, json!({"serverRelativeURL": url}));
    }
    paths.sort_keys();
    json_answer(StatusCode::OK, json!({"paths": paths}).to_string())
}

/// `/openapi/v3/api/v1`, `/openapi/v3/apis/{group}/{version}`.
pub(super) async fn document(State(shared): State<Arc<Shared>>, Path(path): Path<String>) -> Response {
    let own: Vec<_> = shared.rules.registry.all().into_iter().filter(|r| place(r) == path).collect();
    if own.is_empty() {
        return refusal(&ApiError::no_resource());
    }
    json_answer(StatusCode::OK, described(&path, &own).to_string())
}

fn described(place: &str, resources: &[Arc<Resource>]) -> Value {
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

/// The types of Kubernetes' own that a place needs.
fn built_in(place: &str, resources: &[Arc<Resource>]) -> Map<String, Value> {
    let mut known = BUILT_IN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Every place of definitions needs the same: metadata.
    let own: Vec<_> = resources.iter().filter(|resource| !resource.custom()).collect();
    let place = if own.is_empty() { "" } else { place };
    let describe = || {
        let mut generator = SchemaGenerator::new(SchemaSettings::openapi3());
        generator.subschema_for::<ObjectMeta>();
        for resource in &own {
            if let Flavor::Builtin(of) = &resource.flavor {
                (of.describe)(&mut generator);
            }
        }
        let mut schemas = generator.take_definitions(true);
        for resource in &own {
            let gvk = json!([kind(resource)]);
            if let Some(schema) = schemas.get_mut(&name(resource)).and_then(Value::as_object_mut) {
                schema.insert("x-kubernetes-group-version-kind".into(), gvk);
            }
        }
        schemas
    };
    known.entry(place.to_owned()).or_insert_with(describe).clone()
}

/// The name of a resource's type: that of the Go package for Kubernetes' own, the group backwards for the others.
fn name(resource: &Resource) -> String {
    if let Flavor::Builtin(of) = &resource.flavor {
        let mut generator = SchemaGenerator::new(SchemaSettings::openapi3());
        let reference = (of.describe)(&mut generator);
        let reference = reference.get("$ref").and_then(Value::as_str).unwrap_or_default();
        return reference.trim_start_matches(SCHEMAS).to_owned();
    }
    let group: Vec<_> = resource.group.rsplit('.').collect();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

fn kind(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

/// The schema of a definition with what a server adds to it.
fn custom(resource: &Resource, described: &Value) -> Value {
    let mut schema = described.clone();
    schema["x-kubernetes-group-version-kind"] = json!([kind(resource)]);
    let text = |description: &str| json!({"type": "string", "description": description});
    let properties = &mut schema["properties"];
    properties["apiVersion"] = text(API_VERSION);
    properties["kind"] = text(KIND);
    properties["metadata"] =
        json!({"description": STANDARD, "allOf": [{"$ref": format!("{SCHEMAS}{METADATA}")}]});
    schema
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
