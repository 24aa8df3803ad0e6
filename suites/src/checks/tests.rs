//! Judgements on small made-up moments: the cases that no recorded fabric shows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use fabric_harness::probe::{Hop, IcmpError, PingFault, PingReport, Reply, TraceReport};
use fabric_harness::router::{
    Family, FamilyState, Link, LinkAddress, Reset, Session, SessionState, SessionType, Sessions,
};
use rstest::rstest;

use super::literal::Literal;
use super::*;
use crate::expect::{Neighbor, Prober, Symbol, WantedFamily, WantedKind, WantedLink, WantedState};

pub(super) fn session() -> Session {
    let family = FamilyState { negotiated: true, accepted: 5, sent: Some(13), end_of_rib_received: true };
    Session {
        neighbor: "net0".into(),
        handle: None,
        interface: Some("net0".into()),
        address: None,
        local_address: None,
        hostname: Some("tor0".into()),
        remote_as: Some(65010),
        local_as: 65000,
        state: SessionState::Established,
        kind: SessionType::External,
        remote_id: None,
        hold: Some(Duration::from_secs(9)),
        keepalive: Some(Duration::from_secs(3)),
        configured_hold: None,
        configured_keepalive: None,
        connect_retry: None,
        next_connect: None,
        next_start: None,
        uptime: None,
        established_count: 1,
        dropped_count: 0,
        last_reset: None,
        peer_group: None,
        shutdown: false,
        defers: false,
        families: BTreeMap::from([(Family::Ipv4Unicast, family)]),
    }
}

fn judge(fact: SessionFact, session: Session) -> Verdict {
    let spec =
        SessionSpec::Of { router: "router0".into(), neighbor: Neighbor::Interface("net0".into()), fact };
    judge_session(&spec, &Sessions::from([("net0".to_owned(), session)]), &Literal)
}

fn state(state: WantedState, remote_as: u32) -> SessionFact {
    SessionFact::State { state: Some(state), remote_as: Some(remote_as) }
}

#[rstest]
#[case(state(WantedState::Established, 65010), None)]
#[case(state(WantedState::Established, 65011), Some("AS is 65010, not 65011"))]
#[case(state(WantedState::Down, 65010), Some("is Established, not down"))]
#[case(SessionFact::Kind(WantedKind::Internal), Some("external (eBGP)"))]
#[case(SessionFact::Timers { hold: Some(Duration::from_secs(90)), keepalive: None }, Some("hold: 9 s is in force, not 90 s"))]
#[case(SessionFact::Received { family: WantedFamily::Ipv4, count: 5 }, None)]
#[case(SessionFact::Received { family: WantedFamily::Ipv4, count: 3 }, Some("5 IPv4 prefixes"))]
#[case(SessionFact::Sent { family: WantedFamily::Ipv6, count: 1 }, Some("does not carry IPv6"))]
#[case(SessionFact::Hostname("tor1".into()), Some("calls itself tor0"))]
#[case(SessionFact::LastReset("Hold Timer".into()), Some("never lost"))]
#[case(SessionFact::Drops(1), Some("it was not lost"))]
fn each_fact_is_judged_alone(#[case] fact: SessionFact, #[case] difference: Option<&str>) {
    let verdict = judge(fact, session());
    match difference {
        None => assert!(verdict.passed(), "{}", verdict.failure_text()),
        Some(part) => assert!(verdict.failure_text().contains(part), "{}", verdict.failure_text()),
    }
}

#[test]
fn a_session_that_is_down_says_what_the_router_says() {
    let mut down = session();
    down.state = SessionState::Active;
    down.hold = None;
    down.next_connect = Some(Duration::from_secs(7));
    down.last_reset = Some(Reset {
        reason: "BGP Notification received".into(),
        notification: Some("Cease/Peer De-configured".into()),
        code: Some((6, 3)),
        ago: None,
    });
    let verdict = judge(state(WantedState::Established, 65010), down.clone());
    insta::assert_snapshot!(verdict.failure_text());
    assert!(judge(SessionFact::LastReset("Cease / Peer De-configured".into()), down.clone()).passed());
    let timers = SessionFact::Timers { hold: Some(Duration::from_secs(9)), keepalive: None };
    assert!(judge(timers, down).failure_text().contains("nothing is negotiated"));
}

#[test]
fn losses_cannot_be_waited_away() {
    let mut lost = session();
    lost.dropped_count = 2;
    assert_eq!(judge(SessionFact::Drops(0), lost).outcome, Outcome::Failed);
}

#[test]
fn a_neighbor_that_is_not_there_names_those_that_are() {
    let spec = SessionSpec::Of {
        router: "router0".into(),
        neighbor: Neighbor::Interface("net7".into()),
        fact: state(WantedState::Down, 1),
    };
    let verdict = judge_session(&spec, &Sessions::from([("net0".to_owned(), session())]), &Literal);
    assert!(verdict.failure_text().contains("no neighbor net7; it has net0"), "{}", verdict.failure_text());
}

