//! The table of nodes.
//!
//! What lives here: status, roles and addresses of a node. What does not: anything else.

use serde_json::{Value, json};

use super::{Heading, Printer, age, name, or_none};

pub(super) fn printer() -> Printer {
    let narrow = ["Name", "Status", "Roles", "Age", "Version"];
    let wide = ["Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"];
    let headings = narrow.map(|n| Heading::new(n, "string", false)).into_iter();
    let headings = headings.chain(wide.map(|n| Heading::new(n, "string", true))).collect();
    Printer {
        headings,
        cells: Box::new(|node, now| {
            let info = &node["status"]["nodeInfo"];
            let known =
                |field: &str| json!(info[field].as_str().filter(|t| !t.is_empty()).unwrap_or("<unknown>"));
            vec![
                name(node),
                json!(status(node)),
                json!(roles(node)),
                age(node, now),
                json!(info["kubeletVersion"].as_str().unwrap_or_default()),
                address(node, "InternalIP"),
                address(node, "ExternalIP"),
                known("osImage"),
                known("kernelVersion"),
                known("containerRuntimeVersion"),
            ]
        }),
    }
}

fn status(node: &Value) -> String {
    let conditions = node["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    let mut words = match ready.map(|condition| condition["status"].as_str().unwrap_or_default()) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if node["spec"]["unschedulable"] == true {
        words.push_str(",SchedulingDisabled");
    }
    words
}

fn roles(node: &Value) -> String {
    let mut roles = Vec::new();
    for (key, value) in node["metadata"]["labels"].as_object().into_iter().flatten() {
        if let Some(role) = key.strip_prefix("node-role.kubernetes.io/").filter(|role| !role.is_empty()) {
            roles.push(role);
        } else if key == "kubernetes.io/role" {
            roles.extend(value.as_str().filter(|role| !role.is_empty()));
        }
    }
    roles.sort_unstable();
    if roles.is_empty() { "<none>".into() } else { roles.join(",") }
}

fn address(node: &Value, kind: &str) -> Value {
    let addresses = node["status"]["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    or_none(addresses.iter().find(|a| a["type"] == kind).and_then(|a| a["address"].as_str()))
}
