//! Racks with their routers: a rack is drawn around its top-of-rack routers, too, where it is plain that they are.

use std::collections::BTreeSet;

use super::boxes::Shown;
use super::geometry::Area;
use super::layered::Wire;
use super::plan::Part;
use crate::record::Role;

/// Around a router in its rack.
const PAD: f64 = 14.0;
/// Above it, for the names of its interfaces.
const HEAD: f64 = 26.0;

/// Draws racks around routers that lead down to the boxes of that rack alone, if nothing else comes in between. All racks look
/// alike: where one cannot be drawn so, none is.
pub(super) fn raise(part: &mut Part, nodes: &[Shown<'_>], tiers: &[usize], wires: &[Wire<'_>]) {
    let members = |rack: &Area| -> BTreeSet<usize> {
        (0..nodes.len()).filter(|&at| rack.contains(&part.areas[at])).collect()
    };
    let below = |node: usize| -> BTreeSet<usize> {
        let other = |wire: &Wire<'_>| match wire.ends {
            [a, b] if a == node => Some(b),
            [a, b] if b == node => Some(a),
            _ => None,
        };
        wires.iter().filter_map(other).filter(|&other| tiers[other] < tiers[node]).collect()
    };
    let mut raised = part.racks.clone();
    let mut inside = Vec::with_capacity(raised.len());
    for rack in &mut raised {
        let mut own = members(&rack.area);
        let tops: Vec<usize> = (0..nodes.len())
            .filter(|&at| {
                let below = below(at);
                nodes[at].role == Role::Router && tiers[at] == 1 && !below.is_empty() && below.is_subset(&own)
            })
            .collect();
        let around = |area: &Area| {
            let wide = area.grown(PAD);
            Area { y: area.y - HEAD, height: area.height + HEAD + PAD, ..wide }
        };
        rack.area = tops.iter().fold(rack.area, |area, &top| area.with(&around(&part.areas[top])));
        own.extend(tops);
        inside.push(own);
    }
    let clear = raised.iter().zip(&inside).enumerate().all(|(at, (rack, own))| {
        let touched = (0..nodes.len()).filter(|&node| rack.area.overlaps(&part.areas[node]));
        touched.into_iter().all(|node| own.contains(&node))
            && raised[at + 1..].iter().all(|other| !other.area.overlaps(&rack.area))
    });
    if clear {
        part.racks = raised;
    }
}
