//! The page of a fabric that is up: the drawing, what it looks like now, and a side panel for one box. What lives here: what the
//! page is made of and the shapes of what it is told. What does not: looking at the fabric, and serving.
//!
//! The page asks `api/box?name=` for the panel of a box, and is told everything else by the events of `events`: `drawing` (SVG, when the
//! set of boxes, links, sessions or pods has changed), `state` ([`State`], when anything has), `gone` (the fabric has ended).

mod page;
mod state;

pub use page::{JS, css, page};
pub use state::{BoxNow, LinkNow, Panel, PodNow, Section, SessionNow, Standing, State};
