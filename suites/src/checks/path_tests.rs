//! Paths held against traces, with a table instead of a fabric.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::checks::Verdict;
use crate::expect::Named;

/// Addresses by symbol, as on the fabric with Cilium 1.12.1.
struct Table(BTreeMap<&'static str, &'static str>);

impl Table {
    fn article() -> Self {
        Self(BTreeMap::from([
            ("node(nettool-1):cilium_host", "10.1.1.143"),
            ("gateway(nettool-1)", "10.0.2.1"),
            ("router0:lo", "10.0.0.0"),
            ("tor(nettool-2):lo", "10.0.0.2"),
            ("node(nettool-2):net0", "10.0.4.2"),
            ("pod/nettool-2", "10.1.3.242"),
        ]))
    }
}

impl Resolver for Table {
    fn prefixes(&self, symbol: &Symbol) -> Result<Vec<Named<ipnet::IpNet>>, Unresolved> {
        Err(Unresolved::Never { symbol: symbol.clone(), why: "a table of addresses".into() })
    }

    fn addresses(&self, symbol: &Symbol) -> Result<Vec<Named<IpAddr>>, Unresolved> {
        let name = symbol.to_string();
        match self.0.get(name.as_str()) {
            Some(address) => Ok(vec![Named { value: address.parse().unwrap(), name }]),
            None => Err(Unresolved::NotYet { symbol: symbol.clone(), why: "not in the table".into() }),
        }
    }

    fn name_of_address(&self, address: IpAddr) -> Option<String> {
        let found = self.0.iter().find(|(_, there)| there.parse() == Ok(address));
        found.map(|(name, _)| (*name).to_owned())
    }
}

fn article() -> PathSpec {
    path(&[
        "*?",
        "node(nettool-1):cilium_host",
        "gateway(nettool-1)",
        "router0:lo",
        "tor(nettool-2):lo",
        "node(nettool-2):net0",
        "*?",
        "pod/nettool-2",
    ])
}

fn path(hops: &[&str]) -> PathSpec {
    PathSpec {
        from: Symbol::parse("pod/nettool-1").unwrap(),
        to: Symbol::parse("pod/nettool-2").unwrap(),
        family: None,
        flows: 1,
        prober: Prober::Native,
        hops: hops.iter().map(|hop| Hop::parse(hop).unwrap()).collect(),
    }
}

fn trace(hops: &str) -> TraceReport {
    let hop = |(index, word): (usize, &str)| {
        let ttl = u8::try_from(index + 1).unwrap();
        match word.parse() {
            Ok(address) => {
                HopSeen { responder: Some(address), kind: HopKind::TimeExceeded, ..HopSeen::silent(ttl) }
            }
            Err(_) => HopSeen::silent(ttl),
        }
    };
    let hops: Vec<HopSeen> = hops.split_whitespace().enumerate().map(hop).collect();
    let to = "10.1.3.242".parse().unwrap();
    let reached = hops.last().is_some_and(|hop| hop.responder == Some(to));
    TraceReport { to, hops, reached, refused: None }
}

const FIVE: &str = "10.1.1.143 10.0.2.1 10.0.0.0 10.0.0.2 10.0.4.2";

#[rstest]
#[case::kernel_routing(format!("{FIVE} 10.1.3.242"))]
#[case::cilium_1_12(format!("* {FIVE} * 10.1.3.242"))]
#[case::cilium_1_20(format!("{FIVE} * 10.1.3.242"))]
fn the_articles_path_holds_on_every_datapath(#[case] hops: String) {
    let verdict = judge_path(&article(), &trace(&hops), &Table::article());
    assert!(verdict.passed(), "{}", verdict.failure_text());
}