#[test]
fn a_router_without_any_neighbor_has_lost_its_configuration() {
    let spec = SessionSpec::Of {
        router: "tor0".into(),
        neighbor: Neighbor::Interface("net0".into()),
        fact: state(WantedState::Established, 1),
    };
    let verdict = judge_session(&spec, &Sessions::new(), &Literal);
    assert!(
        verdict.failure_text().contains("tor0 has no BGP neighbors at all"),
        "{}",
        verdict.failure_text()
    );
}

fn ping(ttls: &[u8], sent: u16) -> PingReport {
    let to: IpAddr = "10.1.3.242".parse().unwrap();
    let reply = |(seq, ttl): (u16, &u8)| Reply { seq, from: to, ttl: Some(*ttl), rtt: None };
    let replies: Vec<_> = (1..).zip(ttls).map(reply).collect();
    let received = u16::try_from(replies.len()).unwrap();
    PingReport { to, sent, received, replies, errors: Vec::new() }
}

#[rstest]
#[case(ReachFact::Reaches { loss: 0 }, ping(&[57, 57, 57], 3), true)]
#[case(ReachFact::Reaches { loss: 0 }, ping(&[57, 57], 3), false)]
#[case(ReachFact::Reaches { loss: 40 }, ping(&[57, 57], 3), true)]
#[case(ReachFact::Reaches { loss: 99 }, ping(&[], 3), false)]
#[case(ReachFact::Reaches { loss: 0 }, ping(&[], 0), false)]
#[case(ReachFact::Silence, ping(&[], 3), true)]
#[case(ReachFact::Silence, ping(&[57], 3), false)]
#[case(ReachFact::Silence, ping(&[], 0), false)]
#[case(ReachFact::Ttl(vec![57, 58, 59]), ping(&[58, 58], 2), true)]
#[case(ReachFact::Ttl(vec![57, 58, 59]), ping(&[58, 57], 2), false)]
#[case(ReachFact::Ttl(vec![57, 58, 59]), ping(&[60], 1), false)]
#[case(ReachFact::Ttl(vec![57, 58, 59]), ping(&[], 1), false)]
fn pings_are_judged(#[case] fact: ReachFact, #[case] seen: PingReport, #[case] passes: bool) {
    let (from, to) = (Symbol::parse("pod/a").unwrap(), Symbol::parse("pod/b").unwrap());
    let spec =
        ReachSpec { from, to, family: None, port: None, size: None, prober: Prober::Native, count: 3, fact };
    let verdict = judge_reach(&spec, &seen);
    assert_eq!(verdict.passed(), passes, "{}", verdict.failure_text());
}

#[test]
fn a_lost_ping_says_what_came_instead() {
    let mut seen = ping(&[], 2);
    let fault = |seq| PingFault {
        seq: Some(seq),
        from: Some("10.0.2.1".parse().unwrap()),
        error: IcmpError::HostUnreachable,
    };
    seen.errors = vec![fault(1), fault(2)];
    let (from, to) = (Symbol::parse("pod/a").unwrap(), Symbol::parse("pod/b").unwrap());
    let spec = ReachSpec {
        from,
        to,
        family: None,
        port: None,
        size: None,
        prober: Prober::Own,
        count: 2,
        fact: ReachFact::Reaches { loss: 0 },
    };
    insta::assert_snapshot!(judge_reach(&spec, &seen).failure_text());
}

#[test]
fn exec_lines_fail_for_good_and_say_which() {
    let spec = LinesSpec { node: "tor0".into(), lines: vec!["ip link del eth0".into(), "true".into()] };
    let line = |line: &str, code, output: &str| LineSeen { line: line.into(), code, output: output.into() };
    assert!(judge_lines(&spec, &[line("ip link del eth0", 0, ""), line("true", 0, "")]).passed());
    let half = judge_lines(&spec, &[line("ip link del eth0", 0, "")]);
    assert_eq!(half.outcome, Outcome::NotYet);
    let failed = judge_lines(&spec, &[line("ip link del eth0", 1, "Cannot find device \"eth0\"\n")]);
    assert_eq!(failed.outcome, Outcome::Failed);
    insta::assert_snapshot!(failed.failure_text());
}

fn interface(fact: InterfaceFact, link: Option<(bool, bool)>) -> Verdict {
    let spec = InterfaceSpec { place: "tor0".into(), name: "net0".into(), fact };
    let links: Vec<Link> = link
        .map(|(up, carrier)| Link { index: 2, name: "net0".into(), up, carrier, mtu: 9500 })
        .into_iter()
        .collect();
    let address =
        LinkAddress { dev: "net0".into(), address: "10.0.1.1/24".parse().unwrap(), tentative: false };
    judge_interface(&spec, &links, &[address], &Literal)
}

