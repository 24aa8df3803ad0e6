//! What a Service may not say.
//!
//! What lives here: what can be seen on the object alone, in the words of Kubernetes' own validation. What does not:
//! whether an address is free (`allocate`).

use std::net::IpAddr;

use serde_json::Value;

use super::super::check::{one_of, ports};
use super::super::names::{Form, wrong_name};
use crate::twin::api::Cause;

const NOT_AN_IP: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

fn is(spec: &Value, kind: &str) -> bool {
    spec["type"] == kind
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Everything that is wrong with a Service by itself.
pub(in crate::twin::api::rules) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(causes, "spec.type", &spec["type"], &types);
    let (named, headless) = (is(spec, "ExternalName"), spec["clusterIP"] == "None");
    if !named && !headless && list(&spec["ports"]).is_empty() {
        causes.push(Cause::required("spec.ports", ""));
    }
    if named {
        match spec["externalName"].as_str().map(|name| name.trim_end_matches('.')) {
            None | Some("") => causes.push(Cause::required("spec.externalName", "")),
            Some(name) => {
                if let Some(words) = wrong_name(Form::Subdomain, name) {
                    causes.push(Cause::invalid("spec.externalName", &spec["externalName"], &words));
                }
            }
        }
        if spec["clusterIP"].as_str().is_some_and(|ip| !ip.is_empty()) {
            let why = "may not be set when `type` is 'ExternalName'";
            causes.push(Cause::forbidden("spec.clusterIPs", why));
        }
    }
    if headless && (is(spec, "NodePort") || is(spec, "LoadBalancer")) {
        let kind = spec["type"].as_str().unwrap_or_default();
        let why = format!("may not be set to 'None' for {kind} services");
        causes.push(Cause::invalid("spec.clusterIPs[0]", &spec["clusterIP"], &why));
    }
    ports(&spec["ports"], "port", "spec", causes);
    numbers(spec, causes);
    addresses(spec, causes);
    policies(spec, causes);
}

/// Names of ports, and the ports of nodes and pods.
fn numbers(spec: &Value, causes: &mut Vec<Cause>) {
    let all = list(&spec["ports"]);
    let mut names: Vec<&str> = Vec::new();
    let mut pairs: Vec<(&Value, &Value)> = Vec::new();
    for (at, port) in all.iter().enumerate() {
        let field = format!("spec.ports[{at}]");
        match port["name"].as_str().filter(|name| !name.is_empty()) {
            None if all.len() > 1 => causes.push(Cause::required(format!("{field}.name"), "")),
            None => {}
            Some(name) if names.contains(&name) => {
                causes.push(Cause::duplicate(format!("{field}.name"), &port["name"]));
            }
            Some(name) => {
                names.push(name);
                if let Some(words) = wrong_name(Form::Label, name) {
                    causes.push(Cause::invalid(format!("{field}.name"), &port["name"], &words));
                }
            }
        }
        let pair = (&port["protocol"], &port["port"]);
        if pairs.contains(&pair) {
            let twice = serde_json::json!({"port": port["port"], "protocol": port["protocol"]});
            causes.push(Cause::duplicate(field.clone(), &twice));
        }
        pairs.push(pair);
        if let Some(number) = port["targetPort"].as_i64()
            && !(1..=65_535).contains(&number)
        {
            let why = "must be between 1 and 65535, inclusive";
            causes.push(Cause::invalid(format!("{field}.targetPort"), &port["targetPort"], why));
        }
        let asked = port["nodePort"].as_i64().is_some_and(|number| number != 0);
        if asked && (is(spec, "ClusterIP") || is(spec, "ExternalName")) {
            let kind = spec["type"].as_str().unwrap_or_default();
            let why = format!("may not be used when `type` is '{kind}'");
            causes.push(Cause::forbidden(format!("{field}.nodePort"), &why));
        }
    }
}

fn addresses(spec: &Value, causes: &mut Vec<Cause>) {
    for (at, ip) in list(&spec["externalIPs"]).iter().enumerate() {
        let field = format!("spec.externalIPs[{at}]");
        match ip.as_str().and_then(|text| text.parse::<IpAddr>().ok()) {
            None => causes.push(Cause::invalid(field, ip, NOT_AN_IP)),
            Some(ip) => {
                let special = [
                    (ip.is_unspecified(), "may not be unspecified (0.0.0.0 or ::)"),
                    (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
                    (
                        ip.is_multicast(),
                        "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
                    ),
                ];
                let wrong = special.iter().filter(|(wrong, _)| *wrong);
                causes.extend(
                    wrong.map(|(_, why)| Cause::invalid(field.clone(), &Value::from(ip.to_string()), why)),
                );
            }
        }
    }
    for (at, ip) in list(&spec["clusterIPs"]).iter().enumerate() {
        let text = ip.as_str().unwrap_or_default();
        if text != "None" && text.parse::<IpAddr>().is_err() {
            causes.push(Cause::invalid(format!("spec.clusterIPs[{at}]"), ip, NOT_AN_IP));
        }
    }
    let (one, first) = (&spec["clusterIP"], &spec["clusterIPs"][0]);
    if !one.is_null() && !first.is_null() && one != first {
        let why = "first value must match `clusterIP`";
        causes.push(Cause::invalid("spec.clusterIPs", &spec["clusterIPs"], why));
    }
    if list(&spec["clusterIPs"]).is_empty()
        && let Some(text) = one.as_str().filter(|text| !matches!(*text, "" | "None"))
        && text.parse::<IpAddr>().is_err()
    {
        causes.push(Cause::invalid("spec.clusterIPs[0]", one, NOT_AN_IP));
    }
}

fn policies(spec: &Value, causes: &mut Vec<Cause>) {
    one_of(causes, "spec.sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"]);
    one_of(causes, "spec.internalTrafficPolicy", &spec["internalTrafficPolicy"], &["Cluster", "Local"]);
    one_of(causes, "spec.externalTrafficPolicy", &spec["externalTrafficPolicy"], &["Cluster", "Local"]);
    let stacks = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    one_of(causes, "spec.ipFamilyPolicy", &spec["ipFamilyPolicy"], &stacks);
    for (at, family) in list(&spec["ipFamilies"]).iter().enumerate() {
        one_of(causes, &format!("spec.ipFamilies[{at}]"), family, &["IPv4", "IPv6"]);
    }
    if list(&spec["ipFamilies"]).len() > 1 && spec["ipFamilies"][0] == spec["ipFamilies"][1] {
        causes.push(Cause::duplicate("spec.ipFamilies[1]", &spec["ipFamilies"][1]));
    }
    let outside = is(spec, "NodePort") || is(spec, "LoadBalancer") || !list(&spec["externalIPs"]).is_empty();
    if !spec["externalTrafficPolicy"].is_null() && !outside {
        let why = "may only be set for externally-accessible services";
        causes.push(Cause::invalid("spec.externalTrafficPolicy", &spec["externalTrafficPolicy"], why));
    }
    if !is(spec, "LoadBalancer") {
        for field in ["loadBalancerClass", "allocateLoadBalancerNodePorts"] {
            if !spec[field].is_null() {
                let why = "may only be used when `type` is 'LoadBalancer'";
                causes.push(Cause::forbidden(format!("spec.{field}"), why));
            }
        }
    }
}
