//! Coordinates of rows: widths and heights, and every unit as near as can be to the middle of those it is linked to. The
//! order within a row is given (`order`); lines are drawn by `route`.

use super::boxes::Sized;
use super::geometry::Area;
use super::grid::Grid;
use super::order::Rows;

/// Between units of a row.
const GAP: f64 = 34.0;
/// Beside a bend.
const BEND_GAP: f64 = 14.0;
/// The ratio of width to height that is aimed for.
const ASPECT: f64 = 1.9;
/// A tier with what is between it and the next, roughly.
const TIER: f64 = 150.0;

/// Rows with their coordinates.
#[derive(Debug, Clone, Default)]
pub(super) struct Placed {
    /// By unit; of a bend none.
    pub(super) grids: Vec<Option<Grid>>,
    /// By unit.
    pub(super) areas: Vec<Area>,
    /// Upper and lower edge of each tier.
    pub(super) bands: Vec<(f64, f64)>,
}

/// What the layout must know of lines before they are drawn.
pub(super) struct Room<'a> {
    /// The number of lines to each box from above.
    pub(super) lanes: &'a [usize],
    /// How far apart two units of a row must be, where a line of their own is between them.
    pub(super) beside: &'a dyn Fn(usize, usize) -> f64,
    /// The same within a unit.
    pub(super) within: &'a dyn Fn(usize) -> f64,
    /// Height that lines and names need above and below each tier's boxes.
    pub(super) air: &'a [(f64, f64)],
}

/// Finds the places.
pub(super) fn place(rows: &Rows, sizes: &[Sized], room: &Room<'_>) -> Placed {
    let grids = grids(rows, sizes, room);
    let width = |unit: usize| grids[unit].as_ref().map_or(2.0, |grid| grid.width);
    let mut centers = vec![0.0; rows.units.len()];
    for row in &rows.rows {
        let mut x = 0.0;
        for &unit in row {
            centers[unit] = x + width(unit) / 2.0;
            x += width(unit) + GAP;
        }
        // Rows are centred over each other to begin with.
        row.iter().for_each(|&unit| centers[unit] -= x / 2.0);
    }
    let gap = |left: usize, right: usize| {
        let bend = grids[left].is_none() || grids[right].is_none();
        (if bend { BEND_GAP } else { GAP }).max((room.beside)(left, right))
    };
    let mut settle = |tier: usize, near: &[Vec<usize>]| {
        let row = &rows.rows[tier];
        let wanted: Vec<f64> = row
            .iter()
            .map(|&unit| {
                let near = &near[unit];
                let sum: f64 = near.iter().map(|&other| centers[other]).sum();
                if near.is_empty() { centers[unit] } else { sum / near.len() as f64 }
            })
            .collect();
        let apart: Vec<f64> = row
            .windows(2)
            .map(|pair| (width(pair[0]) + width(pair[1])) / 2.0 + gap(pair[0], pair[1]))
            .collect();
        for (&unit, x) in row.iter().zip(spread(&wanted, &apart)) {
            centers[unit] = x;
        }
    };
    let top = rows.rows.len();
    for _ in 0..4 {
        (1..top).for_each(|tier| settle(tier, &rows.below));
        (0..top).rev().for_each(|tier| settle(tier, &rows.above));
    }
    (1..top).for_each(|tier| settle(tier, &rows.below));

    let height = |tier: usize| {
        let heights =
            rows.rows[tier].iter().map(|&unit| grids[unit].as_ref().map_or(0.0, |grid| grid.height));
        heights.fold(0.0, f64::max)
    };
    // What lies far to the side needs height, or its lines run flat.
    let aside = |tier: usize| {
        let far = rows.rows[tier].iter().flat_map(|&unit| {
            let centers = &centers;
            rows.below[unit].iter().map(move |&below| (centers[unit] - centers[below]).abs())
        });
        far.fold(0.0, f64::max)
    };
    let mut bands = vec![(0.0, 0.0); top];
    let mut y = 0.0;
    for tier in (0..top).rev() {
        y += room.air[tier].0;
        bands[tier] = (y, y + height(tier));
        y += height(tier) + room.air[tier].1 + 30.0 + (aside(tier) * 0.08).min(130.0);
    }
    let areas = rows
        .units
        .iter()
        .enumerate()
        .map(|(at, unit)| Area {
            x: centers[at] - width(at) / 2.0,
            y: bands[unit.tier].0,
            width: width(at),
            height: grids[at].as_ref().map_or(height(unit.tier), |grid| grid.height),
        })
        .collect();
    Placed { grids, areas, bands }
}

