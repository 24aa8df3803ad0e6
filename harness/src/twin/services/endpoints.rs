//! Which pods are behind a Service, as EndpointSlices and as Endpoints.
//!
//! What lives here: the decision, pure. What does not: writing it down (`slices`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{
    EndpointAddress, EndpointPort as OldPort, EndpointSubset, Endpoints, ObjectReference, Pod, Service,
    ServicePort,
};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

/// The label that ties a slice to its Service.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that says who keeps a slice.
pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Who keeps those of a Service with a selector.
pub(super) const CONTROLLER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";
/// Endpoints of one slice at most, as the controller has it unless told otherwise.
const PER_SLICE: usize = 100;

/// Whether a Service selects a pod. One without a selector selects nothing.
pub(super) fn selects(service: &Service, pod: &Pod) -> bool {
    let wanted = service.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    wanted.is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(key, value)| pod.labels().get(key) == Some(value))
    })
}

/// Whether a Service's endpoints are kept for it.
pub(super) fn kept(service: &Service) -> bool {
    let Some(spec) = &service.spec else { return false };
    spec.type_.as_deref() != Some("ExternalName") && spec.selector.as_ref().is_some_and(|s| !s.is_empty())
}

fn families(service: &Service) -> Vec<&str> {
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.as_ref());
    let named: Vec<&str> = families.into_iter().flatten().map(String::as_str).collect();
    if named.is_empty() { vec!["IPv4"] } else { named }
}

fn address(pod: &Pod, family: &str) -> Option<IpAddr> {
    let ips = pod.status.as_ref()?.pod_ips.as_ref()?;
    let mut ips = ips.iter().filter_map(|ip| ip.ip.parse::<IpAddr>().ok());
    ips.find(|ip| ip.is_ipv6() == (family == "IPv6"))
}

fn ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// The number a Service's port has in a pod: its own, or that of the container's port of that name.
fn target(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) => {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            let ports = containers.flat_map(|container| container.ports.iter().flatten());
            let named = ports.filter(|p| p.protocol.as_deref().unwrap_or("TCP") == protocol);
            named.into_iter().find(|p| p.name.as_ref() == Some(name)).map(|p| p.container_port)
        }
    }
}

fn ports(service: &Service, pod: &Pod) -> Vec<EndpointPort> {
    let all = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let made = all.filter_map(|port| {
        Some(EndpointPort {
            name: Some(port.name.clone().unwrap_or_default()),
            port: Some(target(port, pod)?),
            protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
            app_protocol: port.app_protocol.clone(),
        })
    });
    made.collect()
}

fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: Some("Pod".into()),
        name: Some(pod.name_any()),
        namespace: pod.namespace(),
        uid: pod.uid(),
        ..ObjectReference::default()
    }
}

fn endpoint(service: &Service, pod: &Pod, ip: IpAddr) -> Endpoint {
    let publish = service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
    let (serving, terminating) = (publish || ready(pod), pod.metadata.deletion_timestamp.is_some());
    Endpoint {
        addresses: vec![ip.to_string()],
        conditions: Some(EndpointConditions {
            ready: Some(publish || (serving && !terminating)),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(reference(pod)),
        ..Endpoint::default()
    }
}

fn owner(service: &Service) -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "Service".into(),
        name: service.name_any(),
        uid: service.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The slices a Service should have, without names of their own. There is one of each family even when no pod is behind it.
pub(super) fn slices<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>) -> Vec<EndpointSlice> {
    let behind: Vec<&Pod> = pods.filter(|pod| !over(pod)).collect();
    let mut labels = service.labels().clone();
    labels.insert(SERVICE_NAME.into(), service.name_any());
    labels.insert(MANAGED_BY.into(), CONTROLLER.into());
    if service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None") {
        labels.insert(HEADLESS.into(), String::new());
    }
    let slice = |family: &str, ports: Vec<EndpointPort>, endpoints: Vec<Endpoint>| EndpointSlice {
        address_type: family.to_owned(),
        endpoints,
        ports: Some(ports),
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", service.name_any())),
            namespace: service.namespace(),
            labels: Some(labels.clone()),
            owner_references: Some(vec![owner(service)]),
            ..ObjectMeta::default()
        },
    };
    let mut made = Vec::new();
    for family in families(service) {
        // Pods whose ports have other numbers stand in a slice of their own.
        let mut groups: Vec<(Vec<EndpointPort>, Vec<Endpoint>)> = Vec::new();
        for pod in &behind {
            let Some(ip) = address(pod, family) else { continue };
            let (ports, endpoint) = (ports(service, pod), endpoint(service, pod, ip));
            match groups.iter_mut().find(|(known, _)| *known == ports) {
                Some((_, group)) => group.push(endpoint),
                None => groups.push((ports, vec![endpoint])),
            }
        }
        if groups.is_empty() {
            made.push(slice(family, Vec::new(), Vec::new()));
        }
        for (ports, endpoints) in groups {
            made.extend(endpoints.chunks(PER_SLICE).map(|part| slice(family, ports.clone(), part.to_vec())));
        }
    }
    made
}

/// The same as Endpoints: the Service's first family alone, ready addresses and others apart.
pub(super) fn endpoints<'a>(service: &Service, pods: impl Iterator<Item = &'a Pod>) -> Endpoints {
    let family = families(service)[0];
    let publish = service.spec.as_ref().and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
    let mut subsets: Vec<EndpointSubset> = Vec::new();
    for pod in pods.filter(|pod| !over(pod) && (publish || pod.metadata.deletion_timestamp.is_none())) {
        let Some(ip) = address(pod, family) else { continue };
        let old = |port: EndpointPort| OldPort {
            name: port.name.filter(|name| !name.is_empty()),
            port: port.port.unwrap_or_default(),
            protocol: port.protocol,
            app_protocol: port.app_protocol,
        };
        let ports: Vec<OldPort> = ports(service, pod).into_iter().map(old).collect();
        let address = EndpointAddress {
            ip: ip.to_string(),
            node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
            target_ref: Some(reference(pod)),
            ..EndpointAddress::default()
        };
        let at =
            subsets.iter().position(|subset| subset.ports.as_ref() == Some(&ports)).unwrap_or_else(|| {
                subsets.push(EndpointSubset { ports: Some(ports.clone()), ..EndpointSubset::default() });
                subsets.len() - 1
            });
        let subset = &mut subsets[at];
        let list =
            if publish || ready(pod) { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        list.get_or_insert_default().push(address);
    }
    let mut labels: BTreeMap<String, String> = service.labels().clone();
    labels.insert("endpoints.kubernetes.io/managed-by".into(), "endpoint-controller".into());
    Endpoints {
        metadata: ObjectMeta {
            name: Some(service.name_any()),
            namespace: service.namespace(),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        subsets: (!subsets.is_empty()).then_some(subsets),
    }
}

#[cfg(test)]
mod tests;