#[rstest]
#[case::silent_in_the_middle(
    "10.1.1.143 10.0.2.1 * 10.0.0.2 10.0.4.2 10.1.3.242",
    "TTL 3: expected router0:lo"
)]
#[case::silent_gateway("* 10.1.1.143 * 10.0.0.0 10.0.0.2 10.0.4.2 10.1.3.242", "TTL 3: expected gateway")]
#[case::two_silent_at_the_start(
    "* * 10.1.1.143 10.0.2.1 10.0.0.0 10.0.0.2 10.0.4.2 10.1.3.242",
    "TTL 2: expected node("
)]
#[case::a_hop_skipped("10.1.1.143 10.0.2.1 10.0.0.2 10.0.4.2 10.1.3.242", "saw 10.0.0.2 (tor(nettool-2):lo)")]
#[case::a_stranger(
    "10.1.1.143 10.0.2.1 10.9.9.9 10.0.0.2 10.0.4.2 10.1.3.242",
    "saw 10.9.9.9 (not known to the fabric)"
)]
#[case::ends_early("10.1.1.143 10.0.2.1", "after TTL 2 the path ends; expected router0:lo (10.0.0.0)")]
#[case::goes_on(
    "10.1.1.143 10.0.2.1 10.0.0.0 10.0.0.2 10.0.4.2 10.1.3.242 10.1.3.242",
    "TTL 7: expected the end of the path"
)]
#[case::never_there("", "after TTL 0 the path ends")]
fn anything_else_fails_and_says_where(#[case] hops: &str, #[case] part: &str) {
    let verdict = judge_path(&article(), &trace(hops), &Table::article());
    assert!(!verdict.passed());
    assert!(verdict.failure_text().contains(part), "{}", verdict.failure_text());
}

#[test]
fn a_path_that_dies_reads_well() {
    let verdict = judge_path(&article(), &trace("* 10.1.1.143 * * * *"), &Table::article());
    insta::assert_snapshot!(verdict.failure_text());
    assert_eq!(verdict.waiting_text(), "nettool-1 to nettool-2: *, node(nettool-1):cilium_host, *, *, *, *");
}

#[test]
fn either_of_a_set_may_answer_and_every_answer_must_be_of_it() {
    let spec = path(&["{gateway(nettool-1)|router0:lo}", "pod/nettool-2"]);
    let judge = |trace: &TraceReport| judge_path(&spec, trace, &Table::article());
    assert!(judge(&trace("10.0.2.1 10.1.3.242")).passed());
    assert!(judge(&trace("10.0.0.0 10.1.3.242")).passed());
    assert!(!judge(&trace("10.0.0.2 10.1.3.242")).passed());
    let mut both = trace("10.0.2.1 10.1.3.242");
    let answer = |address: &str| fabric_harness::probe::Answer {
        responder: address.parse().unwrap(),
        rtt: None,
        kind: HopKind::TimeExceeded,
    };
    both.hops[0].also = vec![answer("10.0.0.0")];
    assert!(judge(&both).passed());
    both.hops[0].also.push(answer("10.0.0.2"));
    assert!(!judge(&both).passed());
}

#[test]
fn a_symbol_without_a_meaning_yet_is_waited_for() {
    let spec = path(&["node(nettool-9):net0", "pod/nettool-2"]);
    let verdict = judge_path(&spec, &trace("10.0.0.0 10.1.3.242"), &Table::article());
    assert_eq!(verdict.outcome, crate::checks::Outcome::NotYet);
    assert!(verdict.failure_text().contains("`node(nettool-9):net0` stands for nothing yet"));
}

/// The plain way to say whether a pattern fits: the oracle.
fn fits(hops: &[char], seen: &[char]) -> bool {
    match (hops.split_first(), seen.split_first()) {
        (None, None) => true,
        (Some(('?', rest)), _) if fits(rest, seen) => true,
        (Some((hop, rest)), Some((one, more))) => {
            let accepts = if *hop == '?' { '*' } else { *hop };
            accepts == *one && fits(rest, more)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn agrees_with_the_plain_way(pattern in "[*?abc]{1,7}", seen in "[*abc]{0,7}") {
        let word = |c: char| match c {
            '?' => "*?",
            'a' => "gateway(nettool-1)",
            'b' => "router0:lo",
            'c' => "pod/nettool-2",
            _ => "*",
        };
        let address = |c: char| match c {
            'a' => "10.0.2.1",
            'b' => "10.0.0.0",
            'c' => "10.1.3.242",
            _ => "*",
        };
        let spec = path(&pattern.chars().map(word).collect::<Vec<_>>());
        let mut trace = trace(&seen.chars().map(address).collect::<Vec<_>>().join(" "));
        trace.reached = true;
        let verdict: Verdict = judge_path(&spec, &trace, &Table::article());
        let (pattern, seen): (Vec<char>, Vec<char>) = (pattern.chars().collect(), seen.chars().collect());
        prop_assert_eq!(verdict.passed(), fits(&pattern, &seen));
    }
}
