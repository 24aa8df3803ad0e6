//! What containerlab does: the management network, the links, the `exec:` lines.
//!
//! What lives here: the order of it. What does not: single kernel requests (`wire`).

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::nodes::{Births, Live};
use super::specs::{Role, own_nodes, start_command};
use super::whole::{Reporter, WorldError};
use crate::lab::{Endpoint, Link, NetworkMode, NodeKind, NodeSpec};
use crate::node::{Command, NodeError};
use crate::runtime::keeper::{ExecResult, KeeperSpec, StepReport};
use crate::wire::{End, LinkSpec, Pool, RouteSpec, Wire, WireError};

/// Largest packet on a link of the topology, in bytes: containerlab's default.
const LINK_MTU: u32 = 9500;

/// Brings the routers up and wires everything.
pub(super) async fn bring_up(
    spec: &KeeperSpec,
    births: &Births,
    switches: &Arc<Wire>,
    report: &mut StepReport,
    reporter: &Reporter,
) -> Result<(), WorldError> {
    let began = Instant::now();
    let started = began;
    let mut nodes = Vec::new();
    for node in own_nodes(spec) {
        nodes.push((node.clone(), births.get(&node.name).await.map_err(WorldError::Node)?));
    }
    report.warnings.extend(nodes.iter().flat_map(|(_, live)| &live.warnings).cloned());
    reporter.done(report, format!("{} nodes of the topology", nodes.len()), started);

    let started = Instant::now();
    let wiring = Wiring { spec: spec.clone(), nodes: nodes.clone(), switches: Arc::clone(switches) };
    let warnings =
        tokio::task::spawn_blocking(move || wiring.wire()).await.map_err(WorldError::panicked)??;
    report.warnings.extend(warnings);
    reporter.done(report, format!("management network and {} links", spec.topology.links.len()), started);

    let started = Instant::now();
    let each = nodes.iter().map(|(node, live)| configure(node, live, began));
    for (results, warnings) in futures::future::join_all(each).await {
        report.exec.extend(results);
        report.warnings.extend(warnings);
    }
    reporter.done(report, format!("{} exec lines", report.exec.len()), started);
    Ok(())
}

struct Wiring {
    spec: KeeperSpec,
    nodes: Vec<(NodeSpec, Arc<Live>)>,
    switches: Arc<Wire>,
}

impl Wiring {
    /// Wires everything; what is not as it should be and can be lived with is said.
    fn wire(&self) -> Result<Vec<String>, WireError> {
        self.management()?;
        // A kernel without IPv6 can carry everything else.
        let without =
            self.management6().err().map(|error| format!("no IPv6 on the management network: {error}"));
        for (number, link) in self.spec.topology.links.iter().enumerate() {
            self.link(number, link)?;
        }
        Ok(without.into_iter().collect())
    }

    fn live(&self, name: &str) -> Result<&Live, WireError> {
        let found = self.nodes.iter().find(|(node, _)| node.name == name);
        found.map(|(_, live)| live.as_ref()).ok_or_else(|| WireError::NoSuchNode { node: name.to_owned() })
    }

    /// eth0 of every node that has a network of its own, as a container engine would give it.
    fn management(&self) -> Result<(), WireError> {
        let mgmt = &self.spec.topology.mgmt;
        if mgmt.ipv4_subnet.is_none() && mgmt.ipv6_subnet.is_none() {
            return Ok(());
        }
        self.switches.bridge(MGMT_BRIDGE)?;
        for (number, (_, live)) in self.members().enumerate() {
            plug(&self.switches, MGMT_BRIDGE, &format!("m{number}"), &live.wire, "eth0", mgmt.mtu)?;
        }
        let Some(subnet) = mgmt.ipv4_subnet else { return Ok(()) };
        self.give_addresses(Pool::new(subnet, mgmt.ipv4_gateway.map(IpAddr::V4)), |node| {
            node.mgmt_ipv4.map(IpAddr::V4)
        })
    }

    fn management6(&self) -> Result<(), WireError> {
        let mgmt = &self.spec.topology.mgmt;
        let Some(subnet) = mgmt.ipv6_subnet else { return Ok(()) };
        self.give_addresses(Pool::new(subnet, mgmt.ipv6_gateway.map(IpAddr::V6)), |node| {
            node.mgmt_ipv6.map(IpAddr::V6)
        })
    }

    /// The nodes that are on the management network.
    fn members(&self) -> impl Iterator<Item = (&NodeSpec, &Live)> {
        self.nodes
            .iter()
            .map(|(node, live)| (node, live.as_ref()))
            .filter(|(node, live)| live.role == Role::Router && node.network_mode == NetworkMode::Bridge)
    }

