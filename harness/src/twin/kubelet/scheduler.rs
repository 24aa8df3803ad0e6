//! Which node a pod goes to: those that fit, then the fewest pods.
//!
//! What lives here: the decision, pure, and why it could not be made, in the words of the real scheduler. What does not:
//! labels (`affinity`), taints (`taints`), writing it down (`pods`). Not modelled: CPU and memory, priorities, affinity
//! between pods, topology spread; a pod that asks for them is placed as if it had not.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Node, Pod};

use super::affinity::matches;
use super::taints::untolerated;

/// Why no node takes a pod, in the words of the real scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unschedulable {
    /// `0/4 nodes are available: ...`.
    pub message: String,
}

/// What is taken of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// How many pods it has.
    pub pods: usize,
    /// Protocols and ports of its own network that pods have.
    pub ports: BTreeSet<(String, i32)>,
}

impl Load {
    /// Counts a pod in. One that has ended takes nothing.
    pub fn add(&mut self, pod: &Pod) {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if !matches!(phase, Some("Succeeded" | "Failed")) {
            self.pods += 1;
            self.ports.extend(host_ports(pod));
        }
    }
}

/// How many pods a node takes unless it says otherwise, as kubelet's `maxPods`.
const MOST: usize = 110;
/// What removing other pods would not change.
const UNRESOLVABLE: &str = "Preemption is not helpful for scheduling";
/// What it would change, if there were any of lower priority.
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// Picks a node for a pod, or says why none will do. `load` is what each node has already.
pub fn place(pod: &Pod, nodes: &[Node], load: &BTreeMap<String, Load>) -> Result<String, Unschedulable> {
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut preempted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut fitting: Vec<(usize, usize, String)> = Vec::new();
    let nothing = Load::default();
    for node in nodes {
        let name = node.metadata.name.clone().unwrap_or_default();
        let load = load.get(&name).unwrap_or(&nothing);
        match refusal(pod, node, load) {
            Some((why, helpless)) => {
                *refused.entry(why).or_default() += 1;
                *preempted.entry(if helpless { UNRESOLVABLE } else { NO_VICTIMS }).or_default() += 1;
            }
            None => fitting.push((untolerated(pod, node, &["PreferNoSchedule"]).count(), load.pods, name)),
        }
    }
    fitting.sort();
    if let Some((_, _, name)) = fitting.into_iter().next() {
        return Ok(name);
    }
    let message = if nodes.is_empty() {
        "no nodes available to schedule pods".into()
    } else {
        let listed = |reasons: Vec<String>| {
            let mut reasons = reasons;
            reasons.sort();
            format!("0/{} nodes are available: {}.", nodes.len(), reasons.join(", "))
        };
        let why = listed(refused.iter().map(|(why, count)| format!("{count} {why}")).collect());
        let then = listed(preempted.iter().map(|(why, count)| format!("{count} {why}")).collect());
        format!("{why} preemption: {then}")
    };
    Err(Unschedulable { message })
}

/// Why a node does not take a pod, asked in the order of the real scheduler's filters, and whether nothing helps.
fn refusal(pod: &Pod, node: &Node, load: &Load) -> Option<(String, bool)> {
    let spec = node.spec.as_ref();
    if spec.and_then(|spec| spec.unschedulable).unwrap_or(false) && !endures_cordon(pod) {
        return Some(("node(s) were unschedulable".into(), true));
    }
    if let Some(taint) = untolerated(pod, node, &["NoSchedule", "NoExecute"]).next() {
        let value = taint.value.as_deref().unwrap_or_default();
        return Some((format!("node(s) had untolerated taint {{{}: {value}}}", taint.key), true));
    }
    if !matches(pod, node) {
        return Some(("node(s) didn't match Pod's node affinity/selector".into(), true));
    }
    if host_ports(pod).any(|port| load.ports.contains(&port)) {
        return Some(("node(s) didn't have free ports for the requested pod ports".into(), false));
    }
    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    let most = allocatable.and_then(|all| all.get("pods")?.0.parse().ok()).unwrap_or(MOST);
    (load.pods >= most).then(|| ("Too many pods".into(), false))
}

/// Whether a pod goes to nodes on which nothing is to be scheduled any more.
fn endures_cordon(pod: &Pod) -> bool {
    let taint = k8s_openapi::api::core::v1::Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        effect: "NoSchedule".into(),
        ..Default::default()
    };
    let tolerations = pod.spec.iter().flat_map(|spec| spec.tolerations.iter().flatten());
    tolerations.into_iter().any(|toleration| super::taints::tolerates(toleration, &taint))
}

/// Ports of the node that a pod wants: all of its containers' when it is on the node's network, else those it asks for.
fn host_ports(pod: &Pod) -> impl Iterator<Item = (String, i32)> {
    let spec = pod.spec.as_ref();
    let host = spec.and_then(|spec| spec.host_network).unwrap_or(false);
    let containers = spec.into_iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.filter_map(move |port| {
        let number = port.host_port.or_else(|| host.then_some(port.container_port))?;
        Some((port.protocol.clone().unwrap_or_else(|| "TCP".into()), number))
    })
}

#[cfg(test)]
mod tests;
