//! Pictures for other programs: Mermaid, Graphviz and draw.io.

mod dot;
mod drawio;
mod mermaid;

#[cfg(test)]
mod tests;

pub use dot::dot;
pub use drawio::drawio;
pub use mermaid::mermaid;

use super::geometry::Area;
use super::plan::{Drawing, Drawn};

/// What is written in a box: its name, and the line below.
fn words(drawn: &Drawn) -> [&str; 2] {
    [drawn.title.as_str(), drawn.line.as_str()]
}

/// The boxes by rack, and those in none; by their places in the drawing.
fn by_rack(drawing: &Drawing) -> (Vec<(&str, Vec<usize>)>, Vec<usize>) {
    let holds = |area: &Area, at: usize| area.contains(&drawing.boxes[at].area);
    let racks: Vec<(&str, Vec<usize>)> = drawing
        .racks
        .iter()
        .map(|rack| {
            let inside = (0..drawing.boxes.len()).filter(|&at| holds(&rack.area, at)).collect();
            (rack.name.as_str(), inside)
        })
        .collect();
    let free =
        (0..drawing.boxes.len()).filter(|at| !racks.iter().any(|(_, inside)| inside.contains(at))).collect();
    (racks, free)
}

/// Each link's two ends by their places in the drawing, the upper one first, with the interfaces' names.
fn downwards(drawing: &Drawing) -> Vec<[(usize, &str); 2]> {
    let place = |name: &str| drawing.boxes.iter().position(|drawn| drawn.name == name);
    let ends = drawing.links.iter().filter_map(|line| {
        let end = |at: usize| Some((place(&line.ends[at].node)?, line.ends[at].interface.as_str()));
        let (a, b) = (end(0)?, end(1)?);
        let y = |end: (usize, &str)| drawing.boxes[end.0].area.y;
        Some(if y(a) <= y(b) { [a, b] } else { [b, a] })
    });
    ends.collect()
}

/// The places of boxes that stand side by side, from the highest row to the lowest.
fn rows(drawing: &Drawing) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = (0..drawing.boxes.len()).collect();
    let area = |at: &usize| drawing.boxes[*at].area;
    all.sort_by(|a, b| area(a).y.total_cmp(&area(b).y).then(area(a).x.total_cmp(&area(b).x)));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for at in all {
        match rows.last_mut() {
            Some(row) if row.first().is_some_and(|first| (area(first).y - area(&at).y).abs() < 1.0) => {
                row.push(at)
            }
            _ => rows.push(vec![at]),
        }
    }
    rows
}
