//! The ways of lines between boxes that have their places, and the names at their ends.

use super::boxes::{TINY, TURNED};
use super::geometry::{Area, Point};
use super::grid::LANE;
use super::layered::{ARC, STUB, Way, Wire, turned};
use super::order::Rows;
use super::place::Placed;
use super::plan::{Label, Part, Rack};
use super::words;

/// Which edge of a box a line leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Top,
    Bottom,
    Left,
    Right,
}

/// One end of a line: where it leaves its box.
#[derive(Debug, Clone, Copy)]
struct Port {
    edge: Edge,
    /// Ports of an edge stand in the order of this.
    key: f64,
    at: Point,
    /// Whether the names of this edge are turned; `None` where they have no room.
    turned: Option<bool>,
}

/// The part with all lines drawn.
pub(super) fn routed(
    rows: &Rows,
    placed: &Placed,
    stubs: &[(f64, f64)],
    tiers: &[usize],
    wires: &[Wire<'_>],
    ways: &[Way],
) -> Part {
    let mut of = vec![(0, 0); tiers.len()];
    for (at, unit) in rows.units.iter().enumerate() {
        unit.boxes.iter().enumerate().for_each(|(place, &node)| of[node] = (at, place));
    }
    let grid = |unit: usize| placed.grids[unit].as_ref();
    let area = |node: usize| -> Area {
        let (unit, place) = of[node];
        let corner = placed.areas[unit];
        grid(unit).map_or(corner, |grid| grid.areas[place].moved(corner.x, corner.y))
    };
    let areas: Vec<Area> = (0..tiers.len()).map(area).collect();
    let router = Router { rows, placed, wires, ways, areas: &areas, of: &of };
    let lanes = router.lanes();
    let mut ports = router.ports(&lanes);
    router.spread(&mut ports);
    let lines = (0..wires.len()).map(|at| {
        let points = router.points(at, &ports[at], lanes[at], tiers, stubs);
        (points, [0, 1].map(|end| label(&ports[at][end], wires[at].names[end])))
    });
    let rack = |(at, unit): (usize, &super::order::Unit)| {
        Some(Rack { name: unit.rack.clone()?, area: placed.areas[at] })
    };
    Part {
        lines: lines.collect(),
        racks: rows.units.iter().enumerate().filter_map(rack).collect(),
        areas: areas.clone(),
    }
}

struct Router<'a> {
    rows: &'a Rows,
    placed: &'a Placed,
    wires: &'a [Wire<'a>],
    ways: &'a [Way],
    areas: &'a [Area],
    of: &'a [(usize, usize)],
}

