//! BIRD as a [`Router`]: which commands are asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use ipnet::IpNet;

use super::control::{Control, SOCKETS};
use super::counts::Counts;
use super::protocols::{Protocol, protocols};
use super::routes::{installed, routes, table};
use super::sessions::{Status, by_key, pulse, sessions, status};
use crate::node::NodeRef;
use crate::router::error::RouterError;
use crate::router::rib::Rib;
use crate::router::session::{Family, Sessions};
use crate::router::traits::{Pulse, Router, Show, ZebraRoute};

/// BIRD in a node, asked over its control socket, with the right to look only.
///
/// What BIRD does not say: how often a session was lost (counted here from reading to reading, from the first one on), the
/// timers that are configured, a neighbor's end-of-RIB, why a path is the best one, and which paths the kernel is given
/// beside it (`merge paths`).
#[derive(Debug)]
pub struct Bird {
    control: Control,
    counts: Mutex<Counts>,
}

impl Bird {
    /// BIRD of a node with its socket where packages put it.
    pub fn new(node: NodeRef) -> Self {
        Self::at(node, SOCKETS.map(PathBuf::from).to_vec())
    }

    /// The same with the socket elsewhere (`bird -s`); the places are tried in order.
    pub fn at(node: NodeRef, sockets: Vec<PathBuf>) -> Self {
        Self { control: Control::new(node, sockets), counts: Mutex::default() }
    }

    async fn status(&self) -> Result<Status, RouterError> {
        Ok(status(&self.control.ask("show status").await?))
    }

    async fn protocols(&self) -> Result<Vec<Protocol>, RouterError> {
        Ok(protocols(&self.control.ask("show protocols all").await?))
    }
}

#[async_trait]
impl Router for Bird {
    fn node(&self) -> &NodeRef {
        self.control.node()
    }

    async fn version(&self) -> Result<String, RouterError> {
        Ok(self.status().await?.version)
    }

    async fn pulse(&self) -> Result<Pulse, RouterError> {
        Ok(pulse(&self.protocols().await?))
    }

    async fn sessions(&self) -> Result<Sessions, RouterError> {
        let protocols = self.protocols().await?;
        let mut sessions = sessions(&protocols, self.status().await?.now);
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).take(&protocols, &mut sessions);
        Ok(sessions)
    }

    async fn rib(&self) -> Result<Rib, RouterError> {
        let protocols = self.protocols().await?;
        let mut rib = table(&self.control.ask("show route all").await?, &protocols);
        rib.router_id = self.status().await?.router_id;
        Ok(rib)
    }

    async fn advertised(&self, neighbor: &str, family: &Family) -> Result<BTreeSet<IpNet>, RouterError> {
        let protocols = self.protocols().await?;
        let Some(name) = by_key(&protocols).get(neighbor).map(|protocol| protocol.name.clone()) else {
            return Ok(BTreeSet::new());
        };
        let reply = self.control.ask(&format!("show route export {name}")).await?;
        let of_family = |prefix: &IpNet| match family {
            Family::Ipv4Unicast => prefix.addr().is_ipv4(),
            Family::Ipv6Unicast => prefix.addr().is_ipv6(),
            Family::Other(_) => false,
        };
        Ok(routes(&reply).into_iter().filter_map(|route| route.prefix).filter(of_family).collect())
    }

    async fn installed(&self) -> Result<BTreeMap<IpNet, Vec<ZebraRoute>>, RouterError> {
        let protocols = self.protocols().await?;
        let mut all = BTreeMap::new();
        for kernel in protocols.iter().filter(|protocol| protocol.kind == "Kernel") {
            let reply = self.control.ask(&format!("show route export {}", kernel.name)).await?;
            all.extend(installed(&reply, &protocols));
        }
        Ok(all)
    }

    fn by_hand(&self, show: &Show) -> String {
        by_hand(show)
    }
}

/// The command of BIRD's that shows a person the same.
pub(in crate::router) fn by_hand(show: &Show) -> String {
    match show {
        Show::Sessions => "birdc show protocols".to_owned(),
        Show::Session { handle, .. } => format!("birdc show protocols all {handle}"),
        Show::Table(_) => "birdc show route".to_owned(),
    }
}
