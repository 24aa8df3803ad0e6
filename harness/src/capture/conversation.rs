//! Who said what to whom: TCP put together far enough to read BGP, over all links at once.
//!
//! What lives here: segments in order, once each, although a packet may be heard on several links; what is told of a connection,
//! each thing once. What does not: messages (`bgp`), names of boxes (whoever knows addresses).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::bgp::{MessageKind, Said, Stream};
use super::frame::{Frame, Segment, read};
use super::notification::Notification;

/// More directions of connections than this are not followed at once: each attempt at a session has a port of its own, and the
/// oldest make room.
const HALVES: usize = 2048;
/// What came too early is kept up to so many bytes per direction.
const EARLY: usize = 64 * 1024;
/// More flows of echo requests than this are not told apart.
const FLOWS: usize = 8192;

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A TCP connection came about; the sender is who asked for it.
    Connected,
    /// A message of BGP: of OPEN, UPDATE (with something in it) and KEEPALIVE the first on a connection and in a direction,
    /// of NOTIFICATION each.
    Message(MessageKind, Option<Notification>),
    /// The first request for an echo from one address to another on this link, in this direction.
    Echo,
}

/// Something heard on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// When, since 1970.
    pub at: Duration,
    /// On which link, as the topology counts them.
    pub link: usize,
    /// Whether it went from the link's first end to its second.
    pub forward: bool,
    /// Who sent it; the port is 0 where there is none.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub what: What,
}

/// One direction of a connection. Addresses that are good on one link only are told apart by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    from: SocketAddr,
    to: SocketAddr,
    link: Option<usize>,
}

impl Key {
    fn back(self) -> Self {
        Self { from: self.to, to: self.from, link: self.link }
    }
}

#[derive(Debug, Default)]
struct Half {
    /// The initial sequence number, where it was heard.
    first: Option<u32>,
    /// The sequence number that comes next.
    next: Option<u32>,
    /// It answered the other side's SYN.
    answered: bool,
    connected: bool,
    stream: Stream,
    early: BTreeMap<u32, Vec<u8>>,
    told: HashSet<MessageKind>,
}

/// All connections that are followed.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    halves: HashMap<Key, Half>,
    order: VecDeque<Key>,
    flows: HashSet<(usize, bool, IpAddr, IpAddr)>,
}

impl Conversations {
    /// Takes a frame heard on a link and gives what is to be told of it.
    pub(super) fn take(&mut self, at: Duration, link: usize, forward: bool, bytes: &[u8]) -> Vec<Heard> {
        match read(bytes) {
            Frame::Segment(segment) => {
                let (from, to) = (segment.from, segment.to);
                let all = self.segment(link, &segment);
                all.into_iter().map(|what| Heard { at, link, forward, from, to, what }).collect()
            }
            Frame::Echo { from, to } => {
                let new = self.flows.len() < FLOWS && self.flows.insert((link, forward, from, to));
                let (from, to) = (SocketAddr::new(from, 0), SocketAddr::new(to, 0));
                let heard = Heard { at, link, forward, from, to, what: What::Echo };
                if new { vec![heard] } else { Vec::new() }
            }
            Frame::Other => Vec::new(),
        }
    }

    fn segment(&mut self, link: usize, segment: &Segment<'_>) -> Vec<What> {
        let here = is_of_link(segment.from.ip()) || is_of_link(segment.to.ip());
        let key = Key { from: segment.from, to: segment.to, link: here.then_some(link) };
        let mut told = Vec::new();
        if segment.syn {
            let half = self.half(key);
            // The same SYN again is the same connection: sent again, or heard on another link.
            if half.first != Some(segment.sequence) {
                let next = Some(segment.sequence.wrapping_add(1));
                *half =
                    Half { first: Some(segment.sequence), next, answered: segment.ack, ..Half::default() };
            }
            return told;
        }
        let answered = self.halves.get(&key.back()).is_some_and(|other| other.answered);
        let half = self.half(key);
        if segment.ack && answered && half.first.is_some() && !half.connected {
            half.connected = true;
            told.push(What::Connected);
        }
        if !segment.payload.is_empty() {
            told.extend(
                half.data(segment.sequence, segment.payload).into_iter().filter_map(|said| half.tell(said)),
            );
        }
        told
    }

    fn half(&mut self, key: Key) -> &mut Half {
        if !self.halves.contains_key(&key) {
            if self.order.len() >= HALVES
                && let Some(oldest) = self.order.pop_front()
            {
                self.halves.remove(&oldest);
            }
            self.order.push_back(key);
        }
        self.halves.entry(key).or_default()
    }
}

