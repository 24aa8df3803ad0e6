//! ICMP messages built and read (RFC 792, RFC 4443). Bytes only: no sockets.

use std::net::IpAddr;

use pnet::packet::icmp::echo_request::MutableEchoRequestPacket;
use pnet::packet::icmp::{IcmpPacket, checksum};
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;
use pnet::packet::udp::UdpPacket;

use super::report::IcmpError;

/// ICMP and ICMPv6 echo types; the packet of both is the same but for these and the checksum.
const ECHO4: (u8, u8) = (8, 0);
const ECHO6: (u8, u8) = (128, 129);
/// Type, code, checksum, identifier, sequence number.
const ECHO_HEADER: usize = 8;
/// Type, code, checksum and four bytes whose meaning depends on the type.
const ERROR_HEADER: usize = 8;
/// IP protocol numbers.
const ICMP: u8 = 1;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// What marks a packet as ours beyond identifier and ports: every run draws its own.
pub(super) type Cookie = [u8; 8];

/// An echo request. The first two bytes of the payload undo the sequence number in the checksum: it stays the same for
/// all requests of a run, and so does the path where routers look at it to spread load.
pub(super) fn echo_request(v6: bool, id: u16, seq: u16, cookie: Cookie, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; ECHO_HEADER + size];
    let payload = (!seq).to_be_bytes().into_iter().chain(cookie).chain(std::iter::repeat(0x2a));
    bytes.iter_mut().skip(ECHO_HEADER).zip(payload).for_each(|(place, byte)| *place = byte);
    if let Some(mut packet) = MutableEchoRequestPacket::new(&mut bytes) {
        packet.set_identifier(id);
        packet.set_sequence_number(seq);
    }
    if let Some(kind) = bytes.first_mut() {
        *kind = if v6 { ECHO6.0 } else { ECHO4.0 };
    }
    // The kernel fills in ICMPv6's, which covers addresses that only it knows.
    if !v6 && let Some(sum) = IcmpPacket::new(&bytes).map(|packet| checksum(&packet)) {
        bytes.iter_mut().skip(2).zip(sum.to_be_bytes()).for_each(|(place, byte)| *place = byte);
    }
    bytes
}

/// The payload of a UDP probe: its length says which probe it is, also where a router quotes no more than the headers.
pub(super) fn udp_payload(tag: u16, cookie: Cookie) -> Vec<u8> {
    let mut bytes = cookie.to_vec();
    bytes.resize(cookie.len() + usize::from(tag), 0x2a);
    bytes
}

/// The tag of a UDP probe by the length in its UDP header.
fn udp_tag(length: u16) -> Option<u16> {
    length.checked_sub(8 + 8)
}

/// The packet of ours that an error quotes, as far as it is quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    pub(super) what: QuotedKind,
    /// The part of the payload that holds the cookie, as far as it was quoted.
    pub(super) cookie: Vec<u8>,
}

/// What kind of probe is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuotedKind {
    Echo { id: u16, seq: u16 },
    Udp { from: u16, to: u16, tag: u16 },
}

impl Quoted {
    /// False when enough was quoted to see that another run sent it.
    pub(super) fn may_be_of(&self, cookie: Cookie) -> bool {
        self.cookie.iter().zip(cookie).all(|(quoted, ours)| *quoted == ours)
    }
}

/// An ICMP message that may concern a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// An echo reply with the part of its payload that holds the cookie.
    EchoReply { id: u16, seq: u16, cookie: Vec<u8> },
    /// An error about a packet.
    Error { error: IcmpError, quoted: Quoted },
}

/// Reads an ICMP (or ICMPv6) message; `None` for what concerns no probe.
pub(super) fn read(v6: bool, bytes: &[u8]) -> Option<Message> {
    let [kind, code, ..] = *bytes else { return None };
    if kind == if v6 { ECHO6.1 } else { ECHO4.1 } {
        let (id, seq, cookie) = echo(bytes)?;
        return Some(Message::EchoReply { id, seq, cookie });
    }
    let rest = bytes.get(4..ERROR_HEADER)?;
    let mtu = if v6 {
        u32::from_be_bytes(rest.try_into().ok()?)
    } else {
        u32::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]))
    };
    let error = if v6 { error6(kind, code, mtu)? } else { error4(kind, code, mtu)? };
    let quote = bytes.get(ERROR_HEADER..)?;
    let quoted = if v6 { quoted6(quote)? } else { quoted4(quote)? };
    Some(Message::Error { error, quoted })
}

