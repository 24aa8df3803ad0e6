//! A fabric shown as it is, for as long as somebody looks: the drawing with its states, served on a port of this machine.
//!
//! What lives here: following the fabric, putting what is seen into the page's words, serving the page. What does not: the page
//! and the drawing (`fabric_reports::live`, `fabric_reports::drawing`), looking at routers and boxes (observers, `view`).

mod follow;
mod guard;
mod panel;
mod seen;
mod serve;

pub use serve::{Ended, LiveError, listen, serve};
