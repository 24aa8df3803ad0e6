//! What cilium-agent does for BGP, per node: reads policies from the Kubernetes API, runs a real GoBGP for each.
//!
//! What lives here: the decision (`plan`), the speaker (`speaker`, `gobgp`), the loop (`reconcile`). What does not:
//! the eBPF datapath, pod addresses and pod routes (`twin::cni`), the API itself (`twin::api`).

mod addresses;
pub mod annotations;
mod bystander;
pub mod gobgp;
mod objects;
pub mod plan;
mod reconcile;
mod records;
pub mod selector;
mod slot;
pub mod speaker;
mod standing;
pub mod status;
#[cfg(test)]
mod testing;
mod watches;

pub use bystander::run_without_bgp;
pub(super) use objects::Objects;
pub use reconcile::{AgentError, run};
pub use records::cilium_node;
pub(super) use records::warn;
pub use status::{AgentStatus, Contents, NeighborStatus, Phase, RouterStatus, SecondSeen};
pub(super) use watches::kind;
