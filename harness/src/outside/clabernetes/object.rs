//! A topology as clabernetes takes it: a namespace, its files as ConfigMaps, and a Topology with the file's own text.
//!
//! What lives here: making them from a lab's files, and saying what cannot be a pod before anything is applied. What does not:
//! applying them (`deploy`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::error::ClabernetesError;
use crate::lab::topology::replaced;
use crate::lab::{
    Diagnostics, Endpoint, LoadError, Location, Manifest, NetworkMode, NodeKind, NodeSpec, Topology,
};

/// What etcd takes of one object, with room for the object around the files: a ConfigMap's limit is 1 MiB.
const ROOM: usize = 1_000_000;

/// What clabernetes calls the namespace of a lab when it makes one itself.
pub(super) fn namespace_of(topology: &Topology) -> String {
    format!("c9s-{}", topology.name)
}

/// A namespace of that name.
pub(super) fn namespace(name: &str) -> Manifest {
    manifest("v1", "Namespace", None, name, json!({}))
}

/// The lab's files and the Topology, in the order in which they are applied. `dir` is the folder that paths are taken from.
pub(super) fn objects(
    api_version: &str,
    topology: &Topology,
    dir: &Path,
    text: &str,
) -> Result<Vec<Manifest>, ClabernetesError> {
    let mut diagnostics = Diagnostics::new();
    let shown = topology.nodes.first().map(|node| node.at.file.clone()).unwrap_or_default();
    diagnostics.add_source(shown, text);
    refuse(topology, &mut diagnostics);
    let mut files: BTreeMap<&String, Vec<Carried>> = BTreeMap::new();
    for node in &topology.nodes {
        let carried = carried(node, dir)?;
        let size: usize = carried.iter().map(|one| one.bytes.len()).sum();
        if size > ROOM {
            diagnostics
                .error(
                    &node.at,
                    format!("the files bound into {} are {size} bytes: a ConfigMap takes {ROOM}", node.name),
                )
                .help("bind single files instead of folders, or put them into the image");
        }
        if !carried.is_empty() {
            files.insert(&node.name, carried);
        }
    }
    if diagnostics.has_errors() {
        return Err(LoadError::Invalid { diagnostics: diagnostics.into_sorted() }.into());
    }
    let namespace = namespace_of(topology);
    let map_of = |node: &str| format!("{}-{node}-files", topology.name);
    let maps = files.iter().map(|(node, carried)| {
        let data: serde_json::Map<String, Json> =
            carried.iter().filter_map(|one| Some((one.key.clone(), json!(one.text()?)))).collect();
        let binary: serde_json::Map<String, Json> = carried
            .iter()
            .filter(|one| one.text().is_none())
            .map(|one| (one.key.clone(), json!(k8s_openapi::ByteString(one.bytes.clone()))))
            .collect();
        let content = json!({"data": data, "binaryData": binary});
        manifest("v1", "ConfigMap", Some(&namespace), &map_of(node), content)
    });
    let mounted: serde_json::Map<String, Json> = files
        .iter()
        .map(|(node, carried)| {
            let each = carried.iter().map(|one| {
                json!({
                    "filePath": one.path,
                    "configMapName": map_of(node),
                    "configMapPath": one.key,
                    "mode": if one.executable { "execute" } else { "read" },
                })
            });
            ((*node).clone(), each.collect())
        })
        .collect();
    let definition = replaced(text, &|name| std::env::var(name).ok());
    let mut spec = json!({
        "definition": {"containerlab": definition},
        // Routers are judged through the API: nobody needs a load balancer's address in front of each.
        "expose": {"disableExpose": true},
    });
    if !mounted.is_empty() {
        spec["deployment"] = json!({"filesFromConfigMap": mounted});
    }
    let mut all: Vec<Manifest> = maps.collect();
    all.push(manifest(api_version, "Topology", Some(&namespace), &topology.name, json!({"spec": spec})));
    Ok(all)
}

fn manifest(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, content: Json) -> Manifest {
    let mut object = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "fabric"}},
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if let (Some(object), Json::Object(content)) = (object.as_object_mut(), content) {
        object.extend(content);
    }
    Manifest {
        object,
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
        at: Location::default(),
        places: Default::default(),
    }
}

