//! Which symbol asks for what of a snapshot: [`Resolver`] over it, and back from addresses to names.

use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;

use super::{Atlas, never, not_yet};
use crate::expect::{Named, PodName, Resolver, ServiceAddress, Symbol, Unresolved};

/// A service's addresses of one kind, as its object shows them; a headless one has none of its own.
pub(super) fn addresses_of(service: &Service, which: ServiceAddress) -> Vec<IpAddr> {
    let spec = service.spec.as_ref();
    let texts: Vec<String> = match which {
        ServiceAddress::LoadBalancer => {
            let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
            let ingress = status.and_then(|balancer| balancer.ingress.clone()).unwrap_or_default();
            ingress.into_iter().filter_map(|ingress| ingress.ip).collect()
        }
        ServiceAddress::Cluster => {
            let several = spec.and_then(|spec| spec.cluster_ips.clone()).unwrap_or_default();
            let one = spec.and_then(|spec| spec.cluster_ip.clone());
            if several.is_empty() { one.into_iter().collect() } else { several }
        }
        ServiceAddress::External => spec.and_then(|spec| spec.external_ips.clone()).unwrap_or_default(),
    };
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn nothing_given(which: ServiceAddress) -> &'static str {
    match which {
        ServiceAddress::LoadBalancer => "no load balancer has given the service an address",
        ServiceAddress::Cluster => "the service has no address in the cluster",
        ServiceAddress::External => "the service names no external address",
    }
}

fn named<T: ToString>(value: T, symbol: &Symbol) -> Named<T> {
    Named { value, name: symbol.to_string() }
}

impl Resolver for Atlas {
    fn prefixes(&self, symbol: &Symbol) -> Result<Vec<Named<IpNet>>, Unresolved> {
        match symbol {
            Symbol::Prefix(prefix) => Ok(vec![named(*prefix, symbol)]),
            Symbol::Address(address) => Ok(vec![named(IpNet::from(*address), symbol)]),
            Symbol::Default => {
                let both = [IpNet::V4(Default::default()), IpNet::V6(Default::default())];
                Ok(both.map(|net| named(net, symbol)).into())
            }
            Symbol::Management => match self.management().collect::<Vec<_>>() {
                none if none.is_empty() => Err(never(symbol, "the lab has no management network".into())),
                subnets => Ok(subnets.into_iter().map(|net| named(net, symbol)).collect()),
            },
            Symbol::PodCidr(select) => {
                let mut all = Vec::new();
                for node in self.selected(symbol, select)? {
                    let name = node.metadata.name.clone().unwrap_or_default();
                    let cidrs =
                        node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
                    if cidrs.is_empty() {
                        return Err(not_yet(symbol, format!("{name} has no pod CIDR")));
                    }
                    for cidr in cidrs.iter().filter_map(|cidr| cidr.parse().ok()) {
                        all.push(Named { value: cidr, name: format!("podCIDR({})", self.short(&name)) });
                    }
                }
                Ok(all)
            }
            Symbol::Interface { place, interface } => {
                let (place, interface) = self.interface(symbol, place, interface)?;
                let addresses = self.interface_addresses(symbol, &place, &interface)?;
                let routable = addresses.into_iter().filter(|address| !is_link_local(address.addr()));
                Ok(routable.map(|address| named(address.trunc(), symbol)).collect())
            }
            Symbol::Pod(_) | Symbol::Node(_) | Symbol::Gateway(_) | Symbol::Service(..) => {
                let addresses = self.addresses(symbol)?;
                Ok(addresses
                    .into_iter()
                    .map(|address| Named { value: IpNet::from(address.value), name: address.name })
                    .collect())
            }
        }
    }

