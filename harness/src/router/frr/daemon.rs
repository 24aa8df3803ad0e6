//! FRR as a [`Router`]: which commands are asked, of which daemon.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ipnet::IpNet;
use serde_json::Value;

use super::{advertised, configuration, installed, pulse, sessions, table};
use crate::node::NodeRef;
use crate::router::config::Configuration;
use crate::router::error::RouterError;
use crate::router::rib::Rib;
use crate::router::session::{Family, Sessions};
use crate::router::traits::{Pulse, Router, Show, ZebraRoute};
use crate::router::vty::{Daemon, Vty};

/// FRR in a node, asked over the vty sockets of bgpd and zebra.
#[derive(Debug)]
pub struct Frr {
    node: NodeRef,
    bgpd: Vty,
    zebra: Vty,
    /// `json detail` says communities and interfaces; a daemon that does not know it is asked the plain form ever after.
    detail: AtomicBool,
}

impl Frr {
    /// FRR of a node with its sockets where the packages put them.
    pub fn new(node: NodeRef) -> Self {
        let bgpd = Vty::new(node.clone(), Daemon::Bgpd);
        let zebra = Vty::new(node.clone(), Daemon::Zebra);
        Self { node, bgpd, zebra, detail: AtomicBool::new(true) }
    }

    /// The same with the sockets in other folders (`--vty_socket`).
    pub fn in_folders(node: NodeRef, folders: &[PathBuf]) -> Self {
        let bgpd = Vty::in_folders(node.clone(), Daemon::Bgpd, folders.to_vec());
        let zebra = Vty::in_folders(node.clone(), Daemon::Zebra, folders.to_vec());
        Self { node, bgpd, zebra, detail: AtomicBool::new(true) }
    }

    /// bgpd's vty, for commands that have no word here (`clear bgp *`).
    pub fn bgpd(&self) -> &Vty {
        &self.bgpd
    }

    /// zebra's vty.
    pub fn zebra(&self) -> &Vty {
        &self.zebra
    }

    async fn family_table(&self, family: &str) -> Result<Rib, RouterError> {
        if self.detail.load(Ordering::Relaxed) {
            match self.bgpd.ask_json::<Value>(&format!("show bgp {family} unicast json detail")).await {
                Ok(answer) => return Ok(table(&answer)),
                Err(RouterError::Refused { .. } | RouterError::NotJson { .. }) => {
                    self.detail.store(false, Ordering::Relaxed);
                }
                Err(other) => return Err(other),
            }
        }
        let answer: Value = self.bgpd.ask_json(&format!("show bgp {family} unicast json")).await?;
        Ok(table(&answer))
    }
}

#[async_trait]
impl Router for Frr {
    fn node(&self) -> &NodeRef {
        &self.node
    }

    async fn version(&self) -> Result<String, RouterError> {
        // There is no JSON for it. The first line is `FRRouting 8.4.4 (router0) on Linux(...)`.
        let text = self.zebra.ask("show version").await?;
        let words: Vec<&str> = text.lines().next().unwrap_or_default().split_whitespace().take(2).collect();
        Ok(words.join(" "))
    }

    async fn pulse(&self) -> Result<Pulse, RouterError> {
        let answer: Value = self.bgpd.ask_json("show bgp summary json").await?;
        Ok(pulse(&answer))
    }

    async fn sessions(&self) -> Result<Sessions, RouterError> {
        let answer: Value = self.bgpd.ask_json("show bgp neighbors json").await?;
        Ok(sessions(&answer))
    }

    async fn rib(&self) -> Result<Rib, RouterError> {
        let mut rib = self.family_table("ipv4").await?;
        rib.routes.extend(self.family_table("ipv6").await?.routes);
        Ok(rib)
    }

    async fn advertised(&self, neighbor: &str, family: &Family) -> Result<BTreeSet<IpNet>, RouterError> {
        let command = format!("show bgp {family} neighbors {neighbor} advertised-routes json");
        Ok(advertised(&self.bgpd.ask_json(&command).await?))
    }

    async fn installed(&self) -> Result<BTreeMap<IpNet, Vec<ZebraRoute>>, RouterError> {
        let mut routes = installed(&self.zebra.ask_json("show ip route json").await?);
        routes.extend(installed(&self.zebra.ask_json("show ipv6 route json").await?));
        Ok(routes)
    }

    async fn configured(&self) -> Result<Option<Configuration>, RouterError> {
        let bgpd = self.bgpd.ask("show running-config").await?;
        // Without it no address is known to be configured, and that is all.
        let zebra = self.zebra.ask("show running-config").await.unwrap_or_default();
        Ok(Some(configuration(&bgpd, &zebra)))
    }

    fn by_hand(&self, show: &Show) -> String {
        match show {
            Show::Sessions => "vtysh -c 'show bgp summary'".to_owned(),
            Show::Session { key, .. } => format!("vtysh -c 'show bgp neighbors {key}'"),
            Show::Table(false) => "vtysh -c 'show bgp ipv4 wide'".to_owned(),
            Show::Table(true) => "vtysh -c 'show bgp ipv6 wide'".to_owned(),
        }
    }
}
