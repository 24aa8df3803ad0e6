//! Making all nodes of a lab, at once, and finding them again.
//!
//! What lives here: the births, each awaited by whoever needs that node. What does not: what a node is made of
//! (`specs`), how it is wired (`underlay`, `cluster`).

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::specs::{Role, Wanted};
use crate::node::{NodeRef, SocketKind};
use crate::runtime::keeper::NodeInfo;
use crate::runtime::netns::socket::{namespace_of, open_in};
use crate::runtime::netns::zygote::Zygote;
use crate::runtime::netns::{NetnsNode, NodeInit, SocketSource};
use crate::wire::Wire;

/// A node that lives.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) name: String,
    pub(crate) container: String,
    pub(crate) role: Role,
    pub(crate) wire: Wire,
    pub(crate) node: NodeRef,
    pub(crate) pid: i32,
    pub(crate) warnings: Vec<String>,
    pub(crate) mgmt: Mutex<Option<String>>,
    init: Mutex<Option<NodeInit>>,
}

impl Live {
    /// Makes a node; `joins` is the node whose network it shares.
    pub(crate) async fn start(
        zygote: &Arc<Zygote>,
        wanted: Wanted,
        joins: Option<&Live>,
    ) -> Result<Self, String> {
        let mut spec = wanted.init;
        spec.join_network_of = joins.map(|other| other.pid);
        let failed = |error: std::io::Error| format!("{}: {error}", wanted.name);
        let init = NodeInit::start(zygote, &spec).await.map_err(failed)?;
        let namespace = namespace_of(init.pid).map_err(failed)?;
        let wire = Wire::open(&wanted.name, namespace).map_err(|error| error.to_string())?;
        if joins.is_none() {
            wire.up("lo").map_err(|error| error.to_string())?;
        }
        // Nodes are in the keeper's own user namespace: there is none to enter.
        let node = NetnsNode::new(&wanted.name, init.pid, false, Arc::new(Visiting));
        Ok(Self {
            name: wanted.name,
            container: wanted.container,
            role: wanted.role,
            wire,
            node: Arc::new(node),
            pid: init.pid,
            warnings: init.warnings.clone(),
            mgmt: Mutex::new(None),
            init: Mutex::new(Some(init)),
        })
    }

    /// Ends the node and everything in it.
    pub(crate) async fn end(&self) -> std::io::Result<()> {
        let init = self.init.lock().unwrap_or_else(PoisonError::into_inner).take();
        match init {
            Some(init) => init.end().await,
            None => Ok(()),
        }
    }

    /// The node as the state file shows it.
    pub(crate) fn info(&self) -> NodeInfo {
        NodeInfo {
            name: self.name.clone(),
            container: self.container.clone(),
            role: self.role.as_str().to_owned(),
            init: self.pid,
            mgmt: self.mgmt.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
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

type Birth = Shared<BoxFuture<'static, Result<Arc<Live>, String>>>;

/// All nodes of the lab, being made.
#[derive(Debug)]
pub(crate) struct Births {
    by_name: BTreeMap<String, Birth>,
}

impl Births {
    /// Starts making every node at once.
    pub(crate) fn begin(zygote: &Arc<Zygote>, wanted: Vec<Wanted>) -> Self {
        let mut by_name: BTreeMap<String, Birth> = BTreeMap::new();
        for node in wanted {
            let name = node.name.clone();
            let other = node.joins.as_ref().map(|joins| (joins.clone(), by_name.get(joins).cloned()));
            let zygote = Arc::clone(zygote);
            let birth = async move {
                let other = match other {
                    None => None,
                    Some((_, Some(birth))) => Some(birth.await?),
                    Some((joins, None)) => {
                        return Err(format!(
                            "{}: there is no node {joins} whose network it could share",
                            node.name
                        ));
                    }
                };
                Live::start(&zygote, node, other.as_deref()).await.map(Arc::new)
            };
            let birth = birth.boxed().shared();
            tokio::spawn(birth.clone());
            by_name.insert(name, birth);
        }
        Self { by_name }
    }

    /// The node of that name, once it lives.
    pub(crate) async fn get(&self, name: &str) -> Result<Arc<Live>, String> {
        match self.by_name.get(name) {
            Some(birth) => birth.clone().await,
            None => Err(format!("{name}: the lab has no such node")),
        }
    }

    /// Those that live, whatever became of the others.
    pub(crate) async fn living(&self) -> Vec<Arc<Live>> {
        let all = futures::future::join_all(self.by_name.values().cloned()).await;
        all.into_iter().flatten().collect()
    }
}
