//! What Cilium's operator does for BGP, once per cluster: it makes each node's configuration out of the cluster's.
//!
//! What lives here: the decision (`plan`) and the loop (`run`). What does not: acting on a node's configuration
//! (`twin::agent`).

pub mod plan;
mod run;
mod status;

pub use run::run;
pub use status::OperatorStatus;
