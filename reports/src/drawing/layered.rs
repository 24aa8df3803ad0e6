//! One connected part of a fabric in tiers. What lives here: which line leaves which edge of a box, and in what order the steps
//! of the layout are taken. What does not: the order within tiers (`order`), places (`place`), the lines' ways (`route`).

use super::boxes::{self, Shown, Sized, TINY};
use super::order::{self, Rows};
use super::place::{self, Room};
use super::plan::Part;
use super::route;
use super::words;

/// Names of interfaces, beside their lines, need so much height.
pub(super) const STUB: f64 = 18.0;
/// From one line over a tier to the next.
pub(super) const ARC: f64 = 10.0;

/// A link of the part: its boxes by the part's indices, and the interfaces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'a> {
    pub(super) ends: [usize; 2],
    pub(super) names: [&'a str; 2],
}

/// How a link leaves its boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the upper edge of the box that is lower (by its end) to the lower edge of the other.
    Up {
        /// Which end is the lower one.
        low: usize,
    },
    /// From side to side, between neighbors.
    Beside,
    /// Over the boxes between, in this lane.
    Over(usize),
    /// Back to the same box.
    Loop,
}

/// Lays a part out.
pub(super) fn layout(
    nodes: &[Shown<'_>],
    pods: &[Vec<&str>],
    tiers: &[usize],
    wires: &[Wire<'_>],
) -> (Part, Vec<Sized>) {
    let racks: Vec<Option<&str>> = nodes.iter().map(|node| node.rack.as_deref()).collect();
    let pairs: Vec<(usize, usize)> = wires.iter().map(|wire| (wire.ends[0], wire.ends[1])).collect();
    let rows = order::rows(tiers, &racks, &pairs);
    let ways = ways(&rows, tiers, wires);

    let mut edges: Vec<[Vec<&str>; 2]> = vec![Default::default(); nodes.len()];
    let mut lanes = vec![0; nodes.len()];
    for (wire, way) in wires.iter().zip(&ways) {
        match *way {
            Way::Up { low } => {
                edges[wire.ends[low]][0].push(wire.names[low]);
                edges[wire.ends[1 - low]][1].push(wire.names[1 - low]);
                lanes[wire.ends[low]] += 1;
            }
            Way::Over(_) => (0..2).for_each(|end| edges[wire.ends[end]][0].push(wire.names[end])),
            Way::Beside | Way::Loop => {}
        }
    }
    let sizes: Vec<Sized> = nodes
        .iter()
        .zip(pods)
        .zip(&edges)
        .map(|((node, pods), [above, below])| boxes::size(node, pods, [above, below]))
        .collect();

    let stubs: Vec<(f64, f64)> = (0..rows.rows.len())
        .map(|tier| {
            let of_tier = || (0..nodes.len()).filter(|&at| tiers[at] == tier);
            let need =
                |edge: usize| of_tier().map(|at| stub(&edges[at][edge], sizes[at].width)).fold(0.0, f64::max);
            (need(0), need(1))
        })
        .collect();
    let over = |tier: usize| {
        let arcs = wires.iter().zip(&ways).map(|(wire, way)| match way {
            Way::Over(lane) if tiers[wire.ends[0]] == tier => (*lane as f64 + 2.0) * ARC,
            _ => 0.0,
        });
        arcs.fold(0.0, f64::max)
    };
    let air: Vec<(f64, f64)> =
        stubs.iter().enumerate().map(|(tier, (above, below))| (above + over(tier), *below)).collect();
    let names = |of: &dyn Fn(&Wire<'_>) -> bool| -> f64 {
        let beside = wires.iter().zip(&ways).filter(|(wire, way)| **way == Way::Beside && of(wire));
        beside
            .map(|(wire, _)| wire.names.iter().map(|name| words::width(name, TINY)).sum::<f64>() + 34.0)
            .fold(0.0, f64::max)
    };
    let is_of = |unit: usize, at: usize| rows.units[unit].boxes.contains(&at);
    let beside = |left: usize, right: usize| {
        names(&|wire| {
            let [a, b] = wire.ends;
            (is_of(left, a) && is_of(right, b)) || (is_of(left, b) && is_of(right, a))
        })
    };
    let within = |unit: usize| names(&|wire| wire.ends.iter().all(|&end| is_of(unit, end)));
    let room = Room { lanes: &lanes, beside: &beside, within: &within, air: &air };
    let placed = place::place(&rows, &sizes, &room);
    (route::routed(&rows, &placed, &stubs, tiers, wires, &ways), sizes)
}

/// The height that the names of these ports need, in a box of this width.
fn stub(names: &[&str], width: f64) -> f64 {
    match turned(names, width) {
        _ if names.is_empty() => 6.0,
        true => names.iter().map(|name| words::width(name, TINY)).fold(0.0, f64::max) + 10.0,
        false => STUB,
    }
}

/// Whether the names of these ports have to be turned, in a box of this width.
pub(super) fn turned(names: &[&str], width: f64) -> bool {
    names.len() > 1 && names.iter().map(|name| words::width(name, TINY) + 12.0).sum::<f64>() > width - 8.0
}

fn ways(rows: &Rows, tiers: &[usize], wires: &[Wire<'_>]) -> Vec<Way> {
    // Row, place in the row, place in the unit.
    let mut stands = vec![(0, 0, 0); tiers.len()];
    for row in &rows.rows {
        for (at, &unit) in row.iter().enumerate() {
            rows.units[unit].boxes.iter().enumerate().for_each(|(place, &of)| stands[of] = (unit, at, place));
        }
    }
    let alone = |unit: usize| rows.units[unit].boxes.len() == 1;
    let mut lanes = vec![0; rows.rows.len()];
    let way = |wire: &Wire<'_>| {
        let [a, b] = wire.ends;
        if a == b {
            return Way::Loop;
        }
        if tiers[a] != tiers[b] {
            return Way::Up { low: usize::from(tiers[b] < tiers[a]) };
        }
        let ((unit_a, row_a, place_a), (unit_b, row_b, place_b)) = (stands[a], stands[b]);
        let near = if unit_a == unit_b {
            place_a.abs_diff(place_b) == 1
        } else {
            row_a.abs_diff(row_b) == 1 && alone(unit_a) && alone(unit_b)
        };
        if near {
            return Way::Beside;
        }
        lanes[tiers[a]] += 1;
        Way::Over(lanes[tiers[a]] - 1)
    };
    wires.iter().map(way).collect()
}
