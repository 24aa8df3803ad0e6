//! Two ways through a fabric, and flows that use one of them or both.

use fabric_harness::probe::HopKind;

use super::*;
use crate::checks::literal::Literal;
use crate::expect::{Prober, Symbol};

fn spec() -> PathSpec {
    let hops = ["fd00::1", "{fd00::a|fd00::b}", "fd00::9"];
    PathSpec {
        from: Symbol::parse("pod/a").unwrap(),
        to: Symbol::parse("fd00::9").unwrap(),
        family: Some(WantedFamily::Ipv6),
        flows: 2,
        prober: Prober::Native,
        hops: hops.map(|hop| Hop::parse(hop).unwrap()).into(),
    }
}

fn trace(hops: &[&str]) -> Box<TraceReport> {
    let to: IpAddr = "fd00::9".parse().unwrap();
    let hops: Vec<HopSeen> = (1..)
        .zip(hops)
        .map(|(ttl, address)| HopSeen {
            responder: address.parse().ok(),
            kind: HopKind::TimeExceeded,
            ..HopSeen::silent(ttl)
        })
        .collect();
    let reached = hops.last().is_some_and(|hop| hop.responder == Some(to));
    Box::new(TraceReport { to, hops, reached, refused: None })
}

#[test]
fn every_member_of_a_set_must_be_used() {
    let (a, b) = (trace(&["fd00::1", "fd00::a", "fd00::9"]), trace(&["fd00::1", "fd00::b", "fd00::9"]));
    assert!(judge_flows(&spec(), &[a.clone(), b], &Literal).passed());
    let verdict = judge_flows(&spec(), &[a.clone(), a.clone()], &Literal);
    assert_eq!(verdict.difference, ["none of 2 flows went through fd00::b, which {fd00::a|fd00::b} names"]);
    // One flow alone need not show all of them.
    assert!(judge_flows(&spec(), &[a], &Literal).passed());
    assert!(!judge_flows::<Box<TraceReport>>(&spec(), &[], &Literal).passed());
}

#[test]
fn one_flow_that_does_not_fit_fails_all() {
    let (a, c) = (trace(&["fd00::1", "fd00::a", "fd00::9"]), trace(&["fd00::1", "fd00::c", "fd00::9"]));
    let verdict = judge_flows(&spec(), &[a, c], &Literal);
    assert!(verdict.difference[0].contains("TTL 2: expected"), "{}", verdict.failure_text());
}

#[test]
fn flows_together_name_everybody_at_a_distance() {
    let (a, b) = (trace(&["fd00::1", "fd00::a", "fd00::9"]), trace(&["fd00::1", "fd00::b", "fd00::9"]));
    let all = together(&[a, b]).unwrap();
    assert_eq!(all.hops[1].responders().len(), 2);
    assert!(all.reached);
}
