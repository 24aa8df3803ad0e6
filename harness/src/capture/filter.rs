//! Which packets are heard: a program of the kernel's classic packet filter (Documentation/networking/filter.rst).
//!
//! ARP, ICMP, ICMPv6 (behind a fragment header, too), and TCP from or to one of a few ports, on Ethernet. Everything else never
//! leaves the kernel, so that a busy link costs nothing.

use socket2::SockFilter;

/// More ports than any lab has; jumps of the filter reach 255 lines.
const PORTS: usize = 24;

// Codes of linux/bpf_common.h: class, size, mode.
const LOAD_16: u16 = 0x28;
const LOAD_8: u16 = 0x30;
const LOAD_16_AT_X: u16 = 0x48;
const X_IS_IPV4_HEADER: u16 = 0xb1;
const IF_EQUAL: u16 = 0x15;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// What is returned for a packet that is heard: how much of it, and no packet is longer.
const WHOLE: u32 = 0x0004_0000;

/// Where a condition leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    Ipv4,
    Ipv6,
    Ipv4Ports,
    Ipv6Fragment,
    Ipv6Ports,
    Accept,
    Reject,
}

enum Line {
    Mark(To),
    Do(u16, u32),
    If(u16, u32, To, To),
}

/// The filter for BGP on these ports.
pub(super) fn program(ports: &[u16]) -> Vec<SockFilter> {
    use Line::{Do, If, Mark};
    use To::{Accept, Ipv4, Ipv4Ports, Ipv6, Ipv6Fragment, Ipv6Ports, Next, Reject};
    let ports = ports.iter().take(PORTS).map(|port| u32::from(*port));
    let one_of = |code: u16, at: u32| {
        let tests = ports.clone().map(|port| If(IF_EQUAL, port, Accept, Next));
        std::iter::once(Do(code, at)).chain(tests).collect::<Vec<_>>()
    };
    let mut lines = vec![
        Do(LOAD_16, 12),
        If(IF_EQUAL, 0x0806, Accept, Next),
        If(IF_EQUAL, 0x0800, Ipv4, Next),
        If(IF_EQUAL, 0x86dd, Ipv6, Reject),
        Mark(Ipv4),
        Do(LOAD_8, 23),
        If(IF_EQUAL, 1, Accept, Next),
        If(IF_EQUAL, 6, Ipv4Ports, Reject),
        Mark(Ipv4Ports),
        // A later fragment has no ports.
        Do(LOAD_16, 20),
        If(IF_ANY_BIT, 0x1fff, Reject, Next),
        Do(X_IS_IPV4_HEADER, 14),
    ];
    lines.extend(one_of(LOAD_16_AT_X, 14));
    lines.extend(one_of(LOAD_16_AT_X, 16));
    lines.extend([
        Do(RETURN, 0),
        Mark(Ipv6),
        Do(LOAD_8, 20),
        If(IF_EQUAL, 58, Accept, Next),
        If(IF_EQUAL, 44, Ipv6Fragment, Next),
        If(IF_EQUAL, 6, Ipv6Ports, Reject),
        Mark(Ipv6Fragment),
        Do(LOAD_8, 54),
        If(IF_EQUAL, 58, Accept, Reject),
        Mark(Ipv6Ports),
    ]);
    lines.extend(one_of(LOAD_16, 54));
    lines.extend(one_of(LOAD_16, 56));
    lines.extend([Mark(Reject), Do(RETURN, 0), Mark(Accept), Do(RETURN, WHOLE)]);
    assemble(&lines)
}

