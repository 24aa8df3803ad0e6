//! A fabric out of recorded output: what routers, the kernel, Kubernetes and the pods' own tools said, read by the same
//! code that reads a live one, and a resolver over it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use fabric_harness::node::{Command, Node as Box_, NodeError, Output, Process, SocketKind};
use fabric_harness::probe::{PingReport, Protocol, TraceReport, text};
use fabric_harness::router::{
    Fib, FibNextHop, FibRoute, Frr, Link, LinkAddress, Rib, RouteKind, Router, Sessions,
};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::Value as Json;
use tokio::net::UnixStream;

use crate::checks::*;
use crate::expect::{Named, Place, Resolver, Select, Symbol, Unresolved};
use crate::plan::{CheckSpec, PlannedCheck};

pub(super) const ROUTERS: [&str; 3] = ["router0", "tor0", "tor1"];

/// One moment of one recorded fabric.
#[derive(Default)]
pub(super) struct World {
    pub(super) sessions: BTreeMap<String, Sessions>,
    pub(super) ribs: BTreeMap<String, Rib>,
    pub(super) fibs: BTreeMap<String, Fib>,
    pub(super) links: BTreeMap<String, (Vec<Link>, Vec<LinkAddress>)>,
    pub(super) nodes: Vec<Node>,
    pub(super) pods: Vec<Pod>,
    pub(super) cilium_hosts: BTreeMap<String, IpAddr>,
    pub(super) traces: BTreeMap<String, TraceReport>,
    pub(super) pings: BTreeMap<String, PingReport>,
}

pub(super) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn items<T: serde::de::DeserializeOwned>(path: &Path) -> Vec<T> {
    let list: Json = serde_json::from_str(&read(path)).unwrap();
    serde_json::from_value(list["items"].clone()).unwrap()
}

impl World {
    /// `moment` is 0 (underlay), 2 (policies and pods) or 5 (policies deleted).
    pub(super) fn recorded(version: &str, moment: u8) -> Self {
        let dir = fixtures().join("recorded").join(version);
        let fabric = dir.join("fabric");
        let mut world = Self::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for router in ROUTERS {
            let node = Recorded { name: router.to_owned(), dir: dir.join(moment.to_string()) };
            let frr = Frr::new(Arc::new(node));
            let sessions = runtime.block_on(frr.sessions()).unwrap();
            let mut rib = runtime.block_on(frr.rib()).unwrap();
            rib.resolve(&sessions);
            world.ribs.insert(router.to_owned(), rib);
            world.sessions.insert(router.to_owned(), sessions);
            let phase = match moment {
                0 => "underlay",
                2 => "policy",
                _ => "withdraw",
            };
            let kernel = |what: &str| read(&fabric.join(phase).join(format!("{router}-{what}.txt")));
            world.fibs.insert(router.to_owned(), kernel_routes(&kernel("route")));
            world.links.insert(router.to_owned(), interfaces(&kernel("addr")));
        }
        world.nodes = items(&fabric.join("nodes.json"));
        world.pods = items(&fabric.join("pods.json"));
        for node in items::<Json>(&fabric.join("ciliumnodes.json")) {
            let addresses = node["spec"]["addresses"].as_array().unwrap();
            let host = addresses.iter().find(|address| address["type"] == "CiliumInternalIP").unwrap();
            let name = node["metadata"]["name"].as_str().unwrap().to_owned();
            world.cilium_hosts.insert(name, host["ip"].as_str().unwrap().parse().unwrap());
        }
        for pod in ["nettool-1", "nettool-2"] {
            let file = |kind: &str| read(&fabric.join(format!("{kind}-{pod}.txt")));
            let trace = text::traceroute(&file("traceroute"), Protocol::Udp).unwrap();
            world.traces.insert(pod.to_owned(), trace);
            let ping = if moment == 5 { read(&dir.join("ping-without-policy.txt")) } else { file("ping") };
            world.pings.insert(pod.to_owned(), text::ping(&ping).unwrap());
        }
        world
    }

    /// Judges a check on this fabric; `None` for what was not recorded.
    pub(super) fn judge(&self, check: &PlannedCheck) -> Option<Verdict> {
        let none = (Vec::new(), Vec::new());
        Some(match &check.spec {
            CheckSpec::Lines(_) | CheckSpec::Throughout(_) => return None,
            CheckSpec::Interface(spec) => {
                let (links, addresses) = self.links.get(&spec.place).unwrap_or(&none);
                judge_interface(spec, links, addresses, self)
            }
            CheckSpec::Nodes(spec) => judge_nodes(spec, &self.nodes),
            CheckSpec::Session(spec) => {
                let nothing = Sessions::default();
                judge_session(spec, self.sessions.get(spec.router()).unwrap_or(&nothing), self)
            }
            CheckSpec::Rib(spec) => {
                let nothing = Rib::default();
                judge_rib(spec, self.ribs.get(&spec.router).unwrap_or(&nothing), self)
            }
            CheckSpec::Fib(spec) => {
                let nothing = Fib::default();
                judge_fib(spec, self.fibs.get(&spec.router).unwrap_or(&nothing), self)
            }
            CheckSpec::Pod(spec) => {
                let pod = self.pods.iter().find(|pod| pod.metadata.name.as_ref() == Some(&spec.pod.name));
                judge_pod(spec, pod, &self.nodes, self)
            }
            CheckSpec::Reach(spec) => judge_reach(spec, self.pings.get(&spec.from.short())?),
            CheckSpec::Path(spec) => judge_flows(spec, &[self.traces.get(&spec.from.short())?], self),
            // Only one of the two was recorded.
            CheckSpec::Agree(_) => return None,
        })
    }

