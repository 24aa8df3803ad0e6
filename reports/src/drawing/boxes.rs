//! How large a box is and what is written in it. Where it stands is not known here.

use super::geometry::Area;
use super::words;
use crate::record::{Node, Role};

/// Size of a box's name, in pixels.
pub(super) const NAME: f64 = 13.0;
/// Size of the line below.
pub(super) const SMALL: f64 = 11.0;
/// Size of an interface's name.
pub(super) const TINY: f64 = 10.0;
/// From the edge of a box to what is in it.
pub(super) const PAD: f64 = 10.0;
/// Width of the picture that says what a box is, with the space beside it.
pub(super) const ICON: f64 = 24.0;
/// From one port to the next where their names are turned.
pub(super) const TURNED: f64 = 13.0;

const HEAD: f64 = 46.0;
const CHIP: f64 = 17.0;
const CHIP_STEP: f64 = 20.0;
/// So many pods are drawn on a box; the others are counted.
const PODS: usize = 4;
const WIDEST_TEXT: f64 = 190.0;
const WIDEST_NAMES: f64 = 240.0;

/// A box, and what it is called in the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) node: &'a Node,
    pub(super) title: &'a str,
}

impl std::ops::Deref for Shown<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.node
    }
}

/// What the boxes are called: kind puts its cluster's name before each node's, which says nothing where there is one cluster.
pub(super) fn shown<'a>(nodes: &[&'a Node]) -> Vec<Shown<'a>> {
    let of_cluster = || nodes.iter().filter(|node| node.role == Role::ClusterNode);
    let cluster = of_cluster().find_map(|node| node.name.strip_suffix("control-plane"));
    let cluster = cluster.filter(|prefix| of_cluster().all(|node| node.name.starts_with(*prefix)));
    let title = |node: &&'a Node| {
        let short = cluster
            .filter(|_| node.role == Role::ClusterNode)
            .and_then(|prefix| node.name.strip_prefix(prefix));
        Shown { node, title: short.filter(|short| !short.is_empty()).unwrap_or(&node.name) }
    };
    nodes.iter().map(title).collect()
}

/// A box's size and words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sized {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) name: String,
    pub(super) line: String,
    /// Pods by their index among the box's own, and what is written on each.
    pub(super) pods: Vec<(usize, String)>,
    /// How many more there are.
    pub(super) more: usize,
}

/// The size of a box with these pods and with ports of these names on its upper and lower edge.
pub(super) fn size(node: &Shown<'_>, pods: &[&str], ports: [&[&str]; 2]) -> Sized {
    let line = line(node);
    let text = words::width(node.title, NAME * 1.06).max(words::width(&line, SMALL));
    let shown = if pods.len() > PODS { PODS - 1 } else { pods.len() };
    let labels: Vec<String> = pods[..shown].iter().map(|pod| short(pod).to_owned()).collect();
    let chips = labels.iter().map(|label| words::width(label, TINY) + 22.0).fold(0.0, f64::max);
    let inside = (ICON + text.min(WIDEST_TEXT)).max(chips.min(WIDEST_TEXT));
    let edge = ports.iter().map(|names| edge(names)).fold(0.0, f64::max);
    let width = (inside + 2.0 * PAD).max(edge).max(84.0).ceil();
    let room = width - 2.0 * PAD;
    let rows = shown + usize::from(pods.len() > shown);
    let height = HEAD + if rows == 0 { 0.0 } else { rows as f64 * CHIP_STEP + 4.0 };
    Sized {
        width,
        height,
        name: words::fitted(node.title, NAME * 1.06, room - ICON),
        line: words::fitted(&line, SMALL, room - ICON),
        pods: labels.iter().map(|label| words::fitted(label, TINY, room - 20.0)).enumerate().collect(),
        more: pods.len() - shown,
    }
}

/// Where the chip of the pod in this place is, in a box that stands here.
pub(super) fn chip(area: &Area, place: usize) -> Area {
    Area {
        x: area.x + PAD,
        y: area.y + HEAD + place as f64 * CHIP_STEP,
        width: area.width - 2.0 * PAD,
        height: CHIP,
    }
}

/// How wide an edge with these ports is to be. Few have their names beside them; the names of many are turned.
fn edge(names: &[&str]) -> f64 {
    let level: f64 = names.iter().map(|name| words::width(name, TINY) + 12.0).sum();
    16.0 + if level <= WIDEST_NAMES { level } else { names.len() as f64 * TURNED }
}

/// The line below a box's name.
fn line(node: &Node) -> String {
    let mut parts = Vec::new();
    if let Some(asn) = node.asn {
        parts.push(format!("AS {asn}"));
    }
    parts.extend(node.also.iter().cloned());
    if parts.is_empty() {
        parts.push(word(node.role).to_owned());
    }
    parts.join(" \u{b7} ")
}

/// What a box is, in a word or two.
pub(super) fn word(role: Role) -> &'static str {
    match role {
        Role::Router => "router",
        Role::ClusterNode => "cluster node",
        Role::Bridge => "bridge",
        Role::Host => "host",
    }
}

/// A pod's name without its namespace.
pub(super) fn short(pod: &str) -> &str {
    pod.rsplit('/').next().unwrap_or(pod)
}
