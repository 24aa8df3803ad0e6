//! A picture's contents with their places: what layouts make and renderers read.

use serde::Serialize;

use super::geometry::{Area, Point};
use crate::record::{LinkEnd, Role};

/// A picture: everything in it with its place. It is made by [`Drawing::of`](super::Drawing::of).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Drawing {
    /// Its width, in CSS pixels at natural size.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// The boxes, in the lab's order.
    pub boxes: Vec<Drawn>,
    /// The racks.
    pub racks: Vec<Rack>,
    /// The links, in the lab's order.
    pub links: Vec<Line>,
    /// Sessions between boxes that no link connects: both boxes, and the line's points.
    pub far: Vec<Far>,
}

/// A box with its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawn {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its other names.
    pub also: Vec<String>,
    /// Its AS number.
    pub asn: Option<u32>,
    /// The rack it stands in.
    pub rack: Option<String>,
    /// Where it is.
    pub area: Area,
    /// Its name, cut to what fits.
    pub title: String,
    /// The line below, cut to what fits.
    pub line: String,
    /// Its pods that are drawn.
    pub pods: Vec<Chip>,
    /// Those that are counted only, and where the count is.
    pub more: Option<(Area, Vec<String>)>,
}

/// A pod on its box.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chip {
    /// The pod's name: `default/nettool-1`.
    pub pod: String,
    /// What is written: as much of it, without its namespace, as fits.
    pub label: String,
    /// Where it is.
    pub area: Area,
}

/// A rack around its boxes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rack {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub area: Area,
}

/// A link with its way from one box's edge to the other's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// The two ends, as the lab has them.
    pub ends: [LinkEnd; 2],
    /// The way, from the first end to the second.
    pub points: Vec<Point>,
    /// Names of the interfaces, where there is room for them: of the first end, of the second.
    pub labels: [Option<Label>; 2],
}

/// A session between two boxes that no link connects.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Far {
    /// The two boxes.
    pub ends: [String; 2],
    /// The way.
    pub points: Vec<Point>,
}

/// A short text beside a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// Where its baseline begins or ends.
    pub at: Point,
    /// Whether the text ends at that point instead of beginning there.
    pub ends_there: bool,
    /// Whether it is read from below.
    pub turned: bool,
}

/// One connected part of a fabric with its places; by the part's own indices.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Part {
    pub(super) areas: Vec<Area>,
    pub(super) lines: Vec<(Vec<Point>, [Option<Label>; 2])>,
    pub(super) racks: Vec<Rack>,
}

impl Part {
    /// The smallest area that holds all of it, the room for labels included.
    pub(super) fn bounds(&self) -> Area {
        let points = self.lines.iter().flat_map(|line| &line.0).map(|at| Area {
            x: at.x,
            y: at.y,
            width: 0.0,
            height: 0.0,
        });
        let all = self.areas.iter().copied().chain(self.racks.iter().map(|rack| rack.area)).chain(points);
        all.reduce(|all, one| all.with(&one)).unwrap_or_default()
    }

    pub(super) fn shift(&mut self, dx: f64, dy: f64) {
        let shift = |point: &mut Point| *point = Point::new(point.x + dx, point.y + dy);
        self.areas.iter_mut().for_each(|area| *area = area.moved(dx, dy));
        self.racks.iter_mut().for_each(|rack| rack.area = rack.area.moved(dx, dy));
        for (points, labels) in &mut self.lines {
            points.iter_mut().for_each(shift);
            labels.iter_mut().flatten().for_each(|label| shift(&mut label.at));
        }
    }
}