#[rstest]
#[case(InterfaceFact::State(WantedLink::Up), Some((true, true)), true)]
#[case(InterfaceFact::State(WantedLink::Up), Some((true, false)), false)]
#[case(InterfaceFact::State(WantedLink::Down), Some((true, false)), true)]
#[case(InterfaceFact::State(WantedLink::Up), None, false)]
#[case(InterfaceFact::State(WantedLink::Absent), None, true)]
#[case(InterfaceFact::State(WantedLink::Absent), Some((false, false)), false)]
#[case(InterfaceFact::Mtu(9500), Some((true, true)), true)]
#[case(InterfaceFact::Mtu(1500), Some((true, true)), false)]
#[case(InterfaceFact::Address("10.0.1.1/24".parse().unwrap()), Some((true, true)), true)]
#[case(InterfaceFact::Address("10.0.1.1/25".parse().unwrap()), Some((true, true)), false)]
#[case(InterfaceFact::AddressIn(Symbol::parse("10.0.0.0/16").unwrap()), Some((true, true)), true)]
#[case(InterfaceFact::AddressIn(Symbol::parse("10.9.0.0/16").unwrap()), Some((true, true)), false)]
fn interfaces_are_judged(
    #[case] fact: InterfaceFact,
    #[case] link: Option<(bool, bool)>,
    #[case] passes: bool,
) {
    let verdict = interface(fact, link);
    assert_eq!(verdict.passed(), passes, "{}", verdict.failure_text());
}

#[test]
fn a_symbol_that_never_means_anything_fails_for_good() {
    let verdict = interface(InterfaceFact::AddressIn(Symbol::Management), Some((true, true)));
    assert_eq!(verdict.outcome, Outcome::Failed);
    assert!(verdict.failure_text().contains("`mgmt` stands for nothing in this lab"));
}

#[rstest]
#[case("clab-bgp-cplane-demo-worker2", "worker2", true)]
#[case("clab-bgp-cplane-demo-worker2", "clab-bgp-cplane-demo-worker2", true)]
#[case("clab-bgp-cplane-demo-worker2", "2", false)]
#[case("clab-bgp-cplane-demo-worker2", "worker", false)]
#[case("worker", "worker", true)]
#[case("-worker", "worker", false)]
fn names_of_nodes_may_be_short(#[case] seen: &str, #[case] written: &str, #[case] same: bool) {
    assert_eq!(same_node(seen, written), same);
}

fn agree(on: AgreeOn) -> AgreeSpec {
    AgreeSpec { from: Symbol::parse("pod/a").unwrap(), to: Symbol::parse("pod/b").unwrap(), family: None, on }
}

#[rstest]
#[case(ping(&[57, 57, 57], 3), ping(&[57], 1), true)]
#[case(ping(&[], 3), ping(&[], 3), true)]
#[case(ping(&[57], 1), ping(&[58], 1), false)]
#[case(ping(&[57], 1), ping(&[], 1), false)]
#[case(ping(&[], 0), ping(&[], 1), false)]
fn two_pings_agree_or_not(#[case] native: PingReport, #[case] own: PingReport, #[case] passes: bool) {
    let verdict = judge_pings_agree(&agree(AgreeOn::Ping { count: 3 }), &native, &own);
    assert_eq!(verdict.passed(), passes, "{}", verdict.failure_text());
}

#[rstest]
#[case("10.0.2.1 * 10.1.3.242", None)]
#[case("10.0.2.1 10.0.0.0 10.1.3.242", Some("TTL 2: nobody answers natively, 10.0.0.0"))]
#[case("10.0.2.1 *", Some("the native one alone reaches pod/b"))]
#[case("", Some("one of the two saw no hop"))]
fn two_traces_agree_or_not(#[case] own: &str, #[case] difference: Option<&str>) {
    let trace = |hops: &str| {
        let hop = |(ttl, word): (u8, &str)| Hop { responder: word.parse().ok(), ..Hop::silent(ttl) };
        let hops: Vec<Hop> = (1..).zip(hops.split_whitespace()).map(hop).collect();
        let to = "10.1.3.242".parse().unwrap();
        let reached = hops.last().is_some_and(|hop| hop.responder == Some(to));
        TraceReport { to, hops, reached, refused: None }
    };
    let native = trace("10.0.2.1 * 10.1.3.242");
    let verdict = judge_traces_agree(&agree(AgreeOn::Trace { flows: 1 }), &[&native], &trace(own), &Literal);
    match difference {
        None => assert!(verdict.passed(), "{}", verdict.failure_text()),
        Some(part) => assert!(verdict.failure_text().contains(part), "{}", verdict.failure_text()),
    }
}
