//! Judging pods as the cluster's API shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::json;

use super::verdict::{Verdict, listed};
use crate::expect::{PodName, Resolver, Symbol, WantedFamily, WantedPhase};

/// What one check wants of a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodSpec {
    /// The pod.
    pub pod: PodName,
    /// The fact.
    pub fact: PodFact,
}

/// One fact of a pod.
#[derive(Debug, Clone, PartialEq)]
pub enum PodFact {
    /// Its phase; a Running pod has its containers ready.
    Phase(WantedPhase),
    /// It runs on a node that carries these labels.
    On(BTreeMap<String, String>),
    /// Its address lies in one of the prefixes of a symbol.
    AddressIn(Symbol),
}

/// Judges one fact. `seen` is `None` when the API has no such pod.
pub fn judge_pod(spec: &PodSpec, seen: Option<&Pod>, nodes: &[Node], resolver: &dyn Resolver) -> Verdict {
    let subject = spec.pod.short();
    let expected = spec.fact.phrase();
    let Some(pod) = seen else {
        if spec.fact == PodFact::Phase(WantedPhase::Absent) {
            return Verdict::of(&subject, expected, "absent", Vec::new());
        }
        let line = format!("there is no pod {} in namespace {}", spec.pod.name, spec.pod.namespace);
        return Verdict::of(&subject, expected, "no such pod", vec![line]);
    };
    let status = pod.status.as_ref();
    let on = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let mut lines = Vec::new();
    let mut dead = false;
    let phrase = match &spec.fact {
        PodFact::Phase(wanted) => {
            let phase =
                status.and_then(|status| status.phase.clone()).unwrap_or_else(|| "Pending".to_owned());
            let ready = is_ready(pod);
            if phase != wanted.word() {
                lines.push(format!("the phase is {phase}, not {}", wanted.word()));
                lines.extend(reasons(pod));
                dead = matches!(phase.as_str(), "Failed" | "Succeeded") && *wanted == WantedPhase::Running;
            } else if *wanted == WantedPhase::Running && !ready {
                lines.push("it is Running, and its containers are not ready".to_owned());
                lines.extend(reasons(pod));
            }
            if *wanted == WantedPhase::Running && !ready { format!("{phase}, not ready") } else { phase }
        }
        PodFact::On(labels) => match &on {
            None => {
                lines.push("it is on no node yet".to_owned());
                lines.extend(reasons(pod));
                "not scheduled".to_owned()
            }
            Some(node) => {
                let found = nodes.iter().find(|seen| super::nodes::name(seen) == *node);
                let there = found.and_then(|node| node.metadata.labels.clone()).unwrap_or_default();
                lines.extend(
                    super::label_difference(labels, &there).iter().map(|line| format!("{node}: {line}")),
                );
                node.clone()
            }
        },
        PodFact::AddressIn(symbol) => {
            let prefixes = match resolver.prefixes(symbol) {
                Ok(prefixes) => prefixes,
                Err(why) => return Verdict::unresolved(&subject, expected, &why),
            };
            let addresses = addresses_of(pod);
            if addresses.is_empty() {
                lines.push("it has no address yet".to_owned());
            }
            // Of each family that the prefixes have, one address must be in them.
            let families: BTreeSet<WantedFamily> =
                prefixes.iter().map(|prefix| WantedFamily::of(prefix.value.addr())).collect();
            for family in families {
                let own = || addresses.iter().filter(|address| WantedFamily::of(**address) == family);
                if own().any(|address| prefixes.iter().any(|prefix| prefix.value.contains(address))) {
                    continue;
                }
                let of_family = prefixes.iter().filter(|prefix| family.holds(&prefix.value));
                let all = listed(of_family.map(ToString::to_string));
                match listed(own().map(IpAddr::to_string)).as_str() {
                    "none" if addresses.is_empty() => {}
                    "none" => lines.push(format!("it has no {family} address, and {all} is wanted")),
                    seen => lines.push(format!("{seen} is not in {all}")),
                }
            }
            if addresses.is_empty() {
                "no address".to_owned()
            } else {
                listed(addresses.iter().map(IpAddr::to_string))
            }
        }
    };
    let detail = json!({ "node": on, "status": status });
    let verdict = Verdict::of(&subject, expected, phrase, lines).detail(&detail);
    if dead { verdict.for_good() } else { verdict }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Its addresses, the first one first.
fn addresses_of(pod: &Pod) -> Vec<IpAddr> {
    let Some(status) = &pod.status else { return Vec::new() };
    let several = status.pod_ips.iter().flatten().map(|ip| &ip.ip);
    let mut all: Vec<IpAddr> = Vec::new();
    for address in status.pod_ip.iter().chain(several).filter_map(|text| text.parse().ok()) {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

/// What Kubernetes says about why a pod is not further.
fn reasons(pod: &Pod) -> Vec<String> {
    let Some(status) = &pod.status else { return Vec::new() };
    let mut lines = Vec::new();
    for condition in status.conditions.iter().flatten().filter(|condition| condition.status != "True") {
        if let Some(message) = condition.message.as_ref().or(condition.reason.as_ref()) {
            lines.push(format!("{}: {message}", condition.type_));
        }
    }
    for container in status.container_statuses.iter().flatten() {
        if let Some(waiting) = container.state.as_ref().and_then(|state| state.waiting.as_ref()) {
            let why = waiting.message.as_ref().or(waiting.reason.as_ref());
            lines.push(format!("container {}: {}", container.name, why.map_or("waiting", String::as_str)));
        }
    }
    lines.extend(status.message.iter().cloned());
    lines
}

impl PodFact {
    /// The fact as a phrase.
    pub fn phrase(&self) -> String {
        match self {
            Self::Phase(phase) => phase.word().to_owned(),
            Self::On(labels) => {
                let all = listed(labels.iter().map(|(key, value)| format!("{key}={value}")));
                format!("on a node with {all}")
            }
            Self::AddressIn(symbol) => format!("an address of {symbol}"),
        }
    }
}
