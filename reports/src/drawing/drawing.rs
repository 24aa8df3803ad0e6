//! From a scene to a picture: parts that are not connected are laid out each by itself, and then put side by side. Also the
//! way of a path over the picture. Rendering is `svg`'s matter.

use std::collections::{BTreeMap, BTreeSet};

use super::boxes::{self, Shown, Sized};
use super::circle;
use super::geometry::{Area, Point};
use super::layered::{self, Wire};
use super::plan::{Chip, Drawing, Drawn, Far, Line, Part};
use super::racks;
use super::scene::Scene;
use super::tiers::tiers;
use crate::record::{Node, Role};

/// Around everything.
const MARGIN: f64 = 24.0;
/// Between parts.
const BETWEEN: f64 = 48.0;
/// Parts are put into lines of about this ratio.
const ASPECT: f64 = 1.9;

impl Drawing {
    /// The picture of a scene. The same scene always gives the same picture.
    pub fn of(scene: &Scene) -> Self {
        let mut index = BTreeMap::new();
        let mut nodes: Vec<&Node> = Vec::new();
        for node in &scene.topology.nodes {
            index.entry(node.name.as_str()).or_insert_with(|| {
                nodes.push(node);
                nodes.len() - 1
            });
        }
        let nodes = boxes::shown(&nodes);
        let ends = |link: &crate::record::Link| {
            let at = |end: usize| index.get(link.ends[end].node.as_str()).copied();
            Some([at(0)?, at(1)?])
        };
        let links: Vec<_> =
            scene.topology.links.iter().filter_map(|link| Some((link, ends(link)?))).collect();
        let mut pods: Vec<Vec<&str>> = vec![Vec::new(); nodes.len()];
        for pod in scene.pods.iter().collect::<BTreeSet<_>>() {
            if let Some(&at) = index.get(pod.node.as_str()) {
                pods[at].push(&pod.name);
            }
        }

        let mut areas = vec![Area::default(); nodes.len()];
        let mut sizes: Vec<Option<Sized>> = vec![None; nodes.len()];
        let mut lines: Vec<Option<Line>> = vec![None; links.len()];
        let mut racks = Vec::new();
        let mut parts = Vec::new();
        for members in parts_of(nodes.len(), &links.iter().map(|(_, ends)| *ends).collect::<Vec<_>>()) {
            let inside: Vec<usize> =
                (0..links.len()).filter(|&at| members.binary_search(&links[at].1[0]).is_ok()).collect();
            let local = |node: usize| members.binary_search(&node).unwrap_or_default();
            let wires: Vec<Wire<'_>> = inside
                .iter()
                .map(|&at| Wire {
                    ends: links[at].1.map(local),
                    names: [0, 1].map(|end| links[at].0.ends[end].interface.as_str()),
                })
                .collect();
            let own: Vec<Shown<'_>> = members.iter().map(|&at| nodes[at]).collect();
            let own_pods: Vec<Vec<&str>> = members.iter().map(|&at| pods[at].clone()).collect();
            let (part, own_sizes) = arranged(&own, &own_pods, &wires);
            own_sizes.into_iter().zip(&members).for_each(|(size, &at)| sizes[at] = Some(size));
            parts.push((part, members, inside));
        }
        let size = pack(&mut parts);
        for (part, members, inside) in parts {
            part.areas.iter().zip(&members).for_each(|(area, &at)| areas[at] = *area);
            for ((points, labels), at) in part.lines.into_iter().zip(inside) {
                lines[at] = Some(Line { ends: links[at].0.ends.clone(), points, labels });
            }
            racks.extend(part.racks);
        }
        let boxes = nodes
            .iter()
            .zip(areas)
            .zip(sizes)
            .zip(&pods)
            .map(|(((node, area), size), pods)| {
                drawn(node, area, size.unwrap_or_else(|| boxes::size(node, pods, [&[], &[]])), pods)
            })
            .collect();
        let mut drawing = Self {
            width: size.0,
            height: size.1,
            boxes,
            racks,
            links: lines.into_iter().flatten().collect(),
            far: Vec::new(),
        };
        drawing.far = scene.sessions.iter().filter_map(|ends| drawing.far(ends)).collect();
        drawing
    }

    /// The box of that name.
    pub fn node(&self, name: &str) -> Option<&Drawn> {
        self.boxes.iter().find(|drawn| drawn.name == name || drawn.also.iter().any(|also| also == name))
    }

    /// The way over the picture of what passes these stations in this order: names of boxes, or of pods as the scene has
    /// them. From box to box it follows their link; where there is none, it is straight. What is not in the picture is left
    /// out; fewer than two stations have no way.
    pub fn path(&self, stations: &[&str]) -> Vec<Point> {
        let known: Vec<(Point, Option<&Drawn>)> =
            stations.iter().filter_map(|name| self.station(name)).collect();
        if known.len() < 2 {
            return Vec::new();
        }
        let mut points = vec![known[0].0];
        for pair in known.windows(2) {
            if let (Some(from), Some(to)) = (pair[0].1, pair[1].1) {
                points.extend(self.between(&from.name, &to.name));
            }
            points.push(pair[1].0);
        }
        points.dedup();
        points
    }

    fn station(&self, name: &str) -> Option<(Point, Option<&Drawn>)> {
        if let Some(drawn) = self.node(name) {
            return Some((drawn.area.center(), Some(drawn)));
        }
        self.boxes.iter().find_map(|drawn| {
            let chip = drawn.pods.iter().find(|chip| chip.pod == name).map(|chip| chip.area);
            let counted = drawn.more.as_ref().filter(|(_, pods)| pods.iter().any(|pod| pod == name));
            Some((chip.or(counted.map(|(area, _)| *area))?.center(), None))
        })
    }

