//! A Service as LB-IPAM reads it, and statuses as it writes them.
//!
//! What lives here: annotations, classes, conditions. What does not: the decision (`plan`).

use std::net::IpAddr;

use chrono::{SecondsFormat, Utc};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::plan::{Answer, Asked};
use crate::cilium::LbIpam;

/// The class of load balancer that BGP serves.
const CLASS: &str = "io.cilium/bgp-control-plane";

/// Whether LB-IPAM gives this Service its addresses: one of type LoadBalancer that names no class, or ours.
pub(super) fn ours(service: &Service) -> bool {
    let Some(spec) = &service.spec else { return false };
    let class = spec.load_balancer_class.as_deref();
    spec.type_.as_deref() == Some("LoadBalancer") && class.is_none_or(|class| class == CLASS)
}

/// An annotation by its name since 1.15, or by the one before.
fn annotation<'a>(service: &'a Service, names: &LbIpam, key: &str, old: &str) -> Option<&'a str> {
    let now = names.sharing.then(|| service.annotations().get(&format!("lbipam.cilium.io/{key}"))).flatten();
    let found = now.or_else(|| service.annotations().get(&format!("io.cilium/{old}")));
    found.map(String::as_str).filter(|text| !text.is_empty())
}

/// What a Service asks for.
pub(super) fn asked(service: &Service, names: &LbIpam) -> Asked {
    let spec = service.spec.clone().unwrap_or_default();
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let mut labels = service.labels().clone();
    labels.insert("io.kubernetes.service.name".into(), name.clone());
    labels.insert("io.kubernetes.service.namespace".into(), namespace.clone());
    let listed = annotation(service, names, "ips", "lb-ipam-ips").unwrap_or_default();
    let mut requested: Vec<IpAddr> = Vec::new();
    let written = spec.load_balancer_ip.as_deref().into_iter().chain(listed.split(','));
    for text in written.map(str::trim).filter(|text| !text.is_empty()) {
        match text.parse() {
            Ok(ip) if !requested.contains(&ip) => requested.push(ip),
            Ok(_) => {}
            Err(_) => tracing::warn!(service = name, text, "a requested address is none"),
        }
    }
    let families = spec.ip_families.unwrap_or_default();
    let single = matches!(spec.ip_family_policy.as_deref(), None | Some("SingleStack"));
    let wanted = if single { &families[..families.len().min(1)] } else { &families[..] };
    let wants = |family: &str| wanted.iter().any(|wanted| wanted == family);
    let list = |text: Option<&str>| -> Vec<String> {
        text.into_iter().flat_map(|text| text.split(',')).map(|part| part.trim().to_owned()).collect()
    };
    let sharing =
        names.sharing.then(|| annotation(service, names, "sharing-key", "lb-ipam-sharing-key")).flatten();
    let across = annotation(service, names, "sharing-cross-namespace", "lb-ipam-sharing-cross-namespace");
    let port = |port: &k8s_openapi::api::core::v1::ServicePort| {
        (port.protocol.clone().unwrap_or_else(|| "TCP".into()), port.port)
    };
    Asked {
        key: (namespace, name),
        labels,
        requested,
        families: (wants("IPv4") || families.is_empty(), wants("IPv6")),
        sharing: sharing.map(str::to_owned),
        across: list(across),
        ports: spec.ports.iter().flatten().map(port).collect(),
        policy: spec.external_traffic_policy.unwrap_or_default(),
        selector: spec.selector.unwrap_or_default(),
        had: ingress(service),
    }
}

/// The addresses in a Service's status.
pub(super) fn ingress(service: &Service) -> Vec<IpAddr> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let points = status.and_then(|status| status.ingress.as_ref()).into_iter().flatten();
    points.filter_map(|point| point.ip.as_ref()?.parse().ok()).collect()
}

fn conditions(status: &Value) -> Vec<Value> {
    status["conditions"].as_array().cloned().unwrap_or_default()
}

/// One condition in a list, changed. True when it is another than before; its time is that of its last change of status.
pub(super) fn set(
    list: &mut Vec<Value>,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
    generation: Option<i64>,
) -> bool {
    let mut made = json!({"type": kind, "status": status, "reason": reason, "message": message,
        "lastTransitionTime": Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)});
    if let Some(generation) = generation {
        made["observedGeneration"] = json!(generation);
    }
    let Some(known) = list.iter_mut().find(|condition| condition["type"] == kind) else {
        list.push(made);
        return true;
    };
    let fields = ["status", "reason", "message", "observedGeneration"];
    if fields.iter().all(|field| known[*field] == made[*field]) {
        return false;
    }
    if known["status"] == status {
        made["lastTransitionTime"] = known["lastTransitionTime"].clone();
    }
    *known = made;
    true
}

/// The status a Service should have, if it is another than it has.
pub(super) fn answered(service: &Service, answer: &Answer, names: &LbIpam) -> Option<Value> {
    let status = serde_json::to_value(&service.status).unwrap_or_default();
    let mut list = conditions(&status);
    let changed = match &answer.missing {
        None => set(&mut list, names.satisfied, "True", "satisfied", "", None),
        Some((reason, message)) => set(&mut list, names.satisfied, "False", reason, message, None),
    };
    let points: Vec<Value> = answer.ips.iter().map(|ip| json!({"ip": ip, "ipMode": "VIP"})).collect();
    let same = ingress(service) == answer.ips;
    (changed || !same).then(|| {
        let balancer = if points.is_empty() { json!({"ingress": null}) } else { json!({"ingress": points}) };
        json!({"status": {"loadBalancer": balancer, "conditions": list}})
    })
}

/// The status of a Service that was ours and is not any more, if anything of ours is left in it.
pub(super) fn let_go(service: &Service, names: &LbIpam) -> Option<Value> {
    let status = serde_json::to_value(&service.status).unwrap_or_default();
    let mut list = conditions(&status);
    let before = list.len();
    list.retain(|condition| condition["type"] != names.satisfied);
    (list.len() != before).then(|| json!({"status": {"loadBalancer": {"ingress": null}, "conditions": list}}))
}
