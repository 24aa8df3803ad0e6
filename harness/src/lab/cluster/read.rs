//! kind's configuration as a whole: `kind: Cluster`, its networking and its nodes.

use std::collections::BTreeMap;
use std::path::Path;

use ipnet::IpNet;

use super::kubeadm::{self, Entrance, Patched};
use super::types::{IpFamily, KindCluster, KindNode, Role, Taint};
use crate::lab::yaml::{self, Diagnostics, Fields, FromTree, Location, Node, Spanned, choice};

/// Reads a kind configuration. `shown` is its name in messages; `renamed` the cluster's name when something else than
/// the file decides it (a node of kind `k8s-kind` does, as kind's `--name`).
pub fn read(shown: &Path, text: &str, renamed: Option<&str>, ctx: &mut Diagnostics) -> Option<KindCluster> {
    let tree = yaml::parse(shown, text, ctx)?;
    let mut fields = Fields::of(&tree, "a kind configuration", ctx)?;
    header(&mut fields, ctx);
    let name = fields.optional::<Spanned<String>>("name", ctx);
    if let Some(name) = &name
        && !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
    {
        ctx.error(&name.at, format!("{:?} cannot be a cluster's name", name.value))
            .help("write lower case letters, digits, `-` and `.`");
    }
    let name =
        renamed.map(str::to_owned).or(name.map(|name| name.value)).unwrap_or_else(|| "kind".to_owned());
    let network = Network::read(fields.node("networking"), ctx);
    let patches = match fields.node("kubeadmConfigPatches") {
        Some(patches) => kubeadm::read(patches, None, ctx),
        None => Some(Default::default()),
    };
    let nodes = match fields.node("nodes") {
        Some(nodes) => Vec::<Plain>::from_tree(nodes, ctx),
        None => Some(vec![Plain { at: fields.at().clone(), ..Plain::default() }]),
    };
    fields.not_honoured(
        &["featureGates", "runtimeConfig"],
        "there is no Kubernetes component here to switch",
        ctx,
    );
    fields.not_honoured(&["kubeadmConfigPatchesJSON6902"], "write it as `kubeadmConfigPatches`", ctx);
    fields.not_honoured(
        &["containerdConfigPatches", "containerdConfigPatchesJSON6902"],
        "there is no containerd here",
        ctx,
    );
    let at = fields.at().clone();
    fields.finish(ctx);
    let (network, [of_init, of_join], nodes) = (network?, patches?, nodes?);
    let masks = (of_init.mask_v4.unwrap_or(24), of_init.mask_v6.unwrap_or(64));
    for subnet in &network.pod_subnets {
        let mask = if subnet.value.addr().is_ipv4() { masks.0 } else { masks.1 };
        if mask < subnet.value.prefix_len() {
            ctx.error(&subnet.at, format!("{} is too small: each node takes a /{mask} of it", subnet.value))
                .help("write a larger pod subnet, or set the controller manager's `node-cidr-mask-size`");
        }
    }
    Some(KindCluster {
        pod_subnets: network.pod_subnets.into_iter().map(|subnet| subnet.value).collect(),
        service_subnets: network.service_subnets.into_iter().map(|subnet| subnet.value).collect(),
        ip_family: network.ip_family,
        disable_default_cni: network.disable_default_cni,
        node_cidr_mask_v4: masks.0,
        node_cidr_mask_v6: masks.1,
        nodes: named(&name, nodes, &of_init, &of_join, ctx)?,
        name,
        at,
    })
}

fn header(fields: &mut Fields<'_>, ctx: &mut Diagnostics) {
    if let Some(kind) = fields.node("kind") {
        choice(kind, "the kind of a kind configuration", &[("Cluster", ())], ctx);
    } else {
        fields.required::<String>("kind", ctx);
    }
    if let Some(version) = fields.node("apiVersion") {
        choice(version, "a version of kind's configuration", &[("kind.x-k8s.io/v1alpha4", ())], ctx);
    } else {
        fields.required::<String>("apiVersion", ctx);
    }
}