    fn node_of(&self, whose: &str) -> Option<&Node> {
        let pod = self.pods.iter().find(|pod| pod.metadata.name.as_deref() == Some(whose));
        let on = pod.and_then(|pod| pod.spec.as_ref()?.node_name.clone());
        let wanted = on.as_deref().unwrap_or(whose);
        self.nodes.iter().find(|node| same_node(node.metadata.name.as_deref().unwrap_or_default(), wanted))
    }

    fn node_address(&self, whose: &str) -> Option<IpAddr> {
        let status = self.node_of(whose)?.status.as_ref()?;
        let address = status.addresses.as_ref()?.iter().find(|address| address.type_ == "InternalIP")?;
        address.address.parse().ok()
    }

    /// The router's interface on the link to a node, and the router.
    fn gateway(&self, whose: &str) -> Option<(&String, IpAddr)> {
        let node = self.node_address(whose)?;
        self.links.iter().find_map(|(router, (_, addresses))| {
            let near = addresses.iter().find(|address| address.address.contains(&node))?;
            Some((router, near.address.addr()))
        })
    }

    fn interface(&self, place: &Place, name: &str) -> Option<Vec<IpNet>> {
        let of = |router: &str| {
            let (_, addresses) = self.links.get(router)?;
            Some(addresses.iter().filter(|there| there.dev == name).map(|there| there.address).collect())
        };
        match place {
            Place::Device(device) => of(device),
            Place::TorOf(whose) => of(self.gateway(whose)?.0),
            Place::NodeOf(whose) => {
                let address = match name {
                    "cilium_host" => *self.cilium_hosts.get(self.node_of(whose)?.metadata.name.as_ref()?)?,
                    _ => self.node_address(whose)?,
                };
                Some(vec![IpNet::new(address, 24).ok()?])
            }
        }
    }
}

impl Resolver for World {
    fn prefixes(&self, symbol: &Symbol) -> Result<Vec<Named<IpNet>>, Unresolved> {
        let named = |value: IpNet| Named { value: value.trunc(), name: symbol.to_string() };
        let not_yet = |why: &str| Unresolved::NotYet { symbol: symbol.clone(), why: why.to_owned() };
        Ok(match symbol {
            Symbol::Prefix(prefix) => vec![named(*prefix)],
            Symbol::Default => vec![named("0.0.0.0/0".parse().unwrap())],
            Symbol::Management => vec![named("172.20.20.0/24".parse().unwrap())],
            Symbol::Interface { place, interface } => {
                let all = self.interface(place, interface).ok_or_else(|| not_yet("no such interface"))?;
                let own = |net: &IpNet| !net.addr().is_loopback() && !matches!(net, IpNet::V6(_));
                all.into_iter().filter(own).map(named).collect()
            }
            Symbol::PodCidr(select) => {
                let fits = |node: &&Node| match select {
                    Select::All => true,
                    Select::Of(whose) => {
                        self.node_of(whose).is_some_and(|one| one.metadata.name == node.metadata.name)
                    }
                    Select::Labels(labels) => labels.iter().all(|(key, value)| {
                        node.metadata.labels.as_ref().and_then(|there| there.get(key)) == Some(value)
                    }),
                };
                let cidr = |node: &Node| {
                    let name = node.metadata.name.clone()?;
                    let name = name.trim_start_matches("clab-bgp-cplane-demo-").to_owned();
                    let value = node.spec.as_ref()?.pod_cidr.as_ref()?.parse().ok()?;
                    Some(Named { value, name: format!("podCIDR({name})") })
                };
                let all: Vec<_> = self.nodes.iter().filter(fits).filter_map(cidr).collect();
                if all.is_empty() {
                    return Err(not_yet("no node has a pod CIDR"));
                }
                all
            }
            _ => return Err(not_yet("an address")),
        })
    }

    fn addresses(&self, symbol: &Symbol) -> Result<Vec<Named<IpAddr>>, Unresolved> {
        let named = |value: IpAddr| Named { value, name: symbol.to_string() };
        let not_yet = || Unresolved::NotYet { symbol: symbol.clone(), why: "not there".to_owned() };
        Ok(match symbol {
            Symbol::Address(address) => vec![named(*address)],
            Symbol::Node(whose) => vec![named(self.node_address(whose).ok_or_else(not_yet)?)],
            Symbol::Gateway(whose) => vec![named(self.gateway(whose).ok_or_else(not_yet)?.1)],
            Symbol::Pod(pod) => {
                let there = self.pods.iter().find(|there| there.metadata.name.as_ref() == Some(&pod.name));
                let address = there.and_then(|pod| pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok());
                vec![named(address.ok_or_else(not_yet)?)]
            }
            Symbol::Interface { place, interface } => {
                let all = self.interface(place, interface).ok_or_else(not_yet)?;
                all.into_iter().map(|net| named(net.addr())).collect()
            }
            _ => return Err(not_yet()),
        })
    }

