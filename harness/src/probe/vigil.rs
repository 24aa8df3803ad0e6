//! A vigil: echo requests without end, to tell when a flow broke and for how long.
//!
//! What lives here: sending until told to stop, and the gaps between answers. What does not: whether a gap is too long, and keeping
//! watch by a node's own program (`by_program`).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::error::ProbeError;
use super::packet::{self, Cookie, Message, QuotedKind};
use super::report::IcmpError;
use super::socket::{Arrived, IcmpSocket, refusal};
use crate::node::{Node, NodeError};

mod by_program;

/// What to watch, and how closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vigil {
    /// The target.
    pub to: IpAddr,
    /// Time from one request to the next: a gap is known this exactly.
    pub every: Duration,
    /// An answer that has not come by then is lost.
    pub timeout: Duration,
}

impl Vigil {
    /// A request every 10 ms, a second for each answer.
    pub fn new(to: IpAddr) -> Self {
        Self { to, every: Duration::from_millis(10), timeout: Duration::from_secs(1) }
    }
}

/// What a vigil saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VigilReport {
    /// The target.
    pub to: IpAddr,
    /// Time from one request to the next, as it was kept: a gap is known this exactly.
    pub every: Duration,
    /// How many requests were sent.
    pub sent: u64,
    /// How many were answered.
    pub received: u64,
    /// The gaps, in their order.
    pub gaps: Vec<Gap>,
}

/// Requests in a row without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When the first of them was sent.
    pub from: Instant,
    /// When the first one was sent that was answered again; `None` when none was until the end.
    pub until: Option<Instant>,
    /// How many there were.
    pub lost: u64,
    /// The first error that came back for one of them.
    pub error: Option<IcmpError>,
}

/// Payload of a request, as `ping` has.
const SIZE: usize = 56;

/// A request of which nothing is known yet.
#[derive(Debug)]
struct Open {
    seq: u16,
    at: Instant,
    answered: bool,
    error: Option<IcmpError>,
}

/// What is known so far.
#[derive(Debug)]
struct Watch {
    open: VecDeque<Open>,
    report: VigilReport,
}

impl Watch {
    fn new(to: IpAddr, every: Duration) -> Self {
        let report = VigilReport { to, every, sent: 0, received: 0, gaps: Vec::new() };
        Self { open: VecDeque::new(), report }
    }

    /// Tells whether requests are answered, when that has changed.
    fn tell(&self, answering: &watch::Sender<bool>) {
        let answers = self.answers();
        answering.send_if_modified(|told| std::mem::replace(told, answers) != answers);
    }

    fn sent(&mut self, seq: u16, at: Instant, error: Option<IcmpError>) {
        self.report.sent += 1;
        self.open.push_back(Open { seq, at, answered: false, error });
    }

    fn answered(&mut self, seq: u16) {
        if let Some(open) = self.open.iter_mut().find(|open| open.seq == seq) {
            open.answered = true;
        }
    }

    fn refused(&mut self, seq: u16, error: IcmpError) {
        if let Some(open) = self.open.iter_mut().find(|open| open.seq == seq) {
            open.error.get_or_insert(error);
        }
    }

    /// Settles, in their order, the requests that were answered or are given up at `now`.
    fn settle(&mut self, now: Instant, timeout: Duration) {
        while let Some(first) = self.open.front() {
            if !first.answered && now < first.at + timeout {
                return;
            }
            let Some(done) = self.open.pop_front() else { return };
            let gaps = &mut self.report.gaps;
            let current = gaps.last_mut().filter(|gap| gap.until.is_none());
            match (done.answered, current) {
                (true, Some(gap)) => gap.until = Some(done.at),
                (true, None) => {}
                (false, Some(gap)) => {
                    gap.lost += 1;
                    gap.error = gap.error.take().or(done.error);
                }
                (false, None) => {
                    gaps.push(Gap { from: done.at, until: None, lost: 1, error: done.error });
                }
            }
            self.report.received += u64::from(done.answered);
        }
    }

    /// Whether the latest request of which anything is known was answered.
    fn answers(&self) -> bool {
        let gap = self.report.gaps.last().is_some_and(|gap| gap.until.is_none());
        let newest = self.open.iter().rev().find(|open| open.answered || open.error.is_some());
        newest.map_or(!gap, |open| open.answered)
    }

    /// When the next request is given up.
    fn given_up(&self, timeout: Duration) -> Option<Instant> {
        self.open.front().map(|open| open.at + timeout)
    }
}

