//! Paths held against expectations, on a table with one prefix by two neighbors.

use std::net::Ipv4Addr;

use fabric_harness::lab::yaml::{Diagnostics, FromTree, parse};
use fabric_harness::router::{NextHop, PathPeer, PathSource};
use rstest::rstest;

use super::*;
use crate::checks::literal::Literal;
use crate::checks::{RibFact, judge_rib};
use crate::expect::{Expect, WantedFamily};

fn by(number: u8, best: bool) -> Path {
    let address: IpAddr = [10, 0, 0, number].into();
    Path {
        best,
        valid: true,
        multipath: true,
        origin: Some(Origin::Igp),
        as_path: vec![65010 + u32::from(number)],
        next_hops: vec![NextHop { ip: address, interface: None, used: true, accessible: Some(true) }],
        local_pref: Some(100),
        med: None,
        weight: 0,
        peer: PathPeer {
            address: Some(address),
            neighbor: Some(format!("net{number}")),
            hostname: Some(format!("tor{number}")),
        },
        source: PathSource::External,
        communities: vec!["65010:100".into(), "noExport".into(), "65010:1:2".into()],
        why_best: None,
    }
}

fn rib() -> Rib {
    let spare = Path { multipath: false, ..by(2, false) };
    let routes = [("192.0.2.1/32".parse().unwrap(), vec![by(0, true), by(1, false), spare])];
    Rib { local_as: 65000, router_id: Some(Ipv4Addr::new(10, 0, 0, 0)), routes: routes.into() }
}

/// The path of a prefix as lab.yaml says it.
fn wanted(path: &str) -> WantedPath {
    let text = format!("routes: {{ r: {{ prefixes: {{ 192.0.2.1/32: {path} }} }} }}");
    let mut ctx = Diagnostics::new();
    let node = parse(std::path::Path::new("lab.yaml"), &text, &mut ctx).unwrap();
    let expect = Expect::from_tree(&node, &mut ctx);
    let expect =
        expect.unwrap_or_else(|| panic!("{:?}", ctx.iter().map(ToString::to_string).collect::<Vec<_>>()));
    expect.routes[0].prefixes.as_ref().unwrap()[0].path.clone()
}

fn judge(path: &str) -> Verdict {
    let fact = RibFact::Path { prefix: Symbol::parse("192.0.2.1/32").unwrap(), path: Box::new(wanted(path)) };
    let spec = RibSpec { router: "router0".into(), family: WantedFamily::Ipv4, fact };
    judge_rib(&spec, &rib(), &Literal)
}

#[rstest]
#[case("{ from: tor0, as-path: [65010], next-hop: 10.0.0.0 }", "")]
#[case("{ from: 10.0.0.0 }", "")]
#[case("{ from: net0 }", "")]
#[case("{ from: [10.0.0.1, net0] }", "")]
#[case("{ from: 10.0.0.1 }", "it came from net0 (tor0), not from 10.0.0.1")]
#[case("{ paths: 2 }", "")]
#[case("{ paths: 1 }", "2 paths are in use, not 1: from net0 (tor0) and net1 (tor1)")]
#[case("{ from: [tor0, tor1] }", "")]
#[case("{ from: [tor1, tor0], next-hop: [10.0.0.1, 10.0.0.0], as-path: [[65011], [65010]] }", "")]
#[case("{ from: [tor0] }", "a path from net1 (tor1) is in use too")]
#[case("{ from: [tor0, tor1, tor2] }", "no path in use is from tor2")]
#[case("{ next-hop: [10.0.0.0, 10.0.0.9] }", "no path in use is with next hop 10.0.0.9")]
#[case("{ as-path: [[65010]] }", "a path with AS path 65011 is in use too")]
#[case("{ paths: 2, as-path: [65010] }", "by net1 (tor1): AS path 65011 is there, not AS path 65010")]
#[case("{ paths: 2, origin: incomplete }", "by net0 (tor0): origin is IGP, not incomplete")]
#[case("{ communities: ['65010:100', no-export], large-communities: ['65010:1:2'] }", "")]
#[case("{ communities: ['65010:100'] }", "communities are 65010:100 and noExport, not 65010:100")]
#[case("{ large-communities: [] }", "large communities are 65010:1:2, not none")]
#[case("{ local-pref: 200 }", "local preference is 100, not 200")]
#[case("{ med: 5 }", "MED is not set, not 5")]
fn paths_are_judged(#[case] path: &str, #[case] difference: &str) {
    let verdict = judge(path);
    assert_eq!(verdict.passed(), difference.is_empty(), "{}", verdict.failure_text());
    assert!(verdict.difference.iter().all(|line| line.starts_with("192.0.2.1/32: ")));
    let lines = verdict.difference.join("\n");
    assert!(lines.contains(difference), "{lines}");
}

#[rstest]
#[case("{ from: self }", "from the router itself")]
#[case(
    "{ paths: 2, from: [tor0, tor1], as-path: [[65010], [65011]] }",
    "over 2 paths from tor0 and tor1 with AS paths 65010 and 65011"
)]
#[case(
    "{ next-hop: [10.0.0.1, 10.0.0.2], origin: igp }",
    "with next hops 10.0.0.1 and 10.0.0.2 and origin IGP"
)]
#[case("{ communities: [], local-pref: 100 }", "with local preference 100 and no communities")]
#[case("{ communities: ['1:1', '2:2'] }", "with communities 1:1, 2:2")]
fn a_path_reads_as_a_phrase(#[case] path: &str, #[case] phrase: &str) {
    assert_eq!(wanted(path).phrase(), phrase);
}

#[rstest]
#[case::next_hop(false, Some(false), "its next hop 10.0.0.0 (not known to the fabric) cannot be reached")]
#[case::otherwise(false, Some(true), "the router calls it invalid")]
#[case::not_chosen(true, None, "it was not chosen")]
fn what_is_there_and_not_usable_is_not_called_missing(
    #[case] valid: bool,
    #[case] accessible: Option<bool>,
    #[case] why: &str,
) {
    let mut path = by(0, false);
    path.valid = valid;
    path.next_hops[0].accessible = accessible;
    let prefix = Symbol::parse("192.0.2.1/32").unwrap();
    let seen = Rib { routes: [("192.0.2.1/32".parse().unwrap(), vec![path])].into(), ..rib() };
    let judged = |fact| {
        let spec = RibSpec { router: "router0".into(), family: WantedFamily::Ipv4, fact };
        judge_rib(&spec, &seen, &Literal).failure_text()
    };
    let set = judged(RibFact::Contains(vec![prefix.clone()]));
    let said = format!("there, but not usable: 192.0.2.1/32: the path from net0 (tor0): {why}");
    assert!(set.contains(&said) && !set.contains("missing"), "{set}");
    let path = judged(RibFact::Path { prefix, path: Box::new(wanted("{ from: tor0 }")) });
    assert!(
        path.contains(&format!("the table has it and cannot use it: the path from net0 (tor0): {why}")),
        "{path}"
    );
}
