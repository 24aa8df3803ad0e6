//! What a pod's status says at each moment of its life, as the kubelet and the scheduler write it.
//!
//! What lives here: phases, conditions and container statuses, as JSON for merge patches. What does not: deciding what happened.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chrono::{SecondsFormat, Utc};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::containers::{Again, Ended, Seen, State};

/// Now, as the API writes times.
pub(super) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// No node would take it, or none may yet.
pub(super) fn unscheduled(reason: &str, message: &str) -> Value {
    json!({"status": {"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "lastProbeTime": null, "lastTransitionTime": now(),
        "reason": reason, "message": message,
    }]}})
}

/// A pod's kubelet will not have it.
pub(super) fn rejected(reason: &str, message: &str) -> Value {
    json!({"status": {"phase": "Failed", "reason": reason, "message": message, "startTime": now()}})
}

/// What is known of a pod that a node has taken.
pub(super) struct Whole {
    /// Since when each condition is as it is.
    since: BTreeMap<&'static str, (bool, String)>,
    started: String,
    again: Again,
    pub(super) host_ips: Vec<IpAddr>,
    /// Its own addresses, once it has namespaces.
    pub(super) ips: Vec<IpAddr>,
    /// Whether it has namespaces.
    pub(super) sandbox: bool,
    pub(super) inits: Vec<Seen>,
    /// Which init containers keep running beside the others.
    pub(super) sidecars: Vec<bool>,
    pub(super) containers: Vec<Seen>,
}

impl Whole {
    pub(super) fn new(pod: &Pod, host_ips: Vec<IpAddr>, inits: Vec<Seen>, containers: Vec<Seen>) -> Self {
        let scheduled = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        let scheduled = scheduled.into_iter().flatten().find(|condition| condition.type_ == "PodScheduled");
        let when = scheduled.and_then(|condition| condition.last_transition_time.as_ref());
        let when = when.and_then(|time| serde_json::to_value(time).ok()?.as_str().map(str::to_owned));
        let sidecar = |at: usize| {
            let list = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref());
            let container = list.and_then(|list| list.get(at));
            container.and_then(|container| container.restart_policy.as_deref()) == Some("Always")
        };
        Self {
            since: BTreeMap::from([("PodScheduled", (true, when.unwrap_or_else(now)))]),
            started: now(),
            again: Again::of(pod),
            host_ips,
            ips: Vec::new(),
            sandbox: false,
            sidecars: (0..inits.len()).map(sidecar).collect(),
            inits,
            containers,
        }
    }

    fn initialized(&self) -> bool {
        let through = |(at, seen): (usize, &Seen)| {
            seen.succeeded() || (self.sidecars[at] && matches!(seen.state, State::Running(_)))
        };
        self.inits.iter().enumerate().all(through)
    }

    /// The phase, as a kubelet finds it from what its containers are doing.
    pub(super) fn phase(&self) -> &'static str {
        let bad = |seen: &Seen| matches!(&seen.state, State::Ended(ended) if ended.code != 0);
        let failed = self.inits.iter().enumerate().any(|(at, seen)| !self.sidecars[at] && bad(seen));
        if failed && self.again == Again::Never {
            return "Failed";
        }
        let unborn = |seen: &Seen| matches!(seen.state, State::Waiting(..)) && seen.last.is_none();
        if !self.initialized() || self.containers.iter().any(unborn) {
            return "Pending";
        }
        let ended = self.containers.iter().all(|seen| matches!(seen.state, State::Ended(_)));
        let again = match self.again {
            Again::Always => true,
            Again::OnFailure => self.containers.iter().any(bad),
            Again::Never => false,
        };
        match (ended && !again, self.containers.iter().any(bad)) {
            (true, true) => "Failed",
            (true, false) => "Succeeded",
            (false, _) => "Running",
        }
    }

    /// Whether nothing of it will ever run again.
    pub(super) fn over(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    /// The whole status.
    pub(super) fn write(&mut self) -> Value {
        let phase = self.phase();
        let over = self.over().then_some(if phase == "Failed" { "PodFailed" } else { "PodCompleted" });
        let listed =
            |what: &str, names: Vec<&str>| format!("containers with {what} status: [{}]", names.join(" "));
        let unready: Vec<&str> = self
            .containers
            .iter()
            .filter(|seen| !matches!(seen.state, State::Running(_)))
            .map(|seen| seen.name.as_str())
            .collect();
        let ready = unready.is_empty() && self.initialized();
        let not_ready = over.map_or_else(
            || ("ContainersNotReady", listed("unready", unready.clone())),
            |reason| (reason, String::new()),
        );
        let unfinished: Vec<&str> =
            self.inits.iter().filter(|seen| !seen.succeeded()).map(|seen| seen.name.as_str()).collect();
        let not_initialized = ("ContainersNotInitialized", listed("incomplete", unfinished));
        let none = ("", String::new());
        let (sandbox, initialized) = (self.sandbox, self.initialized());
        let wanted = [
            ("PodReadyToStartContainers", sandbox, none.clone()),
            ("Initialized", initialized, if initialized { none.clone() } else { not_initialized }),
            ("Ready", ready, if ready { none.clone() } else { not_ready.clone() }),
            ("ContainersReady", ready, if ready { none.clone() } else { not_ready }),
            ("PodScheduled", true, none),
        ];
        let conditions: Vec<Value> = wanted
            .into_iter()
            .map(|(kind, holds, (reason, message))| self.condition(kind, holds, reason, &message))
            .collect();
        let statuses = |list: &[Seen], init: bool| -> Vec<Value> {
            list.iter().map(|seen| container(seen, init)).collect()
        };
        let ips = |ips: &[IpAddr]| -> Value {
            if ips.is_empty() { Value::Null } else { ips.iter().map(|ip| json!({"ip": ip})).collect() }
        };
        let mut status = json!({
            "phase": phase, "reason": null, "message": null, "conditions": conditions,
            "containerStatuses": statuses(&self.containers, false),
            "hostIP": self.host_ips.first(), "hostIPs": ips(&self.host_ips),
            "podIP": self.ips.first(), "podIPs": ips(&self.ips),
            "startTime": self.started,
        });
        if !self.inits.is_empty() {
            status["initContainerStatuses"] = json!(statuses(&self.inits, true));
        }
        json!({"status": status})
    }

    fn condition(&mut self, kind: &'static str, holds: bool, reason: &str, message: &str) -> Value {
        let since = self.since.entry(kind).or_insert_with(|| (holds, now()));
        if since.0 != holds {
            *since = (holds, now());
        }
        let mut made = json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastProbeTime": null,
            "lastTransitionTime": since.1});
        for (field, text) in [("reason", reason), ("message", message)] {
            if !text.is_empty() {
                made[field] = json!(text);
            }
        }
        made
    }
}