/// Identifier, sequence number and cookie of an echo request or reply.
fn echo(bytes: &[u8]) -> Option<(u16, u16, Vec<u8>)> {
    let [_, _, _, _, id0, id1, seq0, seq1, payload @ ..] = bytes else { return None };
    let cookie = payload.iter().skip(2).take(size_of::<Cookie>()).copied().collect();
    Some((u16::from_be_bytes([*id0, *id1]), u16::from_be_bytes([*seq0, *seq1]), cookie))
}

fn error4(kind: u8, code: u8, mtu: u32) -> Option<IcmpError> {
    Some(match (kind, code) {
        (3, 0 | 6 | 11) => IcmpError::NetUnreachable,
        (3, 1 | 5 | 7 | 8 | 12) => IcmpError::HostUnreachable,
        (3, 2) => IcmpError::ProtocolUnreachable,
        (3, 3) => IcmpError::PortUnreachable,
        (3, 4) => IcmpError::TooBig(mtu),
        (3, 9 | 10 | 13) => IcmpError::Prohibited,
        (11, 0) => IcmpError::TimeExceeded,
        (11, 1) => IcmpError::ReassemblyTimeExceeded,
        (3 | 11 | 12, code) => IcmpError::Other(kind, code),
        _ => return None,
    })
}

fn error6(kind: u8, code: u8, mtu: u32) -> Option<IcmpError> {
    Some(match (kind, code) {
        (1, 0) => IcmpError::NetUnreachable,
        (1, 1 | 5 | 6) => IcmpError::Prohibited,
        (1, 3) => IcmpError::HostUnreachable,
        (1, 4) => IcmpError::PortUnreachable,
        (2, _) => IcmpError::TooBig(mtu),
        (3, 0) => IcmpError::TimeExceeded,
        (3, 1) => IcmpError::ReassemblyTimeExceeded,
        // Parameter problem, unrecognised next header: how IPv6 says "protocol unreachable".
        (4, 1) => IcmpError::ProtocolUnreachable,
        (1 | 4, code) => IcmpError::Other(kind, code),
        _ => return None,
    })
}

fn quoted4(quote: &[u8]) -> Option<Quoted> {
    let header = Ipv4Packet::new(quote)?;
    let inner = quote.get(usize::from(header.get_header_length()) * 4..)?;
    let (what, cookie) = quoted_kind(header.get_next_level_protocol().0, ICMP, inner)?;
    Some(Quoted { from: header.get_source().into(), to: header.get_destination().into(), what, cookie })
}

fn quoted6(quote: &[u8]) -> Option<Quoted> {
    let header = Ipv6Packet::new(quote)?;
    let inner = quote.get(Ipv6Packet::minimum_packet_size()..)?;
    let (what, cookie) = quoted_kind(header.get_next_header().0, ICMPV6, inner)?;
    Some(Quoted { from: header.get_source().into(), to: header.get_destination().into(), what, cookie })
}

fn quoted_kind(protocol: u8, icmp: u8, inner: &[u8]) -> Option<(QuotedKind, Vec<u8>)> {
    if protocol == icmp {
        let request = if icmp == ICMP { ECHO4.0 } else { ECHO6.0 };
        let (id, seq, cookie) = echo(inner)?;
        return (*inner.first()? == request).then_some((QuotedKind::Echo { id, seq }, cookie));
    }
    if protocol != UDP {
        return None;
    }
    let header = UdpPacket::new(inner)?;
    let tag = udp_tag(header.get_length())?;
    let what = QuotedKind::Udp { from: header.get_source(), to: header.get_destination(), tag };
    let cookie = inner.get(UdpPacket::minimum_packet_size()..)?;
    Some((what, cookie.iter().take(size_of::<Cookie>()).copied().collect()))
}

#[cfg(test)]
mod tests;
