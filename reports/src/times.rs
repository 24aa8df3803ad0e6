//! Where the time of a run went: the protocols' share and our own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A stretch of a run, in milliseconds from its start.
#[derive(Debug, Clone, PartialEq)]
pub struct Interval {
    /// What the time was for: `GoBGP's first connect`.
    pub what: String,
    /// Its start.
    pub from_ms: f64,
    /// Its end. An end before the start makes the interval empty.
    pub to_ms: f64,
    /// True when nothing but FRR or GoBGP was waited for.
    pub protocol: bool,
}

/// Where the time of a run went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Times {
    /// The time during which at least one wait for FRR or GoBGP was under way. Waits that overlap count once.
    pub protocol_ms: f64,
    /// The rest of the run: what the program itself can be blamed for.
    pub own_ms: f64,
    /// The run, from start to end: the sum of the two above.
    pub total_ms: f64,
    /// What took how long, the longest first. Parts overlap each other, so they do not add up to the total.
    pub parts: Vec<Part>,
}

/// The time one thing took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// What took the time.
    pub what: String,
    /// How long it was under way. Where it happened several times at once, that counts once.
    pub ms: f64,
    /// True when the time was FRR's or GoBGP's.
    pub protocol: bool,
}

impl Times {
    /// What took more than half of our own time before anything was up, where that is a second or more: the first run on
    /// a machine fetches programs, and whoever reads its time should not think that every run is as long. Parts of later
    /// phases are not asked: protocols run beside them, and how much of a part was its own is not kept.
    pub fn most_of_own(&self) -> Option<&Part> {
        let at_start = |part: &&Part| !part.protocol && part.what.starts_with("start: ");
        let longest = self.parts.iter().find(at_start)?;
        (longest.ms >= 1000.0 && longest.ms * 2.0 > self.own_ms).then_some(longest)
    }
}

/// Splits a run of `total_ms` into the protocols' time and our own.
///
/// Protocol time is the length of the union of the protocol intervals, not their sum: thirty checks that wait
/// for the same session cost its time once. Own time is what remains of the run. Intervals are clipped to the
/// run; empty ones and those with a bound that is not finite count for nothing.
pub fn split(intervals: &[Interval], total_ms: f64) -> Times {
    let total_ms = if total_ms.is_finite() { total_ms.max(0.0) } else { 0.0 };
    let length_of = |pick: &dyn Fn(&Interval) -> bool| {
        let spans = intervals.iter().filter(|interval| pick(interval)).map(|i| (i.from_ms, i.to_ms));
        union(spans, total_ms)
    };
    let protocol_ms = length_of(&|interval| interval.protocol);
    let mut parts: Vec<Part> = Vec::new();
    for Interval { what, protocol, .. } in intervals {
        if !parts.iter().any(|part| part.what == *what && part.protocol == *protocol) {
            let ms = length_of(&|i| i.what == *what && i.protocol == *protocol);
            parts.push(Part { what: what.clone(), ms, protocol: *protocol });
        }
    }
    // A stable sort: parts of the same length stay in the order in which they began to be told.
    parts.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    Times { protocol_ms, own_ms: micros(total_ms - protocol_ms), total_ms, parts }
}

/// The time within a stretch of the run during which at least one wait for FRR or GoBGP was under way.
pub(crate) fn protocol_within(intervals: &[Interval], from_ms: f64, to_ms: f64) -> f64 {
    let spans = intervals.iter().filter(|interval| interval.protocol);
    union(
        spans.map(|interval| (interval.from_ms - from_ms, interval.to_ms - from_ms)),
        (to_ms - from_ms).max(0.0),
    )
}

/// The length of the union of spans, each clipped to `0..=end`.
fn union(spans: impl Iterator<Item = (f64, f64)>, end: f64) -> f64 {
    let mut spans: Vec<(f64, f64)> = spans
        .filter(|(from, to)| from.is_finite() && to.is_finite())
        .map(|(from, to)| (from.clamp(0.0, end), to.clamp(0.0, end)))
        .filter(|(from, to)| from < to)
        .collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut length, mut covered_to) = (0.0, 0.0f64);
    for (from, to) in spans {
        if to > covered_to {
            length += to - from.max(covered_to);
            covered_to = to;
        }
    }
    micros(length)
}