fn ended(ended: &Ended, id: &str) -> Value {
    let never = "1970-01-01T00:00:00Z";
    let mut made = json!({"exitCode": ended.code, "reason": ended.reason, "containerID": id,
        "startedAt": ended.started.as_deref().unwrap_or(never), "finishedAt": ended.finished});
    if !ended.message.is_empty() {
        made["message"] = json!(ended.message);
    }
    made
}

fn container(seen: &Seen, init: bool) -> Value {
    let born = seen.last.is_some() || !matches!(seen.state, State::Waiting(..));
    let id = if born { format!("fabric://{}", seen.name) } else { String::new() };
    let state = match &seen.state {
        State::Waiting(reason, message) if message.is_empty() => json!({"waiting": {"reason": reason}}),
        State::Waiting(reason, message) => json!({"waiting": {"reason": reason, "message": message}}),
        State::Running(since) => json!({"running": {"startedAt": since}}),
        State::Ended(how) => json!({"terminated": ended(how, &id)}),
    };
    let up = matches!(seen.state, State::Running(_));
    let last = seen.last.as_ref().map_or_else(|| json!({}), |how| json!({"terminated": ended(how, &id)}));
    // An init container is ready once it is through.
    let ready = up || (init && seen.succeeded());
    json!({
        "name": seen.name, "image": seen.image, "imageID": "", "containerID": id,
        "ready": ready, "started": up, "restartCount": seen.restarts, "state": state, "lastState": last,
    })
}

#[cfg(test)]
mod tests;
