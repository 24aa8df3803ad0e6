//! What a server adds to an object that nobody wrote.
//!
//! What lives here: defaults of built-in resources (those of Kubernetes 1.33 that a client can see on the kinds the twin
//! serves) and what a new object begins with. What does not: defaults of custom resources, which their schema has.

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::services;
use crate::twin::api::registry::{Resource, complete_definition};

/// What only a new object gets: generation, and a status that no client wrote.
pub(super) fn fresh(resource: &Resource, value: &mut Value) {
    if counted(resource) {
        value["metadata"]["generation"] = json!(1);
    }
    match (resource.custom(), resource.plural.as_str()) {
        (true, _) if resource.status => {
            if let Some(map) = value.as_object_mut() {
                map.shift_remove("status");
            }
        }
        (false, "pods") => {
            tolerations(value);
            value["status"] = json!({"phase": "Pending", "qosClass": quality(value)});
        }
        (false, "namespaces") => {
            value["status"] = json!({"phase": "Active"});
            value["spec"] = json!({"finalizers": ["kubernetes"]});
        }
        (false, "services") => value["status"] = json!({"loadBalancer": {}}),
        _ => {}
    }
}

/// Whether `metadata.generation` counts the changes of this resource's objects.
pub(super) fn counted(resource: &Resource) -> bool {
    resource.custom() || resource.plural == "customresourcedefinitions"
}

/// What every object gets that does not say it itself.
pub(super) fn fill(resource: &Resource, value: &mut Value) {
    if resource.custom() {
        return;
    }
    match resource.plural.as_str() {
        "pods" => pod(value),
        "services" => service(value),
        "secrets" => secret(value),
        "namespaces" => {
            let name = value["metadata"]["name"].clone();
            let metadata = &mut value["metadata"];
            if !metadata["labels"].is_object() {
                metadata["labels"] = json!({});
            }
            metadata["labels"]["kubernetes.io/metadata.name"] = name;
        }
        "customresourcedefinitions" => complete_definition(value),
        _ => {}
    }
}

fn default(map: &mut Map<String, Value>, key: &str, value: Value) {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value;
    }
}

fn pod(value: &mut Value) {
    let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned();
    let account = account.unwrap_or_else(|| json!("default"));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "enableServiceLinks", json!(true));
    default(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    default(spec, "priority", json!(0));
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "schedulerName", json!("default-scheduler"));
    default(spec, "securityContext", json!({}));
    default(spec, "serviceAccount", account.clone());
    default(spec, "serviceAccountName", account);
    default(spec, "terminationGracePeriodSeconds", json!(30));
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                fill_container(container);
            }
        }
    }
}

fn fill_container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    // The tag is what follows the last colon after the last slash: a registry may have a port.
    let last = image.rsplit('/').next().unwrap_or_default();
    let floating = !last.contains('@') && last.rsplit_once(':').is_none_or(|(_, tag)| tag == "latest");
    default(container, "imagePullPolicy", json!(if floating { "Always" } else { "IfNotPresent" }));
    default(container, "resources", json!({}));
    default(container, "terminationMessagePath", json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", json!("File"));
    ports(container);
}

fn ports(owner: &mut Map<String, Value>) {
    for port in owner.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            default(port, "protocol", json!("TCP"));
        }
    }
}

/// A pod tolerates a node that is not ready or not reachable for five minutes, unless it says otherwise.
fn tolerations(value: &mut Value) {
    let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else { return };
    default(spec, "tolerations", json!([]));
    let Some(list) = spec.get_mut("tolerations").and_then(Value::as_array_mut) else { return };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let said = list.iter().any(|t| {
            (t["key"] == key || t["key"].is_null()) && (t["effect"] == "NoExecute" || t["effect"].is_null())
        });
        if !said {
            list.push(
                json!({"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300}),
            );
        }
    }
}

/// The quality-of-service class: guaranteed when every container's limits are its requests, best effort when none asks.
fn quality(value: &Value) -> &'static str {
    let containers = value["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let empty = |v: &Value| v.as_object().is_none_or(Map::is_empty);
    if containers.iter().all(|c| empty(&c["resources"]["requests"]) && empty(&c["resources"]["limits"])) {
        return "BestEffort";
    }
    let guaranteed = containers.iter().all(|container| {
        let (requests, limits) = (&container["resources"]["requests"], &container["resources"]["limits"]);
        ["cpu", "memory"].iter().all(|amount| {
            !limits[amount].is_null() && (requests[amount].is_null() || requests[amount] == limits[amount])
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

fn service(value: &mut Value) {
    let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else { return };
    services::fill(spec);
    ports(spec);
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let number = port["port"].clone();
        if let Some(port) = port.as_object_mut() {
            default(port, "targetPort", number);
        }
    }
}

fn secret(value: &mut Value) {
    let Some(map) = value.as_object_mut() else { return };
    default(map, "type", json!("Opaque"));
    let Some(Value::Object(plain)) = map.shift_remove("stringData") else { return };
    default(map, "data", json!({}));
    for (key, text) in plain {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap_or_default());
        map["data"][key] = json!(encoded);
    }
}
