//! `nodes:` and `pods:` of lab.yaml: what the Kubernetes side must show.
//!
//! ```yaml
//! nodes:
//!   count: 4
//!   ready: false
//!   pod-cidrs: { count: 4, length: 24, inside: 10.1.0.0/16, ipv6: { count: 4, length: 64 } }
//!   control-plane: { address: 10.0.1.2, labels: { rack: rack0 } }
//! pods:
//!   nettool-1: { phase: Running, node: { rack: rack0 }, address: podCIDR(nettool-1) }
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;

use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Location, Node, Spanned, choice};
use ipnet::IpNet;

use super::family::WantedFamily;
use super::patience::Patience;
use super::read;
use super::symbol::{PodName, Symbol};

/// What the nodes of the cluster must be.
#[derive(Debug, Clone, PartialEq)]
pub struct NodesExpect {
    /// Where it is written.
    pub at: Location,
    /// How many there are.
    pub count: Option<usize>,
    /// All of them Ready, or none.
    pub ready: Option<bool>,
    /// What pod CIDRs they have, family by family.
    pub pod_cidrs: Vec<PodCidrs>,
    /// Node by node.
    pub each: Vec<NodeExpect>,
    /// `within` and `holds` of the group.
    pub patience: Patience,
}

/// The pod CIDRs of the nodes, of one family.
#[derive(Debug, Clone, PartialEq)]
pub struct PodCidrs {
    /// The family.
    pub family: WantedFamily,
    /// Where it is written.
    pub at: Location,
    /// How many different ones.
    pub count: Option<usize>,
    /// The length of each.
    pub length: Option<u8>,
    /// The prefix in which all are.
    pub inside: Option<IpNet>,
}

/// What one node must be.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeExpect {
    /// Which node: its full name, or the part that kind puts behind the cluster's name (`worker2`).
    pub node: Spanned<String>,
    /// Ready or not.
    pub ready: Option<bool>,
    /// Labels it carries.
    pub labels: BTreeMap<String, String>,
    /// Its InternalIPs, each of them.
    pub addresses: Vec<IpAddr>,
    /// `within` and `holds` of this node.
    pub patience: Patience,
}

/// What one pod must be.
#[derive(Debug, Clone, PartialEq)]
pub struct PodExpect {
    /// Where it is written.
    pub at: Location,
    /// Which pod.
    pub pod: PodName,
    /// Its phase.
    pub phase: Option<WantedPhase>,
    /// Labels of the node on which it runs.
    pub node: BTreeMap<String, String>,
    /// The prefix in which its address is.
    pub address: Option<Symbol>,
    /// `within` and `holds` of this pod.
    pub patience: Patience,
}

/// A pod's phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedPhase {
    /// Not yet started.
    Pending,
    /// Running, with its containers ready.
    Running,
    /// Ended well.
    Succeeded,
    /// Ended badly.
    Failed,
    /// There is no such pod.
    Absent,
}

const PHASES: [(&str, WantedPhase); 5] = [
    ("Running", WantedPhase::Running),
    ("Pending", WantedPhase::Pending),
    ("Succeeded", WantedPhase::Succeeded),
    ("Failed", WantedPhase::Failed),
    ("absent", WantedPhase::Absent),
];

impl WantedPhase {
    /// The phase as Kubernetes writes it; `absent` for a pod that must not be there.
    pub fn word(self) -> &'static str {
        PHASES.iter().find(|(_, phase)| *phase == self).map_or("", |(word, _)| word)
    }
}

impl FromTree for NodesExpect {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "`nodes` of a phase", ctx)?;
        let mut nodes = Self {
            at: node.at.clone(),
            count: fields.optional("count", ctx),
            ready: fields.optional("ready", ctx),
            pod_cidrs: fields.node("pod-cidrs").map(|node| PodCidrs::read_all(node, ctx)).unwrap_or_default(),
            each: Vec::new(),
            patience: Patience::read(&mut fields, ctx),
        };
        nodes.each = read::each(&fields, ctx, NodeExpect::read);
        Some(nodes)
    }
}

impl PodCidrs {
    /// What stands there is IPv4, and `ipv6:` holds the same keys for IPv6.
    fn read_all(node: &Node, ctx: &mut Diagnostics) -> Vec<Self> {
        let Some(mut fields) = Fields::of(node, "the pod CIDRs", ctx) else { return Vec::new() };
        let ipv6 = fields.node("ipv6");
        let plain = fields.rest().next().is_some();
        let mut all = Vec::new();
        if plain || ipv6.is_none() {
            all.extend(Self::read(node.at.clone(), WantedFamily::Ipv4, fields, ctx));
        }
        if let Some(node) = ipv6
            && let Some(fields) = Fields::of(node, "the IPv6 pod CIDRs", ctx)
        {
            all.extend(Self::read(node.at.clone(), WantedFamily::Ipv6, fields, ctx));
        }
        all
    }

