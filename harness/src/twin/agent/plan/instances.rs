//! The second BGP API: CiliumBGPNodeConfig, with the CiliumBGPPeerConfigs and CiliumBGPAdvertisements it leads to.
//!
//! What lives here: what cilium-agent makes of them. What does not: who made the node's configuration
//! (`twin::operator`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use kube::ResourceExt;

use super::policies::{attributes, missing_secret};
use super::types::{Exports, Family, Neighbor, Password, Plan, VirtualRouter};
use super::{Input, NodeConfig, asn, internal_ipv4, pod_cidrs, refusals, services};
use crate::cilium::Promises;
use crate::cilium::bgp::{Advertisement, AdvertisementType, CiliumBGPPeerConfigSpec, NodeInstance, NodePeer};
use crate::twin::agent::selector::selects;

/// What the node must speak under its configuration.
pub(super) fn plan(input: &Input<'_>, config: &NodeConfig) -> Plan {
    let mut plan = Plan { node_config: Some(config.name_any()), ..Plan::default() };
    for instance in &config.spec.bgp_instances {
        let mut problems = Problems::default();
        match router(input, instance, &mut problems) {
            Ok(router) => plan.virtual_routers.push(router),
            Err(why) => problems.errors.push(format!("it runs no speaker: {why}")),
        }
        let place = format!("CiliumBGPNodeConfig {}, instance {}", config.name_any(), instance.name);
        plan.silences
            .extend(problems.silences.iter().map(|why| format!("instance {}: {why}", instance.name)));
        let all = problems.errors.iter().chain(&problems.warnings);
        plan.problems.extend(all.map(|why| format!("{place}: {why}")));
        plan.instance_problems.extend(problems.errors.into_iter().map(|why| (instance.name.clone(), why)));
    }
    plan.virtual_routers.sort_by_key(VirtualRouter::key);
    plan
}

/// What is wrong with one instance.
#[derive(Default)]
struct Problems {
    /// What is not done, for the condition of the node's configuration.
    errors: Vec<String>,
    /// What is done otherwise than one might think, and shown elsewhere.
    warnings: Vec<String>,
    /// What is not said to whom, as it is written.
    silences: Vec<String>,
}

impl Problems {
    /// Several peers may meet the same advertisement.
    fn error_once(&mut self, problem: String) {
        if !self.errors.contains(&problem) {
            self.errors.push(problem);
        }
    }
}

fn router(
    input: &Input<'_>,
    instance: &NodeInstance,
    problems: &mut Problems,
) -> Result<VirtualRouter, String> {
    let local_asn = instance.local_asn.ok_or(
        "localASN is set neither in the CiliumBGPClusterConfig nor in a CiliumBGPNodeConfigOverride",
    )?;
    let router_id = match &instance.router_id {
        Some(text) => text.parse().map_err(|_| format!("routerID `{text}` is not an IPv4 address"))?,
        None => internal_ipv4(input.node).ok_or(
            "the node has no IPv4 InternalIP to be its router id; set routerID in a CiliumBGPNodeConfigOverride",
        )?,
    };
    let local_port = instance.local_port.map(|port| u16::try_from(port).map_err(|_| bad_port(port)));
    let mut neighbors: BTreeMap<IpAddr, Neighbor> = BTreeMap::new();
    for peer in &instance.peers {
        match neighbor(input, peer, local_asn, problems) {
            Ok(Some(neighbor)) => {
                if let Some(other) = neighbors.insert(neighbor.address, neighbor) {
                    let other = other.name.unwrap_or_default();
                    problems
                        .errors
                        .push(format!("peer {}: its address is that of peer {other}, too", peer.name));
                }
            }
            // Its configuration is not there (yet), or nothing says where it is: it is not dialed.
            Ok(None) => {}
            Err(why) => problems.errors.push(format!("peer {}: {why}", peer.name)),
        }
    }
    let exported = neighbors.values().flat_map(|neighbor| neighbor.exports.prefixes.keys().copied());
    Ok(VirtualRouter {
        instance: Some(instance.name.clone()),
        local_asn: asn("localASN", local_asn)?,
        router_id,
        local_port: local_port.transpose()?.filter(|port| *port > 0),
        export: exported.collect(),
        rejects_inbound: input.promises.rejects_inbound,
        withdraws_filtered: input.promises.withdraws_filtered,
        filtered: true,
        neighbors: neighbors.into_values().collect(),
    })
}

fn bad_port(port: i32) -> String {
    format!("localPort {port} is not between 1 and 65535")
}

