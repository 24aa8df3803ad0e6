//! Writing a lab for a later Cilium: the same intent in what that version serves, with the comments kept.
//!
//! What lives here: rewriting texts. What does not: what has to be rewritten (`rules`), reading the lab (`read`).

mod comments;
mod emit;
mod lab;
mod policy;
mod values;

pub use lab::{MigrateError, Migrated, migrate, with_version};
