//! What makes pods: a scheduler and a kubelet, as far as a network lab needs them.
//!
//! What lives here: re-exports. `pods` follows the API and decides with `scheduler`, `affinity` and `taints`; `life` is one pod
//! on its node, `containers`, `command` and `logs` are what runs in it; `status` and `events` say what happened; `lease` says that a node lives.

mod affinity;
mod command;
mod containers;
mod events;
mod lease;
mod life;
mod logs;
mod pods;
mod scheduler;
mod status;
mod taints;

pub use lease::run_leases;
pub use logs::Logs;
pub use pods::{Kubelet, PodId, Sandbox, Sandboxes};
pub use scheduler::{Load, Unschedulable, place};
