//! What was done to a fabric, and when: the events that can be a cause.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Moment {
    pub(super) at: Instant,
    /// The box it was done to, if it is one.
    pub(super) node: Option<String>,
    pub(super) what: String,
}

/// Everything that was done in a phase, in its order.
#[derive(Debug, Default)]
pub(in crate::run) struct Moments(Mutex<Vec<Moment>>);

impl Moments {
    /// A phase begins.
    pub(in crate::run) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Something is done now.
    pub(in crate::run) fn note(&self, node: Option<String>, what: impl Into<String>) {
        self.note_at(Instant::now(), node, what);
    }

    /// Something was done at a moment.
    pub(in crate::run) fn note_at(&self, at: Instant, node: Option<String>, what: impl Into<String>) {
        let moment = Moment { at, node, what: what.into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(moment);
    }

    pub(super) fn all(&self) -> Vec<Moment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
