//! What happened on boxes and in the cluster: from one snapshot to the next.
//!
//! What is there when something is seen for the first time is no news; of pods and speakers, which come while we look,
//! it is.

use std::time::SystemTime;

use fabric_harness::router::Link;
use fabric_harness::runtime::keeper::{AgentInfo, AgentNeighbor};
use fabric_reports::record::{Happening, PodChange};
use k8s_openapi::api::core::v1::{Node, Pod};

use super::super::atlas::{Atlas, pod_name};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct News {
    /// When, where somebody knows better than that it was between the two snapshots.
    pub(super) at: Option<SystemTime>,
    pub(super) source: String,
    pub(super) what: String,
    pub(super) of: Happening,
}

fn news(source: &str, what: String, of: Happening) -> News {
    News { at: None, source: source.to_owned(), what, of }
}

/// What happened between two snapshots.
pub(super) fn between(before: &Atlas, after: &Atlas) -> Vec<News> {
    let mut all = Vec::new();
    boxes(before, after, &mut all);
    if let (Some(old), Some(new)) = (&before.nodes, &after.nodes) {
        nodes(old, new, &mut all);
    }
    if let (Some(old), Some(new)) = (&before.pods, &after.pods) {
        pods(old, new, &mut all);
    }
    for agent in after.agents.iter().flatten() {
        let old = before.agents.iter().flatten().find(|old| old.info.node == agent.info.node);
        speakers(after, old.map(|old| &old.info), &agent.info, &mut all);
    }
    all
}

fn boxes(before: &Atlas, after: &Atlas, all: &mut Vec<News>) {
    for (place, new) in &after.interfaces {
        let Some(old) = before.interfaces.get(place).filter(|old| *old != new) else { continue };
        // Of boxes that share a network one tells.
        if after.box_of(place) != place {
            continue;
        }
        let is_up = |links: &[Link], name: &str| {
            links.iter().find(|link| link.name == name).is_some_and(|link| link.up && link.carrier)
        };
        let mut names: Vec<&str> =
            old.links.iter().chain(&new.links).map(|link| link.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let up = is_up(&new.links, name);
            if up != is_up(&old.links, name) {
                let what = format!("{name} {}", if up { "came up" } else { "went down" });
                all.push(news(place, what, Happening::Link { interface: name.to_owned(), up }));
            }
        }
        let gone = old.addresses.iter().filter(|address| !new.addresses.iter().any(|new| same(new, address)));
        let come = new.addresses.iter().filter(|address| !old.addresses.iter().any(|old| same(old, address)));
        for (address, present) in gone.map(|a| (a, false)).chain(come.map(|a| (a, true))) {
            let (interface, address) = (address.dev.clone(), address.address.to_string());
            let what = format!("{address} {} {interface}", if present { "came to" } else { "left" });
            all.push(news(place, what, Happening::Address { interface, address, present }));
        }
    }
}

fn same(one: &fabric_harness::router::LinkAddress, other: &fabric_harness::router::LinkAddress) -> bool {
    (&one.dev, one.address) == (&other.dev, other.address)
}

/// Whether a node is Ready.
pub(super) fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True")
}

fn nodes(before: &[Node], after: &[Node], all: &mut Vec<News>) {
    let name = |node: &Node| node.metadata.name.clone().unwrap_or_default();
    let ready_before = |wanted: &str| before.iter().any(|old| name(old) == wanted && is_ready(old));
    for node in after {
        let (name, ready) = (name(node), is_ready(node));
        if ready != ready_before(&name) {
            let what = if ready { "the node is Ready" } else { "the node is not Ready any more" };
            all.push(news(&name, what.to_owned(), Happening::Ready { ready }));
        }
    }
    let gone = before.iter().filter(|old| is_ready(old)).map(name);
    for gone in gone.filter(|gone| !after.iter().any(|node| name(node) == *gone)) {
        all.push(news(&gone, "the node is gone".to_owned(), Happening::Ready { ready: false }));
    }
}

/// Whether a pod is Ready.
pub(super) fn pod_is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True")
}

