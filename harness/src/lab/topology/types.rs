//! What a topology is, once read. How it is written is not known here.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::lab::cluster::KindCluster;
use crate::lab::yaml::{Diagnostics, FromTree, Location, Node};

/// A containerlab topology, its inheritance (defaults, kinds, groups, node) applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// The lab's name, as containerlab knows it.
    pub name: String,
    /// What container names begin with; none is containerlab's own `clab`.
    pub prefix: Option<String>,
    /// The management network.
    pub mgmt: Mgmt,
    /// The nodes, in the order of the file.
    pub nodes: Vec<NodeSpec>,
    /// The links, in the order of the file.
    pub links: Vec<Link>,
}

impl Topology {
    /// The name containerlab gives a node's container: `clab-<lab>-<node>`, without any prefix when `prefix` is empty,
    /// and `<lab>-<node>` when it is `__lab-name`.
    pub fn container_name(&self, node: &str) -> String {
        match self.prefix.as_deref() {
            Some("") => node.to_owned(),
            Some("__lab-name") => format!("{}-{node}", self.name),
            Some(prefix) => format!("{prefix}-{}-{node}", self.name),
            None => format!("clab-{}-{node}", self.name),
        }
    }

    /// A node by its name in the file.
    pub fn node(&self, name: &str) -> Option<&NodeSpec> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Which container `network-mode: container:<wanted>` means: first a node of this lab (a container called as
    /// containerlab would call one), then the bare name. The answer is a container's name; none when neither exists.
    pub fn resolve_container(&self, cluster: Option<&KindCluster>, wanted: &str) -> Option<String> {
        let exists = |name: &str| {
            cluster.is_some_and(|cluster| cluster.nodes.iter().any(|node| node.name == name))
                || self.nodes.iter().any(|node| node.is_container() && self.container_of(node) == name)
        };
        [self.container_name(wanted), wanted.to_owned()].into_iter().find(|name| exists(name))
    }

    /// The container of a node: an external one has the name the file gives it, all others have containerlab's.
    pub fn container_of(&self, node: &NodeSpec) -> String {
        match node.kind {
            NodeKind::ExtContainer => node.name.clone(),
            _ => self.container_name(&node.name),
        }
    }
}

/// The management network, to which every node in the default network mode is connected by its eth0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mgmt {
    /// The network's name: `clab` unless said.
    pub network: String,
    /// The bridge's name; none lets the runtime choose.
    pub bridge: Option<String>,
    /// The IPv4 subnet. As in containerlab, when the file names neither an IPv4 nor an IPv6 subnet it is
    /// 172.20.20.0/24, and none when the file names an IPv6 subnet only.
    pub ipv4_subnet: Option<Ipv4Net>,
    /// The bridge's own IPv4 address; none is the first address of the subnet.
    pub ipv4_gateway: Option<Ipv4Addr>,
    /// The IPv6 subnet. As in containerlab, when the file names neither an IPv4 nor an IPv6 subnet it is
    /// 3fff:172:20:20::/64 (2001:172:20:20::/64 in its older versions), and none when the file names an IPv4 subnet only.
    pub ipv6_subnet: Option<Ipv6Net>,
    /// The bridge's own IPv6 address; none is the first address of the subnet.
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// The MTU in bytes; none is the runtime's own.
    pub mtu: Option<u32>,
}

/// The kinds of node that can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// A box of its own: any Linux image, or a namespace of ours.
    Linux,
    /// A Linux bridge; its links' ends are its ports.
    Bridge,
    /// The host itself.
    Host,
    /// A container that something else started (a node of the kind cluster, say), called by its container name.
    ExtContainer,
    /// A kind cluster, described by a kind configuration.
    K8sKind,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Its name in the file.
    pub name: String,
    /// Its kind.
    pub kind: NodeKind,
    /// Its group, if any.
    pub group: Option<String>,
    /// The container image.
    pub image: Option<String>,
    /// The command the container runs.
    pub cmd: Option<String>,
    /// The container's entry point.
    pub entrypoint: Option<String>,
    /// The commands to run once the links are there: those of defaults, kind and group first.
    pub exec: Vec<ExecLine>,
    /// Files and folders to be seen inside, each target once.
    pub binds: Vec<Bind>,
    /// The environment: env-files first, `env` above them.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Kernel settings of the node's namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// The fixed IPv4 address of eth0 on the management network.
    pub mgmt_ipv4: Option<Ipv4Addr>,
    /// The fixed IPv6 address of eth0 on the management network.
    pub mgmt_ipv6: Option<Ipv6Addr>,
    /// Whose network namespace it has.
    pub network_mode: NetworkMode,
    /// Where the network mode is written (the node itself when it is not).
    pub network_mode_at: Location,
    /// How long to wait before it is started.
    pub startup_delay: Duration,
    /// A kind configuration, for a node of kind `k8s-kind`: absolute.
    pub startup_config: Option<PathBuf>,
    /// What it runs, and whom it waits for, on its way up.
    pub stages: Stages,
    /// Where it is written.
    pub at: Location,
}

