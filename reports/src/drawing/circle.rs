//! A part in which nothing tells up from down (a ring, a full mesh): boxes on an ellipse, lines straight between them.

use std::f64::consts::{PI, TAU};

use super::boxes::{self, Shown, Sized, TINY};
use super::geometry::{Area, Point};
use super::layered::Wire;
use super::plan::{Label, Part};
use super::words;

/// Between boxes, beside the names of interfaces.
const GAP: f64 = 34.0;

/// Lays a part out. Along a ring neighbors stand side by side; else the order is the lab's.
pub(super) fn layout(nodes: &[Shown<'_>], pods: &[Vec<&str>], wires: &[Wire<'_>]) -> (Part, Vec<Sized>) {
    let sizes: Vec<Sized> =
        nodes.iter().zip(pods).map(|(node, pods)| boxes::size(node, pods, [&[], &[]])).collect();
    let around = around(nodes.len(), wires);
    let widest = sizes.iter().map(|size| size.width).fold(0.0, f64::max);
    let highest = sizes.iter().map(|size| size.height).fold(0.0, f64::max);
    // Interfaces have their names on the lines, which therefore are not to be short.
    let names = |wire: &Wire<'_>| wire.names.iter().map(|name| words::width(name, TINY)).sum::<f64>();
    let gap = GAP + wires.iter().map(names).fold(0.0, f64::max);
    let mut radius = (nodes.len() as f64 * (widest + gap) / TAU).max(120.0);
    let areas = loop {
        let mut areas = vec![Area::default(); nodes.len()];
        for (place, &node) in around.iter().enumerate() {
            let angle = TAU * place as f64 / nodes.len() as f64 - PI / 2.0;
            let (x, y) = (radius * angle.cos(), radius * 0.66 * angle.sin());
            let Sized { width, height, .. } = sizes[node];
            areas[node] = Area { x: x - width / 2.0, y: y - height / 2.0, width, height };
        }
        let apart = |a: usize, b: usize| {
            let (a, b) = (areas[around[a]].wider(gap / 2.0), areas[around[b]].wider(gap / 2.0));
            !a.overlaps(&b)
        };
        let clear = (0..nodes.len()).all(|at| (at + 1..nodes.len()).all(|other| apart(at, other)));
        if clear || radius > (widest + highest + gap) * nodes.len() as f64 {
            break areas;
        }
        radius *= 1.08;
    };
    let lines = wires.iter().enumerate().map(|(at, wire)| line(at, wire, wires, &areas)).collect();
    (Part { areas, lines, racks: Vec::new() }, sizes)
}

/// The order around: along links, as far as they lead to boxes that are not there yet.
fn around(count: usize, wires: &[Wire<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count.min(1)).collect();
    let mut seen = vec![false; count];
    seen.iter_mut().take(1).for_each(|first| *first = true);
    while order.len() < count {
        let last = order[order.len() - 1];
        let linked = wires.iter().filter_map(|wire| match wire.ends {
            [a, b] if a == last => Some(b),
            [a, b] if b == last => Some(a),
            _ => None,
        });
        let next = linked.filter(|&node| !seen[node]).min().or_else(|| (0..count).find(|&node| !seen[node]));
        let Some(next) = next else { break };
        seen[next] = true;
        order.push(next);
    }
    order
}

/// A straight line, beside those that connect the same two boxes.
fn line(at: usize, wire: &Wire<'_>, wires: &[Wire<'_>], areas: &[Area]) -> (Vec<Point>, [Option<Label>; 2]) {
    let [a, b] = wire.ends;
    let (from, to) = (areas[a], areas[b]);
    if a == b {
        let (x, y) = (from.right(), from.center().y);
        let corners = [(0.0, -8.0), (18.0, -8.0), (18.0, 8.0), (0.0, 8.0)];
        return (corners.iter().map(|(dx, dy)| Point::new(x + dx, y + dy)).collect(), [None, None]);
    }
    let same = |other: &Wire<'_>| other.ends == [a, b] || other.ends == [b, a];
    let all = wires.iter().filter(|other| same(other)).count() as f64;
    let place = wires[..at].iter().filter(|other| same(other)).count() as f64 - (all - 1.0) / 2.0;
    // Beside is the same side whichever end comes first.
    let (low, high) = if a < b { (from.center(), to.center()) } else { (to.center(), from.center()) };
    let length = low.distance(high).max(1.0);
    // All of them begin inside the boxes.
    let step = place * (30.0 / all).min(14.0);
    let (dx, dy) = (-(high.y - low.y) / length * step, (high.x - low.x) / length * step);
    let moved = |area: &Area| area.moved(dx, dy).center();
    let ends = [from.exit(moved(&from), moved(&to)), to.exit(moved(&to), moved(&from))];
    let label = |end: usize| {
        let (here, there) = (ends[end], ends[1 - end]);
        let length = here.distance(there).max(1.0);
        let on = here.towards(there, (18.0 / length).min(0.3));
        let name = wire.names[end];
        let ends_there = there.x < here.x;
        let at = Point::new(
            on.x + if ends_there { -4.0 } else { 4.0 },
            on.y + if there.y < here.y { 0.0 } else { 8.0 },
        );
        (!name.is_empty()).then_some(Label { at, ends_there, turned: false })
    };
    let labels = [label(0), label(1)];
    (ends.to_vec(), labels)
}
