//! A picture as SVG. What its elements are called is said in the module's own description; where things are, `plan` knows.

use std::fmt::Write as _;

use super::boxes::{self, ICON, PAD};
use super::geometry::Point;
use super::plan::{Drawing, Drawn, Far, Label, Line};
use super::words::{escaped, number, slug};
use crate::record::{LinkEnd, Role};

/// The style of drawings: variables for colours, and what the classes of states look like.
pub const CSS: &str = include_str!("drawing.css");

/// The radius of a line's corners.
const CORNER: f64 = 9.0;

/// How a picture is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Svg<'a> {
    /// What stands before every id.
    pub prefix: &'a str,
    /// What it is a picture of.
    pub title: &'a str,
    /// Whether boxes are buttons.
    pub interactive: bool,
    /// Whether it carries its style: for a file of its own.
    pub style: bool,
}

impl Svg<'_> {
    /// The picture, from `<svg` to `</svg>`.
    pub fn render(&self, drawing: &Drawing) -> String {
        let mut out = String::new();
        self.head(&mut out, drawing);
        out.push_str("<g class=\"racks\">\n");
        for rack in &drawing.racks {
            let name = escaped(&rack.name);
            let area = rack.area;
            let _ = writeln!(
                out,
                "<g class=\"rack\" data-rack=\"{name}\">{}<text x=\"{}\" y=\"{}\">{name}</text></g>",
                rect("", &area, 14.0),
                number(area.x + 14.0),
                number(area.bottom() - 10.0),
            );
        }
        out.push_str("</g>\n<g class=\"links\">\n");
        drawing.links.iter().for_each(|line| self.link(&mut out, line));
        out.push_str("</g>\n<g class=\"sessions\">\n");
        let speaks = |end: &LinkEnd| {
            let role = drawing.boxes.iter().find(|drawn| drawn.name == end.node).map(|drawn| drawn.role);
            matches!(role, Some(Role::Router | Role::ClusterNode))
        };
        for line in drawing.links.iter().filter(|line| line.ends.iter().all(speaks)) {
            self.session(&mut out, line);
        }
        drawing.far.iter().for_each(|far| self.far(&mut out, far));
        let _ = write!(
            out,
            "</g>\n<g class=\"paths\" id=\"{}paths\"></g>\n<g class=\"boxes\">\n",
            escaped(self.prefix)
        );
        drawing.boxes.iter().for_each(|drawn| self.drawn(&mut out, drawn));
        out.push_str("</g>\n<g class=\"ports\" aria-hidden=\"true\">\n");
        for line in &drawing.links {
            for (end, label) in line.ends.iter().zip(&line.labels) {
                label.iter().for_each(|label| port(&mut out, line, end, label));
            }
        }
        out.push_str("</g>\n</svg>\n");
        out
    }

    /// What the `d` of a `<path>` through these points is, with rounded corners.
    pub fn way(points: &[Point]) -> String {
        let mut way = String::new();
        let Some(first) = points.first() else { return way };
        let _ = write!(way, "M{}", at(*first));
        for three in points.windows(3) {
            let [before, corner, after] = [three[0], three[1], three[2]];
            let near = |other: Point| {
                let length = corner.distance(other);
                if length == 0.0 { corner } else { corner.towards(other, (CORNER / length).min(0.5)) }
            };
            let _ = write!(way, "L{}Q{} {}", at(near(before)), at(corner), at(near(after)));
        }
        if let Some(last) = points[1..].last() {
            let _ = write!(way, "L{}", at(*last));
        }
        way
    }

    fn head(&self, out: &mut String, drawing: &Drawing) {
        let prefix = escaped(self.prefix);
        let role = if self.interactive { "group" } else { "img" };
        let (width, height) = (number(drawing.width), number(drawing.height));
        let _ = writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"drawing\" id=\"{prefix}drawing\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"{role}\" aria-labelledby=\"{prefix}title\" aria-describedby=\"{prefix}desc\">"
        );
        let _ = writeln!(out, "<title id=\"{prefix}title\">{}</title>", escaped(self.title));
        let _ = writeln!(out, "<desc id=\"{prefix}desc\">{}</desc>", escaped(&described(drawing)));
        if self.style {
            let _ = writeln!(out, "<style>\n{CSS}</style>");
            let _ = writeln!(out, "<rect class=\"sheet\" width=\"{width}\" height=\"{height}\"/>");
        }
    }

    fn link(&self, out: &mut String, line: &Line) {
        let [a, b] = &line.ends;
        let _ = writeln!(
            out,
            "<g class=\"link\" id=\"{}link-{}\" {}><title>{}</title><path class=\"wire\" d=\"{}\"/></g>",
            escaped(self.prefix),
            id(line),
            data(line),
            escaped(&format!("{}:{} to {}:{}", a.node, a.interface, b.node, b.interface)),
            Self::way(&line.points),
        );
    }

    fn session(&self, out: &mut String, line: &Line) {
        let [a, b] = &line.ends;
        let _ = writeln!(
            out,
            "<g class=\"session\" id=\"{}session-{}\" {}><title>{}</title>{}</g>",
            escaped(self.prefix),
            id(line),
            data(line),
            escaped(&format!("BGP session between {} and {}", a.node, b.node)),
            band(&line.points),
        );
    }

    fn far(&self, out: &mut String, far: &Far) {
        let [a, b] = &far.ends;
        let _ = writeln!(
            out,
            "<g class=\"session far\" id=\"{}session-{}__{}\" data-a=\"{}\" data-b=\"{}\"><title>{}</title>{}</g>",
            escaped(self.prefix),
            slug(a),
            slug(b),
            escaped(a),
            escaped(b),
            escaped(&format!("BGP session between {a} and {b}")),
            band(&far.points),
        );
    }

    fn drawn(&self, out: &mut String, drawn: &Drawn) {
        let name = escaped(&drawn.name);
        let whole = escaped(&spoken(drawn));
        let area = drawn.area;
        let _ = write!(
            out,
            "<g class=\"box {}\" id=\"{}box-{}\" data-node=\"{name}\"",
            class(drawn.role),
            escaped(self.prefix),
            slug(&drawn.name)
        );
        if let Some(asn) = drawn.asn {
            let _ = write!(out, " data-asn=\"{asn}\"");
        }
        if let Some(rack) = &drawn.rack {
            let _ = write!(out, " data-rack=\"{}\"", escaped(rack));
        }
        if self.interactive {
            // What is seen comes first in what is said, so that who speaks to a computer can call a box by what they see.
            let _ = write!(
                out,
                " tabindex=\"0\" role=\"button\" aria-label=\"{} - {whole}\"",
                escaped(&written(drawn))
            );
        }
        let _ = write!(out, "><title>{whole}</title>{}", rect("frame", &area, 9.0));
        let _ = write!(
            out,
            "<path class=\"icon\" transform=\"translate({} {})\" d=\"{}\"/>",
            number(area.x + PAD),
            number(area.y + 14.0),
            icon(drawn.role)
        );
        let text = area.x + PAD + ICON;
        let _ = write!(
            out,
            "<text class=\"name\" x=\"{0}\" y=\"{1}\">{2}</text> <text class=\"line\" x=\"{0}\" y=\"{3}\">{4}</text>",
            number(text),
            number(area.y + 20.0),
            escaped(&drawn.title),
            number(area.y + 36.0),
            escaped(&drawn.line)
        );
        for chip in &drawn.pods {
            let (pod, chip_area) = (escaped(&chip.pod), chip.area);
            let _ = write!(
                out,
                " <g class=\"pod\" data-pod=\"{pod}\" data-node=\"{name}\"><title>{pod}</title>{}<circle class=\"dot\" cx=\"{}\" cy=\"{}\" \
                 r=\"2.5\"/><text x=\"{}\" y=\"{}\">{}</text></g>",
                rect("", &chip_area, 5.0),
                number(chip_area.x + 8.0),
                number(chip_area.center().y),
                number(chip_area.x + 15.0),
                number(chip_area.y + 12.0),
                escaped(&chip.label)
            );
        }
        if let Some((place, pods)) = &drawn.more {
            let _ = write!(
                out,
                " <g class=\"more\" data-node=\"{name}\"><title>{}</title><text x=\"{}\" y=\"{}\">and {} more pods</text></g>",
                escaped(&pods.join(", ")),
                number(place.x + 15.0),
                number(place.y + 12.0),
                pods.len()
            );
        }
        let _ = writeln!(
            out,
            "<g class=\"badge\" transform=\"translate({} {})\"><circle r=\"9\"/><path d=\"M0-4.5V.5M0 4.4V4.5\"/></g></g>",
            number(area.right() - 2.0),
            number(area.y + 2.0)
        );
    }
}

