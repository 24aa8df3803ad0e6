//! Boxes of one unit side by side and below each other, as in a rack. Where the unit stands is `place`'s matter.

use super::boxes::Sized;
use super::geometry::Area;

/// Between boxes of a unit.
const GAP: f64 = 26.0;
const ROW_GAP: f64 = 16.0;
/// Beside a column of boxes, for the lines to those that are not on top.
const GUTTER: f64 = 34.0;
/// From one line to the next there.
pub(super) const LANE: f64 = 6.0;
const RACK_PAD: f64 = 14.0;
/// Above a rack's boxes, for the names of their interfaces.
const RACK_HEAD: f64 = 24.0;
/// Below them, for its own.
const RACK_NAME: f64 = 28.0;

/// The places of a unit's boxes, relative to its own upper left corner.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Grid {
    pub(super) columns: usize,
    pub(super) areas: Vec<Area>,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) rack: Option<Area>,
}

impl Grid {
    /// Boxes in rows of so many columns. `lanes` is the number of lines to each box from above, `beside` how far apart
    /// neighbors must be for what stands between them.
    pub(super) fn of(sizes: &[&Sized], columns: usize, lanes: &[usize], rack: bool, beside: f64) -> Self {
        let columns = columns.clamp(1, sizes.len().max(1));
        let rows = sizes.len().div_ceil(columns);
        let pad = if rack { RACK_PAD } else { 0.0 };
        let width = sizes.iter().map(|size| size.width).fold(0.0, f64::max);
        let mut left = Vec::with_capacity(columns);
        let mut x = pad;
        for column in 0..columns {
            let lanes: usize = lanes.iter().skip(column + columns).step_by(columns).sum();
            x += match (rows, column) {
                (1, 0) => 0.0,
                (1, _) => GAP.max(beside),
                _ => (GUTTER + (lanes as f64 * LANE).min(72.0)).max(beside),
            };
            left.push(x);
            x += width;
        }
        let mut areas = Vec::with_capacity(sizes.len());
        let mut y = if rack { RACK_HEAD } else { 0.0 };
        for row in sizes.chunks(columns) {
            let height = row.iter().map(|size| size.height).fold(0.0, f64::max);
            areas.extend(left.iter().zip(row).map(|(x, _)| Area { x: *x, y, width, height }));
            y += height + ROW_GAP;
        }
        let height = y - ROW_GAP + if rack { RACK_NAME } else { 0.0 };
        let width = x + pad;
        Self { columns, areas, width, height, rack: rack.then_some(Area { x: 0.0, y: 0.0, width, height }) }
    }

    /// Where the lines to the box in this place go down, if it is not on top: the gutter's right edge.
    pub(super) fn gutter(&self, place: usize) -> Option<f64> {
        (place >= self.columns).then(|| self.areas[place].x - GUTTER + 12.0)
    }
}
