//! What can go wrong with clabernetes.

use crate::cluster::ClusterError;
use crate::lab::LoadError;

/// A topology did not get into the cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClabernetesError {
    /// The cluster serves no Topology.
    #[error(
        "deploy with clabernetes: the cluster serves no Topology of c9s.run or clabernetes.containerlab.dev; install clabernetes in it: \
         helm upgrade --install --create-namespace --namespace c9s clabernetes oci://ghcr.io/srl-labs/clabernetes/clabernetes"
    )]
    NotInstalled,
    /// Something of that name is there already.
    #[error(
        "deploy with clabernetes: there is a {kind} {name} in the namespace {namespace} already; leave `--deployer` out to judge it \
         as it is, or delete it: kubectl delete namespace {namespace}"
    )]
    There {
        /// Its kind: the topology, or a ConfigMap for its files.
        kind: String,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
    },
    /// Something of the topology cannot be a pod.
    #[error(transparent)]
    Unfit(#[from] LoadError),
    /// A file of the lab cannot be read.
    #[error("deploy with clabernetes: read {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// clabernetes will not have it.
    #[error(
        "clabernetes does not deploy {name}: {why}; type: kubectl -n {namespace} describe topology {name}"
    )]
    Refused {
        /// The topology.
        name: String,
        /// Its namespace.
        namespace: String,
        /// clabernetes' word.
        why: String,
    },
    /// It did not come up in time.
    #[error("{name} is not up after {limit}: {why}")]
    Late {
        /// The topology.
        name: String,
        /// How long was waited, and why so long.
        limit: String,
        /// What is not there, and what to type.
        why: String,
    },
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}
