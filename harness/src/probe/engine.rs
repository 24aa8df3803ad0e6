//! When a traceroute sends which probe, and when it is done. No packets and no clock of its own here: times come from outside.
//!
//! Distances go out in small waves, the next one as soon as the last is answered or stalls, so that the target gets
//! few more probes than it needs: Linux answers six errors to one peer at once, and then one a second
//! (`net.ipv4.icmp_ratelimit`). All clocks run side by side: any number of silent hops costs one timeout.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::report::{Answer, Hop, HopKind, TraceReport};

/// How many distances go out together.
const WAVE: u8 = 3;
/// When a probe without an answer is sent again, in tenths of the timeout. With the default timeout the last
/// try comes when a router that held back its answer may speak again.
const TRIES: [u32; 3] = [0, 3, 9];
/// A wave stalls when nothing arrived for this many times the longest round trip so far ...
const STALL_TRIPS: u32 = 4;
/// ... and at least this long.
const STALL: Duration = Duration::from_millis(20);

/// A probe to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shot {
    /// Its number: an answer quotes it.
    pub(super) tag: u16,
    /// Its TTL (hop limit).
    pub(super) ttl: u8,
}

/// One query at one distance.
#[derive(Debug)]
struct Slot {
    ttl: u8,
    /// The tries so far: tag and time.
    tries: Vec<(u16, Instant)>,
    answer: Option<Answer>,
}

/// The state of one traceroute.
#[derive(Debug)]
pub(super) struct Engine {
    to: IpAddr,
    max_hops: u8,
    queries: u8,
    timeout: Duration,
    slots: Vec<Slot>,
    /// The nearest distance at which the path ended.
    end: Option<u8>,
    next_ttl: u8,
    next_tag: u16,
    last_activity: Instant,
    longest: Duration,
}

impl Engine {
    /// `now` is when the first wave goes out.
    pub(super) fn new(to: IpAddr, max_hops: u8, queries: u8, timeout: Duration, now: Instant) -> Self {
        Self {
            to,
            max_hops: max_hops.clamp(1, u8::MAX - 1),
            queries: queries.max(1),
            timeout,
            slots: Vec::new(),
            end: None,
            next_ttl: 1,
            next_tag: 1,
            last_activity: now,
            longest: Duration::ZERO,
        }
    }

    /// The probes to be sent now. They count as sent. To be called whenever [`Engine::wake`] says so, and after each answer.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Shot> {
        let mut shots = Vec::new();
        if self.wave_at().is_some_and(|at| at <= now) {
            let last = self.next_ttl.saturating_add(WAVE - 1).min(self.max_hops);
            for ttl in self.next_ttl..=last {
                let new = (0..self.queries).map(|_| Slot { ttl, tries: Vec::new(), answer: None });
                self.slots.extend(new);
            }
            self.next_ttl = last.saturating_add(1);
            self.last_activity = now;
        }
        let (timeout, reach, again) = (self.timeout, self.reach(), self.asked_again());
        for slot in self.slots.iter_mut().filter(|slot| slot.ttl <= reach && slot.answer.is_none()) {
            let may = slot.tries.is_empty() || (slot.ttl <= again && slot.tries.len() < TRIES.len());
            if may && slot.try_at(timeout).is_none_or(|at| at <= now) {
                slot.tries.push((self.next_tag, now));
                shots.push(Shot { tag: self.next_tag, ttl: slot.ttl });
                self.next_tag += 1;
            }
        }
        shots
    }

    /// An answer came to the probe with this tag. Second answers and unknown tags are ignored.
    pub(super) fn answered(&mut self, tag: u16, responder: IpAddr, kind: HopKind, now: Instant) {
        let to = self.to;
        let found = self.slots.iter_mut().filter(|slot| slot.answer.is_none()).find_map(|slot| {
            let (_, sent) = slot.tries.iter().find(|(t, _)| *t == tag)?;
            let sent = *sent;
            Some((slot, sent))
        });
        let Some((slot, sent)) = found else { return };
        let rtt = now.saturating_duration_since(sent);
        if kind != HopKind::TimeExceeded || responder == to {
            self.end = Some(self.end.map_or(slot.ttl, |end| end.min(slot.ttl)));
        }
        slot.answer = Some(Answer { responder, rtt: Some(rtt), kind });
        self.longest = self.longest.max(rtt);
        self.last_activity = now;
    }

    /// When there is something to do again; `None` when the traceroute is done.
    pub(super) fn wake(&self, now: Instant) -> Option<Instant> {
        let (reach, again) = (self.reach(), self.asked_again());
        let open = self.slots.iter().filter(|slot| slot.ttl <= reach && slot.answer.is_none());
        open.filter_map(|slot| {
            let first = slot.tries.first()?.1;
            let deadline = first + self.timeout;
            let more = slot.ttl <= again && slot.tries.len() < TRIES.len();
            let next = slot.try_at(self.timeout).filter(|at| more && *at > now);
            (now < deadline).then(|| next.map_or(deadline, |next| next.min(deadline)))
        })
        .chain(self.wave_at())
        .min()
    }

    /// What is known at the end.
    pub(super) fn report(self) -> TraceReport {
        let mut hops: Vec<Hop> = Vec::new();
        let reach = self.reach();
        for slot in self.slots.into_iter().filter(|slot| slot.ttl <= reach) {
            if hops.last().is_none_or(|hop| hop.ttl != slot.ttl) {
                hops.push(Hop::silent(slot.ttl));
            }
            let (Some(hop), Some(answer)) = (hops.last_mut(), slot.answer) else { continue };
            if hop.responder.is_some() {
                hop.also.push(answer);
            } else {
                hop.responder = Some(answer.responder);
                hop.rtt = answer.rtt;
                hop.kind = answer.kind;
            }
        }
        let reached = hops.last().is_some_and(|hop| hop.responders().contains(&self.to));
        TraceReport { to: self.to, hops, reached, refused: None }
    }

    /// Beyond this distance nothing matters.
    fn reach(&self) -> u8 {
        self.end.unwrap_or(self.max_hops)
    }

    /// Up to this distance silent hops are asked again. Where a path has fallen silent for good, asking every distance again
    /// would only spend the answers of the router that might still say why.
    fn asked_again(&self) -> u8 {
        let answered = self.slots.iter().filter(|slot| slot.answer.is_some()).map(|slot| slot.ttl).max();
        answered.unwrap_or(0).saturating_add(WAVE)
    }

    /// When the next wave goes out; `None` when there is none to come.
    fn wave_at(&self) -> Option<Instant> {
        if self.end.is_some() || self.next_ttl > self.max_hops {
            return None;
        }
        let answered = self.slots.iter().all(|slot| slot.answer.is_some());
        let stall = (self.longest * STALL_TRIPS).max(STALL).min(self.timeout);
        Some(if answered { self.last_activity } else { self.last_activity + stall })
    }
}

impl Slot {
    /// When the next try is due; `None` before the first.
    fn try_at(&self, timeout: Duration) -> Option<Instant> {
        let first = self.tries.first()?.1;
        let tenths = TRIES.get(self.tries.len()).copied().unwrap_or(10);
        Some(first + timeout * tenths / 10)
    }
}

#[cfg(test)]
mod tests;
