//! The drawing of a fabric: a layout of [`Topology`](crate::record::Topology) into tiers, and SVG. Pure functions of what they are given: no
//! clock, no file, no fabric. What happens on the fabric is laid over the drawing by whoever shows it, through classes.
//!
//! # What a page may rely on
//!
//! ```text
//! let scene = Scene { topology, pods, sessions };        // or Scene::of(&topology)
//! let drawing = Drawing::of(&scene);                     // places; `drawing.boxes`, `.links`, ... are public, and Serialize
//! let svg = Svg { prefix: "", title: "...", interactive: true, style: false }.render(&drawing);
//! let points = drawing.path(&["default/a", "worker", "tor0", "router0"]);   // a path's way; Svg::way(&points) is its `d`
//! ```
//!
//! `prefix` stands before every id, so that one page can hold several drawings. With `style` the SVG carries [`CSS`] itself (a
//! file of its own); without, the page includes [`CSS`] once. With `interactive` each box is a button for keyboard and pointer
//! (`tabindex`, `role`, `aria-label`; the page listens to click, Enter and Space); without, the whole is one image with a title
//! and a description. There are no scripts in it, no links, no images, no fonts from elsewhere.
//!
//! | element | id | attributes |
//! |---|---|---|
//! | `svg.drawing` | `drawing` | |
//! | `g.rack` | | `data-rack` |
//! | `g.link` | `link-` + [`slug`]s of node, interface, node, interface, joined with `__` | `data-link="node:interface--node:interface"`, `data-a`, `data-a-interface`, `data-b`, `data-b-interface` |
//! | `g.session` | `session-` + as its link | as its link; without a link (`far`) `data-a` and `data-b` alone |
//! | `g.box` and its role: `.router`, `.cluster-node`, `.bridge`, `.host` | `box-` + slug of the name | `data-node`, `data-asn`, `data-rack` |
//! | `g.pod` in its box | | `data-pod="namespace/name"`, `data-node` |
//! | `text.port` | | `data-node`, `data-interface`, `data-link` |
//! | `g.paths` | `paths` | empty, over links and under boxes: the place for `<path class="hop-path" d="...">` |
//!
//! Each link between routers and cluster nodes has a session drawn over it, which is not to be seen until it has a state. In
//! `data-link` the ends stand in the topology's order. A box that occurs twice in `also` or by name is found by [`Drawing::node`].
//!
//! States are classes, set by whoever knows them; without any, the drawing says nothing about states:
//!
//! | on | classes |
//! |---|---|
//! | `g.session` | `established`, `down` (with a cross), `trying` (dashed: connecting, opening) |
//! | `g.link` | `down` |
//! | `g.box` | `down`, `cause` (something is broken here: a badge), `victim`, `selected`, `faint` |
//! | `g.link`, `g.session` | `cause`, `selected`, `faint` |
//! | `g.pod` | `absent` (not there at this moment; its place stays), `waiting` (not running) |
//! | `.hop-path` | `good`, `bad`, `second` (the way back) |
//!
//! Colours are the variables `--d-*` at the top of [`CSS`], for light and dark by the reader's setting, or by `data-theme="light"`
//! or `"dark"` on any element above; a page may set its own.

mod boxes;
mod circle;
#[allow(clippy::module_inception)]
mod drawing;
mod formats;
mod geometry;
mod grid;
mod layered;
mod order;
mod place;
mod plan;
mod racks;
mod route;
#[cfg(test)]
mod samples;
mod scene;
mod svg;
#[cfg(test)]
mod tests;
mod tiers;
mod words;

pub use formats::{dot, drawio, mermaid};
pub use geometry::{Area, Point};
pub use plan::{Chip, Drawing, Drawn, Far, Label, Line, Rack};
pub use scene::{Pod, Scene};
pub use svg::{CSS, Svg};
pub use words::slug;
