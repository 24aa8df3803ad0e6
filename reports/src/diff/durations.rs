//! How long checks took, compared so that timers and a busy machine make no difference.
//!
//! A check that waits for a protocol takes as long as the protocol's first timer happens to take: GoBGP's first connect comes
//! after 5 to 10 s, a router's advertisement within 10 s. So a check is slower only when it took longer by more than the
//! first term of its deadline (the timer that it always waits for) and [`FLOOR_MS`], and by more than a half. A missed
//! attempt, a hold time that ran out or a minute of retries is beyond that; scheduling is not.

use super::cause::{Groups, Root};
use super::difference::{Difference, Kind, Weight};
use crate::record::{Check, Record, Verdict};
use crate::text::time;

/// What a busy machine may add to any check, in milliseconds.
pub const FLOOR_MS: f64 = 3_000.0;

/// How much longer a check must have taken, as a part of what it took before.
const PART: f64 = 0.5;

/// Whether a check took longer than noise explains: `first_timer` is the longest that the timer may take which it always
/// waits for. All in milliseconds.
pub fn is_slower(old: f64, new: f64, first_timer: f64) -> bool {
    let more = new - old;
    more > first_timer.max(0.0) + FLOOR_MS && more > old * PART
}

/// Compares how long the checks of a phase took that passed in both runs.
pub(super) fn compare(old: &Record, new: &Record, phase: &str, groups: &mut Groups) {
    let root = Root::Time(phase.to_owned());
    for is in new.checks_of(phase).filter(|check| check.verdict == Verdict::Passed) {
        let passed = |check: &&Check| check.name == is.name && check.verdict == Verdict::Passed;
        let Some(was) = old.checks_of(phase).find(passed) else { continue };
        let timer = first_timer(was).max(first_timer(is));
        let weight = if is_slower(was.duration_ms, is.duration_ms, timer) {
            Weight::Worse
        } else if is_slower(is.duration_ms, was.duration_ms, timer) {
            Weight::Better
        } else {
            continue;
        };
        let node = is.node.as_deref().unwrap_or_default();
        let difference = Difference::new(Kind::Duration, weight, node, is.name.clone());
        let told = |check: &Check| Some(time(check.duration_ms));
        groups.put(&root, difference.between(told(was), told(is)), Some(phase));
    }
}

/// The first term of a deadline, unless it is all of it: the margin is none of the protocol's.
pub(crate) fn first_timer(check: &Check) -> f64 {
    let terms = check.deadline.iter().flat_map(|deadline| &deadline.terms);
    terms.into_iter().find(|term| term.what != "margin").map_or(0.0, |term| term.ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::first_connect(5_100.0, 9_900.0, 10_000.0, false)]
    #[case::missed_attempt(5_100.0, 125_000.0, 10_000.0, true)]
    #[case::busy(20.0, 2_500.0, 0.0, false)]
    #[case::slow_kernel(20.0, 3_100.0, 0.0, true)]
    #[case::a_long_wait_a_little_longer(60_000.0, 75_000.0, 10_000.0, false)]
    #[case::faster(9_000.0, 20.0, 0.0, false)]
    fn noise_is_not_slower(#[case] old: f64, #[case] new: f64, #[case] timer: f64, #[case] expected: bool) {
        assert_eq!(is_slower(old, new, timer), expected);
    }
}
