//! LB-IPAM at work: follows pools and Services, and writes their statuses.
//!
//! What lives here: the loop. What does not: the decision (`plan`, `pool`).

use k8s_openapi::api::core::v1::Service;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};

use super::plan::{Asked, give};
use super::pool::{Pool, settle_conflicts};
use super::view::{answered, asked, let_go, ours, set};
use crate::cilium::{CiliumLoadBalancerIPPoolSpec, CiliumVersion, LbIpam, lb_ipam};
use crate::twin::services::copy::Copy;

/// Who writes, as cilium-operator calls itself.
const MANAGER: &str = "cilium-operator-lb-ipam";

/// Gives addresses until the task is dropped. A version without pools gives none.
pub async fn run(client: Client, version: CiliumVersion) {
    let Some(names) = lb_ipam(&version) else { return };
    let kind = GroupVersionKind::gvk("cilium.io", names.versions[0], "CiliumLoadBalancerIPPool");
    let api: Api<DynamicObject> =
        Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&kind, "ciliumloadbalancerippools"));
    let mut pools = Copy::of(api.clone());
    let mut services = Copy::<Service>::of(Api::all(client.clone()));
    // Without a pool it sleeps, and leaves Services as they are.
    let mut awake = false;
    loop {
        let more = tokio::select! {
            more = pools.changed() => more,
            more = services.changed() => more,
        };
        if !more {
            return;
        }
        let any = pools.iter().next().is_some();
        if pools.synced() && services.synced() && (any || awake) {
            settle(&client, &api, &names, &pools, &services).await;
            awake = any;
        }
    }
}

async fn settle(
    client: &Client,
    api: &Api<DynamicObject>,
    names: &LbIpam,
    pools: &Copy<DynamicObject>,
    services: &Copy<Service>,
) {
    let mut objects: Vec<&DynamicObject> = pools.iter().map(|(_, pool)| pool).collect();
    objects.sort_by_key(|pool| (pool.creation_timestamp().map(|time| time.0), pool.name_any()));
    let mut read: Vec<Pool> = objects
        .iter()
        .map(|pool| {
            let spec = CiliumLoadBalancerIPPoolSpec::deserialize(&pool.data["spec"]).unwrap_or_default();
            Pool::read(&pool.name_any(), &spec, names)
        })
        .collect();
    settle_conflicts(&mut read);
    let wanting: Vec<(&Service, Asked)> = services
        .iter()
        .map(|(_, service)| service)
        .filter(|service| ours(service) && service.metadata.deletion_timestamp.is_none())
        .map(|service| (service, asked(service, names)))
        .collect();
    let views: Vec<Asked> = wanting.iter().map(|(_, asked)| asked.clone()).collect();
    let answers = give(&read, &views);
    for ((service, _), answer) in wanting.iter().zip(&answers) {
        if let Some(status) = answered(service, answer, names) {
            write(client, service, &status).await;
        }
    }
    for (_, service) in services.iter().filter(|(_, service)| !ours(service)) {
        if let Some(status) = let_go(service, names) {
            write(client, service, &status).await;
        }
    }
    let given: Vec<_> = answers.iter().flat_map(|answer| answer.ips.iter().copied()).collect();
    for (object, pool) in objects.iter().zip(&read) {
        let mut list = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let (total, used) = pool.count(given.iter().copied());
        let generation = object.metadata.generation;
        let (status, reason, message) = match &pool.conflict {
            Some(message) => ("True", "cidr_overlap", message.as_str()),
            None => ("False", "resolved", ""),
        };
        let mut changed = set(&mut list, names.conflict, status, reason, message, generation);
        let counts = [(names.total, total), (names.available, total - used.min(total)), (names.used, used)];
        for (kind, count) in counts {
            changed |= set(&mut list, kind, "Unknown", "noreason", &count.to_string(), generation);
        }
        if changed {
            let patch = Patch::Merge(json!({"status": {"conditions": list}}));
            said(&pool.name, api.patch_status(&pool.name, &manager(), &patch).await.map(drop));
        }
    }
}

fn manager() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() }
}

async fn write(client: &Client, service: &Service, status: &Value) {
    let api: Api<Service> = Api::namespaced(client.clone(), &service.namespace().unwrap_or_default());
    let name = service.name_any();
    said(&name, api.patch_status(&name, &manager(), &Patch::Merge(status)).await.map(drop));
}

/// Whatever stands in the way (an object that has just gone) brings an event of its own.
fn said(name: &str, done: Result<(), kube::Error>) {
    if let Err(error) = done {
        tracing::debug!(%error, name, "a status was not written");
    }
}
