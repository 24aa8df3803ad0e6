//! `kubeadmConfigPatches`: YAML inside YAML that changes what kubeadm is told. What a node's kubelet registers (address,
//! labels, taints) and the size of pod CIDRs are honoured; everything else is named in a warning.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::types::Taint;
use crate::lab::yaml::{self, Diagnostics, Fields, FromTree, Node, Spanned, Value, choice};

/// How a node comes into the cluster, which decides which document speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    /// The first control plane: `InitConfiguration`.
    Init,
    /// Every other node: `JoinConfiguration`.
    Join,
}

/// What the patches say of one node and of the cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Patched {
    pub(super) node_ips: Vec<IpAddr>,
    pub(super) labels: BTreeMap<String, String>,
    /// Replaces kubeadm's own taints when there.
    pub(super) taints: Option<Vec<Taint>>,
    pub(super) more_taints: Vec<Taint>,
    pub(super) mask_v4: Option<u8>,
    pub(super) mask_v6: Option<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Document {
    Registration(Entrance),
    Cluster,
    NotHonoured,
}

const DOCUMENTS: &[(&str, Document)] = &[
    ("InitConfiguration", Document::Registration(Entrance::Init)),
    ("JoinConfiguration", Document::Registration(Entrance::Join)),
    ("ClusterConfiguration", Document::Cluster),
    ("KubeletConfiguration", Document::NotHonoured),
    ("KubeProxyConfiguration", Document::NotHonoured),
];

/// Applies a list of patches. `entrance` is that of the node they are written under; none for those of the whole cluster,
/// of which each is applied to the nodes it speaks of. The result has one entry per entrance.
pub(super) fn read(
    patches: &Node,
    entrance: Option<Entrance>,
    ctx: &mut Diagnostics,
) -> Option<[Patched; 2]> {
    let mut result = [Patched::default(), Patched::default()];
    let Value::Sequence(items) = &patches.value else {
        ctx.error(&patches.at, format!("expected a list of patches, found {}", patches.describe()))
            .help("write `- |` and, indented below it, the patch");
        return None;
    };
    let mut sound = true;
    for item in items {
        for document in yaml::parse_block(item, ctx)? {
            sound &= patch(&document, entrance, &mut result, ctx).is_some();
        }
    }
    sound.then_some(result)
}

fn patch(
    document: &Node,
    entrance: Option<Entrance>,
    result: &mut [Patched; 2],
    ctx: &mut Diagnostics,
) -> Option<()> {
    let mut fields = Fields::of(document, "a kubeadm patch", ctx)?;
    fields.of_no_effect(&["apiVersion"]);
    let kind_node = fields.node("kind");
    let Some(kind_node) = kind_node else {
        fields.required::<String>("kind", ctx);
        return None;
    };
    match choice(kind_node, "a document of kubeadm's configuration", DOCUMENTS, ctx)? {
        Document::Registration(of) => {
            if let Some(entrance) = entrance
                && entrance != of
            {
                let (has, needs) = match entrance {
                    Entrance::Init => ("this node is the first control plane", "InitConfiguration"),
                    Entrance::Join => ("this node joins the cluster", "JoinConfiguration"),
                };
                ctx.warning(&kind_node.at, format!("this patch has no effect: {has}"))
                    .help(format!("write `kind: {needs}`"));
                return Some(());
            }
            let into = &mut result[of as usize];
            if let Some(registration) = fields.node("nodeRegistration") {
                node_registration(registration, into, ctx)?;
            }
            rest(fields, ctx);
        }
        Document::Cluster => {
            let [init, join] = result;
            if let Some(manager) = fields.node("controllerManager") {
                controller_manager(manager, init, ctx)?;
                (join.mask_v4, join.mask_v6) = (init.mask_v4, init.mask_v6);
            }
            rest(fields, ctx);
        }
        Document::NotHonoured => {
            let name = kind_node.as_text().unwrap_or_default();
            ctx.warning(
                &kind_node.at,
                format!("a `{name}` is not honoured: there is no such component here"),
            );
        }
    }
    Some(())
}

/// Everything else that kubeadm may know (its keys are many and change): named, never an error.
fn rest(fields: Fields<'_>, ctx: &mut Diagnostics) {
    for entry in fields.rest() {
        ctx.warning(&entry.key_at, format!("`{}` of a kubeadm patch is not honoured", entry.key));
    }
}

fn node_registration(node: &Node, into: &mut Patched, ctx: &mut Diagnostics) -> Option<()> {
    let mut fields = Fields::of(node, "`nodeRegistration`", ctx)?;
    let mut sound = true;
    if let Some(taints) = fields.entry("taints") {
        // An empty list is not the same as none: it takes kubeadm's own taint away.
        let read = Vec::<TaintEntry>::from_tree(&taints.value, ctx);
        sound &= read.is_some();
        into.taints = read.map(|taints| taints.into_iter().map(|taint| taint.0).collect());
    }
    for argument in
        fields.node("kubeletExtraArgs").map(|args| arguments(args, ctx)).unwrap_or(Some(Vec::new()))?
    {
        let value = &argument.value;
        sound &= match argument.name.as_str() {
            "node-ip" => node_ips(value, ctx).map(|ips| into.node_ips = ips).is_some(),
            "node-labels" => labels(value, ctx).map(|labels| into.labels.extend(labels)).is_some(),
            "register-with-taints" => taints(value, ctx).map(|taints| into.more_taints = taints).is_some(),
            name => {
                ctx.warning(
                    &argument.at,
                    format!("kubelet's `{name}` is not honoured: there is no kubelet here"),
                );
                true
            }
        };
    }
    rest(fields, ctx);
    sound.then_some(())
}

