//! OpenAPI v2: what kubectl before 1.27 reads for `explain`, validation and dry runs, and later ones for the merge keys of lists.
//!
//! What lives here: one document of everything, made of those of `v3`, as a Kubernetes server makes its own: what version 2 has no
//! words for is left out. What does not: its encoding in protobuf (`gnostic`), the schemas (`types`).

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::types::{SCHEMAS, fingerprint, place};
use super::{gnostic, v3};
use crate::twin::api::ApiError;
use crate::twin::api::http::Shared;
use crate::twin::api::http::answer::refusal;
use crate::twin::api::http::discovery::kubernetes_version;
use crate::twin::api::patch::announced;
use crate::twin::api::registry::Resource;

/// Where the types stand in a document.
const DEFINITIONS: &str = "#/definitions/";
/// The media type as a client asks for it, and as a server names what it gives: an `@` is no part of a media type.
const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const GIVEN: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// The document that was asked for last, in both encodings: it takes a moment to make, and changes with definitions only.
#[derive(Debug, Default)]
pub(in crate::twin::api::http) struct Second(Mutex<Option<Arc<Made>>>);

#[derive(Debug)]
struct Made {
    fingerprint: String,
    json: Bytes,
    protobuf: Bytes,
}

impl Second {
    fn of(&self, resources: &[Arc<Resource>]) -> Arc<Made> {
        let fingerprint = fingerprint(resources.iter());
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = last.as_ref().filter(|made| made.fingerprint == fingerprint) {
            return Arc::clone(made);
        }
        let document = described(resources);
        let protobuf = gnostic::document(&document).into();
        let made = Arc::new(Made { fingerprint, json: document.to_string().into(), protobuf });
        *last = Some(Arc::clone(&made));
        made
    }
}

/// `/openapi/v2`.
pub(in crate::twin::api::http) async fn document(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    let form = accept.split(',').find_map(|range| match range.split(';').next().unwrap_or_default().trim() {
        ASKED | GIVEN => Some(GIVEN),
        "" | "*/*" | "application/*" | "application/json" => Some("application/json"),
        _ => None,
    });
    let Some(form) = form else { return refusal(&ApiError::not_acceptable()) };
    let made = shared.second.of(&shared.rules.registry.all());
    let body = if form == GIVEN { made.protobuf.clone() } else { made.json.clone() };
    let etag = HeaderValue::from_str(&format!("\"{}\"", made.fingerprint));
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, form)], body).into_response();
    if let Ok(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// The document of all resources.
fn described(resources: &[Arc<Resource>]) -> Value {
    let mut places: Vec<_> = resources.iter().map(|resource| place(resource)).collect();
    places.sort_unstable();
    places.dedup();
    let (mut definitions, mut paths) = (Map::new(), Map::new());
    for of in places {
        let own: Vec<_> = resources.iter().filter(|resource| place(resource) == of).cloned().collect();
        let document = v3::described(&of, &own);
        let schemas = document["components"]["schemas"].as_object();
        for (name, described) in schemas.into_iter().flatten() {
            let mut definition = schema(described);
            if name.starts_with("io.k8s.") {
                as_kubernetes_has_it(name, &mut definition);
            }
            definitions.insert(name.clone(), definition);
        }
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            paths.insert(path.clone(), operations(item));
        }
    }
    let names = definitions.keys().cloned().collect::<Vec<_>>();
    for name in names {
        let announced = merge_keys(&definitions, &name);
        let properties = definitions.get_mut(&name).and_then(|definition| definition.get_mut("properties"));
        if let Some(properties) = properties {
            for (field, strategy, key) in announced {
                properties[&field]["x-kubernetes-patch-strategy"] = json!(strategy);
                if let Some(key) = key {
                    properties[&field]["x-kubernetes-patch-merge-key"] = json!(key);
                }
            }
        }
    }
    json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": kubernetes_version()},
        "paths": paths, "definitions": definitions,
    })
}

/// The name of the type a schema refers to, alone or beside a description.
fn referred(schema: &Map<String, Value>) -> Option<&str> {
    let inside = || match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => only["$ref"].as_str(),
        _ => None,
    };
    schema.get("$ref").and_then(Value::as_str).or_else(inside)
}

/// A schema in the words of version 2.
fn schema(described: &Value) -> Value {
    let Some(map) = described.as_object() else { return json!({}) };
    if let Some(reference) = referred(map) {
        let name = reference.strip_prefix(SCHEMAS).unwrap_or(reference);
        let mut made = json!({"$ref": format!("{DEFINITIONS}{name}")});
        if let Some(description) = map.get("description") {
            made["description"] = description.clone();
        }
        return made;
    }
    let flag = |key: &str| map.get(key) == Some(&Value::Bool(true));
    // What may be null, or an integer as well as text, has no type of version 2; what may have any field has none to name.
    let untyped = flag("nullable") || flag("x-kubernetes-int-or-string");
    let open = flag("x-kubernetes-preserve-unknown-fields");
    let mut made = Map::new();
    for (key, value) in map {
        let value = match key.as_str() {
            "oneOf" | "anyOf" | "allOf" | "not" | "nullable" | "default" => continue,
            "type" if untyped => continue,
            "properties" | "items" if flag("nullable") || open => continue,
            "items" | "additionalProperties" if value.is_object() => schema(value),
            "properties" => {
                let each = value.as_object().into_iter().flatten();
                Value::Object(each.map(|(name, value)| (name.clone(), schema(value))).collect())
            }
            _ => value.clone(),
        };
        made.insert(key.clone(), value);
    }
    Value::Object(made)
}

