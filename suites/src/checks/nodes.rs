//! Judging the nodes of the cluster as its API shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use serde_json::json;

use super::verdict::{Verdict, counted, listed};
use crate::expect::WantedFamily;

/// What one check wants of the nodes.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeSpec {
    /// There are so many.
    Count(usize),
    /// All of them are Ready, or none is.
    AllReady(bool),
    /// Their pod CIDRs.
    PodCidrs {
        /// Of which family.
        family: WantedFamily,
        /// How many different ones.
        count: Option<usize>,
        /// The length of each.
        length: Option<u8>,
        /// The prefix in which all are.
        inside: Option<IpNet>,
    },
    /// A fact of one node.
    Of {
        /// Its full name, or the part that kind puts behind the cluster's name.
        node: String,
        /// The fact.
        fact: NodeFact,
    },
}

/// One fact of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeFact {
    /// Ready or not.
    Ready(bool),
    /// Carries these labels.
    Labels(BTreeMap<String, String>),
    /// Has this InternalIP.
    Address(IpAddr),
}

/// Judges one statement about the nodes.
pub fn judge_nodes(spec: &NodeSpec, seen: &[Node]) -> Verdict {
    match spec {
        NodeSpec::Count(count) => {
            let names: Vec<_> = seen.iter().map(name).collect();
            let mut lines = Vec::new();
            if names.len() != *count {
                lines.push(format!("the nodes are {}", listed(&names)));
            }
            let phrase = format!("{} of {count} nodes", names.len());
            Verdict::of("cluster", counted(*count, "node", "nodes"), phrase, lines).detail(&names)
        }
        NodeSpec::AllReady(wanted) => {
            let conditions: BTreeMap<_, _> = seen.iter().map(|node| (name(node), readiness(node))).collect();
            let right = conditions.values().filter(|(ready, _)| ready == wanted).count();
            let mut lines: Vec<_> = conditions
                .iter()
                .filter(|(_, (ready, _))| ready != wanted)
                .map(|(name, (_, why))| format!("{name}: {why}"))
                .collect();
            if conditions.is_empty() {
                lines.push("there are no nodes".to_owned());
            }
            let word = if *wanted { "Ready" } else { "NotReady" };
            let phrase = format!("{right} of {} nodes {word}", conditions.len());
            Verdict::of("cluster", format!("every node {word}"), phrase, lines).detail(&conditions)
        }
        NodeSpec::PodCidrs { family, count, length, inside } => {
            pod_cidrs(*family, *count, *length, *inside, seen)
        }
        NodeSpec::Of { node, fact } => {
            let found: Vec<_> = seen.iter().filter(|seen| super::same_node(&name(seen), node)).collect();
            match found.as_slice() {
                [one] => judge_fact(node, fact, one),
                [] => {
                    let line = format!("there is no such node; there are {}", listed(seen.iter().map(name)));
                    Verdict::of(node, fact.phrase(), "no such node", vec![line])
                }
                several => {
                    let line = format!(
                        "several nodes have names like it: {}",
                        listed(several.iter().map(|n| name(n)))
                    );
                    Verdict::of(node, fact.phrase(), "not one node", vec![line]).for_good()
                }
            }
        }
    }
}

