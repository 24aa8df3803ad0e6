//! What the twin's cluster remembers: objects, one counter of revisions, and a bounded history to watch.
//!
//! What lives here: keeping, listing, selecting and watching objects. What does not: what an object may say
//! (`api::rules`) and how it travels (`api::http`).

mod keep;
mod limits;
mod object;
mod selector;
mod watch;

pub use keep::{Listing, Position, Store, StoreError};
pub use limits::Limits;
pub(crate) use object::weight;
pub use object::{Collection, Key, Object};
pub use selector::{FieldSelector, LabelSelector, SelectorError};
pub use watch::{Event, EventKind, TooOld, Watch};

#[cfg(test)]
mod tests;
