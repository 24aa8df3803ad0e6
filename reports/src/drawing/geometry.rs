//! Points and rectangles of a picture. What stands where is not decided here.

use serde::Serialize;

/// A point, in the picture's units: CSS pixels at its natural size, from the top left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

impl Point {
    /// A point.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// How far the other is.
    pub(super) fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The point this part (0 to 1) of the way to the other.
    pub(super) fn towards(self, other: Self, part: f64) -> Self {
        Self::new(self.x + (other.x - self.x) * part, self.y + (other.y - self.y) * part)
    }
}

/// A rectangle, in the picture's units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Area {
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

impl Area {
    /// Its right edge.
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// Its lower edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }

    /// Its middle.
    pub fn center(&self) -> Point {
        Point::new(self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// Whether the two share more than an edge.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    /// Whether the other is inside.
    pub fn contains(&self, other: &Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.right() >= other.right()
            && self.bottom() >= other.bottom()
    }

    /// This one, wider by so much on every side.
    pub(super) fn grown(&self, by: f64) -> Self {
        Self { x: self.x - by, y: self.y - by, width: self.width + 2.0 * by, height: self.height + 2.0 * by }
    }

    /// This one, wider by so much to the left and the right, and by a good half of it above and below.
    pub(super) fn wider(&self, by: f64) -> Self {
        let (x, y) = (by, by * 0.6);
        Self { x: self.x - x, y: self.y - y, width: self.width + 2.0 * x, height: self.height + 2.0 * y }
    }

    /// The smallest that holds both.
    pub(super) fn with(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            width: self.right().max(other.right()) - x,
            height: self.bottom().max(other.bottom()) - y,
        }
    }

    /// Where the line from a point inside to one outside leaves it.
    pub(super) fn exit(&self, inside: Point, outside: Point) -> Point {
        let (dx, dy) = (outside.x - inside.x, outside.y - inside.y);
        let part = |delta: f64, low: f64, high: f64| match delta {
            d if d > 0.0 => high / d,
            d if d < 0.0 => low / d,
            _ => f64::INFINITY,
        };
        let across = part(dx, self.x - inside.x, self.right() - inside.x);
        let along = part(dy, self.y - inside.y, self.bottom() - inside.y);
        let part = across.min(along).clamp(0.0, 1.0);
        Point::new(inside.x + dx * part, inside.y + dy * part)
    }

    pub(super) fn moved(&self, dx: f64, dy: f64) -> Self {
        Self { x: self.x + dx, y: self.y + dy, ..*self }
    }
}
