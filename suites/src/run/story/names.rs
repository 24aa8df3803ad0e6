//! What addresses and prefixes are called at a moment, in the words of lab.yaml.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fabric_reports::record::shape;
use ipnet::IpNet;

use super::super::atlas::Atlas;
use crate::expect::{PodName, Resolver, Symbol};

/// The names of everything that has one.
pub(super) fn names(atlas: &Atlas) -> shape::Names {
    let own = || atlas.interfaces.values().flat_map(|seen| &seen.addresses).map(|own| own.address);
    let pods = atlas.pods.iter().flatten();
    let of_pods = pods.clone().flat_map(|pod| {
        let ips = pod.status.as_ref().and_then(|status| status.pod_ips.clone()).unwrap_or_default();
        ips.into_iter().filter_map(|ip| ip.ip.parse::<IpAddr>().ok())
    });
    let cidrs = atlas.nodes.iter().flatten().flat_map(|node| {
        let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
        cidrs.into_iter().filter_map(|cidr| cidr.parse::<IpNet>().ok())
    });
    let outside = |address: &IpAddr| !address.is_loopback();
    let addresses: BTreeMap<String, String> = own()
        .map(|own| own.addr())
        .chain(of_pods)
        .filter(outside)
        .filter_map(|address| Some((address.to_string(), atlas.name_of_address(address)?)))
        .collect();
    let prefixes = own()
        .filter(|own| outside(&own.addr()))
        .map(|own| own.trunc())
        .chain(cidrs)
        .chain(atlas.management())
        .filter_map(|prefix| Some((prefix.to_string(), atlas.name_of_prefix(prefix)?)));
    let places = pods.filter_map(|pod| {
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        let name = PodName { namespace, name: pod.metadata.name.clone()? };
        let node = pod.spec.as_ref()?.node_name.as_ref()?;
        let gateways = atlas.addresses(&Symbol::Gateway(node.clone())).unwrap_or_default();
        let place = shape::PodPlace {
            node: atlas.short(node).to_owned(),
            gateways: gateways.iter().map(|gateway| gateway.value.to_string()).collect(),
        };
        Some((name.short(), place))
    });
    shape::Names { prefixes: prefixes.collect(), pods: places.collect(), addresses }
}
