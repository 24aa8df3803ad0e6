//! The first BGP API: CiliumBGPPeeringPolicy.
//!
//! What lives here: what cilium-agent 1.12 to 1.18 make of a policy. What does not: who runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use kube::ResourceExt;

use super::types::{Attributes, Exports, Family, Neighbor, Password, Plan, VirtualRouter};
use super::{Input, asn, internal_ipv4, pod_cidrs, services};
use crate::cilium::bgp::{ServiceAddress, ServiceOptions};
use crate::cilium::{self, AdvertisedPathAttributes, CiliumBGPPeeringPolicy, Promises};
use crate::twin::agent::annotations::{self, Attributes as Annotated};
use crate::twin::agent::selector::selects;

/// The policies that select the node, and what is wrong with others.
pub(super) fn selecting<'a>(input: &Input<'a>) -> (Vec<&'a CiliumBGPPeeringPolicy>, Vec<String>) {
    let (mut selecting, mut problems) = (Vec::new(), Vec::new());
    for policy in &input.policies {
        match selects(policy.spec.node_selector.as_ref(), input.node.labels()) {
            Ok(true) => selecting.push(*policy),
            Ok(false) => {}
            Err(why) => problems.push(format!("policy {} selects no node: {why}", policy.name_any())),
        }
    }
    (selecting, problems)
}

pub(super) fn names(policies: &[&CiliumBGPPeeringPolicy]) -> String {
    policies.iter().map(|policy| policy.name_any()).collect::<Vec<_>>().join(", ")
}

/// What the node must speak under the policies that select it.
pub(super) fn plan(input: &Input<'_>, selecting: &[&CiliumBGPPeeringPolicy]) -> Plan {
    let name = input.name();
    let [policy] = selecting else {
        let problem = format!(
            "policies {} all select node {name}, so it runs no BGP session at all; let one policy select it",
            names(selecting)
        );
        return Plan { problems: vec![problem], ..Plan::default() };
    };
    match annotations::read(input.node.annotations()) {
        Ok(annotations) => routers(input, policy, &annotations),
        Err(wrong) => {
            Plan::refused(wrong.into_iter().map(|why| format!("node {name} stays as it is: {why}")).collect())
        }
    }
}

fn routers(
    input: &Input<'_>,
    policy: &CiliumBGPPeeringPolicy,
    annotations: &BTreeMap<u32, Annotated>,
) -> Plan {
    let mut plan = Plan::default();
    let mut found: BTreeMap<u32, VirtualRouter> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (index, wanted) in policy.spec.virtual_routers.iter().enumerate() {
        let place = format!("policy {}, virtualRouters[{index}]", policy.name_any());
        if !seen.insert(wanted.local_asn) {
            // Cilium 1.12 stops reading at the second of its kind and withdraws nothing.
            let asn = wanted.local_asn;
            plan.problems
                .push(format!("{place}: localASN {asn} is there twice; it and what follows is not applied"));
            plan.keep_others = true;
            break;
        }
        let mut problems = Vec::new();
        match router(input, wanted, annotations, &mut problems) {
            Ok(router) => {
                found.insert(router.local_asn, router);
            }
            Err(why) => plan.problems.push(format!("{place} runs no speaker: {why}")),
        }
        plan.problems.extend(problems.into_iter().map(|why| format!("{place}: {why}")));
    }
    plan.virtual_routers = found.into_values().collect();
    plan
}

fn router(
    input: &Input<'_>,
    wanted: &cilium::VirtualRouter,
    annotations: &BTreeMap<u32, Annotated>,
    problems: &mut Vec<String>,
) -> Result<VirtualRouter, String> {
    let local_asn = asn("localASN", wanted.local_asn)?;
    let attributes = annotations.get(&local_asn).copied().unwrap_or_default();
    let router_id = attributes.router_id.or_else(|| internal_ipv4(input.node)).ok_or_else(|| {
        format!(
            "the node has no IPv4 InternalIP to be its router id; set {}{local_asn}: router-id=",
            annotations::PREFIX
        )
    })?;
    let sources = Sources::of(input, wanted)?;
    if wanted.pod_ip_pool_selector.is_some() {
        problems
            .push("podIPPoolSelector is not honoured: no CiliumPodIPPools are handed out here".to_owned());
    }
    let mut neighbors: BTreeMap<IpAddr, Neighbor> = BTreeMap::new();
    for peer in &wanted.neighbors {
        let neighbor = neighbor(input, peer, &sources, problems)?;
        let (address, asn) = (neighbor.address, neighbor.asn);
        if let Some(other) = neighbors.insert(address, neighbor)
            && other.asn != asn
        {
            return Err(format!("neighbor {address} is there with AS {} and with AS {asn}", other.asn));
        }
    }
    Ok(VirtualRouter {
        instance: None,
        local_asn,
        router_id,
        local_port: attributes.local_port,
        export: sources.all().copied().collect(),
        rejects_inbound: input.promises.rejects_inbound,
        withdraws_filtered: input.promises.withdraws_filtered,
        // Before path attributes there was nothing to say of routes.
        filtered: input.version.line() >= (1, 15),
        neighbors: neighbors.into_values().collect(),
    })
}

/// What a speaker advertises, by where it comes from.
struct Sources {
    pod_cidrs: BTreeSet<IpNet>,
    load_balancers: BTreeSet<IpNet>,
    others: BTreeSet<IpNet>,
}

