//! What can go wrong with a fabric that others brought up.

/// Something could not be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoundError {
    /// Nothing says how to get into a node.
    #[error(
        "nothing leads into {node}: {why}; say how to get there, as \
         `--router {node}=docker:CONTAINER`, `--router {node}=kubectl:NAMESPACE/POD` or `--router {node}='exec:ssh {node}'`"
    )]
    NoWay {
        /// The node.
        node: String,
        /// What was looked at.
        why: String,
    },
    /// A way was given to something the lab does not have.
    #[error("`--router {name}=...`: the lab has no node {name}; it has {}", .known.join(", "))]
    NoSuchNode {
        /// The name.
        name: String,
        /// The nodes there are.
        known: Vec<String>,
    },
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    /// A fabric that was found can do no such thing.
    #[error("{what}: this fabric was brought up by somebody else")]
    NotOurs {
        /// What was asked.
        what: &'static str,
    },
}
