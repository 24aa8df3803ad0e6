//! What containerlab does: the management network, the links, the `exec:` lines.
//!
//! What lives here: the order of it. What does not: single kernel requests (`wire`).

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;

use super::nodes::{Births, Live};
use super::specs::{Role, own_nodes, start_command};
use super::way;
use super::whole::{Reporter, WorldError};
use crate::lab::{Endpoint, ExecLine, Link, NetworkMode, NodeKind, NodeSpec};
use crate::node::{Command, NodeError};
use crate::runtime::keeper::{ExecResult, KeeperSpec, StepReport};
use crate::wire::{End, LinkSpec, Pool, RouteSpec, Wire, WireError};

/// Largest packet on a link of the topology, in bytes: containerlab's default.
const LINK_MTU: u32 = 9500;

/// Brings the routers up and wires everything.
pub(super) async fn bring_up(
    spec: &KeeperSpec,
    births: &Births,
    switches: Switches,
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

    let specs: Vec<NodeSpec> = nodes.iter().map(|(node, _)| node.clone()).collect();
    let told = way::is_told(&specs);
    let started = Instant::now();
    let wiring = Arc::new(Wiring { spec: spec.clone(), nodes: nodes.clone(), switches });
    let all = Arc::clone(&wiring);
    let wire = move || if told { all.management() } else { all.wire() };
    let warnings = tokio::task::spawn_blocking(wire).await.map_err(WorldError::panicked)??;
    report.warnings.extend(warnings);
    let links = if told { String::new() } else { format!(" and {} links", spec.topology.links.len()) };
    reporter.done(report, format!("management network{links}"), started);

    let started = Instant::now();
    if told {
        report.warnings.extend(way::warnings(&specs));
        let up = Up { wiring, began, done: Mutex::default() };
        way::go(&specs, &spec.topology.links, &up).await?;
        up.tell(report, reporter);
    } else {
        let each = nodes.iter().map(|(node, live)| async move {
            (begin(node, live).await, run(node, live, &node.exec, began).await)
        });
        for (warning, results) in futures::future::join_all(each).await {
            report.exec.extend(results);
            report.warnings.extend(warning);
        }
    }
    reporter.done(report, format!("{} exec lines", report.exec.len()), started);
    Ok(())
}

/// The nodes on their way up, each at its own pace.
struct Up {
    wiring: Arc<Wiring>,
    began: Instant,
    done: Mutex<Done>,
}

/// What was done on the way up.
#[derive(Default)]
struct Done {
    exec: Vec<ExecResult>,
    warnings: Vec<String>,
    waits: Vec<(String, Instant)>,
}

impl Up {
    fn done(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self, name: &str) -> Option<&(NodeSpec, Arc<Live>)> {
        self.wiring.nodes.iter().find(|(node, _)| node.name == name)
    }

    /// Puts it into the report: lines node by node, in the order of the topology.
    fn tell(&self, report: &mut StepReport, reporter: &Reporter) {
        let mut done = std::mem::take(&mut *self.done());
        let place = |name: &str| self.wiring.nodes.iter().position(|(node, _)| node.name == name);
        done.exec.sort_by_key(|result| place(&result.node));
        report.exec.extend(done.exec);
        report.warnings.extend(done.warnings);
        for (what, since) in done.waits {
            reporter.done(report, what, since);
        }
    }
}

#[async_trait]
impl way::Doer for Up {
    async fn link(&self, number: usize) -> Result<(), WorldError> {
        let wiring = Arc::clone(&self.wiring);
        let link = move || wiring.link(number, &wiring.spec.topology.links[number]);
        Ok(tokio::task::spawn_blocking(link).await.map_err(WorldError::panicked)??)
    }

    async fn begin(&self, node: &str) {
        let Some((node, live)) = self.node(node) else { return };
        let warning = begin(node, live).await;
        self.done().warnings.extend(warning);
    }

    async fn run(&self, node: &str, lines: &[ExecLine]) {
        let Some((node, live)) = self.node(node) else { return };
        let results = run(node, live, lines, self.began).await;
        self.done().exec.extend(results);
    }

    fn waited(&self, what: String, since: Instant) {
        self.done().waits.push((what, since));
    }
}

