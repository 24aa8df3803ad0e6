//! Applying and deleting manifests of any kind, as `kubectl apply -f` and `kubectl delete -f` do.
//!
//! What lives here: from a manifest to the right resource of the API. What does not: reading manifests (`lab`).

use std::collections::HashMap;

use kube::api::{Api, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope};
use kube::{Client, core::TypeMeta};
use tokio::sync::Mutex;

use super::client::ClusterError;
use crate::lab::Manifest;

/// Who we are in the objects' managed fields.
const MANAGER: &str = "fabric";

/// Objects of a cluster. What the API serves is asked once for each kind.
pub struct Objects {
    client: Client,
    kinds: Mutex<HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>>,
}

impl Objects {
    /// The objects behind a client.
    pub fn new(client: Client) -> Self {
        Self { client, kinds: Mutex::default() }
    }

    /// Creates or changes an object (server-side apply, our fields win).
    pub async fn apply(&self, manifest: &Manifest) -> Result<(), ClusterError> {
        let what = format!("apply {} {}", manifest.kind, manifest.name);
        let api = self.api(manifest, &what).await?;
        let parameters = PatchParams::apply(MANAGER).force();
        let patched = api.patch(&manifest.name, &parameters, &Patch::Apply(&manifest.object)).await;
        patched.map(drop).map_err(|error| ClusterError::api(what, error))
    }

    /// Deletes an object; one that is not there is as good as deleted.
    pub async fn delete(&self, manifest: &Manifest) -> Result<(), ClusterError> {
        let what = format!("delete {} {}", manifest.kind, manifest.name);
        let api = match self.api(manifest, &what).await {
            Err(ClusterError::NotServed { .. }) => return Ok(()),
            other => other?,
        };
        match api.delete(&manifest.name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(ClusterError::api(what, error)),
        }
    }

    async fn api(&self, manifest: &Manifest, what: &str) -> Result<Api<DynamicObject>, ClusterError> {
        let types = TypeMeta { api_version: manifest.api_version.clone(), kind: manifest.kind.clone() };
        let not_served = || ClusterError::NotServed {
            what: what.to_owned(),
            kind: manifest.kind.clone(),
            api_version: manifest.api_version.clone(),
        };
        let kind = GroupVersionKind::try_from(&types).map_err(|_| not_served())?;
        let mut kinds = self.kinds.lock().await;
        let (resource, capabilities) = match kinds.get(&kind) {
            Some(known) => known.clone(),
            None => match discovery::pinned_kind(&self.client, &kind).await {
                Ok(found) => {
                    kinds.insert(kind, found.clone());
                    found
                }
                Err(kube::Error::Discovery(_)) => return Err(not_served()),
                Err(kube::Error::Api(status)) if status.code == 404 => return Err(not_served()),
                Err(error) => return Err(ClusterError::api(what, error)),
            },
        };
        Ok(match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = manifest.namespace.as_deref().unwrap_or("default");
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
        })
    }
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects").finish_non_exhaustive()
    }
}