/// The grids of all units, with the number of columns that brings the picture nearest to the shape that is aimed for. A row
/// more costs a little: what stands on top is reached by a straight line.
fn grids(rows: &Rows, sizes: &[Sized], room: &Room<'_>) -> Vec<Option<Grid>> {
    let with = |columns: usize| -> Vec<Option<Grid>> {
        let grid = |(at, unit): (usize, &super::order::Unit)| {
            let sizes: Vec<&Sized> = unit.boxes.iter().map(|&of| &sizes[of]).collect();
            let lanes: Vec<usize> = unit.boxes.iter().map(|&of| room.lanes[of]).collect();
            let grid = || Grid::of(&sizes, columns, &lanes, unit.rack.is_some(), (room.within)(at));
            (!unit.boxes.is_empty()).then(grid)
        };
        rows.units.iter().enumerate().map(grid).collect()
    };
    let largest = rows.units.iter().map(|unit| unit.boxes.len()).max().unwrap_or(1);
    let cost = |grids: &[Option<Grid>], columns: usize| {
        let width = |row: &Vec<usize>| {
            row.iter().filter_map(|&unit| grids[unit].as_ref()).map(|g| g.width + GAP).sum()
        };
        let wide: f64 = rows.rows.iter().map(width).fold(1.0, f64::max);
        let ground = rows.rows[0].iter().filter_map(|&unit| grids[unit].as_ref()).map(|grid| grid.height);
        let high = ground.fold(0.0, f64::max) + (rows.rows.len() as f64 - 1.0) * TIER;
        (wide / high.max(1.0) / ASPECT).ln().abs() + 0.12 * (largest.div_ceil(columns) as f64 - 1.0).min(6.0)
    };
    let tried = (1..=largest).map(|columns| {
        let grids = with(columns);
        (cost(&grids, columns), grids)
    });
    tried.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, grids)| grids).unwrap_or_default()
}

/// The positions nearest to those wanted (by the sum of squares) that keep the order and stand at least so far apart: the
/// pool-adjacent-violators method for isotonic regression.
fn spread(wanted: &[f64], apart: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(wanted.len());
    // Runs of those that push each other: their common value, and how many they are.
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        offset += if at == 0 { 0.0 } else { apart[at - 1] };
        offsets.push(offset);
        let mut run = (wanted - offset, 1);
        while let Some(&(value, count)) = runs.last()
            && value >= run.0
        {
            runs.pop();
            let both = (count + run.1) as f64;
            run = ((value * count as f64 + run.0 * run.1 as f64) / both, count + run.1);
        }
        runs.push(run);
    }
    let values = runs.iter().flat_map(|&(value, count)| std::iter::repeat_n(value, count));
    values.zip(offsets).map(|(value, offset)| value + offset).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nothing(&[], &[], &[])]
    #[case::room_enough(&[0.0, 50.0], &[10.0], &[0.0, 50.0])]
    #[case::pushed_both_ways(&[0.0, 0.0], &[10.0], &[-5.0, 5.0])]
    #[case::one_pushes_two(&[0.0, 10.0, 10.0], &[10.0, 10.0], &[-10.0 / 3.0, 20.0 / 3.0, 50.0 / 3.0])]
    fn all_are_as_near_as_can_be(#[case] wanted: &[f64], #[case] apart: &[f64], #[case] expected: &[f64]) {
        let got = spread(wanted, apart);
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?}");
    }

    proptest! {
        #[test]
        fn order_and_distance_are_kept(wanted in prop::collection::vec((-1e4..1e4, 1.0..300.0), 1..60)) {
            let (wanted, apart): (Vec<f64>, Vec<f64>) = wanted.into_iter().unzip();
            let got = spread(&wanted, &apart[1..]);
            prop_assert!(got.windows(2).zip(&apart[1..]).all(|(pair, apart)| pair[1] - pair[0] >= apart - 1e-6));
        }
    }
}
