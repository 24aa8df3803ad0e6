//! `lab.yaml`: which files make the lab, and the phases of a run. What is expected in a phase is a type of the caller's:
//! this crate knows nothing of expectations.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::topology::ExecLine;
use super::upgrade::UpgradeSpec;
use super::yaml::{Diagnostics, Fields, FromTree, Location, Node, Spanned, Value, choice};
use crate::cilium::CiliumVersion;

/// A lab.yaml, as written: no file that it names was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct LabFile<E> {
    /// The containerlab topology; none lets it be found in the folder.
    pub topology: Option<Spanned<PathBuf>>,
    /// The kind configuration; none is a lab without a cluster (unless the topology has a node of kind `k8s-kind`).
    pub cluster: Option<Spanned<PathBuf>>,
    /// Which Cilium the cluster gets; none is a cluster without one.
    pub cilium: Option<CiliumSpec>,
    /// The lab's name; none is the topology's.
    pub name: Option<String>,
    /// What the lab is for.
    pub description: Option<String>,
    /// The phases, in order.
    pub phases: Vec<Phase<E>>,
}

/// Which Cilium.
#[derive(Debug, Clone, PartialEq)]
pub struct CiliumSpec {
    /// Its version, without a leading `v`.
    pub version: Spanned<String>,
    /// The helm values file.
    pub values: Option<Spanned<PathBuf>>,
}

/// A phase: actions, then what is expected. Paths are relative to the folder of lab.yaml.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase<E> {
    /// Its name, used in the names of checks; each name once.
    pub name: String,
    /// What the phase is for.
    pub description: Option<String>,
    /// The part of the lab that is brought up (`up: underlay`). A phase that is called like a step and has no action of
    /// its own is that step, unless it says otherwise.
    pub up: Option<Spanned<Step>>,
    /// Manifests to apply, in order; a folder stands for all its YAML files.
    pub apply: Vec<Spanned<PathBuf>>,
    /// Manifests whose objects to delete.
    pub delete: Vec<Spanned<PathBuf>>,
    /// Labels to set or remove on the cluster's nodes.
    pub label: Vec<NodeLabels>,
    /// Commands to run in nodes, in order: to break something, say.
    pub run: Vec<NodeCommand>,
    /// Another version of Cilium to go to, after all of the above.
    pub upgrade: Option<UpgradeSpec>,
    /// What must then be true.
    pub expect: E,
    /// Where the phase is written.
    pub at: Location,
}

/// A part of the lab that is brought up by a phase, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The Kubernetes cluster, without a pod network.
    Cluster,
    /// The containerlab topology: routers, links, management network, commands.
    Underlay,
    /// Cilium.
    Cni,
}

impl Step {
    const WORDS: [(&'static str, Step); 3] =
        [("cluster", Step::Cluster), ("underlay", Step::Underlay), ("cni", Step::Cni)];

    /// The word in lab.yaml.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Underlay => "underlay",
            Self::Cni => "cni",
        }
    }
}

/// Labels of one of the cluster's nodes: `label: { worker3: { rack: rack0, spare: null } }`.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeLabels {
    /// The node, by kind's name for it, or that name without the cluster's in front.
    pub node: String,
    /// Labels to set, replacing what they were.
    pub set: BTreeMap<String, String>,
    /// Labels to remove: those with nothing (`key:`, `key: null`) as their value.
    pub remove: Vec<String>,
    /// Where the node is named.
    pub at: Location,
}

/// A command to run in a node: `run: [{ node: tor0, command: ip link set net0 down }]`.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeCommand {
    /// A node of the topology, or one of the cluster's (by kind's name for it, or that name without the cluster's).
    pub node: Spanned<String>,
    /// The command; no shell runs it.
    pub command: ExecLine,
}

impl<E: FromTree + Default> FromTree for LabFile<E> {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "lab.yaml", ctx)?;
        let before = ctx.len();
        let file = Self {
            topology: fields.optional("topology", ctx),
            cluster: fields.optional("cluster", ctx),
            cilium: fields.optional("cilium", ctx),
            name: fields.optional("name", ctx),
            description: fields.optional("description", ctx),
            phases: fields.optional("phases", ctx).unwrap_or_default(),
        };
        fields.finish(ctx);
        for (index, phase) in file.phases.iter().enumerate() {
            if let Some(first) = file.phases[..index].iter().find(|first| first.name == phase.name) {
                let message = format!(
                    "there are two phases called `{}`; the first is on line {}",
                    phase.name, first.at.line
                );
                ctx.error(&phase.at, message)
                    .help("give each phase its own name: checks are called after it");
            }
        }
        let sound = ctx.iter().skip(before).all(|noted| noted.severity != super::yaml::Severity::Error);
        sound.then_some(file)
    }
}

