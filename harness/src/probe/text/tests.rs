use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::super::report::{HopKind, IcmpError};
use super::super::traceroute::Protocol;
use super::{ping, traceroute};
use crate::router::testing::recorded;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[rstest]
#[case(&recorded("1.12.1/ping-nettool-1.txt"), "10.1.3.242", 5, 57)]
#[case(&recorded("1.20-dev/ping-nettool-1.txt"), "10.1.2.7", 5, 58)]
fn a_recorded_ping(#[case] text: &str, #[case] to: &str, #[case] count: u16, #[case] ttl: u8) {
    let report = ping(text).unwrap();
    assert_eq!(report.to, ip(to));
    assert_eq!((report.sent, report.received), (count, count));
    assert!(report.all_answered());
    assert!(report.replies.iter().all(|reply| reply.ttl == Some(ttl) && reply.from == ip(to)));
    assert_eq!(
        report.replies.iter().map(|reply| reply.seq).collect::<Vec<_>>(),
        (1..=count).collect::<Vec<_>>()
    );
    assert!(report.replies.iter().all(|reply| reply.rtt.is_some_and(|rtt| rtt < Duration::from_millis(1))));
}

#[test]
fn a_recorded_ping_without_an_answer() {
    let report = ping(&recorded("1.12.1/ping-without-policy.txt")).unwrap();
    assert_eq!((report.sent, report.received), (3, 0));
    assert!(report.replies.is_empty() && report.errors.is_empty() && !report.all_answered());
    assert_eq!(report.to_string(), "ping 10.1.3.242: 3 sent, 0 received");
}

#[rstest]
#[case::busybox(
    "PING 10.1.1.1 (10.1.1.1): 56 data bytes\n64 bytes from 10.1.1.1: seq=0 ttl=64 time=0.045 ms\n\
     64 bytes from 10.1.1.1: seq=1 ttl=64 time=0.050 ms\n\n--- 10.1.1.1 ping statistics ---\n\
     2 packets transmitted, 2 packets received, 0% packet loss\n",
    "10.1.1.1",
    2
)]
#[case::inetutils(
    "PING 10.1.1.1 (10.1.1.1): 56 data bytes\n64 bytes from 10.1.1.1: icmp_seq=0 ttl=64 time=0.045 ms\n\
     64 bytes from 10.1.1.1: icmp_seq=1 ttl=64 time=0.050 ms\n--- 10.1.1.1 ping statistics ---\n\
     2 packets transmitted, 2 packets received, 0% packet loss\n",
    "10.1.1.1",
    2
)]
#[case::iputils_named(
    "PING router0 (10.0.0.0) 56(84) bytes of data.\n64 bytes from router0 (10.0.0.0): icmp_seq=1 ttl=64 time=0.03 ms\n\
     64 bytes from router0 (10.0.0.0): icmp_seq=1 ttl=64 time=0.05 ms (DUP!)\n\
     64 bytes from router0 (10.0.0.0): icmp_seq=2 ttl=64 time=0.03 ms\n\n\
     2 packets transmitted, 2 received, +1 duplicates, 0% packet loss, time 1ms\n",
    "10.0.0.0",
    2
)]
#[case::iputils_v6(
    "PING fd00::1(fd00::1) 56 data bytes\n64 bytes from fd00::1: icmp_seq=1 ttl=64 time=0.03 ms\n\
     64 bytes from fd00::1%eth0: icmp_seq=2 ttl=64 time=0.03 ms\n\n2 packets transmitted, 2 received, 0% packet loss\n",
    "fd00::1",
    2
)]
fn pings_of_other_programs(#[case] text: &str, #[case] to: &str, #[case] count: u16) {
    let report = ping(text).unwrap();
    assert_eq!(report.to, ip(to));
    assert_eq!((report.sent, report.received), (count, count));
    let seen: Vec<_> = report.replies.iter().map(|reply| (reply.seq, reply.ttl, reply.from)).collect();
    assert_eq!(seen, vec![(1, Some(64), ip(to)), (2, Some(64), ip(to))]);
}

#[rstest]
#[case("From 10.0.0.1 icmp_seq=1 Time to live exceeded", IcmpError::TimeExceeded)]
#[case("From gw (10.0.0.1) icmp_seq=1 Destination Host Unreachable", IcmpError::HostUnreachable)]
#[case("From 10.0.0.1 icmp_seq=1 Packet filtered", IcmpError::Prohibited)]
#[case("From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)", IcmpError::TooBig(1400))]
#[case("From 10.0.0.1 icmp_seq=1 Something new", IcmpError::Words("Something new".to_owned()))]
fn errors_in_a_ping(#[case] line: &str, #[case] expected: IcmpError) {
    let text = format!(
        "PING 10.9.9.9 (10.9.9.9) 56(84) bytes of data.\n{line}\n\n1 packets transmitted, 0 received, +1 errors, 100% packet loss\n"
    );
    let report = ping(&text).unwrap();
    let fault = report.errors.first().unwrap();
    assert_eq!((fault.seq, fault.from, &fault.error), (Some(1), Some(ip("10.0.0.1")), &expected));
}

