//! Keeping EndpointSlices and Endpoints what they should be.
//!
//! What lives here: the loop and the writing. What does not: the decision (`endpoints`). Slices somebody else manages, and
//! those of Services without a selector, are left alone.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::copy::{Copy, Key, key};
use super::endpoints::{CONTROLLER, MANAGED_BY, SERVICE_NAME, endpoints, kept, selects, slices};

struct Keeper {
    client: Client,
    services: Copy<Service>,
    pods: Copy<Pod>,
    slices: Copy<EndpointSlice>,
    endpoints: Copy<Endpoints>,
}

/// Keeps them until the task is dropped.
pub async fn run(client: Client) {
    let mut keeper = Keeper {
        services: Copy::of(Api::all(client.clone())),
        pods: Copy::of(Api::all(client.clone())),
        slices: Copy::of(Api::all(client.clone())),
        endpoints: Copy::of(Api::all(client.clone())),
        client,
    };
    loop {
        let more = tokio::select! {
            more = keeper.services.changed() => more,
            more = keeper.pods.changed() => more,
            more = keeper.slices.changed() => more,
            more = keeper.endpoints.changed() => more,
        };
        if !more {
            return;
        }
        let synced = keeper.services.synced() && keeper.pods.synced();
        if synced && keeper.slices.synced() && keeper.endpoints.synced() {
            keeper.settle().await;
        }
    }
}

/// The Service a slice of ours belongs to.
fn belongs(slice: &EndpointSlice) -> Option<Key> {
    let ours = slice.labels().get(MANAGED_BY).is_some_and(|manager| manager == CONTROLLER);
    let service = slice.labels().get(SERVICE_NAME)?;
    ours.then(|| (slice.namespace().unwrap_or_default(), service.clone()))
}

impl Keeper {
    async fn settle(&mut self) {
        let mut there: BTreeMap<Key, Vec<EndpointSlice>> = BTreeMap::new();
        for (_, slice) in self.slices.iter() {
            if let Some(service) = belongs(slice) {
                there.entry(service).or_default().push(slice.clone());
            }
        }
        let mut wanted = Vec::new();
        for (name, service) in self.services.iter().filter(|(_, service)| kept(service)) {
            let behind: Vec<&Pod> = self.pods.within(&name.0).filter(|pod| selects(service, pod)).collect();
            let made = slices(service, behind.iter().copied());
            wanted.push((name.clone(), made, endpoints(service, behind.iter().copied())));
        }
        for (service, made, old) in wanted {
            let have = there.remove(&service).unwrap_or_default();
            self.slices_of(&service, made, have).await;
            self.endpoints_of(old).await;
        }
        // What is left belongs to Services that are gone, or that others keep now.
        for slice in there.into_values().flatten() {
            self.drop_slice(&slice).await;
        }
        let orphans: Vec<Key> = self
            .endpoints
            .iter()
            .filter(|(key, old)| {
                let ours = old.labels().get("endpoints.kubernetes.io/managed-by");
                ours.is_some_and(|m| m == "endpoint-controller") && self.services.get(key).is_none()
            })
            .map(|(key, _)| key.clone())
            .collect();
        for orphan in orphans {
            let api: Api<Endpoints> = Api::namespaced(self.client.clone(), &orphan.0);
            said("delete", &orphan, api.delete(&orphan.1, &DeleteParams::default()).await.map(drop));
            self.endpoints.removed(&orphan);
        }
    }

    async fn slices_of(&mut self, service: &Key, made: Vec<EndpointSlice>, mut have: Vec<EndpointSlice>) {
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), &service.0);
        for wanted in made {
            // The family of a slice may not change; the one with the same ports changes least.
            let fits = |slice: &&EndpointSlice| slice.address_type == wanted.address_type;
            let best = have.iter().filter(fits).find(|slice| slice.ports == wanted.ports);
            let best = best.or_else(|| have.iter().find(fits)).map(ResourceExt::name_any);
            let known = best.and_then(|name| have.iter().position(|slice| slice.name_any() == name));
            let Some(known) = known.map(|at| have.remove(at)) else {
                match api.create(&PostParams::default(), &wanted).await {
                    Ok(slice) => self.slices.wrote(slice),
                    Err(error) => said("create", service, Err(error)),
                }
                continue;
            };
            let same = known.endpoints == wanted.endpoints
                && known.ports.clone().unwrap_or_default() == wanted.ports.clone().unwrap_or_default()
                && known.labels() == wanted.labels();
            if same {
                continue;
            }
            let patch = json!({"metadata": {"labels": wanted.metadata.labels},
                "endpoints": wanted.endpoints, "ports": wanted.ports});
            match api.patch(&known.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(slice) => self.slices.wrote(slice),
                Err(error) => said("change", service, Err(error)),
            }
        }
        for slice in have {
            self.drop_slice(&slice).await;
        }
    }

    async fn drop_slice(&mut self, slice: &EndpointSlice) {
        let key = key(slice);
        let api: Api<EndpointSlice> = Api::namespaced(self.client.clone(), &key.0);
        said("delete", &key, api.delete(&key.1, &DeleteParams::default()).await.map(drop));
        self.slices.removed(&key);
    }

    async fn endpoints_of(&mut self, wanted: Endpoints) {
        let key = key(&wanted);
        let api: Api<Endpoints> = Api::namespaced(self.client.clone(), &key.0);
        let known = self.endpoints.get(&key);
        let written = match known {
            None => api.create(&PostParams::default(), &wanted).await,
            Some(known) if known.subsets == wanted.subsets && known.labels() == wanted.labels() => return,
            Some(_) => {
                let patch =
                    json!({"metadata": {"labels": wanted.metadata.labels}, "subsets": wanted.subsets});
                api.patch(&key.1, &PatchParams::default(), &Patch::Merge(patch)).await
            }
        };
        match written {
            Ok(endpoints) => self.endpoints.wrote(endpoints),
            Err(error) => said("write", &key, Err(error)),
        }
    }
}

/// Whatever stands in the way of a write (a namespace that goes, somebody who was quicker) brings an event of its own.
fn said(what: &str, key: &Key, done: Result<(), kube::Error>) {
    if let Err(error) = done {
        tracing::debug!(%error, what, namespace = key.0, name = key.1, "endpoints were not written");
    }
}
