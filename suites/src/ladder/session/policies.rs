//! Why Cilium on a node is not told to peer with a router: which policy should tell it so, and why that does not choose the
//! node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fabric_harness::cilium::LabelSelector;
use fabric_harness::twin::agent::selector::selects;
use fabric_reports::record::RungName;

use super::super::{Blame, CLUSTER, Proof};
use super::facts::{CiliumSeen, End, Policy};
use super::words::{blame, json, listed, proof, text};

/// What is to blame that nothing makes Cilium on `end` peer with `other`; none where nothing is proven.
pub(super) fn why_not(end: &End, seen: &CiliumSeen, other: &End) -> Option<Blame> {
    let own: Vec<IpAddr> = other.own().collect();
    let agent = seen.agent.as_ref();
    let all = seen.policies.as_deref();
    let acted = |policy: &&Policy| seen.acts_on.is_empty() || seen.acts_on.contains(&policy.kind);
    let chosen: Vec<&Policy> =
        all.into_iter().flatten().filter(acted).filter(|policy| chooses(policy, &seen.labels)).collect();
    // It is told to peer, with somebody else.
    if let [policy] = chosen.as_slice()
        && !policy.peers.is_empty()
        && !policy.peers.iter().any(|peer| own.contains(peer))
    {
        let whom = listed(&policy.peers);
        let title = format!("{} peers with {whom}, which is not {}", named(policy), other.name);
        let has: Vec<String> = own.iter().filter(|own| !own.is_loopback()).map(ToString::to_string).collect();
        let why = format!("{} has {}.", other.name, listed(&has));
        return Some(
            blame("wrong-peer-address", RungName::Policy, title)
                .about(&about(policy))
                .why(why)
                .shown(policy_proof(policy))
                .shown(agent_proof(end, seen))
                .next(get(policy)),
        );
    }
    // Whoever acts on nothing of what chooses it says why.
    if let Some(agent) = agent
        && !agent.problems.is_empty()
    {
        let title = format!("Cilium on {} does not act on what it is told: {}", end.name, agent.problems[0]);
        let blame = blame("policy-refused", RungName::Policy, title).at(&end.name);
        let blame = blame.shown(agent_proof(end, seen)).all_shown(chosen.iter().copied().map(policy_proof));
        return Some(match chosen.first() {
            Some(policy) => blame.about(&about(policy)),
            None => blame,
        });
    }
    if !chosen.is_empty() {
        let agent = agent?;
        let said = agent.silences.first()?;
        let title = format!("Cilium on {} does not dial {}: {said}", end.name, other.name);
        let blame = blame("policy-refused", RungName::Policy, title).at(&end.name).about(&about(chosen[0]));
        return Some(blame.shown(agent_proof(end, seen)).shown(policy_proof(chosen[0])));
    }
    nobody_chooses(end, seen, other, &own)
}

/// No policy that this Cilium acts on chooses the node.
fn nobody_chooses(end: &End, seen: &CiliumSeen, other: &End, own: &[IpAddr]) -> Option<Blame> {
    let all = seen.policies.as_deref()?;
    let acted = |policy: &&Policy| seen.acts_on.is_empty() || seen.acts_on.contains(&policy.kind);
    if let Some(policy) = all.iter().find(|policy| !acted(policy) && chooses(policy, &seen.labels)) {
        // All of the kind together: it is one thing to be done about.
        let ignored: Vec<&Policy> = all.iter().filter(|other| other.kind == policy.kind).collect();
        let names: Vec<&str> = ignored.iter().map(|policy| policy.name.as_str()).collect();
        let are = if names.len() == 1 { "is" } else { "are" };
        let version = seen.version.as_deref().unwrap_or("of this version");
        let title =
            format!("Cilium {version} does not act on {}: {} {are} ignored", policy.kind, names.join(", "));
        let why = format!(
            "It acts on {}: write them as such (`fabric upgrade check LAB --to {version} --write DIR` does it). Nobody else says so: \
             objects of the old kind are still taken, and nothing complains.",
            listed(&seen.acts_on)
        );
        return Some(
            blame("api-not-served", RungName::Policy, title)
                .about(&policy.kind)
                .why(why)
                .all_shown(ignored.into_iter().map(policy_proof))
                .shown(agent_proof(end, seen))
                .next("kubectl api-resources --api-group=cilium.io"),
        );
    }
    // The policy that was meant for the node is one that names the router.
    let meant = all.iter().filter(acted).find(|policy| policy.peers.iter().any(|peer| own.contains(peer)));
    let Some(policy) = meant.or_else(|| all.iter().find(acted)) else {
        let kinds = if seen.acts_on.is_empty() { vec!["policy".to_owned()] } else { seen.acts_on.clone() };
        let title =
            format!("there is no {} in the cluster, so Cilium peers with nobody", kinds.join(" and no "));
        let line =
            format!("kubectl get {}", kinds.iter().map(|kind| plural(kind)).collect::<Vec<_>>().join(","));
        return Some(
            blame("policy-missing", RungName::Policy, title)
                .shown(text(CLUSTER, "Cilium's policies", Some(line.clone()), "none"))
                .next(line),
        );
    };
    let missing = lacking(policy.selector.as_ref(), &seen.labels);
    let proofs = || {
        let line = "kubectl get nodes --show-labels".to_owned();
        let labels = Proof {
            title: "the nodes' labels".to_owned(),
            node: CLUSTER.to_owned(),
            line: Some(line),
            content: json(&seen.nodes),
        };
        [policy_proof(policy), labels, agent_proof(end, seen)]
    };
    // A node is at fault if the lab gives it the label that it lacks, or others have that and the policy names the router:
    // one that names another may be for another rack.
    let given = |key: &str, value: &str| seen.given_labels.get(key).is_some_and(|given| given == value);
    let others = |key: &str, value: &str| {
        seen.nodes.values().any(|labels| labels.get(key).is_some_and(|there| there == value))
    };
    let at_fault = |key: &str, value: &str| given(key, value) || (meant.is_some() && others(key, value));
    if let Some((key, value)) = missing.iter().find(|(key, value)| at_fault(key, value)) {
        let has =
            seen.labels.get(key).map_or("has no such label".to_owned(), |has| format!("has {key}={has}"));
        let title = format!(
            "{} is not labelled {key}={value}, by which {} chooses its nodes",
            end.name,
            named(policy)
        );
        let node = &end.name;
        return Some(
            blame("node-not-labelled", RungName::Policy, title)
                .at(node)
                .about(key)
                .why(format!("{node} {has}."))
                .all_shown(proofs())
                .next(format!("kubectl label node {node} {key}={value}")),
        );
    }
    let nobody = !seen.nodes.values().any(|labels| chooses(policy, labels));
    if !nobody && meant.is_none() {
        let title = format!("no policy tells Cilium on {} to peer with {}", end.name, other.name);
        return Some(
            blame("policy-missing", RungName::Policy, title)
                .at(&end.name)
                .all_shown(proofs())
                .next(format!("kubectl get {} -o yaml", plural(&policy.kind))),
        );
    }
    let title = if nobody {
        format!("{} selects no node", named(policy))
    } else {
        format!("{} does not select {}", named(policy), end.name)
    };
    let wants = describe(policy.selector.as_ref());
    Some(
        blame("policy-selects-no-node", RungName::Policy, title)
            .about(&about(policy))
            .why(format!("It selects by {wants}."))
            .all_shown(proofs())
            .next(get(policy)),
    )
}

