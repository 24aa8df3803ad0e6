//! One direction of a session as a stream of messages: RFC 4271, section 4.1.
//!
//! What lives here: finding messages in bytes that come cut anywhere, and telling apart those that matter. What does not: TCP
//! (`conversation`). Of a message no more is kept than is needed to say what it is.

use super::notification::Notification;

/// Marker, length and type.
const HEADER: usize = 19;
const MARKER: [u8; 16] = [0xff; 16];
/// The longest message there is (RFC 8654).
const LONGEST: usize = 65_535;
/// A NOTIFICATION's codes, the length of a reason, and the reason (RFC 9003).
const NOTIFICATION: usize = 3 + 255;
/// The longest UPDATE that only says the end of a table (RFC 4724): no routes, and one attribute of at most seven bytes.
const END_OF_TABLE: usize = HEADER + 2 + 2 + 7;

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// OPEN.
    Open,
    /// UPDATE that announces or withdraws something.
    Update,
    /// UPDATE that only marks the end of the table.
    EndOfTable,
    /// NOTIFICATION.
    Notification,
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH.
    RouteRefresh,
}

/// A message that went by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Which.
    pub kind: MessageKind,
    /// What a NOTIFICATION says.
    pub notification: Option<Notification>,
}

/// One direction of a session.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The beginning of a message that is not whole yet.
    room: Vec<u8>,
    /// So many bytes of a message that was told are still to come.
    skip: usize,
}

impl Stream {
    /// Takes the next bytes and gives the messages that they make known.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return said;
            }
            let wanted = self.wanted();
            let taken = wanted.saturating_sub(self.room.len()).min(bytes.len());
            self.room.extend_from_slice(bytes.get(..taken).unwrap_or_default());
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.room.len() < wanted {
                return said;
            }
            if !self.find_the_marker() {
                continue;
            }
            // Now that the header is there, more may be wanted.
            if self.room.len() < self.wanted() {
                continue;
            }
            said.extend(self.finish());
        }
    }

    /// How much of the message at hand is needed to say what it is.
    fn wanted(&self) -> usize {
        let Some((length, kind)) = self.header() else { return HEADER };
        let needed = match kind {
            2 if length <= END_OF_TABLE => END_OF_TABLE,
            3 => HEADER + NOTIFICATION,
            _ => HEADER,
        };
        needed.min(length)
    }

    /// Length and type, if what is at hand begins as a message does.
    fn header(&self) -> Option<(usize, u8)> {
        let (length, kind) =
            (u16::from_be_bytes([*self.room.get(16)?, *self.room.get(17)?]), *self.room.get(18)?);
        let length = usize::from(length);
        let is_one =
            self.room.starts_with(&MARKER) && (HEADER..=LONGEST).contains(&length) && (1..=5).contains(&kind);
        is_one.then_some((length, kind))
    }

    /// Whether what is at hand begins as a message does. If not, what cannot be the beginning of one is thrown away: the
    /// first bytes that were heard may be the middle of a message.
    fn find_the_marker(&mut self) -> bool {
        if self.header().is_some() {
            return true;
        }
        // A run of ones may be longer than a marker: the marker is its end.
        let next = (1..self.room.len()).find(|at| {
            let rest = self.room.get(*at..).unwrap_or_default();
            rest.iter().take(MARKER.len()).all(|byte| *byte == 0xff)
        });
        self.room.drain(..next.unwrap_or(self.room.len()));
        false
    }

    fn finish(&mut self) -> Option<Said> {
        let (length, kind) = self.header()?;
        let body = self.room.get(HEADER..).unwrap_or_default();
        let kind = match kind {
            1 => MessageKind::Open,
            2 if ends_a_table(body, length) => MessageKind::EndOfTable,
            2 => MessageKind::Update,
            3 => MessageKind::Notification,
            4 => MessageKind::Keepalive,
            _ => MessageKind::RouteRefresh,
        };
        let notification = (kind == MessageKind::Notification).then(|| Notification::read(body));
        self.skip = length.saturating_sub(self.room.len());
        self.room.clear();
        Some(Said { kind, notification })
    }
}

