//! The Kubernetes side of a fabric, always seen through one `kube::Client`, whoever serves it.

mod client;
mod objects;

pub use client::{ClusterError, connect, words};
pub use objects::{Objects, as_written};
