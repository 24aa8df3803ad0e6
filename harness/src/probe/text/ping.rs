//! The text of `ping`.

use super::super::error::ProbeError;
use super::super::report::{PingFault, PingReport, Reply};
use super::{Line, address, lines, milliseconds, no_heading, worded};

const PROGRAM: &str = "ping";

/// Reads what `ping -c N ADDRESS` printed on standard output. What stands before the heading is passed over.
///
/// # Errors
/// [`ProbeError::Text`] when there is no heading (`PING ...`), when a reply cannot be read, or when the summary is missing
/// (the program was killed before its end).
pub fn ping(text: &str) -> Result<PingReport, ProbeError> {
    let mut report: Option<PingReport> = None;
    let mut counted = false;
    let mut from_zero = false;
    for line in lines(PROGRAM, text) {
        let Some(report) = &mut report else {
            report = heading(&line)?;
            // busybox and inetutils, which count from 0, write a colon behind the address; iputils does not.
            from_zero = line.text.contains("): ");
            continue;
        };
        if line.text.contains(" bytes from ") {
            reply(&line, report, from_zero)?;
        } else if line.text.contains("packets transmitted") {
            (report.sent, report.received) = counts(&line)?;
            counted = true;
        } else if let Some(fault) = fault(&line, from_zero) {
            report.errors.push(fault);
        }
    }
    let report = report.ok_or_else(|| no_heading(PROGRAM, text, "PING"))?;
    if counted {
        return Ok(report);
    }
    let number = text.lines().count();
    let last = Line { program: PROGRAM, number, text: text.lines().last().unwrap_or_default() };
    Err(last.wrong("", "no line says `packets transmitted`: ping was ended before its summary"))
}

/// `PING 10.1.3.242 (10.1.3.242) 56(84) bytes of data.`, `PING 10.1.1.1 (10.1.1.1): 56 data bytes`,
/// `PING fd00::1(fd00::1) 56 data bytes`.
fn heading(line: &Line) -> Result<Option<PingReport>, ProbeError> {
    let Some(rest) = line.text.strip_prefix("PING ") else { return Ok(None) };
    let bracketed = rest.split_once('(').and_then(|(_, rest)| address(rest.split(')').next()?));
    let bare = || rest.split_whitespace().next().and_then(address);
    let to = bracketed.or_else(bare).ok_or_else(|| line.wrong(rest, "no address of the target here"))?;
    Ok(Some(PingReport { to, sent: 0, received: 0, replies: Vec::new(), errors: Vec::new() }))
}

/// `64 bytes from host (10.1.3.242): icmp_seq=1 ttl=57 time=0.357 ms`, with `seq=` in busybox.
fn reply(line: &Line, report: &mut PingReport, from_zero: bool) -> Result<(), ProbeError> {
    if line.text.contains("DUP!") {
        return Ok(());
    }
    let (_, rest) = line.text.split_once(" bytes from ").unwrap_or_default();
    let mut from = None;
    let (mut seq, mut ttl, mut rtt) = (None, None, None);
    for word in rest.split_whitespace() {
        match word.split_once('=') {
            Some(("icmp_seq" | "seq", number)) => seq = sequence(number, from_zero),
            Some(("ttl" | "hlim", number)) => ttl = number.parse().ok(),
            Some(("time" | "time<", number)) => {
                rtt = milliseconds(number.trim_end_matches("ms").trim_start_matches('<'));
            }
            _ => from = from.or_else(|| address(word)),
        }
    }
    let from = from.ok_or_else(|| line.wrong(rest, "no address of the answering host here"))?;
    let Some(seq) = seq else {
        // inetutils' way to word an error: `92 bytes from 10.0.0.1: Time to live exceeded`.
        let words = rest.split_once(": ").map(|(_, words)| words).unwrap_or_default();
        if words.starts_with(|c: char| c.is_ascii_alphabetic()) && !words.contains('=') {
            report.errors.push(PingFault { seq: None, from: Some(from), error: worded(words) });
            return Ok(());
        }
        return Err(line.wrong(rest, "no sequence number (`icmp_seq=` or `seq=`) here"));
    };
    report.replies.push(Reply { seq, from, ttl, rtt });
    Ok(())
}

/// `5 packets transmitted, 5 received, 0% packet loss`, `3 packets transmitted, 3 packets received, ...`,
/// `3 packets transmitted, 0 received, +3 errors, 100% packet loss`.
fn counts(line: &Line) -> Result<(u16, u16), ProbeError> {
    let number = |part: &str| part.split_whitespace().next()?.parse::<u16>().ok();
    let find = |word: &str| line.text.split(',').find(|part| part.contains(word)).and_then(number);
    match (find("transmitted"), find("received")) {
        (Some(sent), Some(received)) => Ok((sent, received)),
        _ => Err(line.wrong("", "the numbers of packets cannot be read here")),
    }
}

/// `From 10.0.0.1 icmp_seq=1 Time to live exceeded`, `From 10.0.0.1 (10.0.0.1) icmp_seq=1 ...`.
fn fault(line: &Line, from_zero: bool) -> Option<PingFault> {
    let rest = line.text.strip_prefix("From ")?;
    let mut from = None;
    let mut seq = None;
    let mut words = Vec::new();
    for word in rest.split_whitespace() {
        match word.split_once('=') {
            Some(("icmp_seq", number)) if seq.is_none() => seq = sequence(number, from_zero),
            _ if words.is_empty() && address(word).is_some() => from = from.or_else(|| address(word)),
            // A name before its address.
            _ if from.is_none() => {}
            _ => words.push(word),
        }
    }
    Some(PingFault { seq, from, error: worded(&words.join(" ")) })
}

/// A sequence number, counted from 1 whatever the program does.
fn sequence(number: &str, from_zero: bool) -> Option<u16> {
    number.parse::<u16>().ok()?.checked_add(u16::from(from_zero))
}
