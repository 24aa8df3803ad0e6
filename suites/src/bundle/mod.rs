//! The diagnostics bundle: what a fabric is and did, in one tar, for somebody who has nothing else.
//!
//! What lives here: what is asked of whom, taking secrets out, the index, the archive. What does not: when a run makes one
//! (`run`), the command (`cli`).

mod archive;
mod cluster;
mod collect;
mod index;
mod lab;
mod links;
mod nodes;
mod part;
mod redact;
mod routers;
mod secrets;
mod speakers;

pub use archive::{BundleError, Made, NAME};
pub use collect::{Captured, Collected, Sources, collect};
pub use part::{Content, Piece};
pub use redact::Redactor;