    fn between(&self, from: &str, to: &str) -> Vec<Point> {
        let found = self.links.iter().find_map(|line| {
            match (line.ends[0].node.as_str(), line.ends[1].node.as_str()) {
                (a, b) if (a, b) == (from, to) => Some(line.points.clone()),
                (a, b) if (a, b) == (to, from) => Some(line.points.iter().rev().copied().collect()),
                _ => None,
            }
        });
        found.unwrap_or_default()
    }

    fn far(&self, ends: &[String; 2]) -> Option<Far> {
        let (from, to) = (self.node(&ends[0])?, self.node(&ends[1])?);
        if from.name == to.name {
            return None;
        }
        let (a, b) = (from.area.center(), to.area.center());
        // Off the straight line, so that it is not taken for a link.
        let bow = (a.distance(b) * 0.12).min(40.0);
        let length = a.distance(b).max(1.0);
        let middle = a.towards(b, 0.5);
        let middle = Point::new(
            (middle.x - (b.y - a.y) / length * bow).clamp(4.0, self.width - 4.0),
            (middle.y + (b.x - a.x) / length * bow).clamp(4.0, self.height - 4.0),
        );
        Some(Far {
            ends: ends.clone(),
            points: vec![from.area.exit(a, middle), middle, to.area.exit(b, middle)],
        })
    }
}

fn arranged(nodes: &[Shown<'_>], pods: &[Vec<&str>], wires: &[Wire<'_>]) -> (Part, Vec<Sized>) {
    let named: Vec<(Role, &str)> = nodes.iter().map(|node| (node.role, node.name.as_str())).collect();
    let pairs: Vec<(usize, usize)> = wires.iter().map(|wire| (wire.ends[0], wire.ends[1])).collect();
    let linked = pairs.iter().any(|(a, b)| a != b);
    let tiers = if linked { tiers(&named, &pairs) } else { Some(vec![0; nodes.len()]) };
    match tiers {
        Some(tiers) => {
            let (mut part, sizes) = layered::layout(nodes, pods, &tiers, wires);
            racks::raise(&mut part, nodes, &tiers, wires);
            (part, sizes)
        }
        None => circle::layout(nodes, pods, wires),
    }
}

fn drawn(node: &Shown<'_>, area: Area, size: Sized, pods: &[&str]) -> Drawn {
    let chips = size.pods.iter().enumerate().map(|(place, (of, label))| Chip {
        pod: pods[*of].to_owned(),
        label: label.clone(),
        area: boxes::chip(&area, place),
    });
    let rest = || pods[pods.len() - size.more..].iter().map(|pod| (*pod).to_owned()).collect();
    Drawn {
        name: node.name.clone(),
        role: node.role,
        also: node.also.clone(),
        asn: node.asn,
        rack: node.rack.clone(),
        area,
        pods: chips.collect(),
        more: (size.more > 0).then(|| (boxes::chip(&area, size.pods.len()), rest())),
        title: size.name,
        line: size.line,
    }
}

/// The connected parts, each in the lab's order. Boxes without any link that stand in the same rack, or in none, are one.
fn parts_of(count: usize, links: &[[usize; 2]]) -> Vec<Vec<usize>> {
    let mut part: Vec<usize> = (0..count).collect();
    fn root(part: &mut [usize], mut at: usize) -> usize {
        while part[at] != at {
            part[at] = part[part[at]];
            at = part[at];
        }
        at
    }
    let mut linked = vec![false; count];
    for &[a, b] in links {
        let (a, b) = (root(&mut part, a), root(&mut part, b));
        part[a.max(b)] = a.min(b);
        if a != b {
            (linked[a], linked[b]) = (true, true);
        }
    }
    let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut alone = Vec::new();
    for (at, linked) in linked.into_iter().enumerate() {
        match root(&mut part, at) {
            own if own == at && !linked => alone.push(at),
            own => parts.entry(own).or_default().push(at),
        }
    }
    let mut parts: Vec<Vec<usize>> = parts.into_values().collect();
    if !alone.is_empty() {
        parts.push(alone);
    }
    parts
}

/// Puts parts side by side, in as many lines as the picture's shape asks for, and gives its size.
fn pack(parts: &mut [(Part, Vec<usize>, Vec<usize>)]) -> (f64, f64) {
    let bounds: Vec<Area> = parts.iter().map(|(part, ..)| part.bounds()).collect();
    let widest = bounds.iter().map(|area| area.width).fold(0.0, f64::max);
    let surface: f64 = bounds.iter().map(|area| (area.width + BETWEEN) * (area.height + BETWEEN)).sum();
    let limit = (surface * ASPECT).sqrt().max(widest);
    let (mut x, mut y, mut line, mut width) = (MARGIN, MARGIN, 0.0f64, 0.0f64);
    for ((part, ..), area) in parts.iter_mut().zip(bounds) {
        if x > MARGIN && x + area.width > limit + MARGIN {
            (x, y, line) = (MARGIN, y + line + BETWEEN, 0.0);
        }
        part.shift(x - area.x, y - area.y);
        x += area.width + BETWEEN;
        line = line.max(area.height);
        width = width.max(x - BETWEEN);
    }
    ((width + MARGIN).max(2.0 * MARGIN).ceil(), (y + line + MARGIN).ceil())
}
