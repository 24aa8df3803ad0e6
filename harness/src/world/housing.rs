//! Where nodes live: in namespaces of ours, or in containers of an engine.
//!
//! What lives here: making one node the one way or the other, and its end. What does not: what it is made of (`specs`,
//! `containers`), who needs it when (`nodes`).
//!
//! A bridge of a topology is a namespace in either case: there is nothing in it to run.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::containers::{NODE_IMAGE, networks, of_pod};
use super::specs::Wanted;
use crate::node::{NodeRef, SocketKind};
use crate::runtime::docker::{
    ContainerSpec, DockerNode, Engine, EngineError, FABRIC, ImageMap, Joins, Network, NetworkSpec,
};
use crate::runtime::keeper::{KeeperSpec, RuntimeSpec};
use crate::runtime::netns::socket::{inside, namespace_of, open_in};
use crate::runtime::netns::zygote::Zygote;
use crate::runtime::netns::{NetnsNode, NodeInit, SocketSource, set_sysctls};

/// Where a fabric's nodes live.
#[derive(Debug)]
pub(crate) struct Housing {
    zygote: Arc<Zygote>,
    containers: Option<Containers>,
}

/// The engine of a fabric's containers.
#[derive(Debug)]
struct Containers {
    id: String,
    host: String,
    images: ImageMap,
    networks: Vec<NetworkSpec>,
    ready: OnceCell<Result<Ready, String>>,
}

/// The engine, and the networks on which containers are put.
#[derive(Debug)]
struct Ready {
    engine: Engine,
    networks: Vec<Network>,
}

/// A node that has just been made.
pub(super) struct Housed {
    pub(super) pid: i32,
    pub(super) node: NodeRef,
    pub(super) warnings: Vec<String>,
    pub(super) container_id: Option<String>,
    /// The addresses that the engine gave its eth0; none where eth0 is ours to make.
    pub(super) addresses: Option<Vec<IpAddr>>,
    pub(super) held: Held,
}

/// What keeps a node alive.
#[derive(Debug)]
pub(super) enum Held {
    Namespaces(NodeInit),
    Container {
        engine: Engine,
        id: String,
    },
    /// Somebody else's.
    Adopted,
}

impl Held {
    /// Ends the node and everything in it.
    pub(super) async fn end(self) -> std::io::Result<()> {
        match self {
            Self::Namespaces(init) => init.end().await,
            Self::Adopted => Ok(()),
            Self::Container { engine, id } => {
                engine.remove_container(&id).await.map_err(std::io::Error::other)
            }
        }
    }
}

impl Housing {
    pub(super) fn new(zygote: Arc<Zygote>, spec: &KeeperSpec) -> Arc<Self> {
        let containers = match &spec.runtime {
            RuntimeSpec::Netns => None,
            RuntimeSpec::Docker { host, images } => Some(Containers {
                id: spec.id.clone(),
                host: host.clone(),
                images: images.clone(),
                networks: networks(spec),
                ready: OnceCell::new(),
            }),
        };
        Arc::new(Self { zygote, containers })
    }

    /// What a pod is, where pods are containers.
    pub(super) fn pod(&self, name: &str, hostname: &str) -> Option<ContainerSpec> {
        let containers = self.containers.as_ref()?;
        Some(of_pod(&containers.id, containers.images.of(NODE_IMAGE), name, hostname))
    }

    /// The bridge of the management network on this machine, where the engine made it.
    pub(super) async fn mgmt_bridge(&self, network: &str) -> Option<String> {
        let ready = self.containers.as_ref()?.ready().await.ok()?;
        ready.networks.iter().find(|found| found.name == network).map(|found| found.bridge.clone())
    }

    /// Whether nodes are containers.
    pub(super) fn is_docker(&self) -> bool {
        self.containers.is_some()
    }

    /// Makes a node; `joins` has the network it shares: a pid, and the container's id if it is one.
    pub(super) async fn house(
        &self,
        wanted: &Wanted,
        joins: Option<(i32, Option<&str>)>,
    ) -> Result<Housed, String> {
        match (&self.containers, &wanted.container_spec) {
            (Some(containers), Some(spec)) => containers.house(wanted, spec.clone(), joins).await,
            _ => self.in_namespaces(wanted, joins.map(|(pid, _)| pid)).await,
        }
    }

