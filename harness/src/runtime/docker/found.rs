//! Containers that others made, and the nodes they are.
//!
//! What lives here: listing them with their labels, and a handle on one. What does not: making containers (`container`).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptionsBuilder};

use super::engine::Engine;
use super::error::EngineError;
use super::node::DockerNode;
use crate::node::SocketKind;
use crate::runtime::netns::SocketSource;
use crate::runtime::netns::socket::{namespace_of, open_in};

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSeen {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Sockets of a container's network namespace, opened by visiting it: root may.
#[derive(Debug)]
struct Visit;

#[async_trait]
impl SocketSource for Visit {
    async fn open(&self, init: i32, kind: SocketKind) -> io::Result<OwnedFd> {
        tokio::task::spawn_blocking(move || open_in(init, kind)).await?
    }
}

impl Engine {
    /// The containers that run.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn running(&self) -> Result<Vec<ContainerSeen>, EngineError> {
        let options = ListContainersOptionsBuilder::new().build();
        let all = self.api().list_containers(Some(options)).await;
        let all = all.map_err(EngineError::refused("list the containers that run"))?;
        let seen = |one: bollard::models::ContainerSummary| {
            let name = one.names?.first()?.trim_start_matches('/').to_owned();
            Some(ContainerSeen { name, labels: one.labels.unwrap_or_default().into_iter().collect() })
        };
        Ok(all.into_iter().filter_map(seen).collect())
    }

    /// The node that a container is: with sockets and files of its own where its processes are at hand.
    ///
    /// # Errors
    /// When there is no such container, or it does not run.
    pub async fn node(&self, name: &str, container: &str) -> Result<DockerNode, EngineError> {
        let what = format!("look at the container {container}");
        let seen = self.api().inspect_container(container, None::<InspectContainerOptions>).await;
        let seen = seen.map_err(EngineError::refused(what))?;
        let node = DockerNode::new(name, container, self.clone());
        let pid = seen.state.and_then(|state| state.pid).and_then(|pid| i32::try_from(pid).ok());
        Ok(match pid.filter(|pid| *pid > 0 && self.is_at_hand() && namespace_of(*pid).is_ok()) {
            Some(pid) => node.at_hand(pid, Arc::new(Visit)),
            None => node,
        })
    }
}
