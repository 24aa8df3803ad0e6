//! Lengths of time as someone who looks on reads them: two or three digits, and no more.
//!
//! Reports keep more digits (`text::time`).

use crate::text;

/// A length of time: `350 ms`, `1.2 s`, `3 min 05 s`.
pub(crate) fn brief(ms: f64) -> String {
    match ms {
        999.5..59_950.0 => format!("{:.1} s", ms / 1_000.0),
        // What would read `60.0 s` is a minute.
        59_950.0..60_000.0 => text::time(60_000.0),
        _ => text::time(ms),
    }
}

/// A running clock: tenths of a second from the start, so that the digits do not flicker.
pub(super) fn running(ms: f64) -> String {
    if ms < 59_950.0 { format!("{:.1} s", ms.max(0.0) / 1_000.0) } else { text::time(ms) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0.0, "0 ms")]
    #[case(350.4, "350 ms")]
    #[case(999.6, "1.0 s")]
    #[case(14_823.0, "14.8 s")]
    #[case(59_960.0, "1 min 00 s")]
    #[case(185_000.0, "3 min 05 s")]
    #[case(f64::NAN, "?")]
    #[case(f64::INFINITY, "?")]
    #[case(-1.0, "?")]
    fn lengths_have_few_digits(#[case] ms: f64, #[case] expected: &str) {
        assert_eq!(brief(ms), expected);
    }

    #[rstest]
    #[case(-3.0, "0.0 s")]
    #[case(2_449.0, "2.4 s")]
    #[case(64_000.0, "1 min 04 s")]
    fn clocks_run_in_tenths(#[case] ms: f64, #[case] expected: &str) {
        assert_eq!(running(ms), expected);
    }
}
