//! What addresses and prefixes are called at a moment, for the record: whoever compares two runs knows by it what a run has
//! given other digits.
//!
//! What lives here: the names of everything the atlas knows. What does not: what symbols mean (`atlas`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value as Json, json};

use super::atlas::Atlas;
use crate::expect::{PodName, Resolver, Symbol};

/// The names, as the record's state of kind `names` has them: `addresses` and `prefixes` by their digits; `pods` with the
/// node each is on and the addresses of that node's gateway.
pub(super) fn of(atlas: &Atlas) -> Json {
    let mut addresses: BTreeMap<String, String> = BTreeMap::new();
    let mut prefixes: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |address: IpAddr| {
        addresses.extend(atlas.name_of_address(address).map(|name| (address.to_string(), name)));
    };
    let interfaces = atlas.interfaces.values().flat_map(|seen| &seen.addresses);
    interfaces.clone().map(|own| own.address.addr()).filter(|own| !own.is_loopback()).for_each(&mut add);
    let pods: Vec<(String, Vec<IpAddr>, String)> = atlas.pods.iter().flatten().filter_map(pod).collect();
    pods.iter().flat_map(|(_, own, _)| own).copied().for_each(&mut add);
    let services = atlas.services.iter().flatten().flat_map(super::atlas::addresses_of_all);
    let services: Vec<IpAddr> = services.collect();
    services.iter().copied().for_each(&mut add);
    let cidrs = atlas.nodes.iter().flatten().filter_map(|node| node.spec.as_ref()?.pod_cidrs.as_ref());
    let cidrs = cidrs.flatten().filter_map(|cidr| cidr.parse().ok());
    let connected = interfaces.map(|own| own.address.trunc());
    let single = services.iter().map(|address| ipnet::IpNet::from(*address));
    for prefix in cidrs.chain(connected).chain(single).chain(atlas.management()) {
        prefixes.extend(atlas.name_of_prefix(prefix).map(|name| (prefix.to_string(), name)));
    }
    let pods = pods.into_iter().map(|(name, _, node)| {
        let gateways = atlas.addresses(&Symbol::Gateway(name.clone())).unwrap_or_default();
        let gateways: Vec<String> = gateways.iter().map(|gateway| gateway.value.to_string()).collect();
        (name, json!({"node": atlas.short(&node), "gateways": gateways}))
    });
    let pods: BTreeMap<String, Json> = pods.collect();
    json!({"addresses": addresses, "prefixes": prefixes, "pods": pods})
}

/// A pod's name as lab.yaml would write it, its addresses, and the node it is on.
fn pod(pod: &k8s_openapi::api::core::v1::Pod) -> Option<(String, Vec<IpAddr>, String)> {
    let name = PodName {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        name: pod.metadata.name.clone().unwrap_or_default(),
    };
    let ips = pod.status.as_ref()?.pod_ips.clone().unwrap_or_default();
    let ips = ips.iter().filter_map(|ip| ip.ip.parse().ok()).collect();
    Some((name.short(), ips, pod.spec.as_ref()?.node_name.clone()?))
}
