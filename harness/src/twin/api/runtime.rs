//! What the endpoint asks of whoever runs the pods.
//!
//! What lives here: the seam between the API and the kubelet's part. What does not: either of them.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;

use super::ApiError;
use crate::node::NodeRef;

/// Which part of a container's log is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// The container; `None` where the pod has but one.
    pub container: Option<String>,
    /// Only the last so many lines.
    pub tail_lines: Option<usize>,
    /// Only lines written since then.
    pub since: Option<DateTime<Utc>>,
    /// What is written from now on too, to the end of the container.
    pub follow: bool,
    /// The log of the instance before this one.
    pub previous: bool,
    /// Each line with the time of its writing before it.
    pub timestamps: bool,
}

/// A log, as it comes.
pub type LogStream = BoxStream<'static, Bytes>;

/// Whoever runs the pods: hands out a pod's namespaces and its log. The endpoint has made sure that the pod and the
/// container exist and that the pod is assigned to a node before it asks.
#[async_trait]
pub trait PodRuntime: Send + Sync {
    /// The pod's network and mount namespaces, as a node in which `exec` runs its command.
    ///
    /// # Errors
    /// An [`ApiError`] that goes to the client as it is, such as 400 for a container that is not running.
    async fn node(&self, namespace: &str, name: &str, container: Option<&str>) -> Result<NodeRef, ApiError>;

    /// What a container has written so far, and what it writes, if that is wanted.
    ///
    /// # Errors
    /// An [`ApiError`] that goes to the client as it is.
    async fn log(&self, namespace: &str, name: &str, options: &LogOptions) -> Result<LogStream, ApiError>;
}