/// Watches a flow until `stop`; returns when the last request was answered or given up. Whether requests are answered is told to
/// `answering` whenever it changes.
///
/// # Errors
/// When the node gives no socket, or takes it away.
pub async fn keep_vigil(
    node: &dyn Node,
    vigil: &Vigil,
    answering: &watch::Sender<bool>,
    stop: CancellationToken,
) -> Result<VigilReport, ProbeError> {
    let socket = match IcmpSocket::open(node, vigil.to).await {
        Ok(socket) => socket,
        // A node that gives no sockets is asked by the program it has.
        Err(ProbeError::Node(NodeError::Unsupported { .. })) => {
            return by_program::keep(node, vigil, answering, stop).await;
        }
        Err(error) => return Err(error),
    };
    let (id, cookie): (u16, Cookie) = (rand::random(), rand::random());
    let mut watch = Watch::new(vigil.to, vigil.every);
    let mut seq = 0_u16;
    let mut ticks = tokio::time::interval(vigil.every);
    // What a busy machine makes late is not made up for: a burst would say nothing of the time before it.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let now = Instant::now();
        watch.settle(now, vigil.timeout);
        watch.tell(answering);
        let stopped = stop.is_cancelled();
        if stopped && watch.open.is_empty() {
            return Ok(watch.report);
        }
        let given_up = watch.given_up(vigil.timeout).unwrap_or(now + vigil.timeout);
        tokio::select! {
            biased;
            arrived = socket.receive() => {
                take(&mut watch, vigil, (id, cookie), &arrived?);
            }
            () = stop.cancelled(), if !stopped => {}
            _ = ticks.tick(), if !stopped => {
                seq = seq.wrapping_add(1);
                let message = packet::echo_request(vigil.to.is_ipv6(), id, seq, cookie, SIZE);
                let at = Instant::now();
                let sent = socket.send(vigil.to, &message).await;
                watch.sent(seq, at, sent.err().map(|error| IcmpError::NotSent(refusal(&error))));
            }
            () = tokio::time::sleep_until(given_up.into()), if stopped => {}
        }
    }
}

fn take(watch: &mut Watch, vigil: &Vigil, (own, cookie): (u16, Cookie), arrived: &Arrived) {
    match packet::read(vigil.to.is_ipv6(), &arrived.message) {
        Some(Message::EchoReply { id, seq, cookie: theirs }) if id == own && theirs == cookie => {
            watch.answered(seq);
        }
        Some(Message::Error { error, quoted }) if quoted.to == vigil.to && quoted.may_be_of(cookie) => {
            if let QuotedKind::Echo { id, seq } = quoted.what
                && id == own
            {
                watch.refused(seq, error);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    /// A watch over requests 10 ms apart, of which those with these numbers were answered.
    fn watched(count: u16, answered: impl Fn(u16) -> bool) -> (Instant, VigilReport) {
        let begun = Instant::now();
        let mut watch = Watch::new("10.0.0.1".parse().unwrap(), Duration::from_millis(10));
        for seq in 0..count {
            let at = begun + Duration::from_millis(10) * u32::from(seq);
            watch.settle(at, TIMEOUT);
            watch.sent(seq, at, None);
            if answered(seq) {
                watch.answered(seq);
            }
        }
        watch.settle(begun + Duration::from_secs(3600), TIMEOUT);
        assert!(watch.open.is_empty());
        (begun, watch.report)
    }

    #[test]
    fn a_gap_lasts_from_the_first_lost_request_to_the_next_answered_one() {
        let (begun, report) = watched(50, |seq| !(10..13).contains(&seq));
        assert_eq!((report.sent, report.received, report.gaps.len()), (50, 47, 1));
        let gap = &report.gaps[0];
        assert_eq!(gap.lost, 3);
        assert_eq!(gap.from - begun, Duration::from_millis(100));
        assert_eq!(gap.until.unwrap() - gap.from, Duration::from_millis(30));
    }

    #[test]
    fn what_is_still_lost_at_the_end_has_no_end() {
        let (_, report) = watched(50, |seq| seq < 40);
        assert_eq!((report.gaps.len(), report.gaps[0].lost, report.gaps[0].until), (1, 10, None));
        let (_, report) = watched(50, |_| true);
        assert!(report.gaps.is_empty());
    }

    #[test]
    fn an_answer_that_overtakes_another_makes_no_gap() {
        let mut watch = Watch::new("10.0.0.1".parse().unwrap(), Duration::from_millis(10));
        let now = Instant::now();
        watch.sent(1, now, None);
        watch.sent(2, now, None);
        watch.answered(2);
        watch.settle(now, TIMEOUT);
        assert_eq!(watch.report.received, 0, "the first may still come");
        watch.answered(1);
        watch.settle(now, TIMEOUT);
        assert_eq!((watch.report.received, watch.report.gaps.len()), (2, 0));
    }
}