#[rstest]
#[case("", "no line begins with `PING`")]
#[case("ping: connect: Network is unreachable", "no line begins with `PING`")]
#[case("PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.", "`packets transmitted`")]
#[case("PING nowhere", "line 1, column 6: no address of the target")]
#[case(
    "PING 10.0.0.1 (10.0.0.1) 56(84) bytes\n64 bytes from 10.0.0.1: ttl=3",
    "line 2, column 15: no sequence number"
)]
fn a_ping_that_cannot_be_read_says_where(#[case] text: &str, #[case] expected: &str) {
    let error = ping(text).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[rstest]
#[case(
    &recorded("1.12.1/traceroute-nettool-1.txt"),
    Protocol::Udp,
    "to 10.1.3.242: * 10.1.1.143 10.0.2.1 10.0.0.0 10.0.0.2 10.0.4.2 * 10.1.3.242"
)]
#[case(
    &recorded("1.12.1/traceroute-icmp-nettool-1.txt"),
    Protocol::Icmp,
    "to 10.1.3.242: * 10.1.1.143 10.0.2.1 10.0.0.0 10.0.0.2 10.0.4.2 * 10.1.3.242"
)]
#[case(
    &recorded("1.20-dev/traceroute-nettool-1.txt"),
    Protocol::Udp,
    "to 10.1.2.7: 10.1.1.212 10.0.2.1 10.0.0.0 10.0.0.2 10.0.3.2 * 10.1.2.7"
)]
#[case(
    &recorded("1.12.1/traceroute-without-policy.txt"),
    Protocol::Udp,
    "to 10.1.3.242: * 10.1.1.143 * (6 silent hops) (not reached)"
)]
fn a_recorded_traceroute(#[case] text: &str, #[case] protocol: Protocol, #[case] expected: &str) {
    let report = traceroute(text, protocol).unwrap();
    assert_eq!(report.to_string(), expected);
    let last = report.hops.last().unwrap();
    let kind = match (report.reached, protocol) {
        (false, _) => HopKind::Silent,
        (true, Protocol::Udp) => HopKind::PortUnreachable,
        (true, Protocol::Icmp) => HopKind::EchoReply,
    };
    assert_eq!(last.kind, kind);
    assert!(report.hops.iter().filter(|hop| hop.responder.is_some()).all(|hop| hop.also.len() == 2));
    assert_eq!(report.hops.iter().map(|hop| hop.ttl).collect::<Vec<_>>(), (1..=last.ttl).collect::<Vec<_>>());
}

const HEAD: &str = "traceroute to 10.0.0.9 (10.0.0.9), 30 hops max, 60 byte packets\n";

#[rstest]
#[case::busybox(" 1  10.0.0.1 (10.0.0.1)  0.007 ms  0.006 ms  0.005 ms", vec!["10.0.0.1"], None)]
#[case::debian_named(" 1  gw.lab (10.0.0.1)  0.007 ms  0.006 ms  0.005 ms", vec!["10.0.0.1"], Some("gw.lab"))]
#[case::inetutils("  1   10.0.0.1  0.005ms  0.002ms  0.002ms ", vec!["10.0.0.1"], None)]
#[case::inetutils_named("  1   10.0.0.1 (gw.lab)  0.005ms  0.002ms  0.002ms ", vec!["10.0.0.1"], Some("gw.lab"))]
#[case::two_ways(" 1  10.0.0.1  0.1 ms 10.0.0.2  0.2 ms  0.1 ms", vec!["10.0.0.1", "10.0.0.2"], None)]
#[case::late(" 1  * 10.0.0.1  0.1 ms *", vec!["10.0.0.1"], None)]
#[case::silent("  1   *  *  * ", vec![], None)]
fn hops_of_other_programs(#[case] line: &str, #[case] expected: Vec<&str>, #[case] label: Option<&str>) {
    let report = traceroute(&format!("{HEAD}{line}\n"), Protocol::Udp).unwrap();
    let hop = report.hops.first().unwrap();
    assert_eq!(hop.responders(), expected.into_iter().map(ip).collect::<Vec<_>>());
    assert_eq!(hop.label.as_deref(), label);
    assert!(!report.reached);
}

