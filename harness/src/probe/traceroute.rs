//! Traceroute: which packets make a trace, and which answers are ours. When to send is the engine's business.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::engine::{Engine, Shot};
use super::error::ProbeError;
use super::packet::{self, Cookie, Message, QuotedKind};
use super::report::{HopKind, IcmpError, TraceReport};
use super::socket::{Arrived, IcmpSocket, UdpFlow, refusal};
use crate::node::Node;

/// Ports above Linux's own range for outgoing connections (32768 to 60999): they are free unless somebody binds them.
const SOURCE_PORTS: u16 = 61_000;
/// How many of them there are.
const SOURCE_COUNT: u16 = u16::MAX - SOURCE_PORTS + 1;
/// The port traceroute has always used.
const TARGET_PORT: u16 = 33_434;
/// Bytes of payload of an ICMP probe: those of `traceroute -I` (60-byte packets).
const ECHO_SIZE: usize = 32;
/// Beyond these the length of a UDP probe, which says which one it is, would pass the smallest MTU.
const MOST_HOPS: u8 = 64;
const MOST_QUERIES: u8 = 3;

/// What a trace is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// UDP to a port nobody listens on; the target answers "port unreachable".
    Udp,
    /// ICMP echo; the target answers with an echo reply.
    Icmp,
}

/// What to trace, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The target.
    pub to: IpAddr,
    /// How far to look; at most 64.
    pub max_hops: u8,
    /// Queries per hop, all of the same flow; at most 3.
    pub queries: u8,
    /// How long a hop has to answer, retries included. Under 1.2 s a router with Linux's default rate limit may look silent.
    pub timeout: Duration,
    /// UDP or ICMP.
    pub protocol: Protocol,
    /// Which flow. All probes of a trace share one 5-tuple (addresses, protocol, ports; for ICMP: identifier and
    /// checksum), so that routers that spread load send them the same way (Paris traceroute); another number is another 5-tuple, and the same
    /// number is always the same one.
    pub flow: u16,
}

impl Trace {
    /// UDP, 30 hops, one query each, 1.2 s, flow 0.
    pub fn new(to: IpAddr) -> Self {
        Self {
            to,
            max_hops: 30,
            queries: 1,
            timeout: Duration::from_millis(1200),
            protocol: Protocol::Udp,
            flow: 0,
        }
    }
}

/// How the probes of one trace are sent and recognised.
enum Prober {
    Udp(UdpFlow),
    Icmp { id: u16 },
}