struct Network {
    ip_family: IpFamily,
    pod_subnets: Vec<Spanned<IpNet>>,
    service_subnets: Vec<Spanned<IpNet>>,
    disable_default_cni: bool,
}

impl Network {
    fn read(node: Option<&Node>, ctx: &mut Diagnostics) -> Option<Self> {
        let absent = Node::null(Location::default());
        let mut fields = Fields::of(node.unwrap_or(&absent), "`networking`", ctx)?;
        let families = [("ipv4", IpFamily::Ipv4), ("ipv6", IpFamily::Ipv6), ("dual", IpFamily::Dual)];
        let ip_family = match fields.node("ipFamily") {
            Some(word) => choice(word, "an IP family", &families, ctx),
            None => Some(IpFamily::Ipv4),
        };
        let family = ip_family.unwrap_or_default();
        let pods = subnets(fields.node("podSubnet"), family, ctx);
        let services = subnets(fields.node("serviceSubnet"), family, ctx);
        let disable_default_cni = fields.optional("disableDefaultCNI", ctx).unwrap_or(false);
        fields.not_honoured(
            &["apiServerAddress", "apiServerPort"],
            "the API is served on 127.0.0.1 at a free port",
            ctx,
        );
        fields.not_honoured(&["kubeProxyMode"], "there is no kube-proxy here", ctx);
        fields.not_honoured(&["dnsSearch"], "names are not resolved between nodes", ctx);
        fields.finish(ctx);
        let ip_family = ip_family?;
        Some(Self {
            ip_family,
            pod_subnets: or_default(pods?, ip_family, ["10.244.0.0/16", "fd00:10:244::/56"]),
            service_subnets: or_default(services?, ip_family, ["10.96.0.0/16", "fd00:10:96::/112"]),
            disable_default_cni,
        })
    }
}

/// One prefix, or one of each family after a comma: those that the cluster has.
fn subnets(node: Option<&Node>, family: IpFamily, ctx: &mut Diagnostics) -> Option<Vec<Spanned<IpNet>>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let text = String::from_tree(node, ctx)?;
    let read: Option<Vec<IpNet>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match read {
        Some(nets) if nets.len() <= 2 => {
            let fours = nets.iter().filter(|net| net.addr().is_ipv4()).count();
            let (fits, help) = match family {
                IpFamily::Ipv4 => {
                    (fours == 1 && nets.len() == 1, "write one IPv4 prefix, or `ipFamily: dual`")
                }
                IpFamily::Ipv6 => {
                    (fours == 0 && nets.len() == 1, "write one IPv6 prefix, or `ipFamily: dual`")
                }
                IpFamily::Dual => {
                    (nets.len() == 1 || fours == 1, "write one of each: `10.1.0.0/16,fd00:1::/56`")
                }
            };
            if !fits {
                ctx.error(&node.at, format!("{text:?} does not fit the cluster's IP family")).help(help);
                return None;
            }
            Some(nets.into_iter().map(|net| Spanned { value: net.trunc(), at: node.at.clone() }).collect())
        }
        _ => {
            ctx.error(&node.at, format!("{text:?} is not a subnet"))
                .help("write a prefix with its length, or one of each family: `10.1.0.0/16,fd00:1::/56`");
            None
        }
    }
}

fn or_default(said: Vec<Spanned<IpNet>>, family: IpFamily, defaults: [&str; 2]) -> Vec<Spanned<IpNet>> {
    if !said.is_empty() {
        return said;
    }
    let of_family = match family {
        IpFamily::Ipv4 => &defaults[..1],
        IpFamily::Ipv6 => &defaults[1..],
        IpFamily::Dual => &defaults[..],
    };
    let parsed = of_family.iter().filter_map(|text| text.parse().ok());
    parsed.map(|value| Spanned { value, at: Location::default() }).collect()
}