fn port(out: &mut String, line: &Line, end: &LinkEnd, label: &Label) {
    let anchor = if label.ends_there { " text-anchor=\"end\"" } else { "" };
    let (x, y) = (number(label.at.x), number(label.at.y));
    let turned = if label.turned { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    let _ = writeln!(
        out,
        "<text class=\"port\" x=\"{x}\" y=\"{y}\"{anchor}{turned} data-node=\"{}\" data-interface=\"{2}\" data-link=\"{}\">{2}</text>",
        escaped(&end.node),
        escaped(&key(line)),
        escaped(&end.interface),
    );
}

/// A session's line, and the cross that shows that it is down to those who do not see colours.
fn band(points: &[Point]) -> String {
    let longest = points
        .windows(2)
        .max_by(|a, b| a[0].distance(a[1]).total_cmp(&b[0].distance(b[1])))
        .map_or(Point::default(), |pair| pair[0].towards(pair[1], 0.5));
    let way = Svg::way(points);
    format!(
        "<path class=\"hit\" d=\"{way}\"/><path class=\"band\" d=\"{way}\"/><g class=\"mark\" transform=\"translate({} {})\">\
         <circle r=\"7\"/><path d=\"M-3-3L3 3M-3 3L3-3\"/></g>",
        number(longest.x),
        number(longest.y)
    )
}

/// What the picture shows, for those who do not see it.
fn described(drawing: &Drawing) -> String {
    let count = |role: Role| drawing.boxes.iter().filter(|drawn| drawn.role == role).count();
    let roles = [Role::Router, Role::ClusterNode, Role::Bridge, Role::Host]
        .map(|role| (count(role), boxes::word(role)));
    let mut parts: Vec<String> = roles
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| crate::text::count(*count, word))
        .collect();
    parts.push(crate::text::count(drawing.links.len(), "link"));
    let links: Vec<String> = drawing
        .links
        .iter()
        .take(40)
        .map(|line| {
            format!(
                "{}:{} to {}:{}",
                line.ends[0].node, line.ends[0].interface, line.ends[1].node, line.ends[1].interface
            )
        })
        .collect();
    let more = if drawing.links.len() > links.len() { ", and more" } else { "" };
    if links.is_empty() {
        format!("{}.", parts.join(", "))
    } else {
        format!("{}: {}{more}.", parts.join(", "), links.join(", "))
    }
}

