//! Telling every node what it answers.
//!
//! What lives here: the loop. What does not: the decision (`front`), the nodes (whoever implements [`Fronts`]).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;
use kube::{Client, ResourceExt};

use super::copy::Copy;
use super::endpoints::SERVICE_NAME;
use super::front::{Backed, Front, Place, front};

/// Whoever makes nodes answer.
#[async_trait]
pub trait Fronts: Send + Sync {
    /// From now on a node answers for this and nothing else.
    async fn show(&self, node: &str, front: Front);
}

/// Tells them until the task is dropped.
pub async fn run(client: Client, fronts: Arc<dyn Fronts>) {
    let mut services = Copy::<Service>::of(Api::all(client.clone()));
    let mut slices = Copy::<EndpointSlice>::of(Api::all(client.clone()));
    let mut nodes = Copy::<Node>::of(Api::all(client));
    let mut shown: BTreeMap<String, Front> = BTreeMap::new();
    loop {
        let more = tokio::select! {
            more = services.changed() => more,
            more = slices.changed() => more,
            more = nodes.changed() => more,
        };
        if !more {
            return;
        }
        if !(services.synced() && slices.synced() && nodes.synced()) {
            continue;
        }
        let wanted = wanted(&services, &slices, &nodes);
        let gone: Vec<String> = shown.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
        let gone = gone.into_iter().map(|name| (name, Front::default()));
        for (name, front) in wanted.into_iter().chain(gone) {
            if shown.get(&name).unwrap_or(&Front::default()) != &front {
                fronts.show(&name, front.clone()).await;
                shown.insert(name, front);
            }
        }
    }
}

fn own_addresses(node: &Node) -> Vec<IpAddr> {
    let listed = node.status.as_ref().and_then(|status| status.addresses.as_ref()).into_iter().flatten();
    listed.filter(|address| address.type_ == "InternalIP").filter_map(|a| a.address.parse().ok()).collect()
}

fn wanted(
    services: &Copy<Service>,
    slices: &Copy<EndpointSlice>,
    nodes: &Copy<Node>,
) -> BTreeMap<String, Front> {
    let mut of: BTreeMap<(String, &str), Vec<&EndpointSlice>> = BTreeMap::new();
    for ((namespace, _), slice) in slices.iter() {
        if let Some(service) = slice.labels().get(SERVICE_NAME) {
            of.entry((namespace.clone(), service)).or_default().push(slice);
        }
    }
    let backed: Vec<Backed<'_>> = services
        .iter()
        .map(|((namespace, name), service)| {
            let slices = of.get(&(namespace.clone(), name.as_str())).cloned().unwrap_or_default();
            Backed { service, slices }
        })
        .collect();
    let addresses: BTreeMap<&str, Vec<IpAddr>> =
        nodes.iter().map(|((_, name), node)| (name.as_str(), own_addresses(node))).collect();
    let each = addresses.iter().map(|(name, ips)| {
        let others = addresses.iter().filter(|(other, _)| *other != name);
        let foreign: BTreeSet<IpAddr> = others.flat_map(|(_, ips)| ips).copied().collect();
        let place = Place { name, ips, foreign: &foreign };
        ((*name).to_owned(), front(&place, backed.iter()))
    });
    each.collect()
}