fn chooses(policy: &Policy, labels: &BTreeMap<String, String>) -> bool {
    // A CiliumBGPClusterConfig without a selector is for all nodes; a peering policy without one for none.
    if policy.selector.is_none() && policy.kind == "CiliumBGPClusterConfig" {
        return true;
    }
    selects(policy.selector.as_ref(), labels).unwrap_or(false)
}

/// The labels that a selector wants and that are not so.
fn lacking(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let wanted = selector.into_iter().flat_map(|selector| &selector.match_labels);
    let missing = wanted.filter(|(key, value)| labels.get(*key) != Some(value));
    let mut all: Vec<(String, String)> = missing.map(|(key, value)| (key.clone(), value.clone())).collect();
    for one in selector.into_iter().flat_map(|selector| &selector.match_expressions) {
        let fits = labels.get(&one.key).is_some_and(|value| one.values.contains(value));
        if !fits && one.operator == fabric_harness::cilium::Operator::In {
            all.extend(one.values.iter().map(|value| (one.key.clone(), value.clone())));
        }
    }
    all
}

fn describe(selector: Option<&LabelSelector>) -> String {
    let Some(selector) = selector else { return "nothing (it has no nodeSelector)".to_owned() };
    let labels = selector.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
    let rules = selector
        .match_expressions
        .iter()
        .map(|one| format!("{} {:?} ({})", one.key, one.operator, one.values.join(", ")));
    let all: Vec<String> = labels.chain(rules).collect();
    if all.is_empty() { "nothing in particular".to_owned() } else { listed(&all) }
}

pub(super) fn named(policy: &Policy) -> String {
    format!("{} {}", policy.kind, policy.name)
}

pub(super) fn about(policy: &Policy) -> String {
    format!("{}/{}", policy.kind, policy.name)
}

pub(super) fn get(policy: &Policy) -> String {
    format!("kubectl get {} {} -o yaml", plural(&policy.kind), policy.name)
}

fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{kind}s"),
    }
}

pub(super) fn policy_proof(policy: &Policy) -> Proof {
    Proof { title: named(policy), node: CLUSTER.to_owned(), line: Some(get(policy)), content: json(policy) }
}

/// The policy that makes Cilium on a node dial an address.
pub(super) fn behind(seen: &CiliumSeen, peer: IpAddr) -> Option<&Policy> {
    let all = seen.policies.iter().flatten();
    let mut fits = all.filter(|policy| chooses(policy, &seen.labels) && policy.peers.contains(&peer));
    fits.next()
}

fn agent_proof(end: &End, seen: &CiliumSeen) -> Proof {
    let said = match &seen.agent {
        Some(agent) => json(agent),
        None => json(&seen.labels),
    };
    let title = if seen.agent.is_some() { "what Cilium says there" } else { "the node's labels" };
    let mut proof = proof(end, format!("{}: {title}", end.name), "", said);
    proof.line = None;
    proof
}
