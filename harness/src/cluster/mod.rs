//! The Kubernetes side of a fabric, always seen through one `kube::Client`, whoever serves it.

mod client;
mod objects;
mod process;
mod seen;

pub use client::{ClusterError, connect, words};
pub use objects::{Objects, as_written};
pub(crate) use process::process_of;
pub(crate) use seen::{Seen, is_ready, told_of, why_not_ready};