fn controller_manager(node: &Node, into: &mut Patched, ctx: &mut Diagnostics) -> Option<()> {
    let mut fields = Fields::of(node, "`controllerManager`", ctx)?;
    for argument in fields.node("extraArgs").map(|args| arguments(args, ctx)).unwrap_or(Some(Vec::new()))? {
        let (limit, four, six) = match argument.name.as_str() {
            "node-cidr-mask-size" | "node-cidr-mask-size-ipv4" => (32, true, false),
            "node-cidr-mask-size-ipv6" => (128, false, true),
            name => {
                ctx.warning(&argument.at, format!("the controller manager's `{name}` is not honoured"));
                continue;
            }
        };
        match argument.value.parse::<u8>() {
            Ok(length) if length <= limit => {
                into.mask_v4 = if four { Some(length) } else { into.mask_v4 };
                into.mask_v6 = if six { Some(length) } else { into.mask_v6 };
            }
            _ => {
                ctx.error(
                    &argument.value.at,
                    format!("{:?} is not the length of a prefix", argument.value.value),
                )
                .help(format!("write a whole number up to {limit}"));
                return None;
            }
        }
    }
    rest(fields, ctx);
    Some(())
}

/// A command line argument of a component.
struct Argument {
    name: String,
    at: yaml::Location,
    value: Spanned<String>,
}

/// A mapping up to kubeadm's v1beta3, a list of `name` and `value` since v1beta4.
fn arguments(node: &Node, ctx: &mut Diagnostics) -> Option<Vec<Argument>> {
    match &node.value {
        Value::Mapping(mapping) => mapping
            .entries
            .iter()
            .map(|entry| {
                let value = Spanned::from_tree(&entry.value, ctx)?;
                Some(Argument { name: entry.key.clone(), at: entry.key_at.clone(), value })
            })
            .collect(),
        Value::Sequence(items) => items
            .iter()
            .map(|item| {
                let mut fields = Fields::of(item, "an argument", ctx)?;
                let (name, value) =
                    (fields.required::<Spanned<String>>("name", ctx), fields.required("value", ctx));
                fields.finish(ctx);
                let name = name?;
                Some(Argument { name: name.value, at: name.at, value: value? })
            })
            .collect(),
        Value::Scalar(_) => {
            ctx.error(&node.at, format!("expected arguments by name, found {}", node.describe()))
                .help("write `node-ip: 10.0.0.1`, or since v1beta4 `- { name: node-ip, value: 10.0.0.1 }`");
            None
        }
    }
}

fn node_ips(text: &Spanned<String>, ctx: &mut Diagnostics) -> Option<Vec<IpAddr>> {
    let ips: Option<Vec<IpAddr>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match ips {
        Some(ips) if ips.len() == 1 || (ips.len() == 2 && ips[0].is_ipv4() != ips[1].is_ipv4()) => Some(ips),
        _ => {
            ctx.error(&text.at, format!("{:?} is not a node's address", text.value))
                .help("write one address, or one of each family: `10.0.1.2,fd00::2`");
            None
        }
    }
}

/// `key=value,key=value`, as kubelet's `--node-labels` takes them.
fn labels(text: &Spanned<String>, ctx: &mut Diagnostics) -> Option<BTreeMap<String, String>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let read: Option<BTreeMap<String, String>> = pairs
        .map(|pair| pair.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())))
        .collect();
    if read.is_none() {
        ctx.error(&text.at, format!("{:?} are not labels", text.value))
            .help("write `key=value`, more of them after commas");
    }
    read
}

/// `key=value:Effect,...`, as kubelet's `--register-with-taints` takes them; the value may be left out.
fn taints(text: &Spanned<String>, ctx: &mut Diagnostics) -> Option<Vec<Taint>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let read: Option<Vec<Taint>> = parts
        .map(|part| {
            let (pair, effect) = part.rsplit_once(':')?;
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            EFFECTS.contains(&effect).then(|| Taint {
                key: key.into(),
                value: value.into(),
                effect: effect.into(),
            })
        })
        .collect();
    if read.is_none() {
        ctx.error(&text.at, format!("{:?} are not taints", text.value))
            .help("write `key=value:NoSchedule`, more of them after commas");
    }
    read
}

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

struct TaintEntry(Taint);

impl FromTree for TaintEntry {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a taint", ctx)?;
        let key = fields.required("key", ctx);
        let value = fields.optional("value", ctx).unwrap_or_default();
        let effect = match fields.node("effect") {
            Some(effect) => choice(effect, "an effect", &EFFECTS.map(|effect| (effect, effect)), ctx),
            None => fields.required::<String>("effect", ctx).map(|_| ""),
        };
        fields.not_honoured(&["timeAdded"], "it is the server's to set", ctx);
        fields.finish(ctx);
        Some(TaintEntry(Taint { key: key?, value, effect: effect?.to_owned() }))
    }
}
