//! The table of pods.
//!
//! What lives here: what a pod is doing, in one word. What does not: anything else.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Heading, Printer, age, name, or_none};

pub(super) fn printer() -> Printer {
    let narrow = ["Name", "Ready", "Status", "Restarts", "Age"];
    let wide = ["IP", "Node", "Nominated Node", "Readiness Gates"];
    let headings = narrow.map(|n| Heading::new(n, "string", false)).into_iter();
    let headings = headings.chain(wide.map(|n| Heading::new(n, "string", true))).collect();
    Printer { headings, cells: Box::new(cells) }
}

fn cells(pod: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let status = &pod["status"];
    let statuses = list(&status["containerStatuses"]);
    let ready = statuses.iter().filter(|s| s["ready"] == true && !s["state"]["running"].is_null()).count();
    let total = list(&pod["spec"]["containers"]).len();
    vec![
        name(pod),
        json!(format!("{ready}/{total}")),
        json!(doing(pod)),
        json!(restarts(pod, now)),
        age(pod, now),
        or_none(status["podIP"].as_str()),
        or_none(pod["spec"]["nodeName"].as_str()),
        or_none(status["nominatedNodeName"].as_str()),
        gates(pod),
    ]
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn ended(terminated: &Value, prefix: &str) -> String {
    if let Some(reason) = terminated["reason"].as_str().filter(|reason| !reason.is_empty()) {
        return format!("{prefix}{reason}");
    }
    match terminated["signal"].as_i64().filter(|signal| *signal != 0) {
        Some(signal) => format!("{prefix}Signal:{signal}"),
        None => format!("{prefix}ExitCode:{}", terminated["exitCode"].as_i64().unwrap_or(0)),
    }
}

/// The reason a pod is where it is: of the first init container that is not through, else of the last container that has one.
fn doing(pod: &Value) -> String {
    let status = &pod["status"];
    let own = status["reason"].as_str().filter(|reason| !reason.is_empty());
    let mut word = own.or(status["phase"].as_str()).unwrap_or("Unknown").to_owned();
    let inits = list(&status["initContainerStatuses"]);
    let mut initializing = false;
    for (at, container) in inits.iter().enumerate() {
        let state = &container["state"];
        if state["terminated"]["exitCode"] == 0 {
            continue;
        }
        let waiting =
            state["waiting"]["reason"].as_str().filter(|r| !r.is_empty() && *r != "PodInitializing");
        word = match (state["terminated"].is_object(), waiting) {
            (true, _) => ended(&state["terminated"], "Init:"),
            (false, Some(reason)) => format!("Init:{reason}"),
            (false, None) => format!("Init:{at}/{}", list(&pod["spec"]["initContainers"]).len()),
        };
        initializing = true;
        break;
    }
    if !initializing {
        let mut running = false;
        for container in list(&status["containerStatuses"]).iter().rev() {
            let state = &container["state"];
            if let Some(reason) = state["waiting"]["reason"].as_str().filter(|r| !r.is_empty()) {
                word = reason.to_owned();
            } else if state["terminated"].is_object() {
                word = ended(&state["terminated"], "");
            } else if container["ready"] == true && state["running"].is_object() {
                running = true;
            }
        }
        if word == "Completed" && running {
            let ready =
                list(&status["conditions"]).iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
            word = if ready { "Running".into() } else { "NotReady".into() };
        }
    }
    match (pod["metadata"]["deletionTimestamp"].is_null(), status["reason"] == "NodeLost") {
        (true, _) => word,
        (false, true) => "Unknown".into(),
        (false, false) => "Terminating".into(),
    }
}

fn restarts(pod: &Value, now: DateTime<Utc>) -> String {
    let statuses = list(&pod["status"]["containerStatuses"]);
    let count: i64 = statuses.iter().filter_map(|status| status["restartCount"].as_i64()).sum();
    let last = statuses.iter().filter_map(|s| s["lastState"]["terminated"]["finishedAt"].as_str()).max();
    match last.filter(|_| count > 0) {
        Some(last) => format!("{count} ({} ago)", crate::twin::api::time::age(Some(last), now)),
        None => count.to_string(),
    }
}

fn gates(pod: &Value) -> Value {
    let gates = list(&pod["spec"]["readinessGates"]);
    if gates.is_empty() {
        return json!("<none>");
    }
    let conditions = list(&pod["status"]["conditions"]);
    let met = |gate: &&Value| {
        conditions.iter().any(|c| c["type"] == gate["conditionType"] && c["status"] == "True")
    };
    json!(format!("{}/{}", gates.iter().filter(met).count(), gates.len()))
}
