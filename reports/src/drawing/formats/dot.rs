//! Graphviz: an undirected graph.

use std::fmt::Write as _;

use super::{by_rack, downwards, rows, words};
use crate::drawing::plan::Drawing;
use crate::record::Role;

/// The drawing in Graphviz's language. Graphviz does its own layout, with the drawing's rows as ranks; racks are clusters.
pub fn dot(drawing: &Drawing, title: &str) -> String {
    let mut out = format!(
        "graph {} {{\n  label={0};\n  labelloc=t;\n  rankdir=TB;\n  newrank=true;\n  nodesep=0.5;\n  ranksep=0.9;\n  \
         fontname=\"Helvetica\";\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", fontname=\"Helvetica\", fontsize=11];\n  \
         edge [fontname=\"Helvetica\", fontsize=9, color=\"#8d99a8\", labeldistance=1.6];\n",
        quoted(title)
    );
    let (racks, free) = by_rack(drawing);
    let node = |out: &mut String, at: usize, indent: &str| {
        let drawn = &drawing.boxes[at];
        let [name, line] = words(drawn);
        let (shape, colour) = match drawn.role {
            Role::Router => ("box", "#3949ab"),
            Role::ClusterNode => ("box", "#00796b"),
            Role::Bridge => ("cds", "#546e7a"),
            Role::Host => ("ellipse", "#8a5a00"),
        };
        let label = format!("\"{}\\n{}\"", escaped(name), escaped(line));
        let _ = writeln!(
            out,
            "{indent}{} [label={label}, shape={shape}, color=\"{colour}\", tooltip={}];",
            quoted(&drawn.name),
            quoted(&drawn.name)
        );
    };
    free.iter().for_each(|&at| node(&mut out, at, "  "));
    for (number, (rack, inside)) in racks.iter().enumerate() {
        let _ = writeln!(
            out,
            "  subgraph cluster_{number} {{\n    label={};\n    style=\"rounded,filled\";\n    color=\"#d5dce4\";\n    fillcolor=\"#f3f6f9\";",
            quoted(rack)
        );
        inside.iter().for_each(|&at| node(&mut out, at, "    "));
        out.push_str("  }\n");
    }
    for row in rows(drawing).iter().filter(|row| row.len() > 1) {
        let names: Vec<String> = row.iter().map(|&at| quoted(&drawing.boxes[at].name)).collect();
        let _ = writeln!(out, "  {{ rank=same; {}; }}", names.join("; "));
    }
    for [(upper, above), (lower, below)] in downwards(drawing) {
        let name = |at: usize| quoted(&drawing.boxes[at].name);
        let _ = writeln!(
            out,
            "  {} -- {} [taillabel={}, headlabel={}];",
            name(upper),
            name(lower),
            quoted(above),
            quoted(below)
        );
    }
    out.push_str("}\n");
    out
}

/// A quoted string of the language: a backslash begins an escape in labels, and a quotation mark ends it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    let clean = crate::text::clean(text);
    // Entities are resolved in labels, too.
    clean.replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;").replace('\n', "\\n")
}