    /// An address of one family, and a default route, on eth0 of every member.
    fn give_addresses(
        &self,
        mut pool: Pool,
        asked_for: impl Fn(&NodeSpec) -> Option<IpAddr>,
    ) -> Result<(), WireError> {
        for address in self.members().filter_map(|(node, _)| asked_for(node)) {
            pool.reserve(address);
        }
        self.switches.address(MGMT_BRIDGE, pool.on_link(pool.gateway()))?;
        for (node, live) in self.members() {
            let address = match asked_for(node) {
                Some(address) => address,
                None => pool.next(&node.name)?,
            };
            live.wire.address("eth0", pool.on_link(address))?;
            live.wire.route(&RouteSpec::default(pool.gateway(), "eth0"))?;
            let mut known = live.mgmt.lock().unwrap_or_else(PoisonError::into_inner);
            known.get_or_insert_with(|| address.to_string());
        }
        Ok(())
    }

    fn link(&self, number: usize, link: &Link) -> Result<(), WireError> {
        let a = self.end(&link.a, number, 'a')?;
        let b = self.end(&link.b, number, 'b')?;
        Wire::connect(&LinkSpec {
            a: End { wire: a.wire, interface: &a.interface, mac: a.mac },
            b: End { wire: b.wire, interface: &b.interface, mac: b.mac },
            mtu: Some(link.mtu.unwrap_or(LINK_MTU)),
        })?;
        for end in [&a, &b] {
            if let Some(bridge) = &end.bridge {
                end.wire.enslave(&end.interface, bridge)?;
            }
        }
        Ok(())
    }

    fn end(&self, endpoint: &Endpoint, number: usize, side: char) -> Result<Place<'_>, WireError> {
        match endpoint {
            Endpoint::Node { node, interface, mac } => {
                let live = self.live(node)?;
                let bridge = (live.role == Role::Bridge).then(|| BRIDGE.to_owned());
                if bridge.is_some() {
                    // The first link of a bridge makes it: the error of a second try is not one.
                    let _ = live.wire.bridge(BRIDGE);
                }
                let mac = mac.as_deref().and_then(parse_mac);
                Ok(Place { wire: &live.wire, interface: interface.clone(), mac, bridge })
            }
            // The host's own namespace is never touched: what a lab would put there stands beside the bridges.
            Endpoint::MgmtNet { interface } => Ok(Place {
                wire: &self.switches,
                interface: interface.clone(),
                mac: None,
                bridge: Some(MGMT_BRIDGE.into()),
            }),
            Endpoint::Host { interface } => {
                let interface =
                    if interface.is_empty() { format!("h{number}{side}") } else { interface.clone() };
                Ok(Place { wire: &self.switches, interface, mac: None, bridge: None })
            }
        }
    }
}

struct Place<'a> {
    wire: &'a Wire,
    interface: String,
    mac: Option<[u8; 6]>,
    bridge: Option<String>,
}

/// Name of the management network's bridge in the namespace of the switches.
const MGMT_BRIDGE: &str = "br-mgmt";
/// Name of the bridge in the namespace of a node of kind `bridge`.
const BRIDGE: &str = "br0";

/// Plugs a node's interface into a bridge.
pub(super) fn plug(
    switches: &Wire,
    bridge: &str,
    port: &str,
    node: &Wire,
    interface: &str,
    mtu: Option<u32>,
) -> Result<(), WireError> {
    Wire::connect(&LinkSpec {
        a: End { wire: switches, interface: port, mac: None },
        b: End { wire: node, interface, mac: None },
        mtu,
    })?;
    switches.enslave(port, bridge)
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let bytes: Vec<u8> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>().ok()?;
    bytes.try_into().ok()
}

/// A node's own start command, then its `exec:` lines, one after the other.
async fn configure(node: &NodeSpec, live: &Live, began: Instant) -> (Vec<ExecResult>, Vec<String>) {
    let mut results = Vec::new();
    let mut warnings = Vec::new();
    if matches!(node.kind, NodeKind::Linux)
        && let Some(argv) = start_command(node)
    {
        let mut command = Command::new(argv);
        command.env = node.env.clone();
        match live.node.exec(&command).await {
            Ok(output) if output.success() => {}
            Ok(output) => {
                warnings.push(format!(
                    "{}: `{command}` ended with code {}: {}",
                    node.name,
                    output.code,
                    output.error_text()
                ));
            }
            Err(error) => warnings.push(error.to_string()),
        }
    }
    for line in &node.exec {
        let started = Instant::now();
        let mut command = Command::new(line.argv.clone());
        command.env = node.env.clone();
        let (code, stdout, stderr) = match live.node.exec(&command).await {
            Ok(output) => (output.code, output.text(), output.error_text()),
            Err(error @ NodeError::NotFound { .. }) => (127, String::new(), error.to_string()),
            Err(error) => (-1, String::new(), error.to_string()),
        };
        results.push(ExecResult {
            node: node.name.clone(),
            line: line.text.clone(),
            at: line.at.to_string(),
            code,
            stdout,
            stderr,
            began_ms: (started - began).as_secs_f64() * 1e3,
            took_ms: started.elapsed().as_secs_f64() * 1e3,
        });
    }
    (results, warnings)
}
