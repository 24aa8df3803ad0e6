//! The types a document describes.
//!
//! What lives here: the schemas of the types of `k8s-openapi` and of CustomResourceDefinitions, their names, and where they stand.
//! Both versions of OpenAPI are written from these. What does not: paths (`v3`), and what version 2 cannot say (`v2`).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::twin::api::http::discovery::kubernetes_version;
use crate::twin::api::registry::{Flavor, Resource};

/// Where the types of Kubernetes' own stand in a document.
pub(super) const SCHEMAS: &str = "#/components/schemas/";
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

/// Where the document of a resource stands.
pub(super) fn place(resource: &Resource) -> String {
    if resource.group.is_empty() {
        format!("api/{}", resource.version)
    } else {
        format!("apis/{}/{}", resource.group, resource.version)
    }
}

/// A text that changes when one of the resources does.
pub(super) fn fingerprint<'a>(resources: impl Iterator<Item = &'a Arc<Resource>>) -> String {
    let mut hash = Sha256::new();
    hash.update(kubernetes_version());
    for resource in resources {
        hash.update(resource.api_version());
        hash.update(&resource.plural);
        if let Flavor::Custom { described, .. } = &resource.flavor {
            hash.update(described.to_string());
        }
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// The types of Kubernetes' own that a place needs.
pub(super) fn built_in(place: &str, resources: &[Arc<Resource>]) -> Map<String, Value> {
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
pub(super) fn name(resource: &Resource) -> String {
    if let Flavor::Builtin(of) = &resource.flavor {
        let mut generator = SchemaGenerator::new(SchemaSettings::openapi3());
        let reference = (of.describe)(&mut generator);
        let reference = reference.get("$ref").and_then(Value::as_str).unwrap_or_default();
        return reference.trim_start_matches(SCHEMAS).to_owned();
    }
    let group: Vec<_> = resource.group.rsplit('.').collect();
    format!("{}.{}.{}", group.join("."), resource.version, resource.kind)
}

/// A resource's kind as a document names it.
pub(super) fn kind(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

/// The schema of a definition with what a server adds to it.
pub(super) fn custom(resource: &Resource, described: &Value) -> Value {
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