impl Router<'_> {
    /// For each line that reaches its lower box through a gutter, the x of its lane there. Lines to boxes further down have
    /// the lanes further out, so that none crosses another.
    fn lanes(&self) -> Vec<Option<f64>> {
        let mut lanes = vec![None; self.wires.len()];
        let mut order: Vec<(usize, usize, usize, usize)> = Vec::new();
        for (at, (wire, way)) in self.wires.iter().zip(self.ways).enumerate() {
            let Way::Up { low } = *way else { continue };
            let (unit, place) = self.of[wire.ends[low]];
            let Some(grid) = &self.placed.grids[unit] else { continue };
            if grid.gutter(place).is_some() {
                order.push((unit, place % grid.columns, place, at));
            }
        }
        order.sort_unstable();
        let mut lane = 0;
        for (index, &(unit, column, place, at)) in order.iter().enumerate() {
            let same = index > 0 && (order[index - 1].0, order[index - 1].1) == (unit, column);
            lane = if same { lane + 1 } else { 0 };
            // Where there are very many, they share what room there is.
            let all = order.iter().filter(|other| (other.0, other.1) == (unit, column)).count();
            let step = LANE.min(72.0 / all as f64);
            let gutter = self.placed.grids[unit].as_ref().and_then(|grid| grid.gutter(place));
            lanes[at] = gutter.map(|x| self.placed.areas[unit].x + x - lane as f64 * step);
        }
        lanes
    }

    fn ports(&self, lanes: &[Option<f64>]) -> Vec<[Port; 2]> {
        let port = |edge: Edge, key: f64| Port { edge, key, at: Point::default(), turned: Some(false) };
        let middle = |node: usize| self.areas[node].center();
        let one = |at: usize| -> [Port; 2] {
            let [a, b] = self.wires[at].ends;
            match self.ways[at] {
                Way::Up { low } => {
                    let chain = &self.rows.chains[&at];
                    let bend = |unit: usize| self.placed.areas[unit].center().x;
                    let (low_node, high_node) = if low == 0 { (a, b) } else { (b, a) };
                    let bends = &chain[1..chain.len() - 1];
                    let over = bends.first().map_or(middle(high_node).x, |&unit| bend(unit));
                    let below = lanes[at].unwrap_or(middle(low_node).x);
                    let under = bends.last().map_or(below, |&unit| bend(unit));
                    let lower = match lanes[at] {
                        Some(lane) => port(Edge::Left, -lane),
                        None => port(Edge::Top, over),
                    };
                    let upper = port(Edge::Bottom, under);
                    if low == 0 { [lower, upper] } else { [upper, lower] }
                }
                Way::Beside => {
                    let edges = if middle(a).x < middle(b).x {
                        [Edge::Right, Edge::Left]
                    } else {
                        [Edge::Left, Edge::Right]
                    };
                    edges.map(|edge| port(edge, at as f64))
                }
                Way::Over(_) => [port(Edge::Top, middle(b).x), port(Edge::Top, middle(a).x)],
                Way::Loop => [port(Edge::Right, at as f64), port(Edge::Right, at as f64 + 0.5)],
            }
        };
        (0..self.wires.len()).map(one).collect()
    }

    /// Gives the ports of each edge their places.
    fn spread(&self, ports: &mut [[Port; 2]]) {
        let mut edges: std::collections::BTreeMap<(usize, Edge), Vec<(usize, usize)>> = Default::default();
        for (at, both) in ports.iter().enumerate() {
            for (end, port) in both.iter().enumerate() {
                edges.entry((self.wires[at].ends[end], port.edge)).or_default().push((at, end));
            }
        }
        for ((node, edge), mut ends) in edges {
            let key = |&(at, end): &(usize, usize)| ports[at][end].key;
            ends.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.cmp(b)));
            let area = self.areas[node];
            let center = area.center();
            let names: Vec<&str> = ends.iter().map(|&(at, end)| self.wires[at].names[end]).collect();
            let upright = matches!(edge, Edge::Left | Edge::Right);
            let turn = !upright && turned(&names, area.width);
            let level = names.iter().map(|name| words::width(name, TINY) + 12.0).fold(0.0, f64::max);
            let wanted = if upright {
                13.0
            } else if turn {
                TURNED
            } else {
                level
            };
            let room = if upright { area.height - 10.0 } else { area.width - 14.0 };
            let step = wanted.min(room / names.len() as f64);
            let legible = if upright { step >= 11.0 } else { !turn || step >= TINY };
            for (place, &(at, end)) in ends.iter().enumerate() {
                let from_middle = (place as f64 - (names.len() as f64 - 1.0) / 2.0) * step;
                let at_edge = match edge {
                    Edge::Top => Point::new(center.x + from_middle, area.y),
                    Edge::Bottom => Point::new(center.x + from_middle, area.bottom()),
                    Edge::Left => Point::new(area.x, center.y + from_middle),
                    Edge::Right => Point::new(area.right(), center.y + from_middle),
                };
                let port = &mut ports[at][end];
                port.at = at_edge;
                port.turned = legible.then_some(turn);
            }
        }
    }

    fn points(
        &self,
        at: usize,
        ports: &[Port; 2],
        lane: Option<f64>,
        tiers: &[usize],
        stubs: &[(f64, f64)],
    ) -> Vec<Point> {
        let wire = self.wires[at];
        let [a, b] = ports.map(|port| port.at);
        match self.ways[at] {
            Way::Beside => vec![a, b],
            Way::Loop => vec![a, Point::new(a.x + 18.0, a.y), Point::new(b.x + 18.0, b.y), b],
            Way::Over(lane) => {
                let tier = tiers[wire.ends[0]];
                let y = self.placed.bands[tier].0 - STUB - (lane as f64 + 0.5) * ARC;
                vec![a, Point::new(a.x, y), Point::new(b.x, y), b]
            }
            Way::Up { low } => {
                let (lower, upper) = if low == 0 { (a, b) } else { (b, a) };
                let chain = &self.rows.chains[&at];
                let unit = self.placed.areas[chain[0]];
                let mut points = vec![lower];
                match lane {
                    Some(x) => points.extend([Point::new(x, lower.y), Point::new(x, unit.y - 4.0)]),
                    // Upright as far as the names go.
                    None => points.push(Point::new(
                        lower.x,
                        unit.y.min(lower.y - stubs[tiers[wire.ends[low]]].0 + 2.0),
                    )),
                }
                for &bend in &chain[1..chain.len() - 1] {
                    let area = self.placed.areas[bend];
                    let x = area.center().x;
                    points.extend([Point::new(x, area.bottom() + 6.0), Point::new(x, area.y - 6.0)]);
                }
                let high = tiers[wire.ends[1 - low]];
                let band = self.placed.bands[high];
                points.extend([Point::new(upper.x, band.1 + stubs[high].1 - 2.0), upper]);
                if low == 1 {
                    points.reverse();
                }
                points
            }
        }
    }
}

fn label(port: &Port, name: &str) -> Option<Label> {
    if name.is_empty() {
        return None;
    }
    let turned = port.turned?;
    let Point { x, y } = port.at;
    let (at, ends_there) = match (port.edge, turned) {
        (Edge::Top, false) => (Point::new(x + 5.0, y - 5.0), false),
        (Edge::Top, true) => (Point::new(x - 3.0, y - 5.0), false),
        (Edge::Bottom, false) => (Point::new(x + 5.0, y + 12.0), false),
        (Edge::Bottom, true) => (Point::new(x - 3.0, y + 5.0), true),
        (Edge::Left, _) => (Point::new(x - 5.0, y - 4.0), true),
        (Edge::Right, _) => (Point::new(x + 5.0, y - 4.0), false),
    };
    Some(Label { at, ends_there, turned })
}
