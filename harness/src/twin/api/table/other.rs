//! The tables of the smaller built-in resources.
//!
//! What lives here: one row of columns and cells each. What does not: nodes, pods and custom resources.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Heading, Printer, age, name, or_none};
use crate::twin::api::time;

/// A plain function per resource: the cells in the order of the columns.
type Cells = fn(&Value, DateTime<Utc>) -> Vec<Value>;

pub(super) fn printer(plural: &str) -> Printer {
    let (narrow, wide, cells): (&[&str], &[&str], Cells) = match plural {
        "namespaces" => (&["Name", "Status", "Age"], &[], |o, now| {
            vec![name(o), json!(text(&o["status"]["phase"])), age(o, now)]
        }),
        "configmaps" => (&["Name", "Data", "Age"], &[], |o, now| {
            vec![name(o), json!(count(&o["data"]) + count(&o["binaryData"])), age(o, now)]
        }),
        "secrets" => (&["Name", "Type", "Data", "Age"], &[], |o, now| {
            vec![name(o), json!(text(&o["type"])), json!(count(&o["data"])), age(o, now)]
        }),
        "serviceaccounts" => (&["Name", "Secrets", "Age"], &[], |o, now| {
            vec![name(o), json!(count(&o["secrets"])), age(o, now)]
        }),
        "customresourcedefinitions" => {
            (&["Name", "Created At"], &[], |o, _| vec![name(o), o["metadata"]["creationTimestamp"].clone()])
        }
        "leases" => (&["Name", "Holder", "Age"], &[], |o, now| {
            vec![name(o), json!(text(&o["spec"]["holderIdentity"])), age(o, now)]
        }),
        "services" => {
            (&["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"], &["Selector"], service)
        }
        "endpoints" => (&["Name", "Endpoints", "Age"], &[], super::services::endpoints),
        "endpointslices" => {
            (&["Name", "AddressType", "Ports", "Endpoints", "Age"], &[], super::services::slice)
        }
        "servicecidrs" => (&["Name", "CIDRs", "Age"], &[], super::services::subnets),
        "events" => (
            &["Last Seen", "Type", "Reason", "Object", "Message"],
            &["Subobject", "Source", "First Seen", "Count", "Name"],
            event,
        ),
        _ => (&["Name", "Age"], &[], |o, now| vec![name(o), age(o, now)]),
    };
    let headings = narrow.iter().map(|n| Heading::new(n, "string", false));
    let headings = headings.chain(wide.iter().map(|n| Heading::new(n, "string", true))).collect();
    Printer { headings, cells: Box::new(cells) }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> usize {
    value.as_object().map_or_else(|| value.as_array().map_or(0, Vec::len), serde_json::Map::len)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn service(service: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let spec = &service["spec"];
    let ingress = list(&service["status"]["loadBalancer"]["ingress"]).iter();
    let mut outside: Vec<_> =
        ingress.filter_map(|point| point["ip"].as_str().or(point["hostname"].as_str())).collect();
    outside.extend(list(&spec["externalIPs"]).iter().filter_map(Value::as_str));
    let external = match text(&spec["type"]) {
        "ExternalName" => text(&spec["externalName"]).to_owned(),
        "LoadBalancer" if outside.is_empty() => "<pending>".into(),
        _ if outside.is_empty() => "<none>".into(),
        _ => outside.join(","),
    };
    let ports = list(&spec["ports"]).iter().map(|port| {
        let (number, protocol) = (&port["port"], text(&port["protocol"]));
        match port["nodePort"].as_u64() {
            Some(node) => format!("{number}:{node}/{protocol}"),
            None => format!("{number}/{protocol}"),
        }
    });
    let ports = ports.collect::<Vec<_>>().join(",");
    let selector = spec["selector"].as_object().into_iter().flatten();
    let selector =
        selector.map(|(key, value)| format!("{key}={}", text(value))).collect::<Vec<_>>().join(",");
    vec![
        name(service),
        json!(text(&spec["type"])),
        or_none(spec["clusterIP"].as_str()),
        json!(external),
        or_none(Some(&ports)),
        age(service, now),
        or_none(Some(&selector)),
    ]
}

fn event(event: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let first = ["firstTimestamp", "eventTime"].iter().find_map(|field| event[*field].as_str());
    let last = event["series"]["lastObservedTime"].as_str().or(event["lastTimestamp"].as_str()).or(first);
    let object = &event["involvedObject"];
    let source = [&event["source"]["component"], &event["source"]["host"]];
    let mut source: Vec<_> = source.into_iter().map(text).filter(|t| !t.is_empty()).collect();
    if source.is_empty() {
        source.push(text(&event["reportingComponent"]));
    }
    let times = event["series"]["count"].as_i64().or(event["count"].as_i64()).filter(|n| *n > 0).unwrap_or(1);
    vec![
        json!(time::age(last, now)),
        json!(text(&event["type"])),
        json!(text(&event["reason"])),
        json!(format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["name"]))),
        json!(text(&event["message"]).trim()),
        json!(text(&object["fieldPath"])),
        json!(source.join(", ")),
        json!(time::age(first, now)),
        json!(times),
        name(event),
    ]
}
