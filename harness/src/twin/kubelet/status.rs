//! What a pod's status says at each moment of its life, as the kubelet and the scheduler write it.
//!
//! What lives here: JSON for merge patches of the status subresource. What does not: deciding what happened.

use std::net::IpAddr;

use chrono::{SecondsFormat, Utc};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::containers::Seen;

/// Now, as the API writes times.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn condition(kind: &str, status: bool, since: &str) -> Value {
    json!({"type": kind, "status": if status { "True" } else { "False" }, "lastProbeTime": null, "lastTransitionTime": since})
}

/// No node would take it.
pub(super) fn unschedulable(message: &str) -> Value {
    let mut scheduled = condition("PodScheduled", false, &now());
    scheduled["reason"] = json!("Unschedulable");
    scheduled["message"] = json!(message);
    json!({"status": {"phase": "Pending", "conditions": [scheduled]}})
}

/// It has addresses and its containers are as seen.
pub(super) fn running(pod: &Pod, host: Option<IpAddr>, ips: &[IpAddr], containers: &[Seen]) -> Value {
    let spec = pod.spec.as_ref();
    let always = spec.and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always") == "Always";
    let ended = !containers.is_empty() && containers.iter().all(|seen| seen.exit.is_some()) && !always;
    let failed = containers.iter().any(|seen| seen.exit.is_some_and(|code| code != 0));
    let phase = match (ended, failed) {
        (true, true) => "Failed",
        (true, false) => "Succeeded",
        _ => "Running",
    };
    let ready = containers.iter().all(|seen| seen.exit.is_none());
    let started = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    let since = now();
    let start_time = started.and_then(|time| serde_json::to_value(time).ok()).unwrap_or_else(|| json!(since));
    let conditions: Vec<Value> =
        [("Initialized", true), ("Ready", ready), ("ContainersReady", ready), ("PodScheduled", true)]
            .into_iter()
            .map(|(kind, status)| condition(kind, status, &since))
            .collect();
    let statuses: Vec<Value> = containers.iter().map(|seen| container(seen, &since)).collect();
    json!({"status": {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": statuses,
        "hostIP": host,
        "podIP": ips.first(),
        "podIPs": ips.iter().map(|ip| json!({"ip": ip})).collect::<Vec<_>>(),
        "qosClass": "BestEffort",
        "startTime": start_time,
    }})
}

fn container(seen: &Seen, since: &str) -> Value {
    let state = match (&seen.waiting, seen.exit) {
        (Some((reason, message)), _) => json!({"waiting": {"reason": reason, "message": message}}),
        (None, Some(code)) => {
            let reason = if code == 0 { "Completed" } else { "Error" };
            json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": seen.started, "finishedAt": since}})
        }
        (None, None) => json!({"running": {"startedAt": seen.started}}),
    };
    let up = seen.exit.is_none() && seen.waiting.is_none();
    json!({
        "name": seen.name, "image": seen.image, "imageID": "", "containerID": format!("fabric://{}", seen.name),
        "ready": up, "started": up, "restartCount": seen.restarts, "state": state, "lastState": {},
    })
}