    fn name_of_prefix(&self, prefix: IpNet) -> Option<String> {
        let all = self.prefixes(&Symbol::PodCidr(Select::All)).ok()?;
        all.into_iter().find(|named| named.value == prefix).map(|named| named.name)
    }

    fn name_of_address(&self, address: IpAddr) -> Option<String> {
        self.links.iter().find_map(|(router, (_, addresses))| {
            let there = addresses.iter().find(|there| there.address.addr() == address)?;
            Some(format!("{router}:{}", there.dev))
        })
    }
}

/// `ip route`'s lines. The kernel is read over netlink on a live fabric; this is what was kept of a recorded one.
fn kernel_routes(text: &str) -> Fib {
    let mut fib = Fib::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (kind, words) = match words.as_slice() {
            ["blackhole", rest @ ..] => (RouteKind::Blackhole, rest),
            all => (RouteKind::Unicast, all),
        };
        let Some(&prefix) = words.first() else { continue };
        let prefix = match prefix {
            "default" => "0.0.0.0/0".to_owned(),
            net if net.contains('/') => net.to_owned(),
            host => format!("{host}/32"),
        };
        let after = |key: &str| words.iter().skip_while(|word| **word != key).nth(1).copied();
        let via = after("inet6").or_else(|| after("via")).and_then(|via| via.parse().ok());
        let hop = FibNextHop { via, dev: after("dev").map(str::to_owned) };
        let next_hops = if kind == RouteKind::Unicast { vec![hop] } else { Vec::new() };
        let protocol = after("proto").unwrap_or("boot").to_owned();
        let route = FibRoute { protocol, kind, metric: 0, source: None, next_hops };
        fib.routes.entry(prefix.parse().unwrap()).or_default().push(route);
    }
    fib
}

/// `ip addr`'s lines.
fn interfaces(text: &str) -> (Vec<Link>, Vec<LinkAddress>) {
    let (mut links, mut addresses) = (Vec::<Link>::new(), Vec::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [index, name, flags, "mtu", mtu, ..] => links.push(Link {
                index: index.trim_end_matches(':').parse().unwrap(),
                name: name.trim_end_matches(':').split('@').next().unwrap().to_owned(),
                up: flags.contains("UP"),
                carrier: flags.contains("LOWER_UP"),
                mtu: mtu.parse().unwrap(),
            }),
            ["inet" | "inet6", address, ..] => addresses.push(LinkAddress {
                dev: links.last().unwrap().name.clone(),
                address: address.parse().unwrap(),
                tentative: line.contains("tentative"),
            }),
            _ => {}
        }
    }
    (links, addresses)
}

/// A box whose vtysh answers with what was recorded.
#[derive(Debug)]
struct Recorded {
    name: String,
    dir: PathBuf,
}

impl Recorded {
    fn not_recorded(&self, what: &str) -> NodeError {
        NodeError::Unsupported { node: self.name.clone(), what: what.to_owned(), why: "recorded".to_owned() }
    }
}

#[async_trait]
impl Box_ for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    async fn exec(&self, command: &Command) -> Result<Output, NodeError> {
        let file = match command.argv.last().map(String::as_str) {
            Some("show bgp neighbors json") => "neighbors",
            Some("show bgp ipv4 unicast json") => "ipv4",
            Some("show bgp ipv6 unicast json") => {
                return Ok(Output { stdout: b"{}".to_vec(), ..Output::default() });
            }
            // As an FRR that does not know the command answers.
            _ => return Ok(Output { code: 1, stdout: b"% Unknown command".to_vec(), ..Output::default() }),
        };
        let text = read(&self.dir.join(format!("{}-{file}.json", self.name)));
        Ok(Output { stdout: text.into_bytes(), ..Output::default() })
    }

    async fn spawn(&self, _: &Command) -> Result<Box<dyn Process>, NodeError> {
        Err(self.not_recorded("spawn"))
    }

    async fn socket(&self, _: SocketKind) -> Result<OwnedFd, NodeError> {
        Err(self.not_recorded("socket"))
    }

    async fn unix(&self, _: &Path) -> Result<UnixStream, NodeError> {
        Err(self.not_recorded("unix"))
    }

    async fn write_file(&self, _: &Path, _: &[u8], _: u32) -> Result<(), NodeError> {
        Err(self.not_recorded("write_file"))
    }

    async fn read_file(&self, _: &Path) -> Result<Vec<u8>, NodeError> {
        Err(self.not_recorded("read_file"))
    }
}
