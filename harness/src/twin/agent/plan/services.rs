//! Which addresses of services a node advertises.
//!
//! What lives here: Cilium's rules about services, classes and endpoints. What does not: where the addresses come from,
//! and to whom they go.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use kube::ResourceExt;

use super::Input;
use crate::cilium::LabelSelector;
use crate::cilium::bgp::{ServiceAddress, ServiceOptions};
use crate::twin::agent::selector::selects;

/// The class of load balancers that this control plane announces (besides those without a class).
const CLASS: &str = "io.cilium/bgp-control-plane";

/// The prefixes of all services that `selector` selects; none without one.
///
/// # Errors
/// A selector that cannot be.
pub(super) fn prefixes(
    input: &Input<'_>,
    selector: Option<&LabelSelector>,
    options: &ServiceOptions,
) -> Result<Vec<IpNet>, String> {
    let mut found = Vec::new();
    for service in &input.services {
        if selects(selector, &labels(service))? {
            let kinds = options.addresses.iter();
            found.extend(kinds.flat_map(|kind| of_service(input, service, *kind, options)));
        }
    }
    Ok(found)
}

/// A service's labels, and two that every service has for selectors.
fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.labels().clone();
    labels.insert("io.kubernetes.service.name".to_owned(), service.name_any());
    labels.insert("io.kubernetes.service.namespace".to_owned(), service.namespace().unwrap_or_default());
    labels
}

fn of_service(
    input: &Input<'_>,
    service: &Service,
    kind: ServiceAddress,
    options: &ServiceOptions,
) -> Vec<IpNet> {
    let Some(spec) = &service.spec else { return Vec::new() };
    let policy = match kind {
        ServiceAddress::ClusterIP => &spec.internal_traffic_policy,
        ServiceAddress::LoadBalancerIP | ServiceAddress::ExternalIP => &spec.external_traffic_policy,
    };
    let local = policy.as_deref() == Some("Local");
    let (here, anywhere) = endpoints(input, service);
    if local && !here || !input.keeps_empty_services && !anywhere {
        return Vec::new();
    }
    addresses(service, spec, kind)
        .filter_map(|text| text.parse::<IpAddr>().ok())
        .filter_map(|address| {
            let whole = if address.is_ipv4() { 32 } else { 128 };
            let asked = if address.is_ipv4() {
                options.aggregation_length_ipv4
            } else {
                options.aggregation_length_ipv6
            };
            // Where only some nodes have endpoints, a shorter prefix would draw the traffic of other services.
            let length = asked.filter(|_| !local).unwrap_or(whole);
            IpNet::new(address, length).ok().map(|prefix| prefix.trunc())
        })
        .collect()
}

fn addresses<'a>(
    service: &'a Service,
    spec: &'a ServiceSpec,
    kind: ServiceAddress,
) -> Box<dyn Iterator<Item = &'a str> + 'a> {
    let is = |wanted: &str| spec.type_.as_deref().unwrap_or("ClusterIP") == wanted;
    match kind {
        ServiceAddress::LoadBalancerIP => {
            let ours = spec.load_balancer_class.as_deref().is_none_or(|class| class == CLASS);
            if !is("LoadBalancer") || !ours {
                return Box::new(std::iter::empty());
            }
            let balancer = service.status.iter().flat_map(|status| &status.load_balancer);
            Box::new(
                balancer.flat_map(|one| one.ingress.iter().flatten()).filter_map(|one| one.ip.as_deref()),
            )
        }
        ServiceAddress::ClusterIP if is("ExternalName") => Box::new(std::iter::empty()),
        ServiceAddress::ClusterIP => {
            let all = spec.cluster_ips.iter().flatten();
            let first = spec.cluster_ip.iter().filter(|_| spec.cluster_ips.is_none());
            Box::new(all.chain(first).map(String::as_str))
        }
        ServiceAddress::ExternalIP => Box::new(spec.external_ips.iter().flatten().map(String::as_str)),
    }
}

/// Whether an endpoint of a service that takes connections is on the node, and whether one is anywhere.
fn endpoints(input: &Input<'_>, service: &Service) -> (bool, bool) {
    let (name, node) = (service.name_any(), input.name());
    let of_service = input.endpoints.iter().filter(|slice| {
        slice.labels().get("kubernetes.io/service-name") == Some(&name)
            && slice.namespace() == service.namespace()
    });
    let ready = of_service.flat_map(|slice| &slice.endpoints).filter(|endpoint| {
        endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
    });
    ready.fold((false, false), |(here, _), endpoint| {
        (here || endpoint.node_name.as_deref() == Some(node.as_str()), true)
    })
}