/// Traces. Returns as soon as the target (or the end of the path) and every hop before it have answered; silent hops cost
/// one timeout, however many there are.
pub async fn traceroute(node: &dyn Node, trace: &Trace) -> Result<TraceReport, ProbeError> {
    check(trace)?;
    let icmp = IcmpSocket::open(node, trace.to).await?;
    let prober = match trace.protocol {
        Protocol::Icmp => Prober::Icmp { id: trace.flow ^ 0x8000 },
        Protocol::Udp => {
            let (source, target) = ports(trace.flow);
            match UdpFlow::open(node, source, SocketAddr::new(trace.to, target)).await? {
                Ok(flow) => Prober::Udp(flow),
                Err(refused) => return Ok(not_sent(trace, &refused)),
            }
        }
    };
    let cookie: Cookie = rand::random();
    let mut engine = Engine::new(trace.to, trace.max_hops, trace.queries, trace.timeout, Instant::now());
    loop {
        for shot in engine.due(Instant::now()) {
            if let Err(refused) = prober.send(&icmp, trace.to, shot, cookie).await {
                return Ok(not_sent(trace, &refused));
            }
        }
        let Some(wake) = engine.wake(Instant::now()) else { return Ok(engine.report()) };
        tokio::select! {
            biased;
            arrived = icmp.receive() => {
                let arrived = arrived?;
                if let Some((tag, kind)) = prober.recognise(&arrived, trace.to, cookie) {
                    engine.answered(tag, arrived.from, kind, Instant::now());
                }
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
    }
}

fn check(trace: &Trace) -> Result<(), ProbeError> {
    let what = if !(1..=MOST_HOPS).contains(&trace.max_hops) {
        format!("max_hops is {}; write 1 to {MOST_HOPS}", trace.max_hops)
    } else if !(1..=MOST_QUERIES).contains(&trace.queries) {
        format!("queries is {}; write 1 to {MOST_QUERIES}", trace.queries)
    } else {
        return Ok(());
    };
    Err(ProbeError::Question { to: trace.to, what })
}

/// Source and target port of a flow.
fn ports(flow: u16) -> (u16, u16) {
    (SOURCE_PORTS + flow % SOURCE_COUNT, TARGET_PORT + flow / SOURCE_COUNT)
}

fn not_sent(trace: &Trace, refused: &io::Error) -> TraceReport {
    TraceReport { to: trace.to, hops: Vec::new(), reached: false, refused: Some(refusal(refused)) }
}

impl Prober {
    async fn send(&self, icmp: &IcmpSocket, to: IpAddr, shot: Shot, cookie: Cookie) -> io::Result<()> {
        match self {
            Self::Udp(flow) => flow.send(shot.ttl, &packet::udp_payload(shot.tag, cookie)).await,
            Self::Icmp { id } => {
                icmp.set_ttl(shot.ttl)?;
                let message = packet::echo_request(to.is_ipv6(), *id, shot.tag, cookie, ECHO_SIZE);
                icmp.send(to, &message).await
            }
        }
    }

    /// The tag of our probe that this message answers, and how; `None` for other people's traffic.
    fn recognise(&self, arrived: &Arrived, to: IpAddr, cookie: Cookie) -> Option<(u16, HopKind)> {
        match (self, packet::read(to.is_ipv6(), &arrived.message)?) {
            (Self::Icmp { id: own }, Message::EchoReply { id, seq, cookie: theirs }) => {
                (id == *own && theirs == cookie).then_some((seq, HopKind::EchoReply))
            }
            (_, Message::Error { error, quoted }) if quoted.to == to && quoted.may_be_of(cookie) => {
                let tag = match (self, quoted.what) {
                    (Self::Icmp { id: own }, QuotedKind::Echo { id, seq }) if id == *own => seq,
                    (Self::Udp(flow), QuotedKind::Udp { from, to, tag })
                        if (quoted.from, from) == (flow.from.ip(), flow.from.port())
                            && to == flow.to.port() =>
                    {
                        tag
                    }
                    _ => return None,
                };
                Some((tag, hop_kind(error, arrived.from == to)))
            }
            _ => None,
        }
    }
}

/// "Port unreachable" is the target's way to answer; from anybody else on the way it is a filter's.
fn hop_kind(error: IcmpError, from_target: bool) -> HopKind {
    match error {
        IcmpError::TimeExceeded => HopKind::TimeExceeded,
        IcmpError::PortUnreachable if from_target => HopKind::PortUnreachable,
        other => HopKind::Unreachable(other),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, (61_000, 33_434))]
    #[case(1, (61_001, 33_434))]
    #[case(4535, (65_535, 33_434))]
    #[case(4536, (61_000, 33_435))]
    #[case(u16::MAX, (61_000 + 2031, 33_448))]
    fn a_flow_is_always_the_same_pair_of_ports(#[case] flow: u16, #[case] expected: (u16, u16)) {
        assert_eq!(ports(flow), expected);
    }

    #[rstest]
    #[case(0, 1)]
    #[case(65, 1)]
    #[case(30, 0)]
    #[case(30, 4)]
    fn a_trace_that_makes_no_sense_is_refused(#[case] max_hops: u8, #[case] queries: u8) {
        let trace = Trace { max_hops, queries, ..Trace::new([10, 0, 0, 1].into()) };
        assert!(matches!(check(&trace), Err(ProbeError::Question { .. })));
    }

    #[test]
    fn a_filter_on_the_way_is_not_the_target() {
        assert_eq!(hop_kind(IcmpError::PortUnreachable, true), HopKind::PortUnreachable);
        assert_eq!(
            hop_kind(IcmpError::PortUnreachable, false),
            HopKind::Unreachable(IcmpError::PortUnreachable)
        );
        assert_eq!(hop_kind(IcmpError::TimeExceeded, false), HopKind::TimeExceeded);
    }
}
