//! A span of time that says what it is made of.
//!
//! What lives here: the arithmetic and its wording. Which timers go into which wait is in `protocol`.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What a busy machine may add to any wait that protocols do not account for: scheduling, forks, packets in queues.
pub const MARGIN: Duration = Duration::from_secs(2);

/// One part of a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Term {
    /// Which timer, in the field's words ("first connect").
    pub what: String,
    /// How long it can run.
    pub duration: Duration,
}

/// How long something may take, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Deadline {
    /// The sum of the terms: how long to wait at most.
    pub budget: Duration,
    /// What the budget is made of, in the order in which it runs.
    pub reason: Vec<Term>,
}

impl Deadline {
    /// A deadline of one term.
    pub fn of(what: impl Into<String>, duration: Duration) -> Self {
        Self::default().plus(what, duration)
    }

    /// What a user set, as it is.
    pub fn within(duration: Duration) -> Self {
        Self::of("as set by `within`", duration)
    }

    /// The same deadline with one more term; a term of no length is left out.
    #[must_use]
    pub fn plus(mut self, what: impl Into<String>, duration: Duration) -> Self {
        if !duration.is_zero() {
            self.budget = self.budget.saturating_add(duration);
            self.reason.push(Term { what: what.into(), duration });
        }
        self
    }

    /// One after the other: all terms of both, with the margins of both as one.
    #[must_use]
    pub fn then(self, next: Deadline) -> Self {
        let (margins, terms): (Vec<Term>, Vec<Term>) =
            self.reason.into_iter().chain(next.reason).partition(|term| term.what == MARGIN_WORD);
        let margin = margins.iter().map(|term| term.duration).max().unwrap_or_default();
        terms
            .into_iter()
            .fold(Self::default(), |sum, term| sum.plus(term.what, term.duration))
            .plus(MARGIN_WORD, margin)
    }

    /// The same deadline with [`MARGIN`] at its end.
    #[must_use]
    pub fn margin(self) -> Self {
        self.plus(MARGIN_WORD, MARGIN)
    }

    /// Which term was running `elapsed` after the start, if the terms run one after the other at their longest;
    /// `None` once the budget is used up.
    pub fn running_at(&self, elapsed: Duration) -> Option<&Term> {
        let mut end = Duration::ZERO;
        self.reason.iter().find(|term| {
            end = end.saturating_add(term.duration);
            elapsed < end
        })
    }
}

const MARGIN_WORD: &str = "margin";

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            return f.write_str("no time at all");
        }
        for (index, term) in self.reason.iter().enumerate() {
            let plus = if index == 0 { "" } else { " + " };
            write!(f, "{plus}{} {}", seconds(term.duration), term.what)?;
        }
        Ok(())
    }
}

/// A duration as people say it: `10 s`, `1.5 s`, `0.25 s`.
pub(super) fn seconds(duration: Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn says_what_it_is_made_of() {
        let deadline = Deadline::of("first connect", secs(10)).plus("one missed attempt", secs(10)).margin();
        assert_eq!(deadline.to_string(), "10 s first connect + 10 s one missed attempt + 2 s margin");
        assert_eq!(deadline.budget, secs(22));
        assert_eq!(Deadline::of("x", Duration::from_millis(1_500)).to_string(), "1.5 s x");
        assert_eq!(Deadline::default().to_string(), "no time at all");
    }

    #[test]
    fn a_term_of_no_length_is_not_a_reason() {
        let deadline = Deadline::of("advertisement interval", Duration::ZERO).margin();
        assert_eq!(deadline.to_string(), "2 s margin");
    }

    #[test]
    fn one_margin_is_enough() {
        let sum = Deadline::of("a", secs(1)).margin().then(Deadline::of("b", secs(3)).margin());
        assert_eq!(sum.to_string(), "1 s a + 3 s b + 2 s margin");
        assert_eq!(sum.budget, secs(6));
    }

    #[test]
    fn knows_what_was_still_running() {
        let deadline = Deadline::of("first connect", secs(10)).plus("one missed attempt", secs(10));
        assert_eq!(deadline.running_at(secs(3)).unwrap().what, "first connect");
        assert_eq!(deadline.running_at(secs(10)).unwrap().what, "one missed attempt");
        assert_eq!(deadline.running_at(secs(20)), None);
    }
}
