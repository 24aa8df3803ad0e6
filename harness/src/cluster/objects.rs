//! Applying and deleting manifests of any kind, as `kubectl apply -f` and `kubectl delete -f` do.
//!
//! What lives here: from a manifest to the right resource of the API. What does not: reading manifests (`lab`).

use std::collections::HashMap;
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::discovery::{self, ApiCapabilities, ApiResource, Scope};
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use kube::{Client, core::TypeMeta};
use serde_json::Value as Json;
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

    /// The object as it is in the cluster; none when it is not there, or its kind is not served.
    pub async fn get(&self, manifest: &Manifest) -> Result<Option<Json>, ClusterError> {
        let what = format!("get {} {}", manifest.kind, manifest.name);
        let api = match self.api(manifest, &what).await {
            Err(ClusterError::NotServed { .. }) => return Ok(None),
            other => other?,
        };
        let seen = api.get_opt(&manifest.name).await.map_err(|error| ClusterError::api(&what, error))?;
        seen.map(|object| serde_json::to_value(object).map_err(|error| ClusterError::unread(&what, &error)))
            .transpose()
    }

    /// Deletes an object and waits until it is gone: a pod takes its time to end.
    pub async fn remove(&self, manifest: &Manifest, limit: Duration) -> Result<(), ClusterError> {
        let what = format!("delete {} {}", manifest.kind, manifest.name);
        let Some(seen) = self.get(manifest).await? else { return Ok(()) };
        let uid = seen.pointer("/metadata/uid").and_then(Json::as_str).unwrap_or_default().to_owned();
        self.delete(manifest).await?;
        let api = self.api(manifest, &what).await?;
        let gone = await_condition(api, &manifest.name, is_deleted(&uid));
        match tokio::time::timeout(limit, gone).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(ClusterError::unread(&what, &error)),
            Err(_) => Err(ClusterError::unread(&what, &format!("it was still there after {limit:?}"))),
        }
    }

    /// Puts an object back as it was seen before: made again where it is gone, replaced where it is another now. `limit` is
    /// for the end of a pod that must make room: what a pod runs cannot be replaced.
    pub async fn put_back(
        &self,
        manifest: &Manifest,
        seen: &Json,
        limit: Duration,
    ) -> Result<(), ClusterError> {
        let what = format!("put {} {} back", manifest.kind, manifest.name);
        let mut wanted = as_written(seen);
        let now = self.get(manifest).await?;
        if now.as_ref().is_some_and(|now| as_written(now) == wanted) {
            return Ok(());
        }
        let api = self.api(manifest, &what).await?;
        let object = |json: Json| {
            serde_json::from_value::<DynamicObject>(json).map_err(|error| ClusterError::unread(&what, &error))
        };
        let now = match now {
            Some(_) if manifest.kind == "Pod" => {
                self.remove(manifest, limit).await?;
                None
            }
            now => now,
        };
        let put = match now {
            None => api.create(&PostParams::default(), &object(wanted)?).await,
            Some(now) => {
                wanted["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
                api.replace(&manifest.name, &PostParams::default(), &object(wanted)?).await
            }
        };
        put.map(drop).map_err(|error| ClusterError::api(what, error))
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

/// An object without what the cluster itself writes into it: as somebody could have written it.
pub fn as_written(seen: &Json) -> Json {
    let mut object = seen.clone();
    if let Some(top) = object.as_object_mut() {
        top.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"]
        {
            metadata.remove(key);
        }
    }
    // Where a pod landed was the scheduler's choice; its node may be another one now.
    if object["kind"] == "Pod"
        && let Some(spec) = object.get_mut("spec").and_then(Json::as_object_mut)
    {
        spec.remove("nodeName");
    }
    object
}
