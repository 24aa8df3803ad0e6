//! kind's command lines, and what it says.
//!
//! What lives here: the lines as the user would type them. What does not: running them (`command`), when (`crate::world`).
//! No `--wait`: without a CNI a node never is Ready, and kind would wait in vain. `--kubeconfig`: so that the user's own stays as
//! it is.

use std::path::Path;
use std::time::Duration;

use super::command::Outside;
use super::limits::{Limit, brief};
use super::spec::LabSpec;
use crate::lab::KindCluster;

/// `kind create cluster --config cluster.yaml`.
pub(crate) fn create(spec: &LabSpec, cluster: &KindCluster, lab: &Path, kubeconfig: &Path) -> Outside {
    let mut args = vec!["create".to_owned(), "cluster".to_owned(), "--config".to_owned()];
    args.push(spec.cluster_file.display().to_string());
    if let Some(name) = &spec.cluster_name {
        args.extend(["--name".to_owned(), name.clone()]);
    }
    if let Some(image) = &spec.kind_image {
        args.extend(["--image".to_owned(), image.clone()]);
    }
    args.extend(["--kubeconfig".to_owned(), kubeconfig.display().to_string()]);
    let joining = if cluster.nodes.len() > 1 { 300 } else { 0 };
    let limit = Limit::of(Duration::from_secs(60), "making the nodes")
        .and_pull(1000, "the image of the nodes")
        .and(Duration::from_secs(240), "kubeadm's own limit for the control plane")
        .and(Duration::from_secs(joining), "kubeadm's own limit for joining");
    Outside::new(&spec.kind, args, lab, limit)
}

/// `kind get clusters`: the clusters there are.
pub(crate) fn list(spec: &LabSpec, lab: &Path) -> Outside {
    Outside::new(&spec.kind, ["get", "clusters"], lab, brief("listing containers"))
}

/// The names that `kind get clusters` said; it says that there are none on its standard error.
pub(crate) fn listed(out: &str) -> Vec<String> {
    out.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// `kind get kubeconfig`: the way to a cluster's API.
pub(crate) fn kubeconfig(spec: &LabSpec, name: &str, lab: &Path) -> Outside {
    let args = ["get", "kubeconfig", "--name", name];
    Outside::new(&spec.kind, args, lab, brief("reading a file of the control plane")).secret()
}

/// `kind delete cluster`.
pub(crate) fn delete(spec: &LabSpec, name: &str, lab: &Path, kubeconfig: &Path) -> Outside {
    let kubeconfig = kubeconfig.display().to_string();
    let args = ["delete", "cluster", "--name", name, "--kubeconfig", &kubeconfig];
    // Removing a container that will not die takes the engine's own ten seconds, side by side for all.
    Outside::new(&spec.kind, args, lab, Limit::of(Duration::from_secs(120), "removing the nodes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clusters_there_are() {
        assert_eq!(listed("clab-bgp-cplane-demo\nkind\n"), ["clab-bgp-cplane-demo", "kind"]);
        assert!(listed("").is_empty());
    }
}