/// What is written in a box, in the order in which it is.
fn written(drawn: &Drawn) -> String {
    let mut words = vec![drawn.title.clone(), drawn.line.clone()];
    words.extend(drawn.pods.iter().map(|pod| pod.label.clone()));
    words.extend(drawn.more.iter().map(|(_, pods)| format!("and {} more pods", pods.len())));
    words.join(" ")
}

/// A box in words.
fn spoken(drawn: &Drawn) -> String {
    let mut words = vec![drawn.name.clone(), boxes::word(drawn.role).to_owned()];
    words.extend(drawn.asn.map(|asn| format!("AS {asn}")));
    words.extend(drawn.also.iter().map(|also| format!("also {also}")));
    words.extend(drawn.rack.iter().map(|rack| format!("rack {rack}")));
    words.join(", ")
}

fn class(role: Role) -> &'static str {
    match role {
        Role::Router => "router",
        Role::ClusterNode => "cluster-node",
        Role::Bridge => "bridge",
        Role::Host => "host",
    }
}

/// What a box is, as a picture of 16 by 16.
fn icon(role: Role) -> &'static str {
    match role {
        Role::Router => {
            "M8 0a8 8 0 1 0 .01 0ZM8 3v3.4M8 9.6V13M3 8h3.4M9.6 8H13M6.6 4.4 8 3 9.4 4.4M6.6 11.6 8 13 9.4 11.6M5 6.6 6.4 8 5 9.4M11 6.6 9.6 8 11 9.4"
        }
        Role::ClusterNode => {
            "M8 0l6.9 4v8L8 16 1.1 12V4ZM8 5.2l2.6 1.5v3L8 11.2 5.4 9.7v-3ZM8 0v5.2M14.9 12l-4.3-2.3M1.1 12l4.3-2.3"
        }
        Role::Bridge => "M1 5h14M1 11h14M4 2 1 5l3 3M12 8l3 3-3 3",
        Role::Host => "M1 2h14v9H1ZM8 11v3M4.5 14.5h7",
    }
}

fn rect(class: &str, area: &super::geometry::Area, radius: f64) -> String {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    format!(
        "<rect{class} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
        number(area.x),
        number(area.y),
        number(area.width),
        number(area.height),
        number(radius)
    )
}

fn at(point: Point) -> String {
    format!("{} {}", number(point.x), number(point.y))
}

fn key(line: &Line) -> String {
    let [a, b] = &line.ends;
    format!("{}:{}--{}:{}", a.node, a.interface, b.node, b.interface)
}

fn id(line: &Line) -> String {
    let [a, b] = &line.ends;
    [&a.node, &a.interface, &b.node, &b.interface].map(|part| slug(part)).join("__")
}

fn data(line: &Line) -> String {
    let [a, b] = &line.ends;
    format!(
        "data-link=\"{}\" data-a=\"{}\" data-a-interface=\"{}\" data-b=\"{}\" data-b-interface=\"{}\"",
        escaped(&key(line)),
        escaped(&a.node),
        escaped(&a.interface),
        escaped(&b.node),
        escaped(&b.interface)
    )
}