impl FromTree for CiliumSpec {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "`cilium`", ctx)?;
        let version = fields.required::<Spanned<String>>("version", ctx);
        let values = fields.optional("values", ctx);
        fields.finish(ctx);
        let mut version = version?;
        if let Some(plain) = version.value.strip_prefix('v') {
            version.value = plain.to_owned();
        }
        if let Err(why) = version.parse::<CiliumVersion>() {
            ctx.error(&version.at, format!("{:?} is not a version of Cilium: {}", version.value, why.why))
                .help("write for example `1.12.1`");
            return None;
        }
        Some(Self { version, values })
    }
}

impl<E: FromTree + Default> FromTree for Phase<E> {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a phase", ctx)?;
        let before = ctx.len();
        let name = fields.required::<Spanned<String>>("name", ctx);
        if let Some(name) = &name
            && (name.contains("::")
                || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ' | '.' | ':')))
        {
            ctx.error(&name.at, format!("{:?} cannot be the name of a phase", name.value))
                .help("write letters, digits, spaces, `-`, `_` and `.`: checks are called `phase::...`");
        }
        let up = fields.node("up").and_then(|word| {
            Some(Spanned { value: choice(word, "a step", &Step::WORDS, ctx)?, at: word.at.clone() })
        });
        let apply = paths(&mut fields, "apply", ctx);
        let delete = paths(&mut fields, "delete", ctx);
        let label = fields.node("label").and_then(|labels| node_labels(labels, ctx)).unwrap_or_default();
        let run: Vec<NodeCommand> = fields.optional("run", ctx).unwrap_or_default();
        let upgrade: Option<UpgradeSpec> = fields.optional("upgrade", ctx);
        let expect = match fields.node("expect") {
            Some(expect) => E::from_tree(expect, ctx),
            None => Some(E::default()),
        };
        let description = fields.optional("description", ctx);
        fields.finish(ctx);
        let name = name?;
        let idle =
            apply.is_empty() && delete.is_empty() && label.is_empty() && run.is_empty() && upgrade.is_none();
        let named = Step::WORDS.iter().find(|(word, _)| idle && *word == name.value);
        let up = up.or_else(|| named.map(|(_, step)| Spanned { value: *step, at: name.at.clone() }));
        let sound = ctx.iter().skip(before).all(|noted| noted.severity != super::yaml::Severity::Error);
        sound.then_some(Self {
            name: name.value,
            description,
            up,
            apply,
            delete,
            label,
            run,
            upgrade,
            expect: expect?,
            at: node.at.clone(),
        })
    }
}

/// A list of paths, or one alone.
fn paths(fields: &mut Fields<'_>, key: &'static str, ctx: &mut Diagnostics) -> Vec<Spanned<PathBuf>> {
    match fields.node(key) {
        Some(node) if node.as_scalar().is_some() => Spanned::from_tree(node, ctx).into_iter().collect(),
        Some(node) => Vec::from_tree(node, ctx).unwrap_or_default(),
        None => Vec::new(),
    }
}

fn node_labels(node: &Node, ctx: &mut Diagnostics) -> Option<Vec<NodeLabels>> {
    let Value::Mapping(mapping) = &node.value else {
        ctx.error(&node.at, format!("expected labels by node, found {}", node.describe()))
            .help("write `label: { worker3: { rack: rack0 } }`; a label without a value is removed");
        return None;
    };
    let read: Vec<Option<NodeLabels>> = mapping
        .entries
        .iter()
        .map(|entry| {
            let values = BTreeMap::<String, Node>::from_tree(&entry.value, ctx)?;
            let mut labels = NodeLabels {
                node: entry.key.clone(),
                set: BTreeMap::new(),
                remove: Vec::new(),
                at: entry.key_at.clone(),
            };
            for (key, value) in values {
                if value.is_null() {
                    labels.remove.push(key);
                } else {
                    labels.set.insert(key, String::from_tree(&value, ctx)?);
                }
            }
            Some(labels)
        })
        .collect();
    read.into_iter().collect()
}

impl FromTree for NodeCommand {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a command", ctx)?;
        let (name, command) = (fields.required("node", ctx), fields.required("command", ctx));
        fields.finish(ctx);
        Some(Self { node: name?, command: command? })
    }
}
