//! Symbols: how lab.yaml names an address or a prefix by its role instead of by its digits.
//!
//! What lives here: the symbol as a value and how it is written. The grammar is in `symbol/grammar.rs`. What does
//! not: finding out what a symbol stands for on a live fabric ([`Resolver`](super::Resolver)).
//!
//! ```text
//! symbol  = prefix | address              10.1.2.0/24, fd00::/64, 10.0.1.2
//!         | "mgmt"                        the management network of the lab
//!         | "default"                     0.0.0.0/0, ::/0
//!         | "podCIDR(" select ")"         the pod CIDRs of the nodes that are meant
//!         | "pod/" [namespace "/"] name   the address of a pod
//!         | "node/" whose                 the node IP (InternalIP) of a Kubernetes node
//!         | "gateway(" whose ")"          the router's address on the link to that node
//!         | "service/" [namespace "/"] name       the addresses a load balancer gave a service
//!         | "clusterIP(" [namespace "/"] name ")" a service's own addresses in the cluster
//!         | "externalIP(" [namespace "/"] name ")" those its spec names
//!         | place ":" interface           the addresses of an interface, or its connected prefixes
//! place   = device                        a node of the topology: router0
//!         | "node(" whose ")"             the Kubernetes node of a pod, or the one of that name
//!         | "tor(" whose ")"              the router at the other end of that node's link
//! whose   = name                          a pod of the lab, else a node as kind knows it (worker2) or by its full name
//! select  = "*" | whose | label "=" value { "," label "=" value }
//! ```

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::family::WantedFamily;

mod grammar;
#[cfg(test)]
mod tests;

pub use grammar::SymbolError;

/// An address or a prefix, named by its role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Symbol {
    /// A prefix written out: `10.1.2.0/24`.
    Prefix(IpNet),
    /// An address written out: `10.0.1.2`.
    Address(IpAddr),
    /// `mgmt`: the subnets of the lab's management network.
    Management,
    /// `default`: the default route, 0.0.0.0/0 and ::/0.
    Default,
    /// `podCIDR(...)`: the pod CIDRs of some nodes.
    PodCidr(Select),
    /// `pod/nettool-1`: a pod's address.
    Pod(PodName),
    /// `node/worker`: a node's InternalIP.
    Node(String),
    /// `gateway(nettool-1)`: the address of the router's interface on the link to that node.
    Gateway(String),
    /// `service/web`, `clusterIP(web)`, `externalIP(web)`: addresses of a service, as prefixes of one address each.
    Service(ServiceAddress, PodName),
    /// `router0:lo`, `node(nettool-1):cilium_host`: an interface.
    Interface {
        /// Whose interface.
        place: Place,
        /// The interface's name in that box.
        interface: String,
    },
}

/// A box of the fabric.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A node of the topology, by its name there.
    Device(String),
    /// The Kubernetes node of that pod, or of that name.
    NodeOf(String),
    /// The router at the other end of the link of the Kubernetes node of that pod, or of that name.
    TorOf(String),
}

/// Which Kubernetes nodes are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Select {
    /// `*`: all of them.
    All,
    /// The node of that pod, or of that name.
    Of(String),
    /// Those that carry all of these labels; `role=worker` and `role=control-plane` are kind's roles.
    Labels(Vec<(String, String)>),
}

/// Which of a service's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceAddress {
    /// What a load balancer gave it (`status.loadBalancer.ingress`).
    LoadBalancer,
    /// What the cluster gave it (`spec.clusterIPs`).
    Cluster,
    /// What its author says of it (`spec.externalIPs`).
    External,
}

/// A pod's (or a service's) name in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodName {
    /// The namespace; `default` unless written.
    pub namespace: String,
    /// The name there.
    pub name: String,
}

impl Symbol {
    /// Reads a symbol.
    ///
    /// # Errors
    /// When the text is none; the error says at which column, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        grammar::symbol(text)
    }

    /// True when this can stand where a prefix is wanted.
    pub fn names_a_prefix(&self) -> bool {
        !matches!(self, Self::Address(_) | Self::Pod(_) | Self::Node(_) | Self::Gateway(_))
    }

    /// True when this can stand where an address is wanted.
    pub fn names_an_address(&self) -> bool {
        !matches!(self, Self::Prefix(_) | Self::Management | Self::Default | Self::PodCidr(_))
    }

    /// The one family it can be of; `None` where its role decides, or the fabric.
    pub fn family(&self) -> Option<WantedFamily> {
        match self {
            Self::Prefix(prefix) => Some(WantedFamily::of(prefix.addr())),
            Self::Address(address) => Some(WantedFamily::of(*address)),
            _ => None,
        }
    }

    /// The same symbol seen from the other end: `left` and `right` (names of pods or nodes) exchanged.
    #[must_use]
    pub fn exchanged(&self, left: &str, right: &str) -> Self {
        let swap = |name: &String| match name.as_str() {
            n if n == left => right.to_owned(),
            n if n == right => left.to_owned(),
            _ => name.clone(),
        };
        match self {
            Self::Pod(pod) => Self::Pod(PodName { namespace: pod.namespace.clone(), name: swap(&pod.name) }),
            Self::Node(whose) => Self::Node(swap(whose)),
            Self::Gateway(whose) => Self::Gateway(swap(whose)),
            Self::PodCidr(Select::Of(whose)) => Self::PodCidr(Select::Of(swap(whose))),
            Self::Interface { place, interface } => Self::Interface {
                place: match place {
                    Place::Device(device) => Place::Device(device.clone()),
                    Place::NodeOf(whose) => Place::NodeOf(swap(whose)),
                    Place::TorOf(whose) => Place::TorOf(swap(whose)),
                },
                interface: interface.clone(),
            },
            same => same.clone(),
        }
    }

    /// A few words for the name of a check: never an address that a run decides.
    pub fn short(&self) -> String {
        match self {
            Self::Interface { place: Place::NodeOf(_), interface } => interface.clone(),
            Self::Interface { place: Place::Device(device), .. } => device.clone(),
            Self::Interface { place, .. } => place.to_string(),
            Self::Pod(pod) => pod.short(),
            other => other.to_string(),
        }
    }
}

impl PodName {
    /// The name alone in the default namespace, else `namespace/name`.
    pub fn short(&self) -> String {
        if self.namespace == "default" {
            self.name.clone()
        } else {
            format!("{}/{}", self.namespace, self.name)
        }
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Management => f.write_str("mgmt"),
            Self::Default => f.write_str("default"),
            Self::PodCidr(select) => write!(f, "podCIDR({select})"),
            Self::Pod(pod) => write!(f, "pod/{}", pod.short()),
            Self::Node(whose) => write!(f, "node/{whose}"),
            Self::Gateway(whose) => write!(f, "gateway({whose})"),
            Self::Service(ServiceAddress::LoadBalancer, name) => write!(f, "service/{}", name.short()),
            Self::Service(ServiceAddress::Cluster, name) => write!(f, "clusterIP({})", name.short()),
            Self::Service(ServiceAddress::External, name) => write!(f, "externalIP({})", name.short()),
            Self::Interface { place, interface } => write!(f, "{place}:{interface}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => f.write_str(device),
            Self::NodeOf(whose) => write!(f, "node({whose})"),
            Self::TorOf(whose) => write!(f, "tor({whose})"),
        }
    }
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Of(whose) => f.write_str(whose),
            Self::Labels(labels) => {
                for (at, (key, value)) in labels.iter().enumerate() {
                    let comma = if at == 0 { "" } else { "," };
                    write!(f, "{comma}{key}={value}")?;
                }
                Ok(())
            }
        }
    }
}
