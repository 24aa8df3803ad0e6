//! kind's cluster configuration, typed: which nodes there are, how they are called, what kubeadm is told about them.

mod kubeadm;
mod read;
mod types;

pub use read::read;
pub use types::{IpFamily, KindCluster, KindNode, Role, Taint};

#[cfg(test)]
mod tests;
