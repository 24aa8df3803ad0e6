//! What a change of a Service may leave out, and what it may not change.
//!
//! What lives here: defaults, and the difference between two states of one Service. What does not: new addresses (`allocate`).

use serde_json::{Map, Value, json};

use crate::twin::api::Cause;
use crate::twin::api::registry::Resource;

fn default(map: &mut Map<String, Value>, key: &str, value: Value) {
    let slot = map.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value;
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// What every Service gets that does not say it itself.
pub(in crate::twin::api::rules) fn fill(spec: &mut Map<String, Value>) {
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    let outside = matches!(kind.as_str(), "NodePort" | "LoadBalancer")
        || spec.get("externalIPs").is_some_and(|ips| !list(ips).is_empty());
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if outside && kind != "ExternalName" {
        default(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    if spec["sessionAffinity"] == "ClientIP" {
        default(spec, "sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10_800}}));
    }
}

/// Puts back what a writer may leave out: addresses and node ports the server gave.
pub(in crate::twin::api::rules) fn keep(resource: &Resource, old: &Value, new: &mut Value) {
    if !resource.is("", "services") {
        return;
    }
    let (was, spec) = (&old["spec"], &mut new["spec"]);
    if !spec.is_object() {
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = |spec: &Value| spec["type"].as_str().unwrap_or("ClusterIP").to_owned();
    let (before, now) = (kind(was), kind(spec));
    if now != "ExternalName" && before != "ExternalName" && text(&spec["clusterIP"]).is_empty() {
        for field in ["clusterIP", "clusterIPs"] {
            if list(&spec["clusterIPs"]).is_empty() || field == "clusterIP" {
                spec[field] = was[field].clone();
            }
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if spec[field].is_null() {
                spec[field] = was[field].clone();
            }
        }
    }
    let ports_on_nodes = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        let protocol = |port: &Value| port["protocol"].as_str().unwrap_or("TCP").to_owned();
        let same = list(&was["ports"])
            .iter()
            .find(|old| old["port"] == port["port"] && protocol(old) == protocol(port));
        let Some(same) = same else { continue };
        if ports_on_nodes(&now) && port["nodePort"].as_i64().unwrap_or(0) == 0 && !same["nodePort"].is_null()
        {
            port["nodePort"] = same["nodePort"].clone();
        }
        // Nobody asked for it: it came with the type that went.
        if ports_on_nodes(&before) && !ports_on_nodes(&now) && port["nodePort"] == same["nodePort"] {
            take(port, "nodePort");
        }
    }
    if now == "LoadBalancer" && spec["healthCheckNodePort"].is_null() && !was["healthCheckNodePort"].is_null()
    {
        spec["healthCheckNodePort"] = was["healthCheckNodePort"].clone();
    }
    if before != now {
        let gone: &[&str] = match now.as_str() {
            "ExternalName" => &[
                "clusterIP",
                "clusterIPs",
                "ipFamilies",
                "ipFamilyPolicy",
                "internalTrafficPolicy",
                "externalTrafficPolicy",
                "healthCheckNodePort",
                "allocateLoadBalancerNodePorts",
                "loadBalancerClass",
            ],
            "ClusterIP" if list(&spec["externalIPs"]).is_empty() => &[
                "externalTrafficPolicy",
                "healthCheckNodePort",
                "allocateLoadBalancerNodePorts",
                "loadBalancerClass",
            ],
            "ClusterIP" | "NodePort" => {
                &["healthCheckNodePort", "allocateLoadBalancerNodePorts", "loadBalancerClass"]
            }
            _ => &[],
        };
        for field in gone {
            if spec[*field] == was[*field] {
                take(spec, field);
            }
        }
        if before == "LoadBalancer" {
            new["status"] = json!({"loadBalancer": {}});
        }
    }
}

fn take(value: &mut Value, field: &str) {
    if let Some(map) = value.as_object_mut() {
        map.shift_remove(field);
    }
}

/// What may not change and has.
pub(in crate::twin::api::rules) fn change(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let (was, is) = (&old["spec"], &new["spec"]);
    let had = was["clusterIP"].as_str().unwrap_or_default();
    let named = |spec: &Value| spec["type"] == "ExternalName";
    if !had.is_empty() && !named(was) && !named(is) && was["clusterIP"] != is["clusterIP"] {
        let now = json!([is["clusterIP"]]);
        causes.push(Cause::invalid("spec.clusterIPs[0]", &now, "may not change once set"));
    }
    let both = was["type"] == "LoadBalancer" && is["type"] == "LoadBalancer";
    if both && was["loadBalancerClass"] != is["loadBalancerClass"] {
        let why = "may not change once set";
        causes.push(Cause::invalid("spec.loadBalancerClass", &is["loadBalancerClass"], why));
    }
}
