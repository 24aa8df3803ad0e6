//! Mermaid: a flowchart, as Markdown on GitHub shows it.

use std::fmt::Write as _;

use super::{by_rack, downwards, words};
use crate::drawing::plan::Drawing;
use crate::record::Role;

/// The drawing as a Mermaid flowchart. Mermaid does its own layout; racks are subgraphs, and the names of interfaces stand on
/// the links.
pub fn mermaid(drawing: &Drawing, title: &str) -> String {
    let title: String = crate::text::clean(title).replace(['\n', '"', '\\', '<', '>', '&', '#'], " ");
    let mut out = format!("---\ntitle: \"{title}\"\n---\nflowchart TB\n");
    let (racks, free) = by_rack(drawing);
    let node = |out: &mut String, at: usize, indent: &str| {
        let drawn = &drawing.boxes[at];
        let [name, line] = words(drawn).map(text);
        let (open, close) = match drawn.role {
            Role::Router => ("([", "])"),
            Role::ClusterNode => ("[", "]"),
            Role::Bridge => ("[[", "]]"),
            Role::Host => ("(", ")"),
        };
        let _ = writeln!(out, "{indent}n{at}{open}\"{name}<br/>{line}\"{close}:::{}", class(drawn.role));
    };
    free.iter().for_each(|&at| node(&mut out, at, "  "));
    for (number, (rack, inside)) in racks.iter().enumerate() {
        let _ = writeln!(out, "  subgraph rack{number} [\"{}\"]", text(rack));
        inside.iter().for_each(|&at| node(&mut out, at, "    "));
        out.push_str("  end\n");
    }
    for [(upper, above), (lower, below)] in downwards(drawing) {
        let label = [above, below].map(text);
        match label {
            [a, b] if a.is_empty() && b.is_empty() => {
                let _ = writeln!(out, "  n{upper} --- n{lower}");
            }
            [a, b] => {
                let _ = writeln!(out, "  n{upper} ---|\"{a} \u{2013} {b}\"| n{lower}");
            }
        }
    }
    // Outlines alone: the ground stays that of the page, light or dark.
    out.push_str(
        "  classDef router stroke:#3949ab,stroke-width:2px\n  classDef node stroke:#00796b,stroke-width:2px\n  \
         classDef bridge stroke:#546e7a\n  classDef host stroke:#8a5a00\n",
    );
    out
}

fn class(role: Role) -> &'static str {
    match role {
        Role::Router => "router",
        Role::ClusterNode => "node",
        Role::Bridge => "bridge",
        Role::Host => "host",
    }
}

/// The text within a quoted label: what means something there, in HTML or in Mermaid's Markdown is written as a code.
fn text(text: &str) -> String {
    let clean = crate::text::clean(text);
    let mut out = String::with_capacity(clean.len());
    for c in clean.chars() {
        match c {
            '\n' => out.push(' '),
            '"' | '#' | '&' | '<' | '>' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '|' | '\\' | ';'
            | '~' | '$' | '%' | '@' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