/// A file that a bind shows in a node.
struct Carried {
    /// Its key in the ConfigMap.
    key: String,
    /// Its path as clabernetes finds it again for the bind: from the topology's folder, as long as it is below it.
    path: PathBuf,
    bytes: Vec<u8>,
    executable: bool,
}

impl Carried {
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// The files that are bound into a node.
fn carried(node: &NodeSpec, dir: &Path) -> Result<Vec<Carried>, ClabernetesError> {
    let mut paths = Vec::new();
    for bind in &node.binds {
        below(&bind.source, &mut paths)?;
    }
    let each = paths.into_iter().enumerate().map(|(number, path)| {
        let wrong = |source| ClabernetesError::File { path: path.display().to_string(), source };
        let bytes = fs::read(&path).map_err(wrong)?;
        let mode = fs::metadata(&path).map_err(wrong)?.permissions().mode();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        Ok(Carried {
            key: format!("{number}-{}", name.chars().map(plain).collect::<String>()),
            path: path.strip_prefix(dir).map(Path::to_path_buf).unwrap_or_else(|_| path.clone()),
            bytes,
            executable: mode & 0o111 != 0,
        })
    });
    each.collect()
}

fn below(path: &Path, paths: &mut Vec<PathBuf>) -> Result<(), ClabernetesError> {
    if !path.is_dir() {
        paths.push(path.to_path_buf());
        return Ok(());
    }
    let wrong = |source| ClabernetesError::File { path: path.display().to_string(), source };
    let entries: std::io::Result<Vec<_>> = fs::read_dir(path).map_err(wrong)?.collect();
    let mut entries: Vec<PathBuf> = entries.map_err(wrong)?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    entries.iter().try_for_each(|entry| below(entry, paths))
}

/// Says what of a topology cannot be a pod. What clabernetes alone would refuse, it says itself.
fn refuse(topology: &Topology, ctx: &mut Diagnostics) {
    let first =
        topology.nodes.first().map(|node| Location::start_of(node.at.file.clone())).unwrap_or_default();
    if !is_label(&topology.name) {
        ctx.error(&first, format!("a cluster can have no object called `{}`", topology.name))
            .help("write the lab's name with lowercase letters, digits and `-`, at most 59 of them");
    }
    for node in &topology.nodes {
        if !is_label(&node.name) {
            ctx.error(&node.at, format!("a cluster can have no pod called `{}`", node.name))
                .help("write the node's name with lowercase letters, digits and `-`");
        }
        let kind = match node.kind {
            NodeKind::Linux => None,
            NodeKind::Bridge => Some("a bridge"),
            NodeKind::Host => Some("the host itself"),
            NodeKind::ExtContainer => Some("a container of another's on this machine"),
            NodeKind::K8sKind => Some("a kind cluster on this machine"),
        };
        if let Some(kind) = kind {
            ctx.error(&node.at, format!("{} is {kind}: clabernetes makes pods only", node.name))
                .help("leave it out, or bring the lab up on one machine: --env lab");
        }
        let mode = match &node.network_mode {
            NetworkMode::Bridge => None,
            NetworkMode::None => Some("none".to_owned()),
            NetworkMode::Host => Some("host".to_owned()),
            NetworkMode::Container(other) if topology.node(other).is_some() => None,
            NetworkMode::Container(other) => Some(format!("container:{other}")),
        };
        if let Some(mode) = mode {
            ctx.error(
                &node.network_mode_at,
                format!("`network-mode: {mode}`: clabernetes knows `container:NODE` with a node of this topology only"),
            )
            .help("leave the node out, or bring the lab up on one machine: --env lab");
        }
    }
    for link in &topology.links {
        for (end, at) in [&link.a, &link.b].into_iter().zip(&link.ends_at) {
            if matches!(end, Endpoint::MgmtNet { .. }) {
                ctx.error(at, format!("`{end}`: in a cluster there is no management bridge to be wired to"))
                    .help("leave the link out, or bring the lab up on one machine: --env lab");
            }
        }
    }
}

/// Whether Kubernetes takes a name for a label of DNS; `c9s-` may have to go in front.
fn is_label(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 59
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(plain)
}

#[cfg(test)]
#[path = "object_tests.rs"]
mod tests;
