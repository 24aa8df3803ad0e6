//! The topology's picture for the page, and the ways of packets over it. What they look like at a moment is the page's matter.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::drawing::{Drawing, Pod, Scene, Svg};
use crate::record::{Happening, Path, Record};

/// Before the picture's ids, so that they are not those of the page's sections.
const PREFIX: &str = "d-";

/// The picture, and for each check the ways of its paths: the `d` of an SVG path, empty where the picture has no such way.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) svg: String,
    pub(super) ways: Vec<(String, Vec<String>)>,
}

/// Draws a run's fabric, if its record says what it is made of.
pub(super) fn of(record: &Record) -> Picture {
    let Some(topology) = record.topology.as_ref().filter(|topology| !topology.nodes.is_empty()) else {
        return Picture::default();
    };
    let scene = Scene { topology: topology.clone(), pods: pods(record), sessions: sessions(record) };
    let drawing = Drawing::of(&scene);
    let title = format!("The topology of {}", record.lab.name);
    let svg = Svg { prefix: PREFIX, title: &title, interactive: true, style: false }.render(&drawing);
    let ways = record.checks.iter().filter(|check| !check.paths.is_empty()).map(|check| {
        let ways = check.paths.iter().map(|path| Svg::way(&drawing.path(&stations(path)))).collect();
        (check.name.clone(), ways)
    });
    Picture { svg, ways: ways.collect() }
}

/// Whom a path leads over, as far as it is known who answered.
fn stations(path: &Path) -> Vec<&str> {
    let hops = path.hops.iter().filter_map(|hop| hop.node.as_deref());
    let mut stations: Vec<&str> = std::iter::once(path.from.as_str()).chain(hops).collect();
    stations.dedup();
    stations
}

/// Every pod, and the boxes it was ever on.
fn pods(record: &Record) -> Vec<Pod> {
    let of_states = record.states.iter().filter(|state| state.kind == "pod").filter_map(|state| {
        let node = state.json.get("node").and_then(Value::as_str)?;
        Some((state.node.clone(), node.to_owned()))
    });
    let all: BTreeSet<(String, String)> = of_states.collect();
    all.into_iter().map(|(name, node)| Pod { name, node }).collect()
}

/// The sessions between boxes that no link connects.
fn sessions(record: &Record) -> Vec<[String; 2]> {
    let links = record.topology.iter().flat_map(|topology| &topology.links);
    let linked: BTreeSet<[&str; 2]> =
        links.map(|link| sorted([link.ends[0].node.as_str(), link.ends[1].node.as_str()])).collect();
    let far: BTreeSet<[&str; 2]> = record
        .events
        .iter()
        .filter_map(|event| match &event.of {
            Some(Happening::Session { peer: Some(peer), .. }) => {
                Some(sorted([event.source.as_str(), peer.as_str()]))
            }
            _ => None,
        })
        .filter(|pair| !linked.contains(pair))
        .collect();
    far.into_iter().map(|pair| pair.map(str::to_owned)).collect()
}

fn sorted(mut pair: [&str; 2]) -> [&str; 2] {
    pair.sort_unstable();
    pair
}
