//! Moments and durations as Kubernetes writes them.
//!
//! What lives here: RFC 3339 in whole seconds or microseconds, and the short ages of `kubectl get`.

use chrono::{DateTime, SecondsFormat, Utc};

/// This moment: RFC 3339, UTC, whole seconds.
pub(super) fn now() -> String {
    written(Utc::now())
}

/// A moment: RFC 3339, UTC, whole seconds.
pub(super) fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The age of a timestamp at `now` as kubectl prints it; `<unknown>` for one that is not there or cannot be read.
pub(super) fn age(timestamp: Option<&str>, now: DateTime<Utc>) -> String {
    timestamp
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map_or_else(|| "<unknown>".into(), |then| human(now.signed_duration_since(then).num_seconds()))
}

/// A duration in seconds in at most two units, fewer as it grows: `88s`, `2m30s`, `75m`, `3h20m`, `2d5h`, `45d`, `3y`.
fn human(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".into();
    }
    let s = seconds.max(0);
    let (m, h, d) = (s / 60, s / 3600, s / 86_400);
    let two =
        |a: i64, x: &str, b: i64, y: &str| if b == 0 { format!("{a}{x}") } else { format!("{a}{x}{b}{y}") };
    match s {
        0..120 => format!("{s}s"),
        120..600 => two(m, "m", s % 60, "s"),
        600..10_800 => format!("{m}m"),
        10_800..28_800 => two(h, "h", m % 60, "m"),
        28_800..172_800 => format!("{h}h"),
        172_800..691_200 => two(d, "d", h % 24, "h"),
        691_200..63_072_000 => format!("{d}d"),
        63_072_000..252_288_000 => two(d / 365, "y", d % 365, "d"),
        _ => format!("{}y", d / 365),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(-1, "0s")]
    #[case(-5, "<invalid>")]
    #[case(88, "88s")]
    #[case(119, "119s")]
    #[case(120, "2m")]
    #[case(150, "2m30s")]
    #[case(4500, "75m")]
    #[case(12_000, "3h20m")]
    #[case(90_000, "25h")]
    #[case(190_800, "2d5h")]
    #[case(3_888_000, "45d")]
    #[case(94_608_000, "3y")]
    fn ages_are_short(#[case] seconds: i64, #[case] expected: &str) {
        assert_eq!(human(seconds), expected);
    }

    #[test]
    fn an_unreadable_timestamp_has_no_age() {
        assert_eq!(age(Some("yesterday"), Utc::now()), "<unknown>");
        assert_eq!(age(None, Utc::now()), "<unknown>");
    }
}