    async fn in_namespaces(&self, wanted: &Wanted, joins: Option<i32>) -> Result<Housed, String> {
        let mut spec = wanted.init.clone();
        spec.join_network_of = joins;
        let init = NodeInit::start(&self.zygote, &spec)
            .await
            .map_err(|error| format!("{}: {error}", wanted.name))?;
        // Nodes are in the keeper's own user namespace: there is none to enter.
        let node = NetnsNode::new(&wanted.name, init.pid, false, Arc::new(Visiting));
        Ok(Housed {
            pid: init.pid,
            node: Arc::new(node),
            warnings: init.warnings.clone(),
            container_id: None,
            addresses: None,
            held: Held::Namespaces(init),
        })
    }

    /// Removes what the engine still has of this fabric: containers that were half made, networks. Says what is left.
    pub(super) async fn end(&self) -> Result<(), EngineError> {
        let Some(containers) = &self.containers else { return Ok(()) };
        let Some(Ok(ready)) = containers.ready.get() else { return Ok(()) };
        sweep(&ready.engine, &containers.id).await
    }
}

/// Removes every container and every network of a fabric; what does not work with one does not keep the others.
///
/// # Errors
/// The first thing that did not work, when all was tried.
pub(crate) async fn sweep(engine: &Engine, id: &str) -> Result<(), EngineError> {
    let containers = engine.remove_labelled(FABRIC, id).await.map(drop);
    let networks = engine.remove_networks_labelled(FABRIC, id).await;
    containers.and(networks)
}

impl Containers {
    async fn ready(&self) -> Result<&Ready, String> {
        let making = || async {
            let engine = Engine::connect_to(&self.host).await.map_err(|error| error.to_string())?;
            let mut networks = Vec::new();
            for network in &self.networks {
                networks.push(engine.ensure_network(network).await.map_err(|error| error.to_string())?);
            }
            Ok(Ready { engine, networks })
        };
        self.ready.get_or_init(making).await.as_ref().map_err(Clone::clone)
    }

    async fn house(
        &self,
        wanted: &Wanted,
        mut spec: ContainerSpec,
        joins: Option<(i32, Option<&str>)>,
    ) -> Result<Housed, String> {
        let Ready { engine, .. } = self.ready().await?;
        match joins {
            None => {}
            Some((_, Some(container))) => spec.joins = Joins::Container(container.to_owned()),
            Some((_, None)) => {
                return Err(format!("{}: a container cannot share the network of what is none", wanted.name));
            }
        }
        let container = if spec.adopted {
            engine.find_container(&wanted.name, &spec.name).await
        } else {
            engine.start_container(&spec).await
        };
        let container = container.map_err(|error| error.to_string())?;
        let held = if spec.adopted {
            Held::Adopted
        } else {
            Held::Container { engine: engine.clone(), id: container.id.clone() }
        };
        let node = DockerNode::new(&wanted.name, &container.id, engine.clone())
            .at_hand(container.pid, Arc::new(Visiting));
        let mut housed = Housed {
            pid: container.pid,
            node: Arc::new(node),
            warnings: Vec::new(),
            container_id: Some(container.id),
            addresses: (spec.adopted || matches!(spec.joins, Joins::Network { .. }))
                .then_some(container.addresses),
            held,
        };
        if joins.is_none() && spec.joins != Joins::Host && !spec.adopted {
            // The engine sets what the lab asks for; what every node has is set from here, where some may fail.
            let all: Vec<_> =
                wanted.init.sysctls.iter().filter(|(name, ..)| name.starts_with("net.")).cloned().collect();
            let pid = container.pid;
            let set = tokio::task::spawn_blocking(move || inside(&namespace_of(pid)?, || set_sysctls(&all)));
            match set.await.unwrap_or_else(|error| Err(error.into())) {
                Ok(warnings) => housed.warnings = warnings,
                Err(error) => {
                    // What could not be set matters more than how the container ended.
                    let _ = housed.held.end().await;
                    return Err(format!("{}: {error}", wanted.name));
                }
            }
        }
        Ok(housed)
    }
}

/// Sockets for the keeper itself: it has the right to visit its nodes.
#[derive(Debug)]
struct Visiting;

#[async_trait]
impl SocketSource for Visiting {
    async fn open(&self, init: i32, kind: SocketKind) -> std::io::Result<OwnedFd> {
        tokio::task::spawn_blocking(move || open_in(init, kind)).await?
    }
}
