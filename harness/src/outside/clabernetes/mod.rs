//! clabernetes: a topology as an object of a Kubernetes cluster, each node a pod.
//!
//! What lives here: the objects (`object`), applying them, waiting until the pods are up and taking them away again (`deploy`). What
//! does not: the ways into the pods, which are found as those of any lab that clabernetes runs (`crate::found`).

mod deploy;
mod error;
mod object;

pub use deploy::Clabernetes;
pub use error::ClabernetesError;
