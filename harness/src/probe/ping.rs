//! Ping: echo requests from a node's namespace, and what comes back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::error::ProbeError;
use super::packet::{self, Cookie, Message, QuotedKind};
use super::report::{IcmpError, PingFault, PingReport, Reply};
use super::socket::{Arrived, IcmpSocket, refusal};
use crate::node::Node;

/// What to ping, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The target.
    pub to: IpAddr,
    /// How many requests.
    pub count: u16,
    /// Time from one request to the next.
    pub interval: Duration,
    /// How long to wait for the answer to a request.
    pub timeout: Duration,
    /// TTL (hop limit) of the requests; the node's default unless said.
    pub ttl: Option<u8>,
    /// Bytes of payload.
    pub size: u16,
}

impl Ping {
    /// Three requests 20 ms apart, one second for each answer, 56 bytes as `ping` has.
    pub fn new(to: IpAddr) -> Self {
        Self {
            to,
            count: 3,
            interval: Duration::from_millis(20),
            timeout: Duration::from_secs(1),
            ttl: None,
            size: 56,
        }
    }
}

/// What a run knows of itself.
struct Run<'a> {
    ping: &'a Ping,
    id: u16,
    cookie: Cookie,
    /// Requests that are neither answered nor given up, by number, with the time they were sent.
    open: BTreeMap<u16, Instant>,
    /// All that were sent.
    sent: BTreeMap<u16, Instant>,
    report: PingReport,
}

/// Pings. Returns as soon as every request was answered, came back as an error, or ran out of time.
pub async fn ping(node: &dyn Node, ping: &Ping) -> Result<PingReport, ProbeError> {
    let socket = IcmpSocket::open(node, ping.to).await?;
    if let Some(ttl) = ping.ttl {
        socket.set_ttl(ttl).map_err(|source| ProbeError::Io {
            node: node.name().to_owned(),
            what: format!("TTL {ttl}"),
            source,
        })?;
    }
    let mut run = Run {
        ping,
        id: rand::random(),
        cookie: rand::random(),
        open: BTreeMap::new(),
        sent: BTreeMap::new(),
        report: PingReport { to: ping.to, sent: 0, received: 0, replies: Vec::new(), errors: Vec::new() },
    };
    let mut next_send = Instant::now();
    loop {
        let now = Instant::now();
        let more = run.report.sent < ping.count;
        if more && now >= next_send {
            run.request(&socket).await;
            next_send += ping.interval;
            continue;
        }
        run.open.retain(|_, sent| now < *sent + ping.timeout);
        if !more && run.open.is_empty() {
            return Ok(run.report);
        }
        let given_up = run.open.values().min().map(|sent| *sent + ping.timeout);
        let wake = given_up.into_iter().chain(more.then_some(next_send)).min().unwrap_or(now);
        tokio::select! {
            biased;
            arrived = socket.receive() => run.take(&arrived?, Instant::now()),
            () = tokio::time::sleep_until(wake.into()) => {}
        }
    }
}

impl Run<'_> {
    async fn request(&mut self, socket: &IcmpSocket) {
        self.report.sent += 1;
        let seq = self.report.sent;
        let size = usize::from(self.ping.size);
        let message = packet::echo_request(self.ping.to.is_ipv6(), self.id, seq, self.cookie, size);
        let at = Instant::now();
        match socket.send(self.ping.to, &message).await {
            Ok(()) => {
                self.open.insert(seq, at);
                self.sent.insert(seq, at);
            }
            Err(error) => self.report.errors.push(PingFault {
                seq: Some(seq),
                from: None,
                error: IcmpError::NotSent(refusal(&error)),
            }),
        }
    }

    fn take(&mut self, arrived: &Arrived, now: Instant) {
        match packet::read(self.ping.to.is_ipv6(), &arrived.message) {
            Some(Message::EchoReply { id, seq, cookie }) if id == self.id && self.is_ours(&cookie) => {
                let Some(sent) = self.sent.get(&seq) else { return };
                let rtt = Some(now.duration_since(*sent));
                if !self.report.replies.iter().any(|reply| reply.seq == seq) {
                    self.report.received += 1;
                    self.report.replies.push(Reply { seq, from: arrived.from, ttl: arrived.ttl, rtt });
                }
                self.open.remove(&seq);
            }
            Some(Message::Error { error, quoted })
                if quoted.to == self.ping.to && quoted.may_be_of(self.cookie) =>
            {
                let QuotedKind::Echo { id, seq } = quoted.what else { return };
                if id == self.id && self.open.remove(&seq).is_some() {
                    self.report.errors.push(PingFault { seq: Some(seq), from: Some(arrived.from), error });
                }
            }
            _ => {}
        }
    }

    /// A reply carries the whole payload back, so the cookie must be there as far as the payload had room for it.
    fn is_ours(&self, cookie: &[u8]) -> bool {
        let room = usize::from(self.ping.size).saturating_sub(2).min(self.cookie.len());
        self.cookie.get(..room) == Some(cookie)
    }
}
