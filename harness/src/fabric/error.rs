//! What can go wrong with a fabric, and what it cannot live without.

use crate::cluster::ClusterError;
use crate::found::FoundError;
use crate::lab::yaml::nearest;
use crate::runtime::docker::EngineError;
use crate::runtime::keeper::{KeeperError, StateError};

/// What can go wrong with a fabric.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FabricError {
    /// Between us and the keeper.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The state of running fabrics.
    #[error(transparent)]
    State(#[from] StateError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What others brought up.
    #[error(transparent)]
    Found(#[from] FoundError),
    /// The container engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something that others made is left.
    #[error("not all of {id} is gone:\n  {}", .left.join("\n  "))]
    Left {
        /// The fabric.
        id: String,
        /// What is left, a sentence each, with what to type.
        left: Vec<String>,
    },
    /// No such node.
    #[error("there is no node {name}{}; the nodes are {}", meant(.name, .known), .known.join(", "))]
    NoSuchNode {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

/// What a fabric cannot live without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The process that keeps it.
    Keeper,
    /// The container engine.
    Engine,
}

/// Which node was probably meant, as an aside.
fn meant(name: &str, known: &[String]) -> String {
    // People write the last part of most names: `worker` of a cluster's node, a pod's name without its namespace.
    let short = known.iter().filter_map(|known| known.rsplit(['-', '/']).next());
    let near = nearest(name, known.iter().map(String::as_str).chain(short));
    near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("worke", " (did you mean worker?)")]
    #[case("tor9", " (did you mean tor0?)")]
    #[case("something", "")]
    fn a_wrong_name_is_told_the_right_one(#[case] name: &str, #[case] aside: &str) {
        let known = ["clab-demo-worker", "default/nettool-1", "router0", "tor0"].map(str::to_owned).to_vec();
        let error = FabricError::NoSuchNode { name: name.to_owned(), known };
        let wanted =
            format!("there is no node {name}{aside}; the nodes are clab-demo-worker, default/nettool-1");
        assert!(error.to_string().starts_with(&wanted), "{error}");
    }
}
