//! From policies and a node to what the node must speak: a pure function.
//!
//! What lives here: which speakers a node runs, with whom they peer and what they advertise, as cilium-agent 1.12
//! decides it. What does not: running them (`speaker`, `reconcile`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use serde::Serialize;

use super::annotations::{self, Attributes};
use super::selector::selects;
use crate::cilium::{self, CiliumBGPPeeringPolicy, Promises};

/// What one node must speak.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The speakers, by local AS number.
    pub virtual_routers: Vec<VirtualRouter>,
    /// True when speakers that run but are not in the plan must be left alone: the input was refused, and Cilium
    /// leaves everything as it is rather than tear sessions down over a mistake.
    pub keep_others: bool,
    /// What is wrong with the input, one sentence each.
    pub problems: Vec<String>,
}

/// One speaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VirtualRouter {
    /// Its AS number; unique on the node.
    pub local_asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Where it listens; nowhere unless an annotation says so.
    pub local_port: Option<u16>,
    /// The prefixes it advertises.
    pub export: BTreeSet<IpNet>,
    /// Its neighbors, by address.
    pub neighbors: Vec<Neighbor>,
}

/// One neighbor of a speaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbor {
    /// Whom to dial.
    pub address: IpAddr,
    /// The AS number it must have.
    pub asn: u32,
    /// ConnectRetry time.
    pub connect_retry: Duration,
    /// Hold time to offer.
    pub hold: Duration,
    /// Keepalive interval.
    pub keepalive: Duration,
}

impl Plan {
    fn refused(problems: Vec<String>) -> Self {
        Self { keep_others: true, problems, ..Self::default() }
    }
}

/// What the node must speak under these policies.
pub fn plan(policies: &[&CiliumBGPPeeringPolicy], node: &Node) -> Plan {
    let name = node.name_any();
    let mut problems = Vec::new();
    let mut selecting = Vec::new();
    for policy in policies {
        match selects(policy.spec.node_selector.as_ref(), node.labels()) {
            Ok(true) => selecting.push(*policy),
            Ok(false) => {}
            Err(why) => problems.push(format!("policy {} selects no node: {why}", policy.name_any())),
        }
    }
    let policy = match selecting.as_slice() {
        [] => return Plan { problems, ..Plan::default() },
        [policy] => *policy,
        several => {
            let names = several.iter().map(|policy| policy.name_any()).collect::<Vec<_>>().join(", ");
            problems.push(format!(
                "policies {names} all select node {name}, so it runs no BGP session at all; let one policy select it"
            ));
            return Plan { problems, ..Plan::default() };
        }
    };
    match annotations::read(node.annotations()) {
        Ok(annotations) => routers(policy, node, &annotations, problems),
        Err(wrong) => {
            problems.extend(wrong.into_iter().map(|why| format!("node {name} stays as it is: {why}")));
            Plan::refused(problems)
        }
    }
}

fn routers(
    policy: &CiliumBGPPeeringPolicy,
    node: &Node,
    annotations: &BTreeMap<u32, Attributes>,
    mut problems: Vec<String>,
) -> Plan {
    let mut found: BTreeMap<u32, VirtualRouter> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut keep_others = false;
    for (index, wanted) in policy.spec.virtual_routers.iter().enumerate() {
        let place = || format!("policy {}, virtualRouters[{index}]", policy.name_any());
        if !seen.insert(wanted.local_asn) {
            // Cilium 1.12 stops reading at the second of its kind and withdraws nothing.
            let asn = wanted.local_asn;
            problems.push(format!(
                "{}: localASN {asn} is there twice; it and what follows is not applied",
                place()
            ));
            keep_others = true;
            break;
        }
        match router(wanted, node, annotations) {
            Ok(router) => {
                found.insert(router.local_asn, router);
            }
            Err(why) => problems.push(format!("{} runs no speaker: {why}", place())),
        }
    }
    Plan { virtual_routers: found.into_values().collect(), keep_others, problems }
}

fn router(
    wanted: &cilium::VirtualRouter,
    node: &Node,
    annotations: &BTreeMap<u32, Attributes>,
) -> Result<VirtualRouter, String> {
    let local_asn = asn("localASN", wanted.local_asn)?;
    let attributes = annotations.get(&local_asn).copied().unwrap_or_default();
    let router_id = attributes.router_id.or_else(|| internal_ipv4(node)).ok_or_else(|| {
        format!(
            "the node has no IPv4 InternalIP to be its router id; set {}{local_asn}: router-id=",
            annotations::PREFIX
        )
    })?;
    let mut neighbors: BTreeMap<IpAddr, Neighbor> = BTreeMap::new();
    for peer in &wanted.neighbors {
        let neighbor = neighbor(peer)?;
        let (address, asn) = (neighbor.address, neighbor.asn);
        if let Some(other) = neighbors.insert(address, neighbor)
            && other.asn != asn
        {
            return Err(format!("neighbor {address} is there with AS {} and with AS {asn}", other.asn));
        }
    }
    let export = match wanted.export_pod_cidr {
        Some(true) => pod_cidrs(node)?,
        _ => BTreeSet::new(),
    };
    let neighbors = neighbors.into_values().collect();
    Ok(VirtualRouter { local_asn, router_id, local_port: attributes.local_port, export, neighbors })
}

fn neighbor(peer: &cilium::Neighbor) -> Result<Neighbor, String> {
    let text = &peer.peer_address;
    let network: IpNet =
        text.parse().map_err(|_| format!("peerAddress `{text}` is not a CIDR such as 10.0.0.1/32"))?;
    Ok(Neighbor {
        address: network.addr(),
        asn: asn("peerASN", peer.peer_asn)?,
        connect_retry: Promises::CONNECT_RETRY,
        hold: Promises::HOLD,
        keepalive: Promises::KEEPALIVE,
    })
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
mod tests;