/// A node as written, before it has a name.
#[derive(Default)]
struct Plain {
    role: Option<Role>,
    image: Option<String>,
    labels: BTreeMap<String, String>,
    patches: Option<Node>,
    at: Location,
}

impl FromTree for Plain {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a node of the cluster", ctx)?;
        let roles = [("control-plane", Role::ControlPlane), ("worker", Role::Worker)];
        let role = match fields.node("role") {
            Some(word) => Some(choice(word, "a role", &roles, ctx)?),
            None => None,
        };
        let plain = Self {
            role,
            image: fields.optional("image", ctx),
            labels: fields.optional("labels", ctx).unwrap_or_default(),
            patches: fields.node("kubeadmConfigPatches").cloned(),
            at: node.at.clone(),
        };
        fields.not_honoured(&["extraMounts"], "the cluster's nodes see no files of the host", ctx);
        fields.not_honoured(&["extraPortMappings"], "nothing of a node is published on the host", ctx);
        fields.not_honoured(&["gpus"], "nodes have no devices", ctx);
        fields.not_honoured(&["kubeadmConfigPatchesJSON6902"], "write it as `kubeadmConfigPatches`", ctx);
        fields.finish(ctx);
        Some(plain)
    }
}

/// Gives the nodes kind's names and what the patches say of each.
fn named(
    cluster: &str,
    nodes: Vec<Plain>,
    of_init: &Patched,
    of_join: &Patched,
    ctx: &mut Diagnostics,
) -> Option<Vec<KindNode>> {
    let single = nodes.len() == 1;
    let mut counts = [0_u32; 2];
    let mut named = Vec::with_capacity(nodes.len());
    let mut sound = true;
    for plain in nodes {
        // kind's own default.
        let role = plain.role.unwrap_or(Role::ControlPlane);
        let count = &mut counts[role as usize];
        *count += 1;
        let suffix = if *count == 1 { String::new() } else { count.to_string() };
        let name = format!("{cluster}-{}{suffix}", role.as_str());
        if role == Role::ControlPlane && *count == 2 {
            ctx.warning(&plain.at, "more than one control plane: kind's external load balancer is left out");
        }
        let first = role == Role::ControlPlane && *count == 1;
        let entrance = if first { Entrance::Init } else { Entrance::Join };
        let of_cluster = if first { of_init } else { of_join };
        let own = match &plain.patches {
            Some(patches) => kubeadm::read(patches, Some(entrance), ctx),
            None => Some(Default::default()),
        };
        let Some(own) = own else {
            sound = false;
            continue;
        };
        let own = &own[entrance as usize];
        // `node-labels` is one argument: the node's own patch replaces that of the cluster.
        let mut labels = if own.labels.is_empty() { of_cluster.labels.clone() } else { own.labels.clone() };
        labels.extend(plain.labels);
        let node_ips = if own.node_ips.is_empty() { &of_cluster.node_ips } else { &own.node_ips };
        let mut taints = match own.taints.as_ref().or(of_cluster.taints.as_ref()) {
            Some(taints) => taints.clone(),
            None if role == Role::ControlPlane && !single => vec![Taint {
                key: "node-role.kubernetes.io/control-plane".to_owned(),
                value: String::new(),
                effect: "NoSchedule".to_owned(),
            }],
            None => Vec::new(),
        };
        let more = if own.more_taints.is_empty() { &of_cluster.more_taints } else { &own.more_taints };
        taints.extend(more.iter().cloned());
        named.push(KindNode {
            name,
            role,
            image: plain.image,
            labels,
            node_ips: node_ips.clone(),
            taints,
            at: plain.at,
        });
    }
    if counts[Role::ControlPlane as usize] == 0
        && let Some(first) = named.first()
    {
        ctx.error(&first.at, "a cluster needs a control plane").help("add a node with `role: control-plane`");
    }
    sound.then_some(named)
}
