//! `within` and `holds`: how long a check may take to come true, and for how long it must stay so.
//!
//! What lives here: reading them, and how an inner one goes before an outer one. What does not: the deadline that is
//! computed where nobody wrote `within` (`plan::deadline`).

use std::time::Duration;

use fabric_harness::lab::yaml::{Diagnostics, Fields};

/// The two times a user may set on a phase, a group or a single expectation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Patience {
    /// Instead of the computed deadline.
    pub within: Option<Duration>,
    /// For this long after it first came true it must not become false.
    pub holds: Option<Duration>,
}

impl Patience {
    /// Takes `within` and `holds` out of a mapping.
    pub fn read(fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Self {
        Self { within: fields.optional("within", ctx), holds: fields.optional("holds", ctx) }
    }

    /// This, and where it says nothing, what the group around it says.
    #[must_use]
    pub fn or(self, outer: Self) -> Self {
        Self { within: self.within.or(outer.within), holds: self.holds.or(outer.holds) }
    }
}
