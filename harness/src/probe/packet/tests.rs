use std::net::IpAddr;

use pnet::packet::ipv4::MutableIpv4Packet;
use pnet::packet::ipv6::MutableIpv6Packet;
use pnet::packet::{icmp, ip::IpNextHeaderProtocols, udp::MutableUdpPacket};
use proptest::prelude::*;
use rstest::rstest;

use super::*;

const COOKIE: Cookie = *b"fabric01";
const FROM: [u8; 4] = [10, 1, 1, 2];
const TO: [u8; 4] = [10, 1, 3, 4];

fn in_ipv4(protocol: u8, inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 20 + inner.len()];
    bytes[20..].copy_from_slice(inner);
    let mut packet = MutableIpv4Packet::new(&mut bytes).unwrap();
    packet.set_version(4);
    packet.set_header_length(5);
    packet.set_total_length(u16::try_from(20 + inner.len()).unwrap());
    packet.set_next_level_protocol(pnet::packet::ip::IpNextHeaderProtocol(protocol));
    packet.set_source(FROM.into());
    packet.set_destination(TO.into());
    bytes
}

fn in_ipv6(inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 40 + inner.len()];
    bytes[40..].copy_from_slice(inner);
    let mut packet = MutableIpv6Packet::new(&mut bytes).unwrap();
    packet.set_version(6);
    packet.set_payload_length(u16::try_from(inner.len()).unwrap());
    packet.set_next_header(IpNextHeaderProtocols::Udp);
    packet.set_source("fd00::1".parse().unwrap());
    packet.set_destination("fd00::2".parse().unwrap());
    bytes
}

fn in_udp(tag: u16) -> Vec<u8> {
    let payload = udp_payload(tag, COOKIE);
    let mut bytes = vec![0; 8 + payload.len()];
    bytes[8..].copy_from_slice(&payload);
    let mut packet = MutableUdpPacket::new(&mut bytes).unwrap();
    packet.set_source(61_000);
    packet.set_destination(33_434);
    packet.set_length(u16::try_from(8 + payload.len()).unwrap());
    bytes
}

fn error(kind: u8, code: u8, quote: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0, 0, 0, 0x05, 0x78];
    bytes.extend_from_slice(quote);
    bytes
}

#[test]
fn an_echo_request_has_a_right_checksum_that_does_not_depend_on_its_number() {
    let sums: Vec<u16> = [1, 2, 777, u16::MAX]
        .into_iter()
        .map(|seq| {
            let bytes = echo_request(false, 0x1234, seq, COOKIE, 56);
            assert_eq!(bytes.len(), 64);
            let packet = icmp::IcmpPacket::new(&bytes).unwrap();
            assert_eq!(packet.get_checksum(), icmp::checksum(&packet));
            packet.get_checksum()
        })
        .collect();
    assert!(sums.iter().all(|sum| sum == &sums[0]), "{sums:?}");
}

#[rstest]
#[case(false)]
#[case(true)]
fn an_echo_reply_is_read_back(#[case] v6: bool) {
    let mut bytes = echo_request(v6, 7, 9, COOKIE, 56);
    assert_eq!(read(v6, &bytes), None, "a request is no answer");
    bytes[0] = if v6 { 129 } else { 0 };
    assert_eq!(read(v6, &bytes), Some(Message::EchoReply { id: 7, seq: 9, cookie: COOKIE.to_vec() }));
}

#[rstest]
#[case(11, 0, IcmpError::TimeExceeded)]
#[case(3, 0, IcmpError::NetUnreachable)]
#[case(3, 1, IcmpError::HostUnreachable)]
#[case(3, 3, IcmpError::PortUnreachable)]
#[case(3, 4, IcmpError::TooBig(1400))]
#[case(3, 13, IcmpError::Prohibited)]
#[case(3, 77, IcmpError::Other(3, 77))]
fn an_error_names_the_udp_probe(#[case] kind: u8, #[case] code: u8, #[case] expected: IcmpError) {
    let whole = error(kind, code, &in_ipv4(17, &in_udp(42)));
    // RFC 792 asks routers for no more than the IP header and eight bytes.
    let short = &whole[..8 + 20 + 8];
    for (bytes, cookie) in [(whole.as_slice(), COOKIE.to_vec()), (short, Vec::new())] {
        let what = QuotedKind::Udp { from: 61_000, to: 33_434, tag: 42 };
        let quoted = Quoted { from: FROM.into(), to: TO.into(), what, cookie };
        assert!(quoted.may_be_of(COOKIE));
        assert_eq!(read(false, bytes), Some(Message::Error { error: expected.clone(), quoted }));
    }
}

#[test]
fn an_error_names_the_echo_request() {
    let bytes = error(11, 0, &in_ipv4(1, &echo_request(false, 7, 9, COOKIE, 56)));
    let Some(Message::Error { quoted, .. }) = read(false, &bytes) else { panic!("not an error") };
    assert_eq!(quoted.what, QuotedKind::Echo { id: 7, seq: 9 });
    assert!(quoted.may_be_of(COOKIE));
    assert!(!quoted.may_be_of(*b"another1"));
}

#[rstest]
#[case(3, 0, IcmpError::TimeExceeded)]
#[case(1, 0, IcmpError::NetUnreachable)]
#[case(1, 3, IcmpError::HostUnreachable)]
#[case(1, 4, IcmpError::PortUnreachable)]
#[case(2, 0, IcmpError::TooBig(1400))]
fn an_icmpv6_error_names_the_probe(#[case] kind: u8, #[case] code: u8, #[case] expected: IcmpError) {
    let bytes = error(kind, code, &in_ipv6(&in_udp(3)));
    let Some(Message::Error { error, quoted }) = read(true, &bytes) else { panic!("not an error") };
    assert_eq!(error, expected);
    assert_eq!(quoted.to, "fd00::2".parse::<IpAddr>().unwrap());
    assert_eq!(quoted.what, QuotedKind::Udp { from: 61_000, to: 33_434, tag: 3 });
}

#[test]
fn other_traffic_concerns_nobody() {
    assert_eq!(read(false, &error(3, 3, &in_ipv4(6, &[0; 20]))), None, "TCP");
    assert_eq!(read(false, &error(5, 0, &in_ipv4(17, &in_udp(1)))), None, "a redirect");
    assert_eq!(read(true, &error(135, 0, &[0; 16])), None, "a neighbour solicitation");
    let reply = {
        let mut bytes = echo_request(false, 1, 1, COOKIE, 8);
        bytes[0] = 0;
        bytes
    };
    assert_eq!(read(false, &error(11, 0, &in_ipv4(1, &reply))), None, "an error about a reply");
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(v6: bool, bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = read(v6, &bytes);
    }

    #[test]
    fn no_quote_breaks_the_reader(v6: bool, kind in 0_u8..12, code in 0_u8..16, quote in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = read(v6, &error(kind, code, &quote));
    }
}
