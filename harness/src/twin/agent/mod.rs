//! What cilium-agent does for BGP, per node: reads policies from the Kubernetes API, runs a real GoBGP for each.
//!
//! What lives here: the decision (`plan`), the speaker (`speaker`, `gobgp`), the loop (`reconcile`). What does not:
//! the eBPF datapath, pod addresses and pod routes (`twin::cni`), the API itself (`twin::api`).

pub mod annotations;
pub mod gobgp;
pub mod plan;
pub mod selector;
pub mod speaker;
#[cfg(test)]
mod testing;