#[rstest]
#[case("!H", IcmpError::HostUnreachable)]
#[case("!N", IcmpError::NetUnreachable)]
#[case("!X", IcmpError::Prohibited)]
#[case("!F-1400", IcmpError::TooBig(1400))]
#[case("!13", IcmpError::Other(3, 13))]
#[case("!<42>", IcmpError::Other(3, 42))]
fn marks_behind_a_time(#[case] mark: &str, #[case] expected: IcmpError) {
    let report = traceroute(&format!("{HEAD} 1  10.0.0.1  0.1 ms {mark}\n"), Protocol::Udp).unwrap();
    assert_eq!(report.hops.first().unwrap().kind, HopKind::Unreachable(expected));
}

#[rstest]
#[case("", "no line begins with `traceroute to`")]
#[case("traceroute to nowhere, 30 hops max", "line 1, column 15")]
#[case(
    "traceroute to 10.0.0.9 (10.0.0.9), 30 hops max\n 1  0.1 ms",
    "line 2, column 5: a time without an address"
)]
#[case(
    "traceroute to 10.0.0.9 (10.0.0.9), 30 hops max\n 999  10.0.0.1 0.1 ms",
    "line 2, column 2: a distance beyond"
)]
fn a_traceroute_that_cannot_be_read_says_where(#[case] text: &str, #[case] expected: &str) {
    let error = traceroute(text, Protocol::Udp).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

fn debian(path: &str) -> String {
    crate::router::testing::recorded(&format!("debian-12/{path}"))
}

#[test]
fn a_recorded_ping_over_ipv6() {
    let report = ping(&debian("ping-6.txt")).unwrap();
    assert_eq!((report.to, report.sent, report.received), (ip("fd00:10:1:2::fe6"), 3, 3));
    assert!(report.replies.iter().all(|reply| reply.ttl == Some(59) && reply.from == report.to));
}

#[rstest]
#[case("ping-6-hop-limit.txt", "fd00:10:0:2::1", IcmpError::TimeExceeded)]
#[case("ping-6-unreachable.txt", "fd00:10:1:1::834", IcmpError::NetUnreachable)]
fn a_recorded_error_over_ipv6(#[case] file: &str, #[case] from: &str, #[case] error: IcmpError) {
    let report = ping(&debian(file)).unwrap();
    assert_eq!(report.received, 0);
    assert_eq!((report.errors[0].from, &report.errors[0].error), (Some(ip(from)), &error));
}

#[rstest]
#[case(
    "traceroute-6.txt",
    "to fd00:10:1:2::fe6: fd00:10:1:1::834 fd00:10:0:2::1 fd00:10::10 fd00:10::2 fd00:10:0:3::2 fd00:10:1:2::fe6"
)]
#[case(
    "traceroute-6-unreachable.txt",
    "to fd00:dead::1: fd00:10:1:1::834 (network unreachable) (not reached)"
)]
fn a_recorded_traceroute_over_ipv6(#[case] file: &str, #[case] expected: &str) {
    assert_eq!(traceroute(&debian(file), Protocol::Udp).unwrap().to_string(), expected);
}

#[rstest]
#[case("64 bytes from fd00:10::: icmp_seq=1 ttl=64", "fd00:10::")]
#[case("64 bytes from fd00:10::9: icmp_seq=1 ttl=64", "fd00:10::9")]
#[case("64 bytes from fe80::1%eth0: icmp_seq=1 ttl=64", "fe80::1")]
fn an_address_may_end_in_colons(#[case] line: &str, #[case] from: &str) {
    let text = format!("PING x({from}) 56 data bytes\n{line} time=1 ms\n1 packets transmitted, 1 received");
    assert_eq!(ping(&text).unwrap().replies[0].from, ip(from));
}

proptest! {
    #[test]
    fn no_text_breaks_the_readers(text in "\\PC*") {
        let _ = ping(&text);
        let _ = traceroute(&text, Protocol::Icmp);
    }

    #[test]
    fn no_almost_good_text_breaks_the_readers(
        lines in prop::collection::vec("( ?[0-9]{1,4} |64 bytes from |From )?([0-9a-f:.%() *!<=,-]|icmp_seq=|ttl=|time=| ms){0,30}", 0..6),
    ) {
        let lines = lines.join("\n");
        let _ = ping(&format!("PING 10.0.0.1 (10.0.0.1): 56 data bytes\n{lines}\n1 packets transmitted, 1 received"));
        let _ = traceroute(&format!("{HEAD}{lines}"), Protocol::Udp);
    }
}