impl NodeSpec {
    /// Whether it stands for exactly one container.
    pub fn is_container(&self) -> bool {
        matches!(self.kind, NodeKind::Linux | NodeKind::ExtContainer)
    }

    /// Every line that is run in it, in this order: those of its stages, its `exec` lines in the stage `configure`.
    /// On entering `create` there is no node yet in which one could be run.
    pub fn lines(&self) -> impl Iterator<Item = &ExecLine> {
        self.stages.in_order().into_iter().flat_map(|(name, stage)| {
            let enter: &[ExecLine] = if name == StageName::Create { &[] } else { &stage.on_enter };
            let exec: &[ExecLine] = if name == StageName::Configure { &self.exec } else { &[] };
            enter.iter().chain(exec).chain(&stage.on_exit)
        })
    }
}

/// A command, split into words as a shell splits them; no shell runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecLine {
    /// As it is written.
    pub text: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Where it is written.
    pub at: Location,
}

/// Splits the text; a quote that is not closed, or nothing at all, is an error with its place.
impl FromTree for ExecLine {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let text = String::from_tree(node, ctx)?;
        match shell_words::split(&text) {
            Ok(argv) if !argv.is_empty() => Some(Self { text, argv, at: node.at.clone() }),
            Ok(_) => {
                ctx.error(&node.at, "this command is empty")
                    .help("write a program and its arguments, or remove it");
                None
            }
            Err(_) => {
                ctx.error(&node.at, "this command has a quote that is never closed")
                    .help("commands are split into words as a shell splits them: close the ' or \", or put \\ before it");
                None
            }
        }
    }
}

/// Whose network namespace a node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Its own, with eth0 on the management network.
    Bridge,
    /// Its own, without eth0.
    None,
    /// The host's.
    Host,
    /// That of another container, by the name the file gives: see [`Topology::resolve_container`].
    Container(String),
}

/// A file or folder of this machine, to be seen inside a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// On this machine: absolute.
    pub source: PathBuf,
    /// In the node: absolute.
    pub target: PathBuf,
    /// Whether the node may only read it.
    pub read_only: bool,
}

/// What runs when, on a node's way up, and whom it waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stages {
    /// The container is made.
    pub create: Stage,
    /// Its links are made.
    pub create_links: Stage,
    /// It is configured: `exec` runs.
    pub configure: Stage,
    /// It is healthy.
    pub healthy: Stage,
    /// It has ended.
    pub exit: Stage,
}

impl Stages {
    /// The stages in the order in which a node passes them.
    pub fn in_order(&self) -> [(StageName, &Stage); 5] {
        [
            (StageName::Create, &self.create),
            (StageName::CreateLinks, &self.create_links),
            (StageName::Configure, &self.configure),
            (StageName::Healthy, &self.healthy),
            (StageName::Exit, &self.exit),
        ]
    }
}

/// One stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// What must have happened before it is entered.
    pub wait_for: Vec<WaitFor>,
    /// Commands run in the node when it is entered.
    pub on_enter: Vec<ExecLine>,
    /// Commands run in the node when it is left.
    pub on_exit: Vec<ExecLine>,
}

/// Another node's stage that must have been passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitFor {
    /// The other node, by its name in the file.
    pub node: String,
    /// Its stage.
    pub stage: StageName,
    /// Where it is written.
    pub at: Location,
}

/// The name of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageName {
    /// The container is made.
    Create,
    /// Its links are made.
    CreateLinks,
    /// It is configured.
    Configure,
    /// It is healthy.
    Healthy,
    /// It has ended.
    Exit,
}

/// A link between two ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The first end, as written.
    pub a: Endpoint,
    /// The second end. For the host and the management network it is their end.
    pub b: Endpoint,
    /// MTU in bytes; none is containerlab's 9500.
    pub mtu: Option<u32>,
    /// Where it is written.
    pub at: Location,
    /// Where its ends are written: `a`, then `b`.
    pub ends_at: [Location; 2],
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// An interface of a node (a port, if the node is a bridge).
    Node {
        /// The node, by its name in the file.
        node: String,
        /// The interface's name in it.
        interface: String,
        /// Its hardware address, `aa:bb:cc:dd:ee:ff`; none lets the kernel choose.
        mac: Option<String>,
    },
    /// A port of the management bridge.
    MgmtNet {
        /// The port's name.
        interface: String,
    },
    /// An interface of the host.
    Host {
        /// The interface's name.
        interface: String,
    },
}

impl Endpoint {
    /// The interface's name.
    pub fn interface(&self) -> &str {
        match self {
            Self::Node { interface, .. } | Self::MgmtNet { interface } | Self::Host { interface } => {
                interface
            }
        }
    }
}

impl std::fmt::Display for Endpoint {
    /// `node:interface`, as the short form of a link writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node { node, interface, .. } => write!(f, "{node}:{interface}"),
            Self::MgmtNet { interface } => write!(f, "mgmt-net:{interface}"),
            Self::Host { interface } => write!(f, "host:{interface}"),
        }
    }
}
