//! From the objects of the API and a node to what the node must speak: a pure function.
//!
//! What lives here: which of the two BGP APIs decides, and what both need. The first API is in `policies`, the second in
//! `instances`, what that one drops in `refusals`, addresses of services in `services`. What does not: running speakers (`speaker`, `reconcile`).

mod input;
mod instances;
mod policies;
mod refusals;
mod services;
mod types;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;

use crate::cilium::BgpV2;

pub use input::{Addresses, Advertisement, Input, NodeConfig, PeerConfig};
pub use types::{Attributes, Exports, Family, Neighbor, Password, Plan, SessionKey, VirtualRouter};

/// What the node must speak.
///
/// Where both APIs are there (1.16 to 1.18), a policy that selects the node keeps the second API out.
pub fn plan(input: &Input<'_>) -> Plan {
    let (selecting, problems) = policies::selecting(input);
    let mut plan = match (selecting.as_slice(), input.node_config) {
        ([], Some(config)) => instances::plan(input, config),
        ([], None) => silent(input),
        (policies, config) => {
            let mut plan = policies::plan(input, policies);
            if config.is_some() {
                plan.problems.push(format!(
                    "node {}: its CiliumBGPNodeConfig is not acted on, since CiliumBGPPeeringPolicy {} selects the node; delete the policy",
                    input.name(),
                    policies::names(policies)
                ));
            }
            plan
        }
    };
    plan.problems.splice(0..0, problems);
    plan
}

/// Nothing is wanted of the node.
fn silent(input: &Input<'_>) -> Plan {
    let first = input.promises.peering_policy.then_some("CiliumBGPPeeringPolicy");
    let second = (input.promises.bgp_v2 != BgpV2::Absent).then_some("CiliumBGPClusterConfig");
    let kinds: Vec<&str> = first.into_iter().chain(second).collect();
    Plan { silences: vec![format!("no {} selects the node", kinds.join(" and no "))], ..Plan::default() }
}

fn asn(field: &str, number: i64) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| format!("{field} {number} is not between 0 and 4294967295"))
}

/// The first IPv4 address of type InternalIP.
pub fn internal_ipv4(node: &Node) -> Option<Ipv4Addr> {
    let addresses = node.status.as_ref()?.addresses.as_deref()?;
    addresses
        .iter()
        .filter(|address| address.type_ == "InternalIP")
        .find_map(|address| address.address.parse().ok())
}

/// The node's pod CIDRs; none before one has been handed out.
///
/// # Errors
/// Names a CIDR that is none.
pub fn pod_cidrs(node: &Node) -> Result<BTreeSet<IpNet>, String> {
    let Some(spec) = &node.spec else { return Ok(BTreeSet::new()) };
    let listed = spec.pod_cidrs.iter().flatten();
    listed
        .chain(&spec.pod_cidr)
        .map(|text| {
            text.parse::<IpNet>()
                .map(|cidr| cidr.trunc())
                .map_err(|_| format!("pod CIDR `{text}` is no CIDR"))
        })
        .collect()
}

#[cfg(test)]
mod second;
#[cfg(test)]
mod tests;
