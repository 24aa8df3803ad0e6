//! The text of `traceroute`.

use std::net::IpAddr;

use super::super::error::ProbeError;
use super::super::report::{Answer, Hop, HopKind, IcmpError, TraceReport};
use super::super::traceroute::Protocol;
use super::{Line, address, lines, milliseconds, no_heading};

const PROGRAM: &str = "traceroute";

/// Reads what `traceroute ADDRESS` printed. What stands before the heading is passed over. The text does not say how the
/// target answered; the protocol the program was told to use does (`-I`: ICMP, otherwise UDP).
///
/// # Errors
/// [`ProbeError::Text`] when there is no heading (`traceroute to ...`) or a line of a hop cannot be read.
pub fn traceroute(text: &str, protocol: Protocol) -> Result<TraceReport, ProbeError> {
    let mut report: Option<TraceReport> = None;
    for line in lines(PROGRAM, text) {
        match &mut report {
            None => report = heading(&line)?,
            Some(report) => report.hops.extend(hop(&line, report.to, protocol)?),
        }
    }
    let mut report = report.ok_or_else(|| no_heading(PROGRAM, text, "traceroute to"))?;
    report.reached = report.hops.last().is_some_and(|hop| hop.responders().contains(&report.to));
    Ok(report)
}

/// `traceroute to 10.1.3.242 (10.1.3.242), 15 hops max, 60 byte packets`.
fn heading(line: &Line) -> Result<Option<TraceReport>, ProbeError> {
    let Some((_, rest)) = line.text.split_once("traceroute to ") else { return Ok(None) };
    let named = rest.split([',', ' ']).filter_map(address).next_back();
    let to = named.ok_or_else(|| line.wrong(rest, "no address of the target here"))?;
    Ok(Some(TraceReport { to, hops: Vec::new(), reached: false, refused: None }))
}

/// ` 2  10.1.1.143  0.077 ms  0.024 ms  0.023 ms`, with names before the address in brackets (or, inetutils, behind it), several
/// responders on one line, `*` for a query without an answer, `!H` and the like behind a time. `None` for an empty line.
fn hop(line: &Line, to: IpAddr, protocol: Protocol) -> Result<Option<Hop>, ProbeError> {
    let mut words = line.text.split_whitespace().peekable();
    let Some(first) = words.next() else { return Ok(None) };
    let Ok(ttl) = first.parse::<u8>() else {
        // A last word of `kubectl exec`, a warning: a line of a hop begins with a number.
        return match first.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Err(line.wrong(first, "a distance beyond 255")),
            false => Ok(None),
        };
    };
    let mut hop = Hop::silent(ttl);
    let mut responder: Option<IpAddr> = None;
    let mut name: Option<&str> = None;
    while let Some(word) = words.next() {
        if word == "*" {
            continue;
        }
        if let Some(mark) = word.strip_prefix('!') {
            let error = marked(mark);
            mark_last(&mut hop, HopKind::Unreachable(error));
        } else if let Some(ip) = address(word) {
            // `name (address)`; `address (address)` in busybox: the same twice.
            responder = Some(ip);
            hop.label = hop.label.take().or_else(|| name.take().map(str::to_owned));
        } else if let Some(rtt) = time(word, words.peek().copied()) {
            let ip = responder.ok_or_else(|| line.wrong(word, "a time without an address before it"))?;
            let kind = match protocol {
                _ if ip != to => HopKind::TimeExceeded,
                Protocol::Udp => HopKind::PortUnreachable,
                Protocol::Icmp => HopKind::EchoReply,
            };
            add(&mut hop, Answer { responder: ip, rtt: Some(rtt), kind });
        } else if word != "ms" && !word.starts_with('[') && !word.starts_with('<') {
            // A name; extensions (`<MPLS:...>`) and AS numbers (`[AS65000]`) are none.
            name = Some(word.trim_start_matches('(').trim_end_matches(')'));
            if responder.is_some() && hop.label.is_none() && word.starts_with('(') {
                hop.label = name.take().map(str::to_owned);
            }
        }
    }
    Ok(Some(hop))
}

/// `0.077` before `ms`, or `0.077ms`.
fn time(word: &str, next: Option<&str>) -> Option<std::time::Duration> {
    match word.strip_suffix("ms") {
        Some(number) => milliseconds(number),
        None if next == Some("ms") => milliseconds(word),
        None => None,
    }
}

fn add(hop: &mut Hop, answer: Answer) {
    if hop.responder.is_some() {
        hop.also.push(answer);
    } else {
        hop.responder = Some(answer.responder);
        hop.rtt = answer.rtt;
        hop.kind = answer.kind;
    }
}

/// A mark stands behind the time it belongs to.
fn mark_last(hop: &mut Hop, kind: HopKind) {
    match hop.also.last_mut() {
        Some(last) => last.kind = kind,
        None if hop.responder.is_some() => hop.kind = kind,
        None => {}
    }
}

/// `!H`, `!N`, `!P`, `!X`, `!F-1400`, `!13`: what the manual page of traceroute says they mean.
fn marked(mark: &str) -> IcmpError {
    match mark.as_bytes() {
        b"H" | b"V" | b"C" => IcmpError::HostUnreachable,
        b"N" => IcmpError::NetUnreachable,
        b"P" => IcmpError::ProtocolUnreachable,
        b"X" | b"A" | b"Z" | b"U" => IcmpError::Prohibited,
        [b'F', rest @ ..] => {
            let digits = rest.strip_prefix(b"-").and_then(|digits| std::str::from_utf8(digits).ok());
            IcmpError::TooBig(digits.and_then(|digits| digits.parse().ok()).unwrap_or_default())
        }
        _ => match mark.trim_matches(['<', '>']).parse() {
            Ok(code) => IcmpError::Other(3, code),
            Err(_) => IcmpError::Words(format!("!{mark}")),
        },
    }
}
