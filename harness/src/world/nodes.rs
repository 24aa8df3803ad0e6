//! Making all nodes of a lab, at once, and finding them again.
//!
//! What lives here: the births, each awaited by whoever needs that node. What does not: what a node is made of
//! (`specs`), how it is wired (`underlay`, `cluster`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::housing::{Held, Housing};
use super::specs::{Role, Wanted};
use crate::node::NodeRef;
use crate::runtime::keeper::NodeInfo;
use crate::runtime::netns::socket::namespace_of;
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
    /// The addresses of an eth0 that a container engine made; none where eth0 is ours to make.
    pub(crate) given: Option<Vec<IpAddr>>,
    pub(crate) container_id: Option<String>,
    held: Mutex<Option<Held>>,
}

impl Live {
    /// Makes a node; `joins` is the node whose network it shares.
    pub(crate) async fn start(
        housing: &Housing,
        wanted: Wanted,
        joins: Option<&Live>,
    ) -> Result<Self, String> {
        let network = joins.map(|other| (other.pid, other.container_id.as_deref()));
        let housed = housing.house(&wanted, network).await?;
        let namespace = namespace_of(housed.pid).map_err(|error| format!("{}: {error}", wanted.name))?;
        let wire = Wire::open(&wanted.name, namespace).map_err(|error| error.to_string())?;
        if joins.is_none() {
            wire.up("lo").map_err(|error| error.to_string())?;
        }
        let mgmt = housed.addresses.as_ref().and_then(|all| all.first()).map(IpAddr::to_string);
        Ok(Self {
            name: wanted.name,
            container: wanted.container,
            role: wanted.role,
            wire,
            node: housed.node,
            pid: housed.pid,
            warnings: housed.warnings,
            mgmt: Mutex::new(mgmt),
            given: housed.addresses,
            container_id: housed.container_id,
            held: Mutex::new(Some(housed.held)),
        })
    }

    /// Ends the node and everything in it.
    pub(crate) async fn end(&self) -> std::io::Result<()> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        match held {
            Some(held) => held.end().await,
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
            container_id: self.container_id.clone(),
            mgmt: self.mgmt.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
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
    pub(crate) fn begin(housing: &Arc<Housing>, wanted: Vec<Wanted>) -> Self {
        let mut by_name: BTreeMap<String, Birth> = BTreeMap::new();
        for node in wanted {
            let name = node.name.clone();
            let other = node.joins.as_ref().map(|joins| (joins.clone(), by_name.get(joins).cloned()));
            let housing = Arc::clone(housing);
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
                Live::start(&housing, node, other.as_deref()).await.map(Arc::new)
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
