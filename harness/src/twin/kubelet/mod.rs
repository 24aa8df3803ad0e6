//! What makes pods: a scheduler and a kubelet, as far as a network lab needs them.

mod containers;
mod logs;
mod pods;
mod scheduler;
mod status;

pub use logs::Logs;
pub use pods::{Kubelet, PodId, Sandbox, Sandboxes};
pub use scheduler::{Unschedulable, place};
