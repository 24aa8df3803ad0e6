//! YAML with places: a tree that remembers where everything was written, and diagnostics that show it.
//!
//! Public, so that whoever reads a part of `lab.yaml` (an expectation, say) speaks to the user in the same way:
//! implement [`FromTree`] for the type, take the keys of a mapping through [`Fields`], and report what is wrong to the
//! [`Diagnostics`] handed in. Nothing stops at the first mistake: report, return `None`, and let the caller go on.

mod diagnostic;
mod fields;
mod from_tree;
mod location;
mod scalar;
mod tree;

pub use diagnostic::{Diagnostic, Diagnostics, Scope, Severity};
pub use fields::{Fields, nearest};
pub use from_tree::{FromTree, Spanned, choice};
pub use location::Location;
pub use scalar::{Scalar, Style};
pub use tree::{Entry, Mapping, Node, Value, parse, parse_all, parse_block};

#[cfg(test)]
mod tests;
