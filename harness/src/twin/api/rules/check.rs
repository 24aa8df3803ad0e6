//! What an object may not say.
//!
//! What lives here: names and labels of every object, what pods, services and definitions must have, and what may not change.
//! What does not: schemas of custom resources.

use serde_json::{Value, json};

use super::names::{Form, wrong_annotations, wrong_labels, wrong_name};
use super::services;
use crate::twin::api::Cause;
use crate::twin::api::registry::{Resource, check_definition};

/// Everything that is wrong with an object by itself.
pub(super) fn object(resource: &Resource, value: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let form = match resource.plural.as_str() {
        "namespaces" if !resource.custom() => Form::Label,
        "services" if !resource.custom() => Form::Rfc1035,
        _ => Form::Subdomain,
    };
    let metadata = &value["metadata"];
    if let Some(words) = wrong_name(form, metadata["name"].as_str().unwrap_or_default()) {
        causes.push(Cause::invalid("metadata.name", &metadata["name"], &words));
    }
    causes.extend(wrong_labels(&metadata["labels"], "metadata.labels"));
    causes.extend(wrong_annotations(&metadata["annotations"], "metadata.annotations"));
    if resource.is("", "pods") {
        pod(&value["spec"], &mut causes);
    }
    if resource.is("", "services") {
        services::check(&value["spec"], &mut causes);
    }
    if resource.plural == "customresourcedefinitions" && !resource.custom() {
        causes.extend(check_definition(value));
    }
    causes
}

/// One of a few values, or nothing.
pub(super) fn one_of(causes: &mut Vec<Cause>, field: &str, value: &Value, allowed: &[&str]) {
    if !value.is_null() && !allowed.iter().any(|word| value == word) {
        causes.push(Cause::unsupported(field, value, allowed));
    }
}

fn pod(spec: &Value, causes: &mut Vec<Cause>) {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        causes.push(Cause::required("spec.containers", ""));
    }
    let mut seen = Vec::new();
    let inits = spec["initContainers"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (list, items) in [("initContainers", inits), ("containers", containers)] {
        for (at, container) in items.iter().enumerate() {
            let path = format!("spec.{list}[{at}]");
            let name = &container["name"];
            match name.as_str().filter(|name| !name.is_empty()) {
                None => causes.push(Cause::required(format!("{path}.name"), "")),
                Some(text) if seen.contains(&text) => {
                    causes.push(Cause::duplicate(format!("{path}.name"), name))
                }
                Some(text) => {
                    seen.push(text);
                    if let Some(words) = wrong_name(Form::Label, text) {
                        causes.push(Cause::invalid(format!("{path}.name"), name, &words));
                    }
                }
            }
            if container["image"].as_str().is_none_or(str::is_empty) {
                causes.push(Cause::required(format!("{path}.image"), ""));
            }
            let policy = &container["imagePullPolicy"];
            let field = format!("{path}.imagePullPolicy");
            one_of(causes, &field, policy, &["Always", "IfNotPresent", "Never"]);
            ports(&container["ports"], "containerPort", &path, causes);
        }
    }
    one_of(causes, "spec.restartPolicy", &spec["restartPolicy"], &["Always", "OnFailure", "Never"]);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(causes, "spec.dnsPolicy", &spec["dnsPolicy"], &policies);
    causes.extend(wrong_labels(&spec["nodeSelector"], "spec.nodeSelector"));
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0) {
        let value = &spec["terminationGracePeriodSeconds"];
        let why = "must be greater than or equal to 0";
        causes.push(Cause::invalid("spec.terminationGracePeriodSeconds", value, why));
    }
}

pub(super) fn ports(list: &Value, number: &str, path: &str, causes: &mut Vec<Cause>) {
    for (at, port) in list.as_array().into_iter().flatten().enumerate() {
        let field = format!("{path}.ports[{at}]");
        match port[number].as_i64() {
            None | Some(0) => causes.push(Cause::required(format!("{field}.{number}"), "")),
            Some(1..=65_535) => {}
            Some(_) => {
                let why = "must be between 1 and 65535, inclusive";
                causes.push(Cause::invalid(format!("{field}.{number}"), &port[number], why));
            }
        }
        one_of(causes, &format!("{field}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    }
}

/// Everything that may not change and has.
pub(super) fn change(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if resource.is("", "pods") && frozen(&old["spec"]) != frozen(&new["spec"]) {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,\
            `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
            tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        causes.push(Cause::forbidden("spec", why));
    }
    if resource.is("", "nodes") && !old["spec"]["podCIDR"].is_null() {
        let (was, is) = (&old["spec"]["podCIDR"], &new["spec"]["podCIDR"]);
        if was != "" && was != is {
            let why = "node updates may not change podCIDR except from \"\" to valid";
            causes.push(Cause::forbidden("spec.podCIDRs", why));
        }
    }
    if resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
        for field in ["group", "scope"] {
            if old["spec"][field] != new["spec"][field] {
                let path = format!("spec.{field}");
                causes.push(Cause::invalid(path, &new["spec"][field], "field is immutable"));
            }
        }
    }
    if resource.is("", "services") {
        services::change(old, new, &mut causes);
    }
    let sealed = resource.is("", "secrets") || resource.is("", "configmaps");
    if sealed && old["immutable"] == json!(true) {
        for field in ["immutable", "data", "binaryData"] {
            if old[field] != new[field] {
                causes.push(Cause::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
    causes
}

/// The part of a pod's spec that may not change.
fn frozen(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(map) = spec.as_object_mut() {
        for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
            map.shift_remove(field);
        }
        for list in ["containers", "initContainers"] {
            for container in map.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                if let Some(container) = container.as_object_mut() {
                    container.shift_remove("image");
                    container.shift_remove("imagePullPolicy");
                }
            }
        }
    }
    spec
}
