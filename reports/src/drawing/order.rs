//! The order of boxes within their tiers, with few crossings: barycentre sweeps over rows of units, in which links that pass
//! a tier have a place of their own. Coordinates are `place`'s matter.

use std::collections::BTreeMap;

/// What has one place in a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Unit {
    /// Its boxes; none is a bend of a link that passes this tier.
    pub(super) boxes: Vec<usize>,
    /// The rack it is.
    pub(super) rack: Option<String>,
    /// Its tier.
    pub(super) tier: usize,
}

/// The units of one connected part of a fabric, by tier, and who is linked to whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    pub(super) units: Vec<Unit>,
    /// Units of each tier, from left to right.
    pub(super) rows: Vec<Vec<usize>>,
    /// For each unit, the units it is linked to in the tier above; once for each link.
    pub(super) above: Vec<Vec<usize>>,
    /// The same below.
    pub(super) below: Vec<Vec<usize>>,
    /// For each link between tiers, the units from its lower to its upper end.
    pub(super) chains: BTreeMap<usize, Vec<usize>>,
}

/// Puts boxes into rows. The ground's boxes are gathered: by rack, and where there is none, by whom they are linked to.
/// `of_tier` and `rack` are by box; links are pairs of boxes.
pub(super) fn rows(of_tier: &[usize], rack: &[Option<&str>], links: &[(usize, usize)]) -> Rows {
    let mut all = Rows::default();
    all.rows.resize(of_tier.iter().max().map_or(1, |top| top + 1), Vec::new());
    let mut unit_of = vec![0; of_tier.len()];
    let mut gathered: BTreeMap<(Option<&str>, Vec<usize>), usize> = BTreeMap::new();
    for (at, &tier) in of_tier.iter().enumerate() {
        if tier == 0 {
            let near = if rack[at].is_some() { Vec::new() } else { neighbors(at, links) };
            if let Some(&unit) = gathered.get(&(rack[at], near.clone())) {
                all.units[unit].boxes.push(at);
                unit_of[at] = unit;
                continue;
            }
            gathered.insert((rack[at], near), all.units.len());
        }
        let rack = if tier == 0 { rack[at].map(str::to_owned) } else { None };
        unit_of[at] = all.add(Unit { boxes: vec![at], rack, tier });
    }
    for (index, &(a, b)) in links.iter().enumerate() {
        let (low, high) = if of_tier[a] < of_tier[b] { (a, b) } else { (b, a) };
        if of_tier[low] == of_tier[high] {
            continue;
        }
        let mut chain = vec![unit_of[low]];
        for tier in of_tier[low] + 1..of_tier[high] {
            chain.push(all.add(Unit { tier, ..Unit::default() }));
        }
        chain.push(unit_of[high]);
        for pair in chain.windows(2) {
            all.above[pair[0]].push(pair[1]);
            all.below[pair[1]].push(pair[0]);
        }
        all.chains.insert(index, chain);
    }
    all.untangle();
    all
}

fn neighbors(at: usize, links: &[(usize, usize)]) -> Vec<usize> {
    let mut near: Vec<usize> =
        links.iter().filter_map(|&(a, b)| if a == at { Some(b) } else { (b == at).then_some(a) }).collect();
    near.sort_unstable();
    near.dedup();
    near
}

impl Rows {
    fn add(&mut self, unit: Unit) -> usize {
        self.rows[unit.tier].push(self.units.len());
        self.units.push(unit);
        self.above.push(Vec::new());
        self.below.push(Vec::new());
        self.units.len() - 1
    }

    /// Sweeps up and down as long as it helps, and keeps the best order that was seen. The same fabric always comes out
    /// the same: whatever is equal keeps the lab's order.
    fn untangle(&mut self) {
        let mut best = (self.crossings(), self.rows.clone());
        for sweep in 0..12 {
            let down = sweep % 2 == 0;
            let tiers: Vec<usize> =
                if down { (0..self.rows.len()).rev().collect() } else { (0..self.rows.len()).collect() };
            for tier in tiers {
                self.sort(tier, down);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.rows.clone());
            }
            if best.0 == 0 {
                break;
            }
        }
        self.rows = best.1;
    }

    /// Sorts a row by where the neighbors of its units are, above (when sweeping down) or below.
    fn sort(&mut self, tier: usize, down: bool) {
        let place = self.places();
        let near = if down { &self.above } else { &self.below };
        let row = &self.rows[tier];
        let mut keyed: Vec<(f64, usize)> = row
            .iter()
            .enumerate()
            .map(|(at, &unit)| {
                let near = &near[unit];
                let sum: f64 = near.iter().map(|&other| place[other]).sum();
                let own = (at as f64 + 0.5) / row.len() as f64;
                (if near.is_empty() { own } else { sum / near.len() as f64 }, unit)
            })
            .collect();
        keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.rows[tier] = keyed.into_iter().map(|(_, unit)| unit).collect();
    }

    /// Where each unit is in its row, from 0 to 1.
    fn places(&self) -> Vec<f64> {
        let mut place = vec![0.0; self.units.len()];
        for row in &self.rows {
            for (at, &unit) in row.iter().enumerate() {
                place[unit] = (at as f64 + 0.5) / row.len() as f64;
            }
        }
        place
    }

    /// How many pairs of links cross between neighboring rows.
    pub(super) fn crossings(&self) -> usize {
        let mut place = vec![0; self.units.len()];
        for row in &self.rows {
            for (at, &unit) in row.iter().enumerate() {
                place[unit] = at;
            }
        }
        let between = |row: &Vec<usize>| -> usize {
            let ends = |&unit: &usize| -> Vec<(usize, usize)> {
                self.above[unit].iter().map(|&up| (place[unit], place[up])).collect()
            };
            let mut ends: Vec<(usize, usize)> = row.iter().flat_map(ends).collect();
            ends.sort_unstable();
            // A binary tree of counts: how many links so far end further to the right.
            let width = ends.iter().map(|end| end.1 + 1).max().unwrap_or(0);
            let mut counts = vec![0usize; width + 1];
            let mut crossings = 0;
            for (seen, &(_, up)) in ends.iter().enumerate() {
                let (mut at, mut not_right) = (up + 1, 0);
                while at > 0 {
                    not_right += counts[at];
                    at &= at - 1;
                }
                crossings += seen - not_right;
                let mut at = up + 1;
                while at <= width {
                    counts[at] += 1;
                    at += at & at.wrapping_neg();
                }
            }
            crossings
        };
        self.rows.iter().map(between).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_crossed_in_the_file_is_not_in_the_picture() {
        // Two spines, each over two leaves of its own that the lab names crosswise.
        let tiers = [1, 1, 0, 0, 0, 0];
        let racks = [None, None, Some("a"), Some("b"), Some("c"), Some("d")];
        let rows = rows(&tiers, &racks, &[(0, 2), (1, 3), (0, 4), (1, 5)]);
        assert_eq!(rows.crossings(), 0);
    }

    #[test]
    fn crossings_are_counted() {
        let mut rows = rows(&[1, 1, 0, 0], &[None, None, Some("a"), Some("b")], &[(0, 2), (1, 3)]);
        assert_eq!(rows.crossings(), 0);
        rows.rows[0].reverse();
        assert_eq!(rows.crossings(), 1);
    }

    #[test]
    fn a_link_over_a_tier_has_a_place_there() {
        let rows = rows(&[2, 1, 0], &[None; 3], &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(rows.rows.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 1]);
        assert_eq!(rows.chains[&2].len(), 3);
    }
}