    fn addresses(&self, symbol: &Symbol) -> Result<Vec<Named<IpAddr>>, Unresolved> {
        match symbol {
            Symbol::Address(address) => Ok(vec![named(*address, symbol)]),
            Symbol::Pod(wanted) => {
                let pod = self.pod(wanted).ok_or_else(|| not_yet(symbol, "there is no such pod".into()))?;
                let ips = pod.status.as_ref().and_then(|status| status.pod_ips.clone()).unwrap_or_default();
                let ips: Vec<_> =
                    ips.iter().filter_map(|ip| ip.ip.parse().ok()).map(|ip| named(ip, symbol)).collect();
                if ips.is_empty() { Err(not_yet(symbol, "the pod has no address".into())) } else { Ok(ips) }
            }
            Symbol::Node(whose) => {
                let name = self.cluster_node(symbol, whose)?;
                let node =
                    self.nodes.iter().flatten().find(|node| node.metadata.name.as_ref() == Some(&name));
                let addresses =
                    node.and_then(|node| node.status.as_ref()?.addresses.clone()).unwrap_or_default();
                let internal = addresses.iter().filter(|address| address.type_ == "InternalIP");
                let ips: Vec<_> =
                    internal.filter_map(|a| a.address.parse().ok()).map(|ip| named(ip, symbol)).collect();
                if ips.is_empty() {
                    Err(not_yet(symbol, format!("{name} has no InternalIP")))
                } else {
                    Ok(ips)
                }
            }
            Symbol::Gateway(whose) => {
                let (router, interface) = self.uplink(symbol, &self.cluster_node(symbol, whose)?)?;
                let addresses = self.interface_addresses(symbol, &router, &interface)?;
                Ok(addresses.into_iter().map(|address| named(address.addr(), symbol)).collect())
            }
            Symbol::Service(which, wanted) => {
                let service =
                    self.service(wanted).ok_or_else(|| not_yet(symbol, "there is no such service".into()))?;
                let ips: Vec<_> =
                    addresses_of(service, *which).into_iter().map(|ip| named(ip, symbol)).collect();
                if ips.is_empty() { Err(not_yet(symbol, nothing_given(*which).into())) } else { Ok(ips) }
            }
            Symbol::Interface { place, interface } => {
                let (place, interface) = self.interface(symbol, place, interface)?;
                let addresses = self.interface_addresses(symbol, &place, &interface)?;
                Ok(addresses.into_iter().map(|address| named(address.addr(), symbol)).collect())
            }
            Symbol::Prefix(_) | Symbol::Management | Symbol::Default | Symbol::PodCidr(_) => {
                Err(never(symbol, "it names a prefix; an address is wanted here".into()))
            }
        }
    }

    fn name_of_prefix(&self, prefix: IpNet) -> Option<String> {
        for node in self.nodes.iter().flatten() {
            let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
            if cidrs.iter().any(|cidr| cidr.parse() == Ok(prefix)) {
                let name = node.metadata.name.clone().unwrap_or_default();
                return Some(format!("podCIDR({})", self.short(&name)));
            }
        }
        if self.management().any(|subnet| subnet == prefix) {
            return Some("mgmt".into());
        }
        if prefix.prefix_len() == prefix.max_prefix_len()
            && let Some(name) = self.name_of_service(prefix.addr())
        {
            return Some(name);
        }
        self.interfaces.iter().find_map(|(place, seen)| {
            let found = seen.addresses.iter().find(|address| address.address.trunc() == prefix)?;
            Some(self.interface_name(place, &found.dev))
        })
    }

    fn name_of_address(&self, address: IpAddr) -> Option<String> {
        let pod = self.pods.iter().flatten().find(|pod| {
            let ips = pod.status.as_ref().and_then(|status| status.pod_ips.as_ref());
            ips.into_iter().flatten().any(|ip| ip.ip.parse() == Ok(address))
        });
        if let Some(pod) = pod {
            let name = PodName {
                namespace: pod.metadata.namespace.clone().unwrap_or_default(),
                name: pod.metadata.name.clone().unwrap_or_default(),
            };
            return Some(format!("pod/{}", name.short()));
        }
        if let Some(name) = self.name_of_service(address) {
            return Some(name);
        }
        // A container in a cluster node's network shows the node's interfaces: the node is the better name.
        let boxes = self.interfaces.iter().map(|(place, seen)| (self.interface_name(place, ""), place, seen));
        let mut found: Vec<String> = boxes
            .filter_map(|(_, place, seen)| {
                let at = seen.addresses.iter().find(|seen| seen.address.addr() == address)?;
                Some(self.interface_name(place, &at.dev))
            })
            .collect();
        found.sort_by_key(|name| !name.starts_with("node("));
        found.into_iter().next()
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}
