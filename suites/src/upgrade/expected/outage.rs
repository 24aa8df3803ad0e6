//! The silent outage of an upgrade: policies that stay, and that nobody acts on.
//!
//! It is told, and never expected: what is lost with it is lost.

use fabric_harness::cilium::{CiliumBGPPeeringPolicySpec, promises};
use fabric_reports::diff::Outage;

use super::super::Asked;
use super::super::effect::{self, spec};

const POLICY: &str = "CiliumBGPPeeringPolicy";

/// The nodes that a policy made speak before, and that nothing makes speak after; `lab` is where to mend it.
pub(super) fn of(before: &Asked, after: &Asked, lab: &str) -> Option<Outage> {
    if promises(&before.to).ok()?.peering_policy {
        return None;
    }
    let spoke = effect::of(before).speak_before;
    let speak = effect::of(after).speak_after;
    let silent = |node: &str| spoke.iter().any(|one| one == node) && !speak.iter().any(|one| one == node);
    let mut ignored: Vec<&str> = Vec::new();
    let mut nodes = std::collections::BTreeSet::new();
    for policy in before.of_kind(POLICY) {
        let Some(spec) = spec::<CiliumBGPPeeringPolicySpec>(policy) else { continue };
        let selected = before.selected(spec.node_selector.as_ref(), false);
        let silenced: Vec<&str> = selected.into_iter().filter(|node| silent(node)).collect();
        if !silenced.is_empty() {
            ignored.push(&policy.name);
            nodes.extend(silenced.into_iter().map(str::to_owned));
        }
    }
    let verb = match ignored.as_slice() {
        [] => return None,
        [_] => "is",
        _ => "are",
    };
    let to = before.to;
    let why = format!(
        "Cilium {to} does not serve {POLICY} any more; {} {verb} ignored; write CiliumBGPClusterConfig, CiliumBGPPeerConfig and \
         CiliumBGPAdvertisement instead (`fabric upgrade check {lab} --to {to} --write DIR`)",
        ignored.join(", ")
    );
    Some(Outage { nodes, why })
}