fn pods(before: &[Pod], after: &[Pod], all: &mut Vec<News>) {
    let uid = |pod: &Pod| pod.metadata.uid.clone();
    let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let address = |pod: &Pod| pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    for pod in after {
        let (name, on) = (pod_name(pod), node(pod));
        // A pod of the same name may be another one.
        let old = before.iter().find(|old| pod_name(old) == name && uid(old) == uid(pod));
        let mut tell = |change, what: String| {
            all.push(news(&name, what, Happening::Pod { change, node: on.clone() }));
        };
        if old.is_none() {
            tell(PodChange::Made, "the pod was made".to_owned());
        }
        if let Some(node) = &on
            && old.and_then(node_of).is_none()
        {
            tell(PodChange::Scheduled, format!("the pod was scheduled onto {node}"));
        }
        if let Some(address) = address(pod)
            && old.and_then(address_of).as_deref() != Some(address.as_str())
        {
            tell(PodChange::Addressed, format!("the pod has the address {address}"));
        }
        match (old.is_some_and(pod_is_ready), pod_is_ready(pod)) {
            (false, true) => tell(PodChange::Ready, "the pod is Ready".to_owned()),
            (true, false) => tell(PodChange::NotReady, "the pod is not Ready any more".to_owned()),
            _ => {}
        }
    }
    for pod in before {
        if !after.iter().any(|new| pod_name(new) == pod_name(pod) && uid(new) == uid(pod)) {
            let of = Happening::Pod { change: PodChange::Gone, node: node(pod) };
            all.push(news(&pod_name(pod), "the pod is gone".to_owned(), of));
        }
    }
}

fn node_of(pod: &Pod) -> Option<String> {
    pod.spec.as_ref().and_then(|spec| spec.node_name.clone())
}

fn address_of(pod: &Pod) -> Option<String> {
    pod.status.as_ref().and_then(|status| status.pod_ip.clone())
}

/// How the log of a speaker tells of a session.
pub(super) fn standing(neighbor: &AgentNeighbor) -> &'static str {
    let up = neighbor.session.as_ref().is_some_and(|session| session.up_since.is_some());
    if up { "Established" } else { "Down" }
}

fn speakers(atlas: &Atlas, before: Option<&AgentInfo>, after: &AgentInfo, all: &mut Vec<News>) {
    let place = after.node.as_str();
    let old_speakers = before.map(|old| old.speakers.as_slice()).unwrap_or_default();
    for speaker in &after.speakers {
        let running = speaker.started_at.is_some();
        let old =
            old_speakers.iter().find(|old| (old.asn, &old.instance) == (speaker.asn, &speaker.instance));
        let ran = old.is_some_and(|old| old.started_at.is_some());
        if running != ran {
            all.push(News { at: speaker.started_at, ..speaker_news(place, speaker.asn, running) });
        }
    }
    let gone = |old: &&fabric_harness::runtime::keeper::AgentSpeaker| {
        !after.speakers.iter().any(|new| (new.asn, &new.instance) == (old.asn, &old.instance))
    };
    for old in old_speakers.iter().filter(|old| old.started_at.is_some()).filter(gone) {
        all.push(speaker_news(place, old.asn, false));
    }
    let old_neighbors = before.map(|old| old.neighbors.as_slice()).unwrap_or_default();
    let same = |one: &AgentNeighbor, other: &AgentNeighbor| {
        (one.local_asn, one.address) == (other.local_asn, other.address)
    };
    for neighbor in &after.neighbors {
        let old = old_neighbors.iter().find(|old| same(old, neighbor));
        let (from, to) = (old.map(standing), standing(neighbor));
        if from == Some(to) {
            continue;
        }
        let session = neighbor.session.as_ref();
        let lost = from == Some("Established");
        let reason = session.filter(|_| lost).and_then(|session| session.last_down.clone());
        let at = match to {
            "Established" => session.and_then(|session| session.up_since),
            _ if from.is_none() => session.map(|session| session.added_at),
            _ => None,
        };
        all.push(News { at, ..session_news(atlas, place, neighbor, (from, Some(to)), reason) });
    }
    for old in old_neighbors.iter().filter(|old| !after.neighbors.iter().any(|new| same(new, old))) {
        all.push(session_news(atlas, place, old, (Some(standing(old)), None), None));
    }
}

fn speaker_news(place: &str, asn: u32, running: bool) -> News {
    let what = format!("the speaker of AS {asn} {}", if running { "runs" } else { "has ended" });
    news(place, what, Happening::Speaker { asn, running })
}

fn session_news(
    atlas: &Atlas,
    place: &str,
    neighbor: &AgentNeighbor,
    (from, to): (Option<&str>, Option<&str>),
    reason: Option<String>,
) -> News {
    let address = neighbor.address;
    let word = |state: Option<&str>| state.unwrap_or("not configured").to_owned();
    let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let what = format!("session {address}: {} -> {}{why}", word(from), word(to));
    let of = Happening::Session {
        neighbor: address.to_string(),
        peer: atlas.box_with(address).map(str::to_owned),
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
        reason,
    };
    news(place, what, of)
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
