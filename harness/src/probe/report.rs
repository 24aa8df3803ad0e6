//! What probes report: data only.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An error that came back instead of an answer (RFC 792, RFC 4443).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IcmpError {
    /// The TTL (hop limit) ran out on the way.
    TimeExceeded,
    /// A fragment was missing for too long.
    ReassemblyTimeExceeded,
    /// No route on the router that answers.
    NetUnreachable,
    /// The last router found nobody at the address.
    HostUnreachable,
    /// The target does not speak the protocol.
    ProtocolUnreachable,
    /// Nobody listens on the port.
    PortUnreachable,
    /// Forbidden by a filter.
    Prohibited,
    /// The packet does not fit and may not be cut; the MTU of the next link, in bytes.
    TooBig(u32),
    /// Anything else: type and code.
    Other(u8, u8),
    /// The node's own kernel did not send the packet; its word.
    NotSent(String),
    /// A program named it in words that are not known; the words.
    Words(String),
}

impl fmt::Display for IcmpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimeExceeded => f.write_str("time exceeded"),
            Self::ReassemblyTimeExceeded => f.write_str("fragment reassembly time exceeded"),
            Self::NetUnreachable => f.write_str("network unreachable"),
            Self::HostUnreachable => f.write_str("host unreachable"),
            Self::ProtocolUnreachable => f.write_str("protocol unreachable"),
            Self::PortUnreachable => f.write_str("port unreachable"),
            Self::Prohibited => f.write_str("administratively prohibited"),
            Self::TooBig(mtu) => write!(f, "packet too big (MTU {mtu})"),
            Self::Other(kind, code) => write!(f, "ICMP type {kind} code {code}"),
            Self::NotSent(why) => write!(f, "not sent: {why}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// One echo reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Which request it answers, from 1.
    pub seq: u16,
    /// Who answered.
    pub from: IpAddr,
    /// TTL (hop limit) on arrival; `None` where a program does not print it.
    pub ttl: Option<u8>,
    /// Round trip; `None` where a program does not print it.
    pub rtt: Option<Duration>,
}

/// One request that came back as an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingFault {
    /// Which request, from 1; `None` where a program does not print it.
    pub seq: Option<u16>,
    /// Who said so; `None` for the node's own kernel.
    pub from: Option<IpAddr>,
    /// What it said.
    pub error: IcmpError,
}

/// The outcome of a ping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PingReport {
    /// The target.
    pub to: IpAddr,
    /// Requests sent.
    pub sent: u16,
    /// Requests answered; duplicates do not count.
    pub received: u16,
    /// The replies in the order they came.
    pub replies: Vec<Reply>,
    /// The errors in the order they came.
    pub errors: Vec<PingFault>,
}

impl PingReport {
    /// True when every request was answered, and there was one.
    pub fn all_answered(&self) -> bool {
        self.sent > 0 && self.received == self.sent
    }
}

impl fmt::Display for PingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ping {}: {} sent, {} received", self.to, self.sent, self.received)?;
        if let Some(fault) = self.errors.first() {
            match fault.from {
                Some(from) => write!(f, ", {from} says {}", fault.error)?,
                None => write!(f, ", {}", fault.error)?,
            }
        }
        Ok(())
    }
}

/// How a hop answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopKind {
    /// A router on the way.
    TimeExceeded,
    /// Nobody listens on the probe's UDP port: how a target answers.
    PortUnreachable,
    /// The target answered an ICMP probe.
    EchoReply,
    /// The path ends here, and not at the target.
    Unreachable(IcmpError),
    /// No answer to any try.
    Silent,
}

/// One answer of a hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Who answered.
    pub responder: IpAddr,
    /// Round trip.
    pub rtt: Option<Duration>,
    /// How.
    pub kind: HopKind,
}

/// One hop of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// Its distance: the TTL (hop limit) of the probe.
    pub ttl: u8,
    /// Who answered; `None` for a silent hop.
    pub responder: Option<IpAddr>,
    /// Round trip of the first answer.
    pub rtt: Option<Duration>,
    /// How it answered.
    pub kind: HopKind,
    /// The name printed beside the address, where a program prints names.
    pub label: Option<String>,
    /// The answers to further queries at this distance; another responder among them means another path.
    pub also: Vec<Answer>,
}

impl Hop {
    /// A hop that did not answer.
    pub fn silent(ttl: u8) -> Self {
        Self { ttl, responder: None, rtt: None, kind: HopKind::Silent, label: None, also: Vec::new() }
    }

    /// Everybody who answered at this distance, each once, in the order of their answers.
    pub fn responders(&self) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> = Vec::new();
        for ip in self.responder.into_iter().chain(self.also.iter().map(|answer| answer.responder)) {
            if !all.contains(&ip) {
                all.push(ip);
            }
        }
        all
    }
}

/// The outcome of a traceroute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceReport {
    /// The target.
    pub to: IpAddr,
    /// The hops, from 1, up to the end of the path or the limit.
    pub hops: Vec<Hop>,
    /// True when the last hop is the target.
    pub reached: bool,
    /// Why the node's own kernel would not send, when it would not; then there are no hops.
    pub refused: Option<String>,
}

impl fmt::Display for TraceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "to {}:", self.to)?;
        if let Some(why) = &self.refused {
            write!(f, " not sent ({why})")?;
        }
        // A path that fell silent for good: one star and a number say it better than thirty stars.
        let heard = self.hops.iter().rposition(|hop| hop.responder.is_some()).map_or(0, |last| last + 1);
        let silent = self.hops.len() - heard;
        for hop in self.hops.iter().take(if silent > 3 { heard } else { self.hops.len() }) {
            match (&hop.responder, &hop.kind) {
                (Some(ip), HopKind::Unreachable(error)) => write!(f, " {ip} ({error})")?,
                (Some(ip), _) => write!(f, " {ip}")?,
                (None, _) => f.write_str(" *")?,
            }
        }
        if silent > 3 {
            write!(f, " * ({silent} silent hops)")?;
        }
        if self.reached { Ok(()) } else { f.write_str(" (not reached)") }
    }
}