impl Half {
    /// The messages that data makes known: what was heard before is passed over, what comes too early waits for its turn.
    fn data(&mut self, sequence: u32, payload: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        let next = *self.next.get_or_insert(sequence);
        if is_after(sequence, next) {
            if self.early.values().map(Vec::len).sum::<usize>() + payload.len() <= EARLY {
                self.early.insert(sequence, payload.to_vec());
                return said;
            }
            // Something was never heard, and will not be: go on behind the gap.
            self.next = self.early.keys().copied().min_by_key(|early| early.wrapping_sub(next));
            self.early.insert(sequence, payload.to_vec());
        } else {
            self.give(sequence, payload, &mut said);
        }
        loop {
            let Some(next) = self.next else { return said };
            let Some(ready) = self.early.keys().copied().find(|early| !is_after(*early, next)) else {
                return said;
            };
            let Some(payload) = self.early.remove(&ready) else { return said };
            self.give(ready, &payload, &mut said);
        }
    }

    fn give(&mut self, sequence: u32, payload: &[u8], said: &mut Vec<Said>) {
        let Some(next) = self.next else { return };
        let heard = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
        let Some(new) = payload.get(heard..).filter(|new| !new.is_empty()) else { return };
        said.extend(self.stream.take(new));
        self.next = Some(next.wrapping_add(u32::try_from(new.len()).unwrap_or(0)));
    }

    fn tell(&mut self, said: Said) -> Option<What> {
        let once = match said.kind {
            MessageKind::Open | MessageKind::Update | MessageKind::Keepalive => self.told.insert(said.kind),
            MessageKind::Notification => true,
            MessageKind::EndOfTable | MessageKind::RouteRefresh => false,
        };
        once.then_some(What::Message(said.kind, said.notification))
    }
}

/// Sequence numbers go round: the nearer way says which is later (RFC 9293, section 3.4).
fn is_after(one: u32, other: u32) -> bool {
    (1..0x8000_0000).contains(&one.wrapping_sub(other))
}