/// Puts distances in the place of marks. Jumps lead forward only, as the kernel wants it.
fn assemble(lines: &[Line]) -> Vec<SockFilter> {
    let mut place = 0;
    let mut marks = Vec::new();
    for line in lines {
        match line {
            Line::Mark(mark) => marks.push((*mark, place)),
            _ => place += 1,
        }
    }
    let mut made: Vec<SockFilter> = Vec::with_capacity(place);
    for line in lines {
        let next = made.len() + 1;
        let far = |to: &To| {
            let at = marks.iter().find(|(mark, _)| mark == to).map_or(next, |(_, at)| *at);
            // Too far is rejected by the kernel when it is attached, and `PORTS` keeps it from being so.
            u8::try_from(at - next).unwrap_or(u8::MAX)
        };
        match line {
            Line::Mark(_) => {}
            Line::Do(code, k) => made.push(SockFilter::new(*code, 0, 0, *k)),
            Line::If(code, k, then, or) => made.push(SockFilter::new(*code, far(then), far(or), *k)),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use rstest::rstest;
    use socket2::Socket;

    use super::*;
    use crate::capture::frame::testing::{ethernet, ipv4, ipv6, tcp};

    /// The kernel itself says what passes: a datagram through a socket with the filter.
    fn hears(frame: &[u8], ports: &[u16]) -> bool {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let theirs = Socket::from(std::os::fd::OwnedFd::from(theirs));
        theirs.attach_filter(&program(ports)).unwrap();
        theirs.set_nonblocking(true).unwrap();
        ours.send(frame).unwrap();
        let theirs = UnixDatagram::from(std::os::fd::OwnedFd::from(theirs));
        let mut room = vec![0; frame.len() + 1];
        theirs.recv(&mut room).is_ok_and(|length| length == frame.len())
    }

    #[rstest]
    #[case::arp(ethernet(0x0806, &[0; 28]), true)]
    #[case::icmp(ethernet(0x0800, &ipv4(1, &[8; 8])), true)]
    #[case::udp(ethernet(0x0800, &ipv4(17, &[0; 8])), false)]
    #[case::bgp(ethernet(0x0800, &ipv4(6, &tcp(40000, 179, 1, 0x02, &[]))), true)]
    #[case::bgp_back(ethernet(0x0800, &ipv4(6, &tcp(179, 40000, 1, 0x12, &[]))), true)]
    #[case::ssh(ethernet(0x0800, &ipv4(6, &tcp(40000, 22, 1, 0x02, &[]))), false)]
    #[case::other_port_of_the_lab(ethernet(0x0800, &ipv4(6, &tcp(40000, 1790, 1, 0x02, &[]))), true)]
    #[case::bgp6(ethernet(0x86dd, &ipv6(6, &tcp(40000, 179, 1, 0x02, &[]))), true)]
    #[case::bgp6_back(ethernet(0x86dd, &ipv6(6, &tcp(179, 40000, 1, 0x02, &[]))), true)]
    #[case::ssh6(ethernet(0x86dd, &ipv6(6, &tcp(22, 40000, 1, 0x02, &[]))), false)]
    #[case::icmp6(ethernet(0x86dd, &ipv6(58, &[128; 8])), true)]
    #[case::fragment_of_icmp6(ethernet(0x86dd, &ipv6(44, &[58, 0, 0, 1, 0, 0, 0, 0])), true)]
    #[case::fragment_of_udp6(ethernet(0x86dd, &ipv6(44, &[17, 0, 0, 1, 0, 0, 0, 0])), false)]
    #[case::mld(ethernet(0x86dd, &ipv6(0, &[58; 16])), false)]
    #[case::lldp(ethernet(0x88cc, &[0; 60]), false)]
    #[case::short(vec![0; 13], false)]
    fn what_is_heard(#[case] frame: Vec<u8>, #[case] heard: bool) {
        assert_eq!(hears(&frame, &[179, 1790]), heard);
    }

    #[test]
    fn options_do_not_hide_the_ports_and_a_later_fragment_has_none() {
        let mut packet = ipv4(6, &[&[0; 4][..], &tcp(40000, 179, 1, 0x02, &[])].concat());
        packet[0] = 0x46;
        assert!(hears(&ethernet(0x0800, &packet), &[179]));
        let mut packet = ipv4(6, &tcp(40000, 179, 1, 0x02, &[]));
        packet[7] = 1;
        assert!(!hears(&ethernet(0x0800, &packet), &[179]));
    }

    #[test]
    fn any_number_of_ports_makes_a_program_that_the_kernel_takes() {
        let ports: Vec<u16> = (1000..2000).collect();
        assert!(hears(&ethernet(0x0800, &ipv4(6, &tcp(1, 1000, 1, 2, &[]))), &ports));
        assert!(hears(&ethernet(0x0800, &ipv4(1, &[8; 8])), &[]));
    }
}
