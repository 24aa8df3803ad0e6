//! Nodes that are containers of pods, through the exec of a Kubernetes API: what `kubectl exec` does.

mod carrier;

pub use carrier::{KubeNode, PodContainer};