/// IPv6 link-local addresses, and those of 169.254.0.0/16.
fn is_of_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Any bytes: as frames, and as the stream of a session that is cut where they say.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz(data: &[u8]) {
    let mut all = Conversations::default();
    all.take(Duration::ZERO, 0, true, data);
    let mut half = Half::default();
    for piece in data.chunks(17) {
        let [high, low, rest @ ..] = piece else { return };
        half.data(u32::from(u16::from_be_bytes([*high, *low])), rest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capture::bgp::testing::message;
    use crate::capture::frame::testing::{ethernet, ipv4, ipv6, tcp};

    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;

    /// From the client of a connection when true, to it when false.
    fn segment(up: bool, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (from, to) = if up { (40000, 179) } else { (179, 40000) };
        let mut packet = ipv4(6, &tcp(from, to, sequence, flags, payload));
        if !up {
            packet[12..20].rotate_left(4);
        }
        ethernet(0x0800, &packet)
    }

    fn told(all: &mut Conversations, link: usize, frame: &[u8]) -> Vec<What> {
        all.take(Duration::ZERO, link, true, frame).into_iter().map(|heard| heard.what).collect()
    }

    fn said(kind: MessageKind) -> What {
        What::Message(kind, None)
    }

    /// The three segments of a handshake.
    fn shake(all: &mut Conversations) {
        assert_eq!(told(all, 0, &segment(true, 100, SYN, &[])), []);
        assert_eq!(told(all, 0, &segment(false, 500, SYN | ACK, &[])), []);
        assert_eq!(told(all, 0, &segment(true, 101, ACK, &[])), [What::Connected]);
    }

    #[test]
    fn a_session_comes_up_and_is_told_once() {
        let mut all = Conversations::default();
        shake(&mut all);
        assert_eq!(told(&mut all, 0, &segment(true, 101, ACK, &[])), []);
        let open = message(1, &[4, 0xfd, 0xe8, 0, 180, 10, 0, 0, 1, 0]);
        assert_eq!(told(&mut all, 0, &segment(true, 101, ACK, &open)), [said(MessageKind::Open)]);
        // The same packet, heard on the next link and sent again.
        assert_eq!(told(&mut all, 3, &segment(true, 101, ACK, &open)), []);
        assert_eq!(told(&mut all, 0, &segment(false, 501, ACK, &open)), [said(MessageKind::Open)]);
        let two = [message(4, &[]), message(2, &[0, 0, 0, 0]), message(2, &[0, 2, 8, 10, 0, 0])].concat();
        let expected = [said(MessageKind::Keepalive), said(MessageKind::Update)];
        assert_eq!(told(&mut all, 0, &segment(true, 130, ACK, &two)), expected);
        let bad = message(3, &[2, 2, 0, 1]);
        let words = match told(&mut all, 0, &segment(false, 530, ACK, &bad)).as_slice() {
            [What::Message(MessageKind::Notification, Some(words))] => words.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(words, "OPEN Message Error/Bad Peer AS");
    }

    #[test]
    fn a_new_connection_with_the_same_ports_is_a_new_one() {
        let mut all = Conversations::default();
        shake(&mut all);
        told(&mut all, 0, &segment(true, 101, ACK, &message(4, &[])));
        told(&mut all, 0, &segment(true, 9000, SYN, &[]));
        told(&mut all, 0, &segment(false, 7000, SYN | ACK, &[]));
        assert_eq!(told(&mut all, 0, &segment(true, 9001, ACK, &[])), [What::Connected]);
        assert_eq!(
            told(&mut all, 0, &segment(true, 9001, ACK, &message(4, &[]))),
            [said(MessageKind::Keepalive)]
        );
    }

    #[test]
    fn a_refused_connection_is_none() {
        let mut all = Conversations::default();
        told(&mut all, 0, &segment(true, 100, SYN, &[]));
        assert_eq!(told(&mut all, 0, &segment(false, 0, 0x14, &[])), []);
    }

    #[test]
    fn one_link_local_address_on_two_links_is_two() {
        let mut all = Conversations::default();
        let frame = ethernet(0x86dd, &ipv6(6, &tcp(179, 40000, 1, ACK, &message(4, &[]))));
        assert_eq!(told(&mut all, 0, &frame).len(), 1);
        assert_eq!(told(&mut all, 1, &frame).len(), 1);
        assert_eq!(told(&mut all, 1, &frame).len(), 0);
    }

    #[test]
    fn echo_requests_are_told_once_for_each_link_and_direction() {
        let mut all = Conversations::default();
        let frame = ethernet(0x0800, &ipv4(1, &[8, 0, 0, 0]));
        assert_eq!(told(&mut all, 0, &frame), [What::Echo]);
        assert_eq!(told(&mut all, 0, &frame), []);
        assert_eq!(told(&mut all, 1, &frame), [What::Echo]);
        assert_eq!(all.take(Duration::ZERO, 1, false, &frame).len(), 1);
    }

    #[test]
    fn what_was_never_heard_is_given_up() {
        let mut all = Conversations::default();
        shake(&mut all);
        // The segment at 101 is lost; what follows is more than is kept.
        let long = [message(2, &[1; 1000])].concat().repeat(60);
        let mut kinds = Vec::new();
        for (number, piece) in long.chunks(1019).enumerate() {
            let sequence = 1120 + 1019 * u32::try_from(number).unwrap();
            kinds.extend(told(&mut all, 0, &segment(true, sequence, ACK, piece)));
        }
        let last = segment(true, 1120 + u32::try_from(long.len()).unwrap(), ACK, &vec![0; 9000]);
        kinds.extend(told(&mut all, 0, &last));
        assert_eq!(kinds, [said(MessageKind::Update)]);
    }

    proptest! {
        /// Segments in any order, each any number of times, also across the end of the sequence numbers.
        #[test]
        fn order_and_repetition_change_nothing(
            kinds in prop::collection::vec(prop::sample::select(vec![1u8, 2, 3, 4, 5]), 1..12),
            first in prop_oneof![Just(u32::MAX - 40), any::<u32>()],
            size in 1usize..50,
            shuffled in any::<u64>(),
        ) {
            let whole: Vec<u8> = kinds.iter().flat_map(|kind| message(*kind, &[6, 3, 1, 2, 3])).collect();
            let mut pieces: Vec<(u32, &[u8])> = Vec::new();
            for (number, piece) in whole.chunks(size).enumerate() {
                pieces.push((first.wrapping_add(1).wrapping_add((number * size) as u32), piece));
            }
            let in_order = {
                let mut half = Half { next: Some(first.wrapping_add(1)), ..Half::default() };
                pieces.iter().flat_map(|(sequence, piece)| half.data(*sequence, piece)).collect::<Vec<_>>()
            };
            prop_assert_eq!(in_order.len(), kinds.len());
            let mut mixed: Vec<_> = pieces.iter().chain(&pieces).collect();
            let mut state = shuffled | 1;
            for at in (1..mixed.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                mixed.swap(at, (state >> 33) as usize % (at + 1));
            }
            let mut half = Half { next: Some(first.wrapping_add(1)), ..Half::default() };
            let out: Vec<Said> = mixed.iter().flat_map(|(sequence, piece)| half.data(*sequence, piece)).collect();
            prop_assert_eq!(out, in_order);
        }

        #[test]
        fn no_frames_are_too_strange(frames: Vec<(u8, u32, Vec<u8>)>) {
            let mut all = Conversations::default();
            for (flags, sequence, payload) in frames {
                all.take(Duration::ZERO, 0, true, &segment(flags & 1 == 0, sequence, flags, &payload));
            }
        }
    }
}