/// Where Kubernetes says more of a type of its own, or less, than it can of a definition's.
fn as_kubernetes_has_it(name: &str, definition: &mut Value) {
    let Some(map) = definition.as_object_mut() else { return };
    match name.rsplit('.').next().unwrap_or_default() {
        "Quantity" => drop(map.insert("type".into(), json!("string"))),
        "IntOrString" => {
            map.insert("type".into(), json!("string"));
            map.insert("format".into(), json!("int-or-string"));
        }
        // Any value, not only an object.
        "JSON" => drop(map.remove("type")),
        _ => return,
    }
    map.remove("x-kubernetes-int-or-string");
}

/// How the lists of a type are merged: the field, the strategy, and the key.
fn merge_keys(
    definitions: &Map<String, Value>,
    name: &str,
) -> Vec<(String, &'static str, Option<&'static str>)> {
    if !name.starts_with("io.k8s.") {
        return Vec::new();
    }
    let lists = definitions[name]["properties"].as_object().into_iter().flatten();
    let lists = lists.filter(|(_, property)| property["type"] == "array");
    lists
        .filter_map(|(field, property)| {
            let reference = property["items"]["$ref"].as_str().unwrap_or_default();
            let item = definitions.get(reference.strip_prefix(DEFINITIONS).unwrap_or_default());
            let has = |key: &str| item.is_some_and(|item| !item["properties"][key].is_null());
            announced(field, has).map(|(strategy, key)| (field.clone(), strategy, key))
        })
        .collect()
}

/// What can be done at a path, in the words of version 2.
fn operations(item: &Value) -> Value {
    let parameter = |parameter: &Value| {
        json!({"name": parameter["name"], "in": parameter["in"], "required": parameter["required"],
            "type": parameter["schema"]["type"], "uniqueItems": true})
    };
    let parameters = |of: &Value| of["parameters"].as_array().into_iter().flatten().map(parameter).collect();
    let mut made = Map::new();
    for (key, of) in item.as_object().into_iter().flatten() {
        let mut list: Vec<Value> = parameters(if key == "parameters" { item } else { of });
        if key == "parameters" {
            made.insert(key.clone(), json!(list));
            continue;
        }
        let mut operation = of.clone();
        let whole = schema(&of["responses"]["200"]["content"]["application/json"]["schema"]);
        operation["responses"] = json!({"200": {"description": "OK", "schema": whole}});
        operation["produces"] = json!(["application/json"]);
        let body = operation.as_object_mut().and_then(|operation| operation.shift_remove("requestBody"));
        if let Some(content) = body.as_ref().and_then(|body| body["content"].as_object()) {
            operation["consumes"] = content.keys().cloned().collect();
            list.push(json!({"name": "body", "in": "body", "required": true, "schema": whole}));
        }
        operation["parameters"] = json!(list);
        made.insert(key.clone(), operation);
    }
    Value::Object(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::api::registry::Registry;
    use crate::twin::api::rules::install;
    use crate::twin::api::tests::policy_crd;
    use crate::twin::store::Store;

    fn made() -> Value {
        let store = Store::new();
        install(&store, &policy_crd()).unwrap();
        described(&Registry::new(store).all())
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_word_is_of_version_2() {
        let document = made();
        let definitions = document["definitions"].as_object().unwrap();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"").skip(1) {
            let reference = reference.split('"').next().unwrap();
            assert!(definitions.contains_key(reference.strip_prefix(DEFINITIONS).unwrap()), "{reference}");
        }
        assert!(!text.contains("\"properties\":null"), "what has no fields may be anything");
        for word in ["\"allOf\":[", "\"anyOf\":[", "\"oneOf\":[", "\"requestBody\":", "#/components/"] {
            assert!(!text.contains(word), "{word}");
        }
    }

    #[test]
    fn types_are_said_as_a_kubernetes_server_says_them() {
        let document = made();
        let of = |name: &str| &document["definitions"][name];
        let spec = &of("io.k8s.api.core.v1.PodSpec")["properties"];
        assert_eq!(spec["containers"]["x-kubernetes-patch-merge-key"], "name");
        assert_eq!(spec["volumes"]["x-kubernetes-patch-strategy"], "merge,retainKeys");
        let ports = |name: &str| &of(name)["properties"]["ports"]["x-kubernetes-patch-merge-key"];
        assert_eq!(ports("io.k8s.api.core.v1.Container"), "containerPort");
        assert_eq!(ports("io.k8s.api.core.v1.ServiceSpec"), "port");
        // Kubernetes replaces these as a whole.
        let subset = &of("io.k8s.api.core.v1.EndpointSubset")["properties"];
        assert!(subset["addresses"]["x-kubernetes-patch-merge-key"].is_null(), "{}", subset["addresses"]);
        assert_eq!(of("io.k8s.apimachinery.pkg.api.resource.Quantity")["type"], "string");
        let policy = of("io.cilium.v2alpha1.CiliumBGPPeeringPolicy");
        let metadata = "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
        assert_eq!(policy["properties"]["metadata"]["$ref"], metadata);
        let patch = &document["paths"]["/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies/{name}"]["patch"];
        let named = |name: &str| patch["parameters"].as_array().unwrap().iter().any(|p| p["name"] == name);
        assert!(named("dryRun") && named("fieldValidation") && named("body"), "{patch}");
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "CiliumBGPPeeringPolicy");
    }

    #[test]
    fn what_version_2_cannot_say_is_left_out() {
        let described = json!({"type": "object", "properties": {
            "a": {"type": "string", "nullable": true, "description": "d"},
            "b": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "c": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"d": {}}},
        }});
        let expected = json!({"type": "object", "properties": {
            "a": {"description": "d"}, "b": {"x-kubernetes-int-or-string": true},
            "c": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }});
        assert_eq!(schema(&described), expected);
    }
}