    fn read(
        at: Location,
        family: WantedFamily,
        mut fields: Fields<'_>,
        ctx: &mut Diagnostics,
    ) -> Option<Self> {
        let count = fields.optional("count", ctx);
        let length = fields.optional("length", ctx);
        let inside: Option<Spanned<IpNet>> = fields.optional("inside", ctx);
        fields.finish(ctx);
        if let Some(net) = inside.as_ref().filter(|net| !family.holds(&net.value)) {
            ctx.error(&net.at, format!("{} is not {family}", net.value))
                .help("IPv6 pod CIDRs are judged under `ipv6:` of `pod-cidrs`");
            return None;
        }
        Some(Self { family, at, count, length, inside: inside.map(|net| net.value) })
    }
}

impl NodeExpect {
    fn read(name: Spanned<String>, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let before = ctx.len();
        let mut fields = Fields::of(node, format!("the node {}", name.value), ctx)?;
        let expect = Self {
            node: name,
            ready: fields.optional("ready", ctx),
            labels: fields.optional("labels", ctx).unwrap_or_default(),
            addresses: fields
                .node("address")
                .and_then(|node| read::one_or_more(node, ctx))
                .unwrap_or_default(),
            patience: Patience::read(&mut fields, ctx),
        };
        fields.finish(ctx);
        let silent = expect.ready.is_none() && expect.labels.is_empty() && expect.addresses.is_empty();
        if silent && ctx.len() == before {
            ctx.error(&expect.node.at, format!("nothing is expected of the node {}", expect.node.value))
                .help("write `ready`, `labels` or `address`");
            return None;
        }
        Some(expect)
    }
}

impl PodExpect {
    fn read(name: Spanned<String>, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let pod = match Symbol::parse(&format!("pod/{}", name.value)) {
            Ok(Symbol::Pod(pod)) => Some(pod),
            _ => {
                ctx.error(&name.at, format!("`{}` is no name of a pod", name.value))
                    .help("write nettool-1, or kube-system/coredns for one in another namespace");
                None
            }
        };
        if node.as_scalar().is_some_and(|scalar| !scalar.is_null()) {
            let phase = choice(node, "a phase of a pod", &PHASES, ctx);
            return Some(Self { phase: Some(phase?), ..Self::empty(name.at, pod?) });
        }
        let mut fields = Fields::of(node, format!("the pod {}", name.value), ctx)?;
        let phase = fields.node("phase").and_then(|node| choice(node, "a phase of a pod", &PHASES, ctx));
        let labels = fields.optional("node", ctx).unwrap_or_default();
        let address = fields.node("address").and_then(|node| {
            let symbol = Symbol::from_tree(node, ctx)?;
            if !symbol.names_a_prefix() {
                ctx.error(&node.at, format!("`{symbol}` is an address, and the pod's must lie in a prefix"))
                    .help("write podCIDR(nettool-1) or 10.1.0.0/16");
                return None;
            }
            Some(symbol)
        });
        let patience = Patience::read(&mut fields, ctx);
        fields.finish(ctx);
        if node.as_mapping().is_none_or(|mapping| mapping.entries.is_empty()) {
            ctx.error(&name.at, format!("nothing is expected of the pod {}", name.value))
                .help("write its phase (`nettool-1: Running`), or what else must be true of it");
            return None;
        }
        Some(Self { phase, node: labels, address, patience, ..Self::empty(name.at, pod?) })
    }

    fn empty(at: Location, pod: PodName) -> Self {
        Self { at, pod, phase: None, node: BTreeMap::new(), address: None, patience: Patience::default() }
    }
}

/// `pods:` as a whole, with the times of the group put into its pods.
pub(super) fn read_pods(node: &Node, ctx: &mut Diagnostics) -> Vec<PodExpect> {
    let Some(mut fields) = Fields::of(node, "`pods` of a phase", ctx) else { return Vec::new() };
    let outer = Patience::read(&mut fields, ctx);
    let mut all = read::each(&fields, ctx, PodExpect::read);
    for pod in &mut all {
        pod.patience = pod.patience.or(outer);
    }
    all
}