/// Where the bridges are.
pub(super) struct Switches {
    /// The namespace they are in.
    pub(super) wire: Arc<Wire>,
    /// The management network's bridge, where a container engine made it.
    pub(super) mgmt_bridge: Option<String>,
}

struct Wiring {
    spec: KeeperSpec,
    nodes: Vec<(NodeSpec, Arc<Live>)>,
    switches: Switches,
}

impl Wiring {
    /// Wires everything; what is not as it should be and can be lived with is said.
    fn wire(&self) -> Result<Vec<String>, WireError> {
        let warnings = self.management()?;
        for (number, link) in self.spec.topology.links.iter().enumerate() {
            self.link(number, link)?;
        }
        Ok(warnings)
    }

    fn live(&self, name: &str) -> Result<&Live, WireError> {
        let found = self.nodes.iter().find(|(node, _)| node.name == name);
        found.map(|(_, live)| live.as_ref()).ok_or_else(|| WireError::NoSuchNode { node: name.to_owned() })
    }

    /// eth0 of every node that has a network of its own, as a container engine would give it.
    fn management(&self) -> Result<Vec<String>, WireError> {
        let mgmt = &self.spec.topology.mgmt;
        if self.switches.mgmt_bridge.is_some() || (mgmt.ipv4_subnet.is_none() && mgmt.ipv6_subnet.is_none()) {
            return Ok(Vec::new());
        }
        self.switches.wire.bridge(MGMT_BRIDGE)?;
        for (number, (_, live)) in self.members().enumerate() {
            plug(&self.switches.wire, MGMT_BRIDGE, &format!("m{number}"), &live.wire, "eth0", mgmt.mtu)?;
        }
        if let Some(subnet) = mgmt.ipv4_subnet {
            let pool = Pool::new(subnet, mgmt.ipv4_gateway.map(IpAddr::V4));
            self.give_addresses(pool, |node| node.mgmt_ipv4.map(IpAddr::V4))?;
        }
        let Some(subnet) = mgmt.ipv6_subnet else { return Ok(Vec::new()) };
        let pool = Pool::new(subnet, mgmt.ipv6_gateway.map(IpAddr::V6));
        let given = self.give_addresses(pool, |node| node.mgmt_ipv6.map(IpAddr::V6));
        // A kernel without IPv6 can carry everything else.
        let without = given.err().map(|error| format!("there is no IPv6 on the management network: {error}"));
        Ok(without.into_iter().collect())
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
        self.switches.wire.address(MGMT_BRIDGE, pool.on_link(pool.gateway()))?;
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
            // What a lab would put into the host's own namespace stands beside the bridges: with namespaces of ours the
            // host's is never touched, with an engine's containers it is that.
            Endpoint::MgmtNet { interface } => Ok(Place {
                wire: &self.switches.wire,
                interface: interface.clone(),
                mac: None,
                bridge: Some(self.switches.mgmt_bridge.clone().unwrap_or_else(|| MGMT_BRIDGE.into())),
            }),
            Endpoint::Host { interface } => {
                let interface =
                    if interface.is_empty() { format!("h{number}{side}") } else { interface.clone() };
                Ok(Place { wire: &self.switches.wire, interface, mac: None, bridge: None })
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

/// A node's own start command; what went wrong with it.
async fn begin(node: &NodeSpec, live: &Live) -> Option<String> {
    // A container runs its command by itself.
    let ours = live.container_id.is_none() && matches!(node.kind, NodeKind::Linux);
    let argv = start_command(node).filter(|_| ours)?;
    let mut command = Command::new(argv);
    command.env = node.env.clone();
    match live.node.exec(&command).await {
        Ok(output) if output.success() => None,
        Ok(output) => {
            let (name, code, said) = (&node.name, output.code, output.error_text());
            Some(format!("{name}: `{command}` ended with code {code}: {said}"))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Lines of a node, one after the other; one that fails does not keep the next.
async fn run(node: &NodeSpec, live: &Live, lines: &[ExecLine], began: Instant) -> Vec<ExecResult> {
    let mut results = Vec::new();
    for line in lines {
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
    results
}
