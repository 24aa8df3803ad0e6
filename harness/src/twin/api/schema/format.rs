//! String formats a Kubernetes server enforces. A format it does not know, it ignores; so do we.
//!
//! What lives here: one predicate. What does not: the words of the refusal (`check`).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use base64::Engine as _;
use regex::Regex;

/// A table of formats told by a regular expression alone. A pattern that did not compile would fail the tests below.
static SHAPES: LazyLock<Vec<(&'static str, Regex)>> = LazyLock::new(|| {
    let shapes = [
        ("uuid", r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"),
        ("email", r"^[^@\s<>]+@[^@\s<>]+$"),
        (
            "mac",
            r"(?i)^([0-9a-f]{2}[:-]){5}([0-9a-f]{2}[:-]){0,2}[0-9a-f]{2}$|^([0-9a-f]{4}\.){2}[0-9a-f]{4}$",
        ),
        ("uri", r"^[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]*$|^/[^\s]*$"),
        (
            "hostname",
            r"^[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*\.?$",
        ),
        ("hexcolor", r"(?i)^#?([0-9a-f]{3}|[0-9a-f]{6})$"),
        (
            "duration",
            r"^[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$|^[+-]?0$",
        ),
    ];
    shapes.into_iter().filter_map(|(name, text)| Regex::new(text).ok().map(|regex| (name, regex))).collect()
});

/// Whether a text is of a format.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => text.parse::<ipnet::IpNet>().is_ok(),
        "byte" => base64::engine::general_purpose::STANDARD.decode(text).is_ok(),
        "date" => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "date-time" | "datetime" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        other => SHAPES.iter().find(|(name, _)| *name == other).is_none_or(|(_, shape)| shape.is_match(text)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("cidr", "10.0.0.1/32", "10.0.0.1")]
    #[case("ipv4", "10.0.0.1", "10.0.0.256")]
    #[case("ipv6", "fd00::1", "fd00::g")]
    #[case("uuid", "9220abb2-9a44-4b31-9c8d-00f3abc0ad88", "9220")]
    #[case("duration", "1h30m", "1 hour")]
    #[case("date-time", "2026-11-23T04:56:15Z", "2026-11-23")]
    #[case("date", "2026-11-23", "23.11.2026")]
    #[case("byte", "aGk=", "a!")]
    #[case("mac", "02:42:ac:14:14:02", "02:42")]
    #[case("hostname", "tor0.example", "tor_0")]
    #[case("email", "a@b", "a")]
    #[case("uri", "https://a/b", "a b")]
    #[case("hexcolor", "#fff", "#ff")]
    fn known_formats_are_enforced(#[case] format: &str, #[case] good: &str, #[case] bad: &str) {
        assert!(fits(format, good), "{good} is a {format}");
        assert!(!fits(format, bad), "{bad} is no {format}");
    }

    #[test]
    fn an_unknown_format_says_nothing() {
        assert!(fits("asn", "anything"));
    }
}