fn neighbor(
    input: &Input<'_>,
    peer: &NodePeer,
    local_asn: i64,
    problems: &mut Problems,
) -> Result<Option<Neighbor>, String> {
    let peer_asn = peer.peer_asn.ok_or("it has no peerASN")?;
    let Some(address) = address(input, peer)? else {
        let name = &peer.name;
        problems
            .warnings
            .push(format!("peer {name}: it has neither peerAddress nor autoDiscovery, and is not dialed"));
        return Ok(None);
    };
    let default = CiliumBGPPeerConfigSpec::default();
    let config = match peer.peer_config_ref.as_ref().filter(|reference| !reference.name.is_empty()) {
        None => &default,
        Some(reference) => match input.peer_configs.get(reference.name.as_str()) {
            Some(found) => &found.spec,
            None => {
                let (name, missing) = (&peer.name, &reference.name);
                problems
                    .silences
                    .push(format!("peer {name} is not dialed: there is no CiliumBGPPeerConfig {missing}"));
                // From 1.17 on a condition of the CiliumBGPClusterConfig tells it.
                if input.version.line() < (1, 17) {
                    let (peer, config) = (&peer.name, &reference.name);
                    problems.warnings.push(format!(
                        "peer {peer}: peerConfigRef: there is no CiliumBGPPeerConfig {config}, so it is not dialed"
                    ));
                }
                return Ok(None);
            }
        },
    };
    let of_peer = |why: String| format!("peer {}: {why}", peer.name);
    let ignored = refusals::ignored(&input.version, peer, config);
    problems.errors.extend(ignored.into_iter().map(of_peer));
    let overruled = refusals::overruled(peer, config, local_asn);
    problems.warnings.extend(overruled.into_iter().map(of_peer));
    let timers = config.timers.clone().unwrap_or_default();
    refusals::timers(&timers)?;
    let transport = config.transport.clone().unwrap_or_default();
    let families: Vec<Family> = match config.families.as_slice() {
        [] => vec![Family::IPV6, Family::IPV4],
        listed => listed.iter().map(|one| Family::named(&one.afi, &one.safi)).collect::<Result<_, _>>()?,
    };
    let password = match &config.auth_secret_ref {
        None => None,
        Some(secret) => {
            let found = input.password(secret)?;
            if found.is_none() {
                problems.warnings.push(missing_secret(input.secrets_namespace, &peer.name, secret));
            }
            found.map(Password)
        }
    };
    let restart = config.graceful_restart.as_ref().filter(|restart| restart.enabled);
    Ok(Some(Neighbor {
        name: Some(peer.name.clone()),
        address,
        asn: asn("peerASN", peer_asn)?,
        port: transport.peer_port.and_then(|port| u16::try_from(port).ok()).unwrap_or(179),
        local_address: local_address(input, peer, transport.source_interface.as_deref(), address)?,
        connect_retry: seconds(timers.connect_retry_time_seconds, Promises::CONNECT_RETRY),
        hold: seconds(timers.hold_time_seconds, Promises::HOLD),
        keepalive: seconds(timers.keep_alive_time_seconds, Promises::KEEPALIVE),
        idle_after_reset: Some(Promises::IDLE_AFTER_DOWN),
        ebgp_ttl: config.ebgp_multihop.and_then(|ttl| u8::try_from(ttl).ok()).unwrap_or(1),
        graceful_restart: restart
            .map(|restart| seconds(restart.restart_time_seconds, Duration::from_secs(120))),
        password,
        families,
        exports: exports(input, &peer.name, config, problems)?,
    }))
}

fn seconds(set: Option<i32>, default: Duration) -> Duration {
    set.and_then(|set| u64::try_from(set).ok()).filter(|set| *set > 0).map_or(default, Duration::from_secs)
}

/// Whom to dial: the address that is written down, or the next hop of the default route.
fn address(input: &Input<'_>, peer: &NodePeer) -> Result<Option<IpAddr>, String> {
    if let Some(text) = &peer.peer_address {
        let parsed = text.trim().parse().map(Some);
        return parsed.map_err(|_| {
            format!("peerAddress `{text}` is not an address that can be dialed, such as 10.0.0.1 (zones are not honoured)")
        });
    }
    let Some(discovery) = &peer.auto_discovery else { return Ok(None) };
    let Some(gateway) = &discovery.default_gateway else {
        return Err("autoDiscovery.defaultGateway is missing".to_owned());
    };
    let v4 = gateway.address_family == "ipv4";
    let found = input.addresses.gateways.iter().find(|address| address.is_ipv4() == v4);
    found.copied().map(Some).ok_or_else(|| {
        format!(
            "autoDiscovery: the node has no default route of {} with a next hop that can be dialed",
            gateway.address_family
        )
    })
}

