//! Making the question from a live cluster: its objects, its nodes, and the values that helm keeps of the release.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fabric_harness::cilium::CiliumVersion;
use fabric_harness::cluster::connect;
use fabric_harness::found::cilium_version;
use fabric_harness::lab::yaml::{Diagnostics, parse};
use fabric_harness::lab::{Manifest, manifests};
use k8s_openapi::api::core::v1::{Node, Secret};
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value as Json;

use super::read::upwards;
use super::{AskError, Asked, AskedNode, ValuesFile};

/// What is looked at, and under which plural.
const KINDS: [(&str, &str); 6] = [
    ("CiliumBGPPeeringPolicy", "ciliumbgppeeringpolicies"),
    ("CiliumBGPClusterConfig", "ciliumbgpclusterconfigs"),
    ("CiliumBGPPeerConfig", "ciliumbgppeerconfigs"),
    ("CiliumBGPAdvertisement", "ciliumbgpadvertisements"),
    ("CiliumBGPNodeConfigOverride", "ciliumbgpnodeconfigoverrides"),
    ("CiliumLoadBalancerIPPool", "ciliumloadbalancerippools"),
];

/// The question about a live cluster. It reads, and changes nothing.
///
/// # Errors
/// When the cluster does not answer, says nothing of Cilium and no version was given, or runs a later one.
pub async fn of_cluster(
    kubeconfig: &Path,
    from: Option<CiliumVersion>,
    to: CiliumVersion,
) -> Result<Asked, AskError> {
    let failed = |why: String| AskError::Cluster { kubeconfig: kubeconfig.display().to_string(), why };
    let client = connect(kubeconfig).await.map_err(|error| failed(error.to_string()))?;
    let seen = cilium_version(&client).await.and_then(|version| version.parse().ok());
    let from = from.or(seen).ok_or(AskError::NoVersion)?;
    upwards(from, to)?;
    let everything = ListParams::default();
    let nodes: Api<Node> = Api::all(client.clone());
    let (nodes, values, objects) = tokio::join!(nodes.list(&everything), values(&client), objects(&client));
    let nodes = nodes.map_err(|error| failed(error.to_string()))?;
    let nodes = nodes.items.into_iter().map(|node| AskedNode {
        name: node.metadata.name.unwrap_or_default(),
        labels: node.metadata.labels.unwrap_or_default(),
    });
    let objects = objects.map_err(|error| failed(error.to_string()))?;
    Ok(Asked { from, to, values, objects, nodes: nodes.collect(), daemons: Vec::new() })
}

async fn objects(client: &Client) -> Result<Vec<Manifest>, kube::Error> {
    let mut all = Vec::new();
    for (kind, plural) in KINDS {
        for version in ["v2", "v2alpha1"] {
            let gvk = GroupVersionKind::gvk("cilium.io", version, kind);
            let api: Api<DynamicObject> =
                Api::all_with(client.clone(), &ApiResource::from_gvk_with_plural(&gvk, plural));
            match api.list(&ListParams::default()).await {
                Ok(list) => {
                    all.extend(list.items.into_iter().filter_map(|object| manifest(object, kind, version)));
                    // The other version shows the same objects.
                    break;
                }
                Err(kube::Error::Api(refused)) if refused.code == 404 => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(all)
}

/// An object as one would have written it: in the version in which it was applied last, where that is known.
fn manifest(object: DynamicObject, kind: &str, served: &str) -> Option<Manifest> {
    let managers = object.metadata.managed_fields.iter().flatten();
    let applied = managers.filter_map(|manager| manager.api_version.clone()).next_back();
    let api_version = applied.unwrap_or_else(|| format!("cilium.io/{served}"));
    let name = object.metadata.name.clone()?;
    let mut whole = serde_json::json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    whole["spec"] = object.data.get("spec").cloned().unwrap_or(Json::Null);
    let text = serde_saphyr::to_string(&whole).ok()?;
    let shown = PathBuf::from(format!("{}/{name}", kind.to_lowercase()));
    let mut noted = Diagnostics::new();
    manifests::read(&shown, &text, &mut noted)?.into_iter().next()
}

/// The user's values of the release `cilium`, newest revision: helm keeps each as a Secret that holds gzipped JSON, twice in
/// base64.
async fn values(client: &Client) -> Option<ValuesFile> {
    let secrets: Api<Secret> = Api::all(client.clone());
    let ours = ListParams::default().labels("owner=helm,name=cilium");
    let mut releases = secrets.list(&ours).await.ok()?.items;
    let revision = |secret: &Secret| {
        let labels = secret.metadata.labels.as_ref()?;
        labels.get("version")?.parse::<u64>().ok()
    };
    releases.sort_by_key(revision);
    let packed = releases.last()?.data.as_ref()?.get("release")?.0.clone();
    let release = unpack(&packed)?;
    let text = serde_saphyr::to_string(release.get("config")?).ok()?;
    let shown = PathBuf::from("helm get values cilium");
    let tree = parse(&shown, &text, &mut Diagnostics::new())?;
    Some(ValuesFile { shown, tree })
}

fn unpack(packed: &[u8]) -> Option<Json> {
    use std::io::Read as _;
    /// What a Secret can hold unpacked is no more than this by far.
    const MOST: u64 = 64 << 20;
    let zipped = STANDARD.decode(packed).ok()?;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(zipped.as_slice()).take(MOST).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_release_is_unpacked() {
        let release = json!({"name": "cilium", "config": {"tunnel": "disabled"}});
        let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
        zip.write_all(release.to_string().as_bytes()).unwrap();
        let packed = STANDARD.encode(zip.finish().unwrap());
        assert_eq!(unpack(packed.as_bytes()), Some(release));
        assert_eq!(unpack(b"no base64!"), None);
        assert_eq!(unpack(STANDARD.encode("no gzip").as_bytes()), None);
    }

    #[test]
    fn an_object_stands_in_the_version_it_was_applied_in() {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "cilium.io/v2", "kind": "CiliumBGPPeerConfig",
            "metadata": {"name": "tor", "managedFields": [{"apiVersion": "cilium.io/v2alpha1", "manager": "kubectl"}]},
            "spec": {"transport": {"localPort": 179}},
        }))
        .unwrap();
        let manifest = manifest(object, "CiliumBGPPeerConfig", "v2").unwrap();
        assert_eq!(manifest.api_version, "cilium.io/v2alpha1");
        assert_eq!(manifest.at.file, PathBuf::from("ciliumbgppeerconfig/tor"));
    }
}
