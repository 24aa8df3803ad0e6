//! Making the question: from a lab, or from the files of a cluster that has none.
//!
//! What lives here: reading files. What does not: a live cluster (`live`), the judgement (`forecast`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fabric_harness::cilium::CiliumVersion;
use fabric_harness::lab::yaml::{Diagnostics, Location, parse};
use fabric_harness::lab::{
    KindCluster, Lab, LoadError, Manifest, NetworkMode, NodeSpec, Routing, load, manifests,
};

use super::{Asked, AskedNode, ValuesFile};
use crate::expect::Expect;

/// What cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The lab cannot be read.
    #[error(transparent)]
    Lab(#[from] LoadError),
    /// A file cannot be read.
    #[error("cannot read {}: {source}; name a file that is there", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing says which version runs.
    #[error(
        "nothing says which Cilium runs now: write `cilium: {{ version: 1.12.1 }}` in lab.yaml, or say `--from 1.12.1`"
    )]
    NoVersion,
    /// The way is not up.
    #[error("from Cilium {from} to {to} is no upgrade; say a later version with `--to`")]
    Backwards {
        /// What runs.
        from: CiliumVersion,
        /// What was asked for.
        to: CiliumVersion,
    },
    /// A live cluster could not be asked.
    #[error("the cluster of {kubeconfig} could not be asked: {why}")]
    Cluster {
        /// How it was reached.
        kubeconfig: String,
        /// Why not.
        why: String,
    },
}

/// The files of a cluster that has no lab.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The chart's values.
    pub values: Option<PathBuf>,
    /// Manifests, in the order in which they are applied.
    pub manifests: Vec<PathBuf>,
    /// The cluster's nodes, where they are known.
    pub nodes: Vec<AskedNode>,
}

/// The question about a lab. `from` stands for the version that the lab names.
///
/// # Errors
/// When the lab cannot be read, names no version, or names a later one.
pub fn of_lab(path: &Path, from: Option<CiliumVersion>, to: CiliumVersion) -> Result<Asked, AskError> {
    let lab = load::<Expect>(path)?;
    let named = lab.cilium.as_ref().and_then(|cilium| cilium.version.parse().ok());
    let from = from.or(named).ok_or(AskError::NoVersion)?;
    upwards(from, to)?;
    let mut noted = Diagnostics::new();
    let shown = |file: &Path| {
        lab.cilium
            .as_ref()
            .and_then(|cilium| cilium.values.file.clone())
            .map_or_else(|| file.to_path_buf(), |at| at.file)
    };
    let values = match &lab.files.values {
        Some(file) => values(&lab.dir.join(file), &shown(file), &mut noted)?,
        None => None,
    };
    Ok(Asked { from, to, values, objects: objects(&lab), nodes: nodes(&lab), daemons: daemons(&lab) })
}

/// The question about files alone.
///
/// # Errors
/// When a file cannot be read or is not what it should be, or the way is not up.
pub fn of_files(files: &Files, from: Option<CiliumVersion>, to: CiliumVersion) -> Result<Asked, AskError> {
    let from = from.ok_or(AskError::NoVersion)?;
    upwards(from, to)?;
    let mut noted = Diagnostics::new();
    let values = match &files.values {
        Some(file) => values(file, file, &mut noted)?,
        None => None,
    };
    let mut objects = Vec::new();
    for file in &files.manifests {
        let text = text(file)?;
        noted.add_source(file, &text);
        objects.extend(manifests::read(file, &text, &mut noted).into_iter().flatten());
    }
    if noted.has_errors() {
        return Err(LoadError::Invalid { diagnostics: noted.into_sorted() }.into());
    }
    Ok(Asked { from, to, values, objects, nodes: files.nodes.clone(), daemons: Vec::new() })
}

/// Where a lab names its version; none where it is not a lab.yaml that does.
///
/// # Errors
/// When the lab cannot be read.
pub fn version_at(path: &Path) -> Result<Option<Location>, AskError> {
    Ok(load::<Expect>(path)?.cilium.map(|cilium| cilium.version_at))
}

pub(super) fn upwards(from: CiliumVersion, to: CiliumVersion) -> Result<(), AskError> {
    if from < to { Ok(()) } else { Err(AskError::Backwards { from, to }) }
}

fn text(path: &Path) -> Result<String, AskError> {
    fs::read_to_string(path).map_err(|source| AskError::File { path: path.to_path_buf(), source })
}

fn values(path: &Path, shown: &Path, noted: &mut Diagnostics) -> Result<Option<ValuesFile>, AskError> {
    let text = text(path)?;
    let tree = parse(shown, &text, noted);
    if noted.has_errors() {
        return Err(LoadError::Invalid { diagnostics: std::mem::take(noted).into_sorted() }.into());
    }
    Ok(tree.map(|tree| ValuesFile { shown: shown.to_path_buf(), tree }))
}

/// Everything that a lab applies, in that order.
pub(super) fn objects(lab: &Lab<Expect>) -> Vec<Manifest> {
    let mut objects: Vec<Manifest> = Vec::new();
    for object in lab.phases.iter().flat_map(|phase| &phase.apply) {
        // A file that is applied twice is written once.
        if !objects.iter().any(|known| known.at == object.at) {
            objects.push(object.clone());
        }
    }
    objects
}

/// The cluster's nodes with the labels that the lab gives them, those of its phases included.
pub(super) fn nodes(lab: &Lab<Expect>) -> Vec<AskedNode> {
    let mut nodes: Vec<AskedNode> = lab
        .cluster
        .iter()
        .flat_map(|cluster| &cluster.nodes)
        .map(|node| AskedNode { name: node.name.clone(), labels: labels(node.labels.clone(), &node.name) })
        .collect();
    for change in lab.phases.iter().flat_map(|phase| &phase.label) {
        if let Some(node) = nodes.iter_mut().find(|node| node.name == change.node) {
            node.labels.extend(change.set.clone());
        }
    }
    nodes
}

/// What every kubelet adds.
fn labels(mut labels: BTreeMap<String, String>, name: &str) -> BTreeMap<String, String> {
    labels.insert("kubernetes.io/hostname".to_owned(), name.to_owned());
    labels.insert("kubernetes.io/os".to_owned(), "linux".to_owned());
    labels
}

/// Where the topology puts a routing daemon into a cluster node's network namespace.
fn daemons(lab: &Lab<Expect>) -> Vec<Location> {
    let in_cluster = |node: &&NodeSpec| match &node.network_mode {
        NetworkMode::Container(other) => is_cluster_node(lab.cluster.as_ref(), other),
        _ => is_cluster_node(lab.cluster.as_ref(), &node.name),
    };
    let routes = |node: &&NodeSpec| node.runs(Routing::Frr) || node.runs(Routing::Bird);
    lab.topology.nodes.iter().filter(in_cluster).filter(routes).map(|node| node.at.clone()).collect()
}

fn is_cluster_node(cluster: Option<&KindCluster>, name: &str) -> bool {
    cluster.is_some_and(|cluster| cluster.node(name).is_some())
}
