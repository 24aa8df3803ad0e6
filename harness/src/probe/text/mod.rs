//! The text of `ping` and `traceroute` read into the same reports, for nodes that only exec leads into.
//!
//! Known: ping of iputils, busybox and inetutils; traceroute 2.1 (Debian), of busybox and of inetutils.

mod ping;
mod traceroute;

use std::net::IpAddr;
use std::time::Duration;

use super::error::ProbeError;
use super::report::IcmpError;

pub use ping::ping;
pub use traceroute::traceroute;

/// One line with its number, for errors.
#[derive(Clone, Copy)]
struct Line<'a> {
    program: &'static str,
    number: usize,
    text: &'a str,
}

impl Line<'_> {
    /// An error about a part of this line.
    fn wrong(&self, part: &str, what: impl Into<String>) -> ProbeError {
        let column = self.text.find(part).unwrap_or(0) + 1;
        let (what, text) = (what.into(), self.text.to_owned());
        ProbeError::Text { program: self.program, line: self.number, column, what, text }
    }
}

fn lines<'a>(program: &'static str, text: &'a str) -> impl Iterator<Item = Line<'a>> {
    text.lines().enumerate().map(move |(index, text)| Line {
        program,
        number: index + 1,
        text: text.trim_end(),
    })
}

/// The text has no heading: nothing of it can be trusted.
fn no_heading(program: &'static str, text: &str, heading: &str) -> ProbeError {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    ProbeError::Text {
        program,
        line: 1,
        column: 1,
        what: format!("no line begins with `{heading}`: the program did not run; look at its standard error"),
        text: first.to_owned(),
    }
}

/// An address as programs print it: in brackets or not, with a colon behind it or not, with a zone (`%eth0`) or not.
fn address(word: &str) -> Option<IpAddr> {
    let word = word.trim_end_matches(',').trim_start_matches('(').trim_end_matches(')');
    let bare = |word: &str| word.split('%').next().unwrap_or_default().parse().ok();
    // An IPv6 address may end in colons of its own.
    bare(word.strip_suffix(':').unwrap_or(word)).or_else(|| bare(word)).or_else(|| {
        let word = word.trim_end_matches([':', ',']).trim_end_matches(')');
        bare(word)
    })
}

/// Milliseconds as programs print them (`0.357`).
fn milliseconds(word: &str) -> Option<Duration> {
    let number: f64 = word.parse().ok()?;
    Duration::try_from_secs_f64(number / 1000.0).ok()
}

/// An error as ping programs word it.
fn worded(words: &str) -> IcmpError {
    let lower = words.to_ascii_lowercase();
    let known = [
        ("reassembly", IcmpError::ReassemblyTimeExceeded),
        ("time to live exceeded", IcmpError::TimeExceeded),
        ("time exceeded", IcmpError::TimeExceeded),
        ("hop limit", IcmpError::TimeExceeded),
        ("host unreachable", IcmpError::HostUnreachable),
        ("address unreachable", IcmpError::HostUnreachable),
        ("net unreachable", IcmpError::NetUnreachable),
        ("network unreachable", IcmpError::NetUnreachable),
        ("no route", IcmpError::NetUnreachable),
        ("port unreachable", IcmpError::PortUnreachable),
        ("protocol unreachable", IcmpError::ProtocolUnreachable),
        ("prohibited", IcmpError::Prohibited),
        ("filtered", IcmpError::Prohibited),
        // The MTU is not always printed.
        ("frag needed", IcmpError::TooBig(number_after(&lower, "mtu = "))),
        ("too big", IcmpError::TooBig(number_after(&lower, "mtu="))),
    ];
    let found = known.into_iter().find(|(needle, _)| lower.contains(needle));
    found.map_or_else(|| IcmpError::Words(words.to_owned()), |(_, error)| error)
}

fn number_after(text: &str, needle: &str) -> u32 {
    let digits = text.split_once(needle).map(|(_, rest)| rest).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
