//! A frame read as far as it matters: who sent it to whom, and whether it carries TCP or an echo request.

use std::net::{IpAddr, SocketAddr};

use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols as Next};
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;
use pnet::packet::tcp::{TcpFlags, TcpPacket};

/// `ICMP_ECHO` and `ICMPV6_ECHO_REQUEST`.
const ECHO: (u8, u8) = (8, 128);

/// What a frame carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A segment of TCP.
    Segment(Segment<'a>),
    /// A request for an echo.
    Echo { from: IpAddr, to: IpAddr },
    /// Anything else.
    Other,
}

/// A segment of TCP.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) payload: &'a [u8],
}

/// Reads a frame; what is cut short or is nothing of ours is [`Frame::Other`].
pub(super) fn read(bytes: &[u8]) -> Frame<'_> {
    let Some(frame) = EthernetPacket::new(bytes) else { return Frame::Other };
    let Some(inner) = bytes.get(EthernetPacket::minimum_packet_size()..) else { return Frame::Other };
    match frame.get_ethertype() {
        EtherTypes::Ipv4 => read4(inner),
        EtherTypes::Ipv6 => read6(inner),
        _ => None,
    }
    .unwrap_or(Frame::Other)
}

/// Whether a frame carries TCP, whole or not.
pub(super) fn is_tcp(bytes: &[u8]) -> bool {
    let protocol = match bytes.get(12..14) {
        Some([0x08, 0x00]) => bytes.get(23),
        Some([0x86, 0xdd]) => bytes.get(20),
        _ => None,
    };
    protocol == Some(&Next::Tcp.0)
}

fn read4(bytes: &[u8]) -> Option<Frame<'_>> {
    let packet = Ipv4Packet::new(bytes)?;
    if packet.get_fragment_offset() != 0 {
        return None;
    }
    let start = usize::from(packet.get_header_length()) * 4;
    // Short frames are padded behind the packet.
    let end = usize::from(packet.get_total_length()).min(bytes.len());
    let inner = bytes.get(start..end)?;
    carried(
        packet.get_next_level_protocol(),
        packet.get_source().into(),
        packet.get_destination().into(),
        inner,
    )
}

fn read6(bytes: &[u8]) -> Option<Frame<'_>> {
    let packet = Ipv6Packet::new(bytes)?;
    let start = Ipv6Packet::minimum_packet_size();
    let end = (start + usize::from(packet.get_payload_length())).min(bytes.len());
    let inner = bytes.get(start..end)?;
    carried(packet.get_next_header(), packet.get_source().into(), packet.get_destination().into(), inner)
}

fn carried(protocol: IpNextHeaderProtocol, from: IpAddr, to: IpAddr, bytes: &[u8]) -> Option<Frame<'_>> {
    match protocol {
        Next::Tcp => {
            let segment = TcpPacket::new(bytes)?;
            let payload = bytes.get(usize::from(segment.get_data_offset()) * 4..)?;
            let has = |flag: u8| segment.get_flags() & flag != 0;
            Some(Frame::Segment(Segment {
                from: SocketAddr::new(from, segment.get_source()),
                to: SocketAddr::new(to, segment.get_destination()),
                sequence: segment.get_sequence(),
                syn: has(TcpFlags::SYN),
                ack: has(TcpFlags::ACK),
                payload,
            }))
        }
        Next::Icmp => (*bytes.first()? == ECHO.0).then_some(Frame::Echo { from, to }),
        Next::Icmpv6 => (*bytes.first()? == ECHO.1).then_some(Frame::Echo { from, to }),
        _ => None,
    }
}

/// Frames for tests, made by hand.
#[cfg(test)]
pub(super) mod testing {
    /// A frame of a type with a payload.
    pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
        [&[0xaa; 12][..], &kind.to_be_bytes(), payload].concat()
    }

    /// A packet from 10.0.0.1 to 10.0.0.2.
    pub(crate) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
        let header =
            [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        [&header[..], payload].concat()
    }

    /// A packet from fe80::1 to fe80::2.
    pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let address = |last: u8| [&[0xfe, 0x80], &[0; 13][..], &[last]].concat();
        [&[0x60, 0, 0, 0, length[0], length[1], next, 255][..], &address(1), &address(2), payload].concat()
    }

    /// A segment.
    pub(crate) fn tcp(from: u16, to: u16, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
        let (from, to, sequence) = (from.to_be_bytes(), to.to_be_bytes(), sequence.to_be_bytes());
        let rest = [0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
        [&from[..], &to, &sequence, &rest, payload].concat()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::testing::{ethernet, ipv4, ipv6, tcp};
    use super::*;

    #[test]
    fn a_segment_is_read_without_the_padding_behind_it() {
        let mut frame = ethernet(0x0800, &ipv4(6, &tcp(179, 40000, 7, 0x18, b"data")));
        frame.extend([0; 20]);
        let Frame::Segment(segment) = read(&frame) else { panic!("{:?}", read(&frame)) };
        assert_eq!(
            (segment.from.to_string(), segment.to.to_string()),
            ("10.0.0.1:179".into(), "10.0.0.2:40000".into())
        );
        assert_eq!(
            (segment.sequence, segment.syn, segment.ack, segment.payload),
            (7, false, true, &b"data"[..])
        );
    }

    #[test]
    fn echo_requests_of_both_families_and_nothing_else_of_icmp() {
        assert!(matches!(read(&ethernet(0x0800, &ipv4(1, &[8, 0, 0, 0]))), Frame::Echo { .. }));
        assert!(matches!(read(&ethernet(0x86dd, &ipv6(58, &[128, 0, 0, 0]))), Frame::Echo { .. }));
        assert_eq!(read(&ethernet(0x0800, &ipv4(1, &[0, 0, 0, 0]))), Frame::Other);
        assert_eq!(read(&ethernet(0x86dd, &ipv6(58, &[135, 0, 0, 0]))), Frame::Other);
        assert_eq!(read(&ethernet(0x0806, &[0; 28])), Frame::Other);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(kind in prop::sample::select(vec![0x0800u16, 0x86dd, 0x0806]), bytes: Vec<u8>) {
            let _ = read(&ethernet(kind, &bytes));
            let _ = read(&bytes);
        }
    }
}
