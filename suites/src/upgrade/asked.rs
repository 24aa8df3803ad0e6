//! What is asked: from which version to which, and everything there is to look at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fabric_harness::cilium::{CiliumVersion, LabelSelector};
use fabric_harness::lab::Manifest;
use fabric_harness::lab::yaml::{Location, Node};
use fabric_harness::twin::agent::selector::selects;

/// An upgrade, and what it meets.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The version that runs.
    pub from: CiliumVersion,
    /// The version that is to run.
    pub to: CiliumVersion,
    /// The values of the chart, if there are any to look at.
    pub values: Option<ValuesFile>,
    /// The objects, in the order in which they are applied.
    pub objects: Vec<Manifest>,
    /// The cluster's nodes; empty where they are not known.
    pub nodes: Vec<AskedNode>,
    /// Where a node is given a routing daemon of its own, beside Cilium's.
    pub daemons: Vec<Location>,
}

/// A values file.
#[derive(Debug, Clone)]
pub struct ValuesFile {
    /// Its name, as it is shown.
    pub shown: PathBuf,
    /// What is in it.
    pub tree: Node,
}

/// A node of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedNode {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Asked {
    /// Whether the upgrade goes over the beginning of a line: what begins with it was not there before, and is after.
    pub(super) fn crosses(&self, line: (u32, u32)) -> bool {
        self.from.line() < line && line <= self.to.line()
    }

    /// The objects of a kind.
    pub(super) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Manifest> {
        let ours = |object: &&Manifest| object.api_version.starts_with("cilium.io/");
        self.objects.iter().filter(ours).filter(move |object| object.kind == kind)
    }

    /// A value of the chart by its dotted key, and where its key is written. What is null is not there.
    pub(super) fn value(&self, key: &str) -> Option<(&Location, &Node)> {
        let mut found: Option<(&Location, &Node)> = None;
        let mut node = &self.values.as_ref()?.tree;
        for part in key.split('.') {
            let entry = node.as_mapping()?.entry(part)?;
            found = Some((&entry.key_at, &entry.value));
            node = &entry.value;
        }
        found.filter(|(_, node)| !node.is_null())
    }

    /// The nodes that a selector selects; `none` is what the absence of one means. Empty where nodes are not known.
    pub(super) fn selected(&self, selector: Option<&LabelSelector>, none: bool) -> Vec<&str> {
        let chosen = |node: &&AskedNode| match selector {
            None => none,
            // A condition that can never be selects nothing; the API refuses it.
            Some(_) => selects(selector, &node.labels).unwrap_or(false),
        };
        self.nodes.iter().filter(chosen).map(|node| node.name.as_str()).collect()
    }
}
