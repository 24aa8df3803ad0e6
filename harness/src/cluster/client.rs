//! A client from a kubeconfig.
//!
//! What lives here: reading the file and making the client. What does not: what is asked of it.

use std::path::Path;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};

/// What can go wrong with the cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The kubeconfig cannot be used.
    #[error("cannot use the kubeconfig {path}: {why}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// The API refused or did not answer.
    #[error("{what}: {said}")]
    Api {
        /// What was asked.
        what: String,
        /// The API's word, for people.
        said: String,
    },
    /// The API serves no such kind.
    #[error(
        "{what}: the cluster does not serve {kind} of {api_version}; is its CRD installed, and does this Cilium still have it?"
    )]
    NotServed {
        /// What was asked.
        what: String,
        /// The kind.
        kind: String,
        /// Its group and version.
        api_version: String,
    },
    /// The fabric has no cluster.
    #[error("{what}: the lab has no cluster; give it a kind configuration (`cluster:` in lab.yaml)")]
    NoCluster {
        /// What was asked.
        what: String,
    },
}

impl ClusterError {
    pub(crate) fn api(what: impl Into<String>, source: kube::Error) -> Self {
        Self::Api { what: what.into(), said: words(source) }
    }

    pub(crate) fn unread(what: &str, why: &impl ToString) -> Self {
        Self::Api { what: what.to_owned(), said: why.to_string() }
    }
}

/// The sentence of an error of the API. kube's own text for one is the whole Status as Rust prints it, and its causes the same again.
pub fn words(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// Makes a client for the current context of a kubeconfig.
pub async fn connect(kubeconfig: &Path) -> Result<Client, ClusterError> {
    let failed = |why: String| ClusterError::Kubeconfig { path: kubeconfig.display().to_string(), why };
    let file = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(error.to_string()))?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|error| failed(error.to_string()))?;
    Client::try_from(config).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_once_and_in_the_servers_sentence() {
        let status = kube::core::Status::failure("Pod \"a\" is invalid: spec.x: Required value", "Invalid")
            .with_code(422);
        let error = ClusterError::api("apply Pod a", kube::Error::Api(Box::new(status)));
        assert_eq!(error.to_string(), "apply Pod a: Pod \"a\" is invalid: spec.x: Required value");
        assert!(std::error::Error::source(&error).is_none(), "a chain of errors would say it again");
    }
}
