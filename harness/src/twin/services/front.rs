//! What a node answers for Services: which addresses are its own, and where each port leads.
//!
//! What lives here: the decision, pure. What does not: addresses and sockets (whoever implements [`super::Fronts`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

/// One port of one address that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Door {
    /// Address and port.
    pub at: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
}

/// Where a door leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// Pods' addresses and ports; never empty.
    pub backends: Vec<SocketAddr>,
    /// Whether a client always gets the same one (`sessionAffinity: ClientIP`).
    pub sticky: bool,
    /// Who may come in (`loadBalancerSourceRanges`); anybody when empty.
    pub sources: Vec<IpNet>,
}

/// What a node answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Front {
    /// Addresses that are the node's own besides its interfaces'.
    pub addresses: BTreeSet<IpAddr>,
    /// Ports that lead somewhere.
    pub doors: BTreeMap<Door, Way>,
}

/// A node, as far as Services care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its own addresses, where node ports answer.
    pub(super) ips: &'a [IpAddr],
    /// Other nodes' addresses: a Service may name one, and it stays where it is.
    pub(super) foreign: &'a BTreeSet<IpAddr>,
}

/// A Service with the slices that are its.
pub(super) struct Backed<'a> {
    pub(super) service: &'a Service,
    pub(super) slices: Vec<&'a EndpointSlice>,
}

/// What a node answers for these Services. Where two want the same door, the first has it.
pub(super) fn front<'a>(place: &Place<'_>, services: impl Iterator<Item = &'a Backed<'a>>) -> Front {
    let mut front = Front::default();
    for backed in services {
        add(place, backed, &mut front);
    }
    front
}

fn addresses<'a>(list: impl IntoIterator<Item = &'a String>) -> Vec<IpAddr> {
    list.into_iter().filter_map(|ip| ip.parse().ok()).collect()
}

fn add(place: &Place<'_>, backed: &Backed<'_>, front: &mut Front) {
    let Some(spec) = &backed.service.spec else { return };
    if spec.type_.as_deref() == Some("ExternalName") || spec.cluster_ip.as_deref() == Some("None") {
        return;
    }
    let local = |policy: &Option<String>| policy.as_deref() == Some("Local");
    let (inside, outside) = (local(&spec.internal_traffic_policy), local(&spec.external_traffic_policy));
    let ingress = backed.service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = ingress.and_then(|status| status.ingress.as_ref()).into_iter().flatten();
    let ingress = ingress.filter(|point| point.ip_mode.as_deref() != Some("Proxy"));
    let balanced = spec.type_.as_deref() == Some("LoadBalancer");
    let cluster = addresses(spec.cluster_ips.iter().flatten());
    let external = addresses(spec.external_ips.iter().flatten());
    let balancer: Vec<IpAddr> =
        if balanced { addresses(ingress.filter_map(|point| point.ip.as_ref())) } else { Vec::new() };
    let sources: Vec<IpNet> = spec
        .load_balancer_source_ranges
        .iter()
        .flatten()
        .filter_map(|range| range.trim().parse().ok())
        .collect();
    let sticky = spec.session_affinity.as_deref() == Some("ClientIP");
    let served = |ip: IpAddr, only: bool| {
        let ports = spec.ports.iter().flatten();
        ports.filter_map(move |port| {
            let backends = backends(place.name, backed, port, ip.is_ipv6(), only);
            (!backends.is_empty()).then_some((port, backends))
        })
    };
    let nobody = Vec::new();
    let kinds = [
        (&cluster, inside, false, &nobody),
        (&external, outside, true, &nobody),
        (&balancer, outside, true, &sources),
    ];
    for (ips, only, hides, sources) in kinds {
        for ip in ips {
            if place.foreign.contains(ip) {
                continue;
            }
            let mut answered = false;
            for (port, backends) in served(*ip, only) {
                answered = true;
                let Some(protocol) = protocol(port) else { continue };
                let Ok(number) = u16::try_from(port.port) else { continue };
                let door = Door { at: SocketAddr::new(*ip, number), protocol };
                let way = Way { backends, sticky, sources: sources.clone() };
                front.doors.entry(door).or_insert(way);
            }
            // With `Local` an address is nobody's where no pod of the Service is.
            if (answered || !(only && hides)) && !place.ips.contains(ip) {
                front.addresses.insert(*ip);
            }
        }
    }
    for ip in place.ips {
        for (port, backends) in served(*ip, outside) {
            let number = port.node_port.and_then(|number| u16::try_from(number).ok()).filter(|n| *n != 0);
            let (Some(number), Some(protocol)) = (number, protocol(port)) else { continue };
            let door = Door { at: SocketAddr::new(*ip, number), protocol };
            front.doors.entry(door).or_insert(Way { backends, sticky, sources: Vec::new() });
        }
    }
}

fn protocol(port: &ServicePort) -> Option<Protocol> {
    match port.protocol.as_deref() {
        None | Some("TCP") => Some(Protocol::Tcp),
        Some("UDP") => Some(Protocol::Udp),
        Some(_) => None,
    }
}

/// The ready endpoints of a port; those that end but still serve when there is no other (KEP-1669).
fn backends(node: &str, backed: &Backed<'_>, port: &ServicePort, v6: bool, local: bool) -> Vec<SocketAddr> {
    let name = port.name.as_deref().unwrap_or_default();
    let family = if v6 { "IPv6" } else { "IPv4" };
    let (mut ready, mut serving) = (Vec::new(), Vec::new());
    for slice in backed.slices.iter().filter(|slice| slice.address_type == family) {
        let mut ports = slice.ports.iter().flatten();
        let Some(found) = ports.find(|p| p.name.as_deref().unwrap_or_default() == name) else { continue };
        let Some(number) = found.port.and_then(|number| u16::try_from(number).ok()) else { continue };
        for endpoint in &slice.endpoints {
            if local && endpoint.node_name.as_deref() != Some(node) {
                continue;
            }
            let addresses = endpoint.addresses.iter().filter_map(|ip| ip.parse::<IpAddr>().ok());
            let addresses = addresses.map(|ip| SocketAddr::new(ip, number));
            match state(endpoint) {
                (true, _) => ready.extend(addresses),
                (false, true) => serving.extend(addresses),
                (false, false) => {}
            }
        }
    }
    let mut all = if ready.is_empty() { serving } else { ready };
    all.sort();
    all.dedup();
    all
}

/// Whether an endpoint is ready, and whether it serves although it ends. What is not said counts as yes.
fn state(endpoint: &Endpoint) -> (bool, bool) {
    let Some(conditions) = &endpoint.conditions else { return (true, true) };
    let ready = conditions.ready.unwrap_or(true);
    (ready, conditions.serving.unwrap_or(ready) && conditions.terminating.unwrap_or(false))
}

#[cfg(test)]
mod tests;