fn pod_cidrs(
    family: WantedFamily,
    count: Option<usize>,
    length: Option<u8>,
    inside: Option<IpNet>,
    seen: &[Node],
) -> Verdict {
    let adjective = family.adjective();
    let mut lines = Vec::new();
    let mut different: BTreeMap<IpNet, String> = BTreeMap::new();
    for node in seen {
        let all: Vec<IpNet> = pod_cidrs_of(node).into_iter().filter(|cidr| family.holds(cidr)).collect();
        if all.is_empty() {
            lines.push(format!("{} has no {adjective}pod CIDR", name(node)));
        }
        for cidr in all {
            if let Some(length) = length.filter(|length| *length != cidr.prefix_len()) {
                lines.push(format!("{} has {cidr}, not a /{length}", name(node)));
            }
            if let Some(inside) = inside.filter(|inside| !inside.contains(&cidr)) {
                lines.push(format!("{} has {cidr}, outside {inside}", name(node)));
            }
            if let Some(other) = different.insert(cidr, name(node)) {
                lines.push(format!("{other} and {} have the same {cidr}", name(node)));
            }
        }
    }
    if let Some(count) = count.filter(|count| *count != different.len()) {
        lines.push(format!("there are {} {adjective}pod CIDRs, not {count}", different.len()));
    }
    let (one, more) = (format!("{adjective}pod CIDR"), format!("{adjective}pod CIDRs"));
    let mut expected = count.map_or_else(|| more.clone(), |count| counted(count, &one, &more));
    if let Some(length) = length {
        expected.push_str(&format!(" of length {length}"));
    }
    if let Some(inside) = inside {
        expected.push_str(&format!(" inside {inside}"));
    }
    let phrase = counted(different.len(), "different pod CIDR", "different pod CIDRs");
    let detail: Vec<_> =
        different.iter().map(|(cidr, node)| json!({ "node": node, "podCIDR": cidr })).collect();
    Verdict::of("cluster", expected, phrase, lines).detail(&detail)
}

fn judge_fact(subject: &str, fact: &NodeFact, node: &Node) -> Verdict {
    let mut lines = Vec::new();
    let phrase = match fact {
        NodeFact::Ready(wanted) => {
            let (ready, why) = readiness(node);
            if ready != *wanted {
                lines.push(why.clone());
            }
            why
        }
        NodeFact::Labels(wanted) => {
            let there = node.metadata.labels.clone().unwrap_or_default();
            lines = super::label_difference(wanted, &there);
            let all: Vec<_> = there.iter().filter(|(key, _)| wanted.contains_key(*key)).collect();
            listed(all.iter().map(|(key, value)| format!("{key}={value}")))
        }
        NodeFact::Address(wanted) => {
            let there = addresses_of(node);
            if !there.contains(wanted) {
                let all = listed(there.iter().map(IpAddr::to_string));
                lines.push(format!("its InternalIP is {all}, not {wanted}"));
            }
            listed(there.iter().map(IpAddr::to_string))
        }
    };
    let detail = json!({ "name": name(node), "labels": node.metadata.labels,
        "addresses": node.status.as_ref().and_then(|status| status.addresses.as_ref()),
        "conditions": node.status.as_ref().and_then(|status| status.conditions.as_ref()) });
    Verdict::of(subject, fact.phrase(), phrase, lines).detail(&detail)
}

/// The node's name, or a dash for one without.
pub(super) fn name(node: &Node) -> String {
    node.metadata.name.clone().unwrap_or_else(|| "-".to_owned())
}

/// Whether the node is Ready, and the kubelet's own words for it.
fn readiness(node: &Node) -> (bool, String) {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let Some(ready) = conditions.into_iter().flatten().find(|condition| condition.type_ == "Ready") else {
        return (false, "NotReady: no condition Ready yet".to_owned());
    };
    let word = if ready.status == "True" { "Ready" } else { "NotReady" };
    let why = ready.message.as_deref().or(ready.reason.as_deref()).unwrap_or("no reason given");
    (ready.status == "True", format!("{word}: {why}"))
}

pub(super) fn pod_cidrs_of(node: &Node) -> BTreeSet<IpNet> {
    let Some(spec) = &node.spec else { return BTreeSet::new() };
    let several = spec.pod_cidrs.iter().flatten();
    several.chain(spec.pod_cidr.iter()).filter_map(|text| text.parse().ok()).collect()
}

fn addresses_of(node: &Node) -> BTreeSet<IpAddr> {
    let addresses = node.status.as_ref().and_then(|status| status.addresses.as_ref());
    let internal = addresses.into_iter().flatten().filter(|address| address.type_ == "InternalIP");
    internal.filter_map(|address| address.address.parse().ok()).collect()
}

impl NodeFact {
    fn phrase(&self) -> String {
        match self {
            Self::Ready(true) => "Ready".to_owned(),
            Self::Ready(false) => "NotReady".to_owned(),
            Self::Labels(labels) => {
                listed(labels.iter().map(|(key, value)| format!("the label {key}={value}")))
            }
            Self::Address(address) => format!("InternalIP {address}"),
        }
    }
}
