//! Networks of the engine: the management network of a topology, kind's, each a bridge on the engine's machine.
//!
//! What lives here: finding one that is there, making one that is not, removing what was made. What does not: links
//! between containers, which are no networks of the engine's (`wire`).

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect};
use bollard::query_parameters::ListNetworksOptionsBuilder;
use ipnet::IpNet;

use super::engine::Engine;
use super::error::{EngineError, status, why};

/// A network that is wanted.
#[derive(Debug, Clone, Default)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Its subnets, each with a gateway if it must be a certain one; none lets the engine choose.
    pub subnets: Vec<(IpNet, Option<IpAddr>)>,
    /// Largest packet, in bytes.
    pub mtu: Option<u32>,
    /// Name of its bridge, if it must have a certain one.
    pub bridge: Option<String>,
    /// Labels.
    pub labels: HashMap<String, String>,
}

/// A network that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The bridge behind it, on the engine's machine.
    pub bridge: String,
    /// Whether it was made by us: what we found is not ours to remove.
    pub made: bool,
}

impl Engine {
    /// Finds a network, or makes it. One that is there must have the subnets that are asked for.
    ///
    /// # Errors
    /// When the engine refuses, mostly because another network has these addresses; when the one that is there is
    /// another.
    pub async fn ensure_network(&self, spec: &NetworkSpec) -> Result<Network, EngineError> {
        if let Some(found) = self.find_network(spec).await? {
            return Ok(found);
        }
        match self.api().create_network(request(spec)).await {
            Ok(made) => {
                let bridge = spec.bridge.clone().unwrap_or_else(|| bridge_of(&made.id));
                Ok(Network { name: spec.name.clone(), id: made.id, bridge, made: true })
            }
            // Somebody else was faster.
            Err(error) if status(&error) == Some(409) => {
                let found = self.find_network(spec).await?;
                found.ok_or_else(|| self.no_network(spec, &why(&error)))
            }
            Err(error) => Err(self.no_network(spec, &why(&error))),
        }
    }

    fn no_network(&self, spec: &NetworkSpec, why: &str) -> EngineError {
        let subnets = listed(spec.subnets.iter().map(|(subnet, _)| subnet.to_string()));
        let mut why = why.to_owned();
        if why.contains("overlaps") {
            why.push_str(
                "; another network has these addresses: `docker network ls` lists them, `docker network inspect` shows their \
                 subnets; remove it, or give the lab's `mgmt` other subnets",
            );
        }
        EngineError::Refused { what: format!("make the network {} ({subnets})", spec.name), why }
    }

    async fn find_network(&self, spec: &NetworkSpec) -> Result<Option<Network>, EngineError> {
        let found = match self.api().inspect_network(&spec.name, None).await {
            Ok(found) => found,
            Err(error) if status(&error) == Some(404) => return Ok(None),
            Err(error) => {
                return Err(EngineError::refused(format!("look for the network {}", spec.name))(error));
            }
        };
        let there = subnets(&found);
        if let Some((lacking, _)) =
            spec.subnets.iter().find(|(subnet, _)| !there.contains(&subnet.to_string()))
        {
            return Err(EngineError::OtherNetwork {
                name: spec.name.clone(),
                there: listed(there.into_iter()),
                asked: lacking.to_string(),
            });
        }
        let id = found.id.clone().unwrap_or_default();
        let named = found.options.and_then(|mut options| options.remove(BRIDGE_NAME));
        let bridge = named.unwrap_or_else(|| bridge_of(&id));
        Ok(Some(Network { name: spec.name.clone(), id, bridge, made: false }))
    }

    /// Removes the networks with a label; what does not work with one does not keep the others.
    ///
    /// # Errors
    /// The first thing that did not work, when all was tried.
    pub async fn remove_networks_labelled(&self, label: &str, value: &str) -> Result<(), EngineError> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{label}={value}")])]);
        let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
        let all = self.api().list_networks(Some(options)).await;
        let all = all.map_err(EngineError::refused(format!("list the networks labelled {label}={value}")))?;
        let mut result = Ok(());
        for name in all.into_iter().filter_map(|network| network.name) {
            result = result.and(self.remove_network(&name).await);
        }
        result
    }

    /// Removes a network; one that is gone, or in use by others, is left as it is.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn remove_network(&self, name: &str) -> Result<(), EngineError> {
        match self.api().remove_network(name).await {
            Ok(()) => Ok(()),
            Err(error) if matches!(status(&error), Some(403 | 404 | 409)) => Ok(()),
            Err(error) => Err(EngineError::refused(format!("remove the network {name}"))(error)),
        }
    }
}

const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const MTU: &str = "com.docker.network.driver.mtu";

/// The name the engine gives a bridge that is not named.
fn bridge_of(id: &str) -> String {
    format!("br-{}", id.get(..12).unwrap_or(id))
}

fn request(spec: &NetworkSpec) -> NetworkCreateRequest {
    let config = spec.subnets.iter().map(|(subnet, gateway)| IpamConfig {
        subnet: Some(subnet.to_string()),
        gateway: gateway.map(|ip| ip.to_string()),
        ..IpamConfig::default()
    });
    let config: Vec<IpamConfig> = config.collect();
    let mut options = HashMap::new();
    options.extend(spec.mtu.map(|mtu| (MTU.to_owned(), mtu.to_string())));
    options.extend(spec.bridge.clone().map(|bridge| (BRIDGE_NAME.to_owned(), bridge)));
    NetworkCreateRequest {
        name: spec.name.clone(),
        driver: Some("bridge".to_owned()),
        enable_ipv6: Some(spec.subnets.iter().any(|(subnet, _)| subnet.addr().is_ipv6())),
        ipam: (!config.is_empty()).then(|| Ipam { config: Some(config), ..Ipam::default() }),
        options: Some(options),
        labels: Some(spec.labels.clone()),
        ..NetworkCreateRequest::default()
    }
}

fn subnets(found: &NetworkInspect) -> Vec<String> {
    let config = found.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    config.filter_map(|config| config.subnet.clone()).collect()
}

fn listed(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