/// No withdrawn routes, and either no attribute at all or only an MP_UNREACH_NLRI (15) without routes.
fn ends_a_table(body: &[u8], length: usize) -> bool {
    if length > END_OF_TABLE || body.get(..2) != Some(&[0, 0]) {
        return false;
    }
    match body.get(2..).unwrap_or_default() {
        [0, 0] => true,
        // Flags (with a length of two bytes, or of one), type, length, family, subsequent family.
        [0, 7, flags, 15, 0, 3, _, _, _] => flags & 0x10 != 0,
        [0, 6, flags, 15, 3, _, _, _] => flags & 0x10 == 0,
        _ => false,
    }
}

#[cfg(test)]
pub(super) mod testing {
    /// A message of a type with a body.
    pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
        [&[0xff; 16][..], &length, &[kind], body].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::testing::message;
    use super::*;

    fn kinds(said: &[Said]) -> Vec<MessageKind> {
        said.iter().map(|said| said.kind).collect()
    }

    #[rstest]
    #[case::nothing(&[0, 0, 0, 0], MessageKind::EndOfTable)]
    #[case::of_ipv6(&[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1], MessageKind::EndOfTable)]
    #[case::of_ipv6_long(&[0, 0, 0, 7, 0x90, 15, 0, 3, 0, 2, 1], MessageKind::EndOfTable)]
    #[case::withdrawal(&[0, 2, 8, 10, 0, 0], MessageKind::Update)]
    #[case::withdrawal_of_ipv6(&[0, 0, 0, 8, 0x80, 15, 5, 0, 2, 1, 8, 0xfd], MessageKind::Update)]
    #[case::nonsense(&[9], MessageKind::Update)]
    fn the_end_of_a_table_is_no_route(#[case] body: &[u8], #[case] kind: MessageKind) {
        assert_eq!(kinds(&Stream::default().take(&message(2, body))), [kind]);
    }

    #[test]
    fn the_middle_of_a_message_is_passed_over() {
        let mut bytes = message(2, &[0xff; 40]).split_off(25);
        bytes.extend(message(4, &[]));
        assert_eq!(kinds(&Stream::default().take(&bytes)), [MessageKind::Keepalive]);
    }

    fn messages() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
        prop::collection::vec((1u8..=5, prop::collection::vec(any::<u8>(), 0..600)), 0..8)
    }

    proptest! {
        /// However TCP cuts it, the same messages come out, in order.
        #[test]
        fn cuts_change_nothing(messages in messages(), cuts in prop::collection::vec(1usize..200, 1..200)) {
            let whole: Vec<u8> = messages.iter().flat_map(|(kind, body)| message(*kind, body)).collect();
            let at_once = Stream::default().take(&whole);
            prop_assert_eq!(at_once.len(), messages.len());
            let (mut stream, mut pieces, mut rest) = (Stream::default(), Vec::new(), whole.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.extend(stream.take(piece));
                rest = after;
            }
            prop_assert_eq!(pieces, at_once);
        }

        #[test]
        fn no_bytes_are_too_strange(pieces: Vec<Vec<u8>>) {
            let mut stream = Stream::default();
            for piece in &pieces {
                stream.take(piece);
                prop_assert!(stream.room.len() <= HEADER + NOTIFICATION);
            }
        }

        /// Whatever went before, a run of messages is understood from the second on at the latest.
        #[test]
        fn it_finds_its_way_back(before: Vec<u8>) {
            let mut stream = Stream::default();
            // What began before may run on for as long as a message can.
            stream.take(&before);
            stream.take(&vec![0; LONGEST]);
            let said: Vec<Said> = (0..3).flat_map(|_| stream.take(&message(4, &[]))).collect();
            prop_assert_eq!(said.last().map(|said| said.kind), Some(MessageKind::Keepalive));
        }
    }
}
