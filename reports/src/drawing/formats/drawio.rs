//! draw.io (diagrams.net): an uncompressed file with the drawing's own places, to be edited further.

use std::fmt::Write as _;

use super::words as words_of;
use crate::drawing::geometry::{Area, Point};
use crate::drawing::plan::Drawing;
use crate::drawing::words::{escaped, number, slug};
use crate::record::Role;

/// The drawing as a file of draw.io's. Every box, rack and link can be moved there; links stay with their boxes.
pub fn drawio(drawing: &Drawing, title: &str) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<mxfile host=\"fabric\" type=\"device\">\n  <diagram id=\"fabric\" name=\"{}\">\n    \
         <mxGraphModel dx=\"0\" dy=\"0\" grid=\"1\" gridSize=\"10\" guides=\"1\" tooltips=\"1\" connect=\"1\" arrows=\"1\" fold=\"1\" page=\"0\" \
         pageScale=\"1\" pageWidth=\"{}\" pageHeight=\"{}\" math=\"0\" shadow=\"0\">\n      <root>\n        <mxCell id=\"0\"/>\n        \
         <mxCell id=\"1\" parent=\"0\"/>\n",
        escaped(title),
        number(drawing.width),
        number(drawing.height)
    );
    for (at, rack) in drawing.racks.iter().enumerate() {
        let style = "rounded=1;arcSize=4;fillColor=#f3f6f9;strokeColor=#d5dce4;verticalAlign=bottom;align=left;spacingLeft=12;\
                     spacingBottom=4;fontSize=11;fontStyle=1;fontColor=#5b6675;html=0;";
        vertex(&mut out, &format!("rack-{at}"), &rack.name, style, &rack.area);
    }
    for drawn in &drawing.boxes {
        let (shape, colour) = match drawn.role {
            Role::Router => ("rounded=1;arcSize=18;", "#3949ab"),
            Role::ClusterNode => ("rounded=1;arcSize=18;", "#00796b"),
            Role::Bridge => ("rounded=0;", "#546e7a"),
            Role::Host => ("ellipse;", "#8a5a00"),
        };
        let style = format!(
            "{shape}whiteSpace=wrap;fillColor=#ffffff;strokeColor={colour};fontColor=#1b2430;fontSize=12;html=0;"
        );
        vertex(
            &mut out,
            &format!("box-{}", slug(&drawn.name)),
            &words_of(drawn).join("\n"),
            &style,
            &drawn.area,
        );
    }
    for (at, line) in drawing.links.iter().enumerate() {
        let area = |end: usize| {
            drawing.boxes.iter().find(|drawn| drawn.name == line.ends[end].node).map(|drawn| drawn.area)
        };
        let (Some(from), Some(to), [first, .., last]) = (area(0), area(1), line.points.as_slice()) else {
            continue;
        };
        let (exit, entry) = (part(&from, *first), part(&to, *last));
        let style = format!(
            "endArrow=none;rounded=1;strokeColor=#8d99a8;exitX={};exitY={};exitPerimeter=0;entryX={};entryY={};entryPerimeter=0;html=0;",
            ratio(exit.x),
            ratio(exit.y),
            ratio(entry.x),
            ratio(entry.y)
        );
        let _ = writeln!(
            out,
            "        <mxCell id=\"link-{at}\" value=\"\" style=\"{style}\" edge=\"1\" parent=\"1\" source=\"box-{}\" target=\"box-{}\">\n          \
             <mxGeometry relative=\"1\" as=\"geometry\">",
            slug(&line.ends[0].node),
            slug(&line.ends[1].node)
        );
        let between = &line.points[1..line.points.len() - 1];
        if !between.is_empty() {
            out.push_str("            <Array as=\"points\">\n");
            for point in between {
                let _ = writeln!(
                    out,
                    "              <mxPoint x=\"{}\" y=\"{}\"/>",
                    number(point.x),
                    number(point.y)
                );
            }
            out.push_str("            </Array>\n");
        }
        out.push_str("          </mxGeometry>\n        </mxCell>\n");
        for (end, place) in [(0, "-0.86"), (1, "0.86")] {
            let name = escaped(&line.ends[end].interface);
            if name.is_empty() {
                continue;
            }
            let _ = writeln!(
                out,
                "        <mxCell id=\"link-{at}-{end}\" value=\"{name}\" style=\"edgeLabel;resizable=0;fontSize=10;fontColor=#5b6675;html=0;\" \
                 vertex=\"1\" connectable=\"0\" parent=\"link-{at}\">\n          <mxGeometry x=\"{place}\" relative=\"1\" as=\"geometry\"/>\n        \
                 </mxCell>"
            );
        }
    }
    out.push_str("      </root>\n    </mxGraphModel>\n  </diagram>\n</mxfile>\n");
    out
}

fn vertex(out: &mut String, id: &str, value: &str, style: &str, area: &Area) {
    let _ = writeln!(
        out,
        "        <mxCell id=\"{id}\" value=\"{}\" style=\"{style}\" vertex=\"1\" parent=\"1\">\n          <mxGeometry x=\"{}\" y=\"{}\" \
         width=\"{}\" height=\"{}\" as=\"geometry\"/>\n        </mxCell>",
        escaped(value),
        number(area.x),
        number(area.y),
        number(area.width),
        number(area.height)
    );
}

/// Where in the area the point is: 0 to 1 each way.
fn part(area: &Area, point: Point) -> Point {
    let part = |at: f64, from: f64, length: f64| {
        if length == 0.0 { 0.5 } else { ((at - from) / length).clamp(0.0, 1.0) }
    };
    Point::new(part(point.x, area.x, area.width), part(point.y, area.y, area.height))
}

fn ratio(value: f64) -> String {
    format!("{value:.3}")
}