/// Rounded to the microsecond, so that sums of floats show no tails such as 0.30000000000000004.
pub(crate) fn micros(ms: f64) -> f64 {
    (ms * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn protocol(from_ms: f64, to_ms: f64) -> Interval {
        Interval { what: "bgp".into(), from_ms, to_ms, protocol: true }
    }

    #[rstest]
    #[case::none(&[], 0.0)]
    #[case::one(&[(10.0, 30.0)], 20.0)]
    #[case::apart(&[(10.0, 30.0), (40.0, 45.0)], 25.0)]
    #[case::overlapping(&[(10.0, 30.0), (20.0, 50.0)], 40.0)]
    #[case::one_inside_another(&[(10.0, 50.0), (20.0, 30.0)], 40.0)]
    #[case::touching(&[(10.0, 20.0), (20.0, 30.0)], 20.0)]
    #[case::the_same_twice(&[(10.0, 20.0), (10.0, 20.0)], 10.0)]
    #[case::out_of_order(&[(40.0, 60.0), (0.0, 10.0), (5.0, 45.0)], 60.0)]
    #[case::past_the_end(&[(90.0, 500.0)], 10.0)]
    #[case::before_the_start(&[(-50.0, 10.0)], 10.0)]
    #[case::backwards(&[(30.0, 10.0)], 0.0)]
    #[case::not_a_number(&[(f64::NAN, 10.0), (0.0, f64::INFINITY)], 0.0)]
    fn protocol_time_is_the_union(#[case] spans: &[(f64, f64)], #[case] expected: f64) {
        let intervals: Vec<Interval> = spans.iter().map(|&(from, to)| protocol(from, to)).collect();
        let times = split(&intervals, 100.0);
        assert_eq!(times.protocol_ms, expected);
        assert_eq!(times.own_ms, 100.0 - expected);
    }

    #[rstest]
    #[case::fetched("start: look for programs", false, 9000.0, true)]
    #[case::had("start: look for programs", false, 4.0, false)]
    #[case::less_than_half("start: look for programs", false, 1200.0, false)]
    #[case::of_a_phase("underlay: bring up the underlay", false, 9000.0, false)]
    #[case::of_frr("start: something", true, 9000.0, false)]
    fn what_took_most_before_anything_was_up_is_found(
        #[case] what: &str,
        #[case] protocol: bool,
        #[case] ms: f64,
        #[case] expected: bool,
    ) {
        let part = Part { what: what.into(), ms, protocol };
        let times = Times { protocol_ms: 8000.0, own_ms: 10_000.0, total_ms: 18_000.0, parts: vec![part] };
        assert_eq!(times.most_of_own().is_some(), expected);
    }

    #[rstest]
    #[case::inside(20.0, 60.0, 20.0)]
    #[case::across(0.0, 30.0, 20.0)]
    #[case::nothing(50.0, 90.0, 0.0)]
    #[case::backwards(50.0, 10.0, 0.0)]
    fn a_stretch_has_its_part(#[case] from: f64, #[case] to: f64, #[case] expected: f64) {
        let work = Interval { what: "apply".into(), from_ms: 0.0, to_ms: 90.0, protocol: false };
        let all = [protocol(10.0, 30.0), protocol(25.0, 40.0), work];
        assert_eq!(protocol_within(&all, from, to), expected);
    }

    #[test]
    fn work_during_a_wait_does_not_make_it_less_of_a_wait() {
        let work = Interval { what: "apply".into(), from_ms: 0.0, to_ms: 60.0, protocol: false };
        let times = split(&[work, protocol(50.0, 100.0)], 100.0);
        assert_eq!((times.protocol_ms, times.own_ms), (50.0, 50.0));
        assert_eq!(times.parts[0], Part { what: "apply".into(), ms: 60.0, protocol: false });
        assert_eq!(times.parts[1], Part { what: "bgp".into(), ms: 50.0, protocol: true });
    }

    #[test]
    fn parts_of_one_name_are_united() {
        let times = split(&[protocol(0.0, 30.0), protocol(10.0, 40.0)], 100.0);
        assert_eq!(times.parts, [Part { what: "bgp".into(), ms: 40.0, protocol: true }]);
    }

    proptest! {
        /// Against a model that cannot be wrong: each millisecond is either covered or not.
        #[test]
        fn it_agrees_with_counting(spans in prop::collection::vec((0u16..400, 0u16..400), 0..30), total in 0u16..300) {
            let intervals: Vec<Interval> =
                spans.iter().map(|&(from, to)| protocol(f64::from(from), f64::from(to))).collect();
            let covered = (0..total).filter(|at| spans.iter().any(|(from, to)| from <= at && at < to)).count();
            let times = split(&intervals, f64::from(total));
            prop_assert_eq!(times.protocol_ms, covered as f64);
            prop_assert_eq!(times.own_ms + times.protocol_ms, f64::from(total));
        }
    }
}
