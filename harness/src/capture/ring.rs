//! The last packets of a link, as many as fit.

use std::collections::VecDeque;
use std::time::Duration;

/// What a packet takes beside its bytes.
const AROUND: usize = 64;

/// A packet as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When, since 1970, by the kernel's own clock.
    pub at: Duration,
    /// Whether the end that was listened at sent it.
    pub outgoing: bool,
    /// How long it was, in bytes; more than there is of it where it was cut.
    pub length: u32,
    /// Its bytes, from the Ethernet header on.
    pub bytes: Box<[u8]>,
}

/// Packets, the oldest of which make room for new ones.
#[derive(Debug, Default)]
pub(super) struct Ring {
    packets: VecDeque<Packet>,
    held: usize,
    /// How many bytes it may hold.
    limit: usize,
    /// How many packets made room for others.
    pub(super) dropped: u64,
}

impl Ring {
    /// A ring that holds so many bytes.
    pub(super) fn of(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Takes a packet in. One that is larger than the ring is dropped itself.
    pub(super) fn take(&mut self, packet: Packet) {
        self.held += packet.bytes.len() + AROUND;
        self.packets.push_back(packet);
        while self.held > self.limit {
            let Some(oldest) = self.packets.pop_front() else { break };
            self.held -= oldest.bytes.len() + AROUND;
            self.dropped += 1;
        }
    }

    /// What it holds, the oldest first.
    pub(super) fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.packets.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(number: usize, length: usize) -> Packet {
        Packet {
            at: Duration::from_nanos(number as u64),
            outgoing: false,
            length: u32::try_from(length).unwrap(),
            bytes: vec![0; length].into(),
        }
    }

    proptest! {
        #[test]
        fn it_keeps_the_newest_that_fit_and_counts_the_others(
            limit in 0usize..4000,
            lengths in prop::collection::vec(0usize..1500, 0..40),
        ) {
            let mut ring = Ring::of(limit);
            for (number, length) in lengths.iter().enumerate() {
                ring.take(packet(number, *length));
            }
            let kept: Vec<u64> = ring.packets().map(|packet| packet.at.as_nanos() as u64).collect();
            prop_assert_eq!(kept.len() as u64 + ring.dropped, lengths.len() as u64);
            let newest: Vec<u64> = (ring.dropped..lengths.len() as u64).collect();
            prop_assert_eq!(kept, newest);
            prop_assert!(ring.packets().map(|packet| packet.bytes.len() + AROUND).sum::<usize>() <= limit);
        }
    }
}