fn local_address(
    input: &Input<'_>,
    peer: &NodePeer,
    interface: Option<&str>,
    neighbor: IpAddr,
) -> Result<Option<IpAddr>, String> {
    if let Some(text) = peer.local_address.as_deref().filter(|text| !text.is_empty()) {
        let parsed = text.trim().parse().map(Some);
        return parsed.map_err(|_| format!("localAddress `{text}` is not an address"));
    }
    let Some(interface) = interface.filter(|name| !name.is_empty()) else { return Ok(None) };
    let all = input.addresses.interfaces.get(interface);
    let usable: Vec<IpAddr> = all
        .into_iter()
        .flatten()
        .copied()
        .filter(|address| address.is_ipv4() == neighbor.is_ipv4())
        .collect();
    match usable.as_slice() {
        [address] => Ok(Some(*address)),
        [] => {
            Err(format!("sourceInterface {interface} has no address of the neighbor's family on this node"))
        }
        _ => Err(format!(
            "sourceInterface {interface} has several addresses of the neighbor's family on this node"
        )),
    }
}

/// What is advertised to the neighbors with this configuration: by family, what the selected advertisements say.
fn exports(
    input: &Input<'_>,
    peer: &str,
    config: &CiliumBGPPeerConfigSpec,
    problems: &mut Problems,
) -> Result<Exports, String> {
    let mut exports = Exports::default();
    if config.families.is_empty() {
        problems.silences.push(format!(
            "peer {peer} is told nothing: its families are not given, so none has advertisements"
        ));
    }
    for family in &config.families {
        let family_named = Family::named(&family.afi, &family.safi)?;
        let mut selected_any = false;
        for resource in &input.advertisements {
            let selected = selects(family.advertisements.as_ref(), resource.labels());
            if !selected.map_err(|why| format!("families: advertisements: {why}"))? {
                continue;
            }
            selected_any = true;
            for (index, advertisement) in resource.spec.advertisements.iter().enumerate() {
                let place =
                    || format!("CiliumBGPAdvertisement {}, advertisements[{index}]", resource.name_any());
                if let Some(why) = refusals::unread(advertisement) {
                    problems.error_once(format!("{}: {why}", place()));
                }
                match prefixes(input, advertisement) {
                    Ok(prefixes) => {
                        let said = advertisement.attributes.clone().unwrap_or_default();
                        let said = attributes(said.communities.as_ref(), said.local_preference)
                            .map_err(|why| format!("{}: {why}", place()))?;
                        for prefix in prefixes.into_iter().filter(|prefix| Family::of(prefix) == family_named)
                        {
                            exports.prefixes.entry(prefix).or_default().join(&said);
                        }
                    }
                    Err(why) => problems.error_once(format!("{}: {why}", place())),
                }
            }
        }
        if !exports.prefixes.keys().any(|prefix| Family::of(prefix) == family_named) {
            let (afi, safi) = (&family.afi, &family.safi);
            let why = if selected_any {
                "the CiliumBGPAdvertisements that it selects give no prefix"
            } else {
                "it selects no CiliumBGPAdvertisement"
            };
            problems.silences.push(format!("peer {peer} is told nothing of {afi}/{safi}: {why}"));
        }
    }
    Ok(exports)
}

fn prefixes(input: &Input<'_>, advertisement: &Advertisement) -> Result<BTreeSet<IpNet>, String> {
    refusals::advertisement(advertisement)?;
    match advertisement.advertisement_type {
        AdvertisementType::PodCIDR => pod_cidrs(input.node),
        AdvertisementType::CiliumPodIPPool => {
            Err("advertisementType CiliumPodIPPool is not honoured: no CiliumPodIPPools are handed out here"
                .to_owned())
        }
        AdvertisementType::Service => {
            // Without a selector no service is meant.
            let Some(options) = &advertisement.service else { return Ok(BTreeSet::new()) };
            let found = services::prefixes(input, advertisement.selector.as_ref(), options);
            found.map(|found| found.into_iter().collect()).map_err(|why| format!("selector: {why}"))
        }
        AdvertisementType::Interface => {
            let Some(options) = &advertisement.interface else { return Ok(BTreeSet::new()) };
            let addresses = input.addresses.interfaces.get(&options.name);
            if addresses.is_none_or(Vec::is_empty) {
                return Err(format!("interface.name: {} has no address on this node", options.name));
            }
            Ok(addresses.into_iter().flatten().map(|address| IpNet::from(*address)).collect())
        }
    }
}