impl Sources {
    fn of(input: &Input<'_>, wanted: &cilium::VirtualRouter) -> Result<Self, String> {
        let pod_cidrs = match wanted.export_pod_cidr {
            Some(true) => pod_cidrs(input.node)?,
            _ => BTreeSet::new(),
        };
        let kinds = match wanted.service_advertisements.as_slice() {
            [] => &[ServiceAddress::LoadBalancerIP],
            kinds => kinds,
        };
        let of_kind = |wanted_kind: bool| {
            let addresses =
                kinds.iter().copied().filter(|kind| (*kind == ServiceAddress::LoadBalancerIP) == wanted_kind);
            let options = ServiceOptions { addresses: addresses.collect(), ..ServiceOptions::default() };
            services::prefixes(input, wanted.service_selector.as_ref(), &options)
                .map_err(|why| format!("serviceSelector: {why}"))
        };
        let load_balancers = of_kind(true)?.into_iter().collect();
        Ok(Self { pod_cidrs, load_balancers, others: of_kind(false)?.into_iter().collect() })
    }

    fn all(&self) -> impl Iterator<Item = &IpNet> {
        self.pod_cidrs.iter().chain(&self.load_balancers).chain(&self.others)
    }
}

fn neighbor(
    input: &Input<'_>,
    peer: &cilium::Neighbor,
    sources: &Sources,
    problems: &mut Vec<String>,
) -> Result<Neighbor, String> {
    let text = &peer.peer_address;
    let network: IpNet =
        text.parse().map_err(|_| format!("peerAddress `{text}` is not a CIDR such as 10.0.0.1/32"))?;
    let seconds = |set: Option<i32>, default: Duration| {
        set.and_then(|set| u64::try_from(set).ok())
            .filter(|set| *set > 0)
            .map_or(default, Duration::from_secs)
    };
    let (hold, keepalive) = (
        seconds(peer.hold_time_seconds, Promises::HOLD),
        seconds(peer.keep_alive_time_seconds, Promises::KEEPALIVE),
    );
    if keepalive > hold {
        return Err(format!(
            "neighbor {text}: keepAliveTimeSeconds {} is above holdTimeSeconds {}",
            keepalive.as_secs(),
            hold.as_secs()
        ));
    }
    let families: Vec<Family> = match peer.families.as_slice() {
        [] => vec![Family::IPV4, Family::IPV6],
        listed => listed.iter().map(|one| Family::named(&one.afi, &one.safi)).collect::<Result<_, _>>()?,
    };
    let password = match &peer.auth_secret_ref {
        None => None,
        Some(secret) => {
            let found = input.password(secret)?;
            if found.is_none() {
                problems.push(missing_secret(input.secrets_namespace, text, secret));
            }
            found.map(Password)
        }
    };
    let restart = peer.graceful_restart.as_ref().filter(|restart| restart.enabled);
    Ok(Neighbor {
        name: None,
        address: network.addr(),
        asn: asn("peerASN", peer.peer_asn)?,
        port: peer
            .peer_port
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
            .unwrap_or(179),
        local_address: None,
        connect_retry: seconds(peer.connect_retry_time_seconds, Promises::CONNECT_RETRY),
        hold,
        keepalive,
        idle_after_reset: (input.version.line() >= (1, 14)).then_some(Promises::IDLE_AFTER_DOWN),
        ebgp_ttl: peer
            .ebgp_multihop_ttl
            .and_then(|ttl| u8::try_from(ttl).ok())
            .filter(|ttl| *ttl > 0)
            .unwrap_or(1),
        graceful_restart: restart
            .map(|restart| seconds(restart.restart_time_seconds, Duration::from_secs(120))),
        password,
        families,
        exports: exports(input, &peer.advertised_path_attributes, sources, problems)?,
    })
}

/// What to say when a Secret is missing: Cilium then dials without a password.
pub(super) fn missing_secret(namespace: &str, peer: &str, secret: &str) -> String {
    format!(
        "neighbor {peer}: there is no Secret {namespace}/{secret} (authSecretRef), so it is dialed without a password"
    )
}

fn exports(
    input: &Input<'_>,
    listed: &[AdvertisedPathAttributes],
    sources: &Sources,
    problems: &mut Vec<String>,
) -> Result<Exports, String> {
    let mut exports = Exports { others: true, prefixes: BTreeMap::new() };
    for (index, one) in listed.iter().enumerate() {
        let place = || format!("advertisedPathAttributes[{index}]");
        let prefixes = match (one.selector_type.as_str(), &one.selector) {
            ("PodCIDR", None) => &sources.pod_cidrs,
            ("PodCIDR", selector) => {
                match selects(selector.as_ref(), input.node.labels())
                    .map_err(|why| format!("{}: {why}", place()))?
                {
                    true => &sources.pod_cidrs,
                    false => continue,
                }
            }
            ("CiliumLoadBalancerIPPool", None) => &sources.load_balancers,
            (other, _) => {
                problems.push(format!(
                    "{}: a selector of {other} is not honoured here; leave it out to mean all of them",
                    place()
                ));
                continue;
            }
        };
        let attributes = attributes(one.communities.as_ref(), one.local_preference)?;
        for prefix in prefixes {
            exports.prefixes.entry(*prefix).or_default().join(&attributes);
        }
    }
    Ok(exports)
}

/// What a resource says of routes, in GoBGP's words.
pub(super) fn attributes(
    communities: Option<&cilium::bgp::Communities>,
    local_preference: Option<i64>,
) -> Result<Attributes, String> {
    let communities = communities.cloned().unwrap_or_default();
    let local_preference = local_preference
        .map(|number| {
            u32::try_from(number)
                .map_err(|_| format!("localPreference {number} is not between 0 and 4294967295"))
        })
        .transpose()?;
    Ok(Attributes {
        communities: communities.standard.into_iter().chain(communities.well_known).collect(),
        large_communities: communities.large.into_iter().collect(),
        local_preference,
    })
}
