//! What the user wrote: topology, cluster, values, manifests, `lab.yaml`, each with its place for errors.
//!
//! Loading touches no system beyond reading files. [`load`] is the way in.

pub mod cluster;
pub mod file;
pub mod manifests;
pub mod topology;
pub mod values;
pub mod yaml;

mod discover;
mod error;
mod load;
mod upgrade;

pub use cluster::{IpFamily, KindCluster, KindNode, Role, Taint};
pub use error::LoadError;
pub use file::{CiliumSpec, LabFile, NodeCommand, NodeLabels, Phase, Step};
pub use load::{Cilium, Lab, LabFiles, LoadedPhase, load};
pub use manifests::Manifest;
pub use topology::{
    Bind, ContainerOptions, Endpoint, ExecLine, Link, Mgmt, NetworkMode, NodeKind, NodeSpec, PullPolicy,
    Routing, Stage, StageName, Stages, Topology, WaitFor,
};
pub use upgrade::{First, Roll, Upgrade, UpgradeSpec};
pub use values::Values;
pub use yaml::{Diagnostic, Diagnostics, FromTree, Location, Scope, Severity, Spanned};

#[cfg(test)]
mod tests;
