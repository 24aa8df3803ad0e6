//! What a keeper is told of a lab that other programs make.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A lab that kind, helm and, if so asked, containerlab make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabSpec {
    /// kind's program.
    pub kind: PathBuf,
    /// helm's program, where the lab installs Cilium.
    pub helm: Option<PathBuf>,
    /// containerlab's program, where it deploys the topology.
    pub containerlab: Option<PathBuf>,
    /// kind's configuration, from the lab's folder.
    pub cluster_file: PathBuf,
    /// The name of kind's cluster, if not the file's.
    pub cluster_name: Option<String>,
    /// The topology, from the lab's folder.
    pub topology_file: PathBuf,
    /// helm's values, from the lab's folder.
    pub values_file: Option<PathBuf>,
    /// The image of kind's nodes, where kind's own and the lab's will not do.
    pub kind_image: Option<String>,
    /// Take a cluster of that name that is there already; it is not ours to delete.
    pub reuse: bool,
    /// Where Cilium's chart comes from.
    pub chart: Chart,
    /// Who makes routers and links.
    pub deployer: Deployer,
}

/// Where Cilium's chart comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chart {
    /// A repository of charts, by its address.
    Repository(String),
    /// A folder or an archive of this machine.
    Local(PathBuf),
}

impl Default for Chart {
    fn default() -> Self {
        Self::Repository("https://helm.cilium.io/".to_owned())
    }
}

/// Who makes routers and links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployer {
    /// We do, through the container engine.
    #[default]
    Fabric,
    /// containerlab does; its containers are taken over.
    Containerlab,
}
