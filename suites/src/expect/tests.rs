//! The language as a user meets it: what it takes, and what it says to what it does not take.

use std::path::Path;
use std::time::Duration;

use fabric_harness::lab::yaml::{Diagnostics, FromTree, parse};
use rstest::rstest;

use super::*;

fn read(text: &str) -> (Option<Expect>, String) {
    let mut ctx = Diagnostics::new();
    let expect =
        parse(Path::new("lab.yaml"), text, &mut ctx).and_then(|node| Expect::from_tree(&node, &mut ctx));
    let noted: Vec<String> = ctx.iter().map(ToString::to_string).collect();
    (expect, noted.join("\n\n"))
}

fn good(text: &str) -> Expect {
    let (expect, noted) = read(text);
    expect.unwrap_or_else(|| panic!("{noted}"))
}

#[test]
fn a_session_in_short_is_its_state() {
    let expect = good("sessions: { tor0: { 10.0.1.2: down, net0: established, node/worker: idle } }");
    let neighbors = &expect.sessions[0].neighbors;
    assert_eq!(neighbors[0].state, Some(WantedState::Down));
    assert_eq!(neighbors[0].neighbor.to_string(), "10.0.1.2");
    assert_eq!(neighbors[1].neighbor, Neighbor::Interface("net0".into()));
    assert!(matches!(neighbors[2].neighbor, Neighbor::Address(Symbol::Node(_))));
}

#[test]
fn received_and_sent_in_short_are_ipv4() {
    let short = good("sessions: { r: { net0: { received: 3, sent: 9 } } }");
    let long = good("sessions: { r: { net0: { families: { ipv4: { received: 3, sent: 9 } } } } }");
    assert_eq!(short.sessions[0].neighbors[0].families, long.sessions[0].neighbors[0].families);
    let both = good("sessions: { r: { net0: { received: 3, families: { ipv6: { sent: 1 } } } } }");
    assert_eq!(both.sessions[0].neighbors[0].families.len(), 2);
}

#[test]
fn vlan_interfaces_are_neighbors_too() {
    let expect = good("sessions: { r: { eth0.100: established } }");
    assert_eq!(expect.sessions[0].neighbors[0].neighbor, Neighbor::Interface("eth0.100".into()));
}

#[test]
fn prefixes_come_as_a_list_or_with_their_paths() {
    let list = good("routes: { r: { prefixes: [router0:lo, mgmt, 10.0.0.0/8] } }");
    assert_eq!(list.routes[0].prefixes.as_ref().unwrap().len(), 3);
    let map = good(
        "routes: { r: { prefixes: { mgmt: , tor0:lo: { as-path: [65010], origin: igp, from: self } } } }",
    );
    let prefixes = map.routes[0].prefixes.as_ref().unwrap();
    assert!(prefixes[0].path.is_empty());
    assert_eq!(prefixes[1].path.as_path, Some(OneOrEach::One(vec![65010])));
    assert_eq!(prefixes[1].path.from, Some(OneOrEach::One(WantedSource::Myself)));
}

#[test]
fn what_stands_directly_under_a_router_is_ipv4() {
    let both = good("routes: { r: { count: 8, ipv6: { count: 6, fib: exact, within: 3s }, within: 9s } }");
    let seen: Vec<_> = both.routes.iter().map(|routes| (routes.family, routes.count)).collect();
    assert_eq!(seen, [(WantedFamily::Ipv4, Some(8)), (WantedFamily::Ipv6, Some(6))]);
    let within: Vec<_> = both.routes.iter().map(|routes| routes.patience.within).collect();
    assert_eq!(within, [Some(Duration::from_secs(9)), Some(Duration::from_secs(3))]);
    let named =
        good("routes: { r: { ipv6: { prefixes: ['fd00::/64'] }, ipv4: { prefixes: [10.0.0.0/8] } } }");
    assert_eq!(named.routes[0].family, WantedFamily::Ipv4);
    let alone = good("routes: { r: { ipv6: { absent: ['podCIDR(*)'] } } }");
    assert_eq!((alone.routes.len(), alone.routes[0].family), (1, WantedFamily::Ipv6));
}

#[rstest]
#[case("{ prefixes: ['fd00::/64'] }", "`fd00::/64` is IPv6, and these are IPv4 routes")]
#[case("{ ipv6: { absent: [10.0.0.0/8] } }", "`10.0.0.0/8` is IPv4, and these are IPv6 routes")]
#[case("{ count: 8, ipv4: { count: 8 } }", "`ipv4` is there too")]
#[case("{ ipv6: {} }", "nothing is expected of the IPv6 routes of r")]
#[case("{ prefixes: { mgmt: { paths: 0 } } }", "a route without a path is no route")]
#[case("{ prefixes: { mgmt: { from: [] } } }", "an empty list stands for no path")]
#[case("{ prefixes: { mgmt: { communities: ['65010:100000'] } } }", "is no community")]
#[case("{ prefixes: { mgmt: { communities: ['1:2:3'] } } }", "is no community")]
#[case("{ prefixes: { mgmt: { large-communities: ['1:2'] } } }", "is no large community")]
fn families_paths_and_communities_are_checked(#[case] router: &str, #[case] expected: &str) {
    let (expect, noted) = read(&format!("routes: {{ r: {router} }}"));
    assert_eq!(expect, None);
    assert!(noted.contains(expected), "{noted}");
}

#[test]
fn several_paths_come_as_lists() {
    let expect = good(
        "routes: { r: { prefixes: { service/web: { paths: 2, from: [a, b], next-hop: [a:e1, b:e1], \
         as-path: [[1], [2]], communities: ['65010:1', no-export], med: 0, out: [e1, e2] }, mgmt: { out: e1 } } } }",
    );
    let prefixes = expect.routes[0].prefixes.as_ref().unwrap();
    let path = &prefixes[0].path;
    assert!(path.of_all());
    assert_eq!(path.as_path, Some(OneOrEach::Each(vec![vec![1], vec![2]])));
    assert_eq!(path.next_hop.as_ref().unwrap().values().len(), 2);
    assert_eq!((path.med, prefixes[0].out.len()), (Some(0), 2));
    assert_eq!(
        (prefixes[1].path.of_all(), prefixes[1].out.as_slice()),
        (false, ["e1".to_owned()].as_slice())
    );
}

#[test]
fn a_session_can_be_asked_what_it_carries() {
    let expect = good("sessions: { r: { net0: { families: [ipv4, ipv6] }, net1: { families: ipv6 } } }");
    let neighbors = &expect.sessions[0].neighbors;
    assert_eq!(neighbors[0].carries, Some(vec![WantedFamily::Ipv4, WantedFamily::Ipv6]));
    assert_eq!(neighbors[1].carries, Some(vec![WantedFamily::Ipv6]));
}

#[test]
fn probes_take_a_family_a_port_and_flows() {
    let expect = good(
        "reach: [{ from: r:lo, to: service/web, port: 80, family: [ipv4, ipv6] }]\n\
         paths: [{ from: r:lo, to: service/web, flows: 16, family: ipv6, hops: ['{a:lo|b:lo}', service/web] }]",
    );
    let (reach, path) = (&expect.reach[0], &expect.paths[0]);
    assert_eq!((reach.port, reach.families.len(), reach.via), (Some(80), 2, Via::Native));
    assert_eq!((path.flows, path.families.as_slice()), (16, [WantedFamily::Ipv6].as_slice()));
}

#[rstest]
#[case("reach: [{ from: pod/a, to: pod/b, port: 80, ttl: 60 }]", "a connection has no TTL")]
#[case("reach: [{ from: pod/a, to: pod/b, port: 80, via: own }]", "this program alone makes it")]
#[case("reach: [{ from: pod/a, to: pod/b, port: 0 }]", "1 to 65535")]
#[case("reach: [{ from: pod/a, to: pod/b, family: ipv5 }]", "`ipv6`")]
#[case("paths: [{ from: pod/a, to: pod/b, flows: 8, hops: [pod/b] }]", "proves nothing here")]
#[case("paths: [{ from: pod/a, to: pod/b, flows: 0, hops: [pod/b] }]", "proves nothing here")]
fn probes_that_make_no_sense_are_refused(#[case] text: &str, #[case] expected: &str) {
    let (expect, noted) = read(text);
    assert_eq!(expect, None);
    assert!(noted.contains(expected), "{noted}");
}

#[test]
fn pod_cidrs_and_addresses_of_nodes_have_two_families() {
    let expect = good(
        "nodes: { pod-cidrs: { count: 4, inside: 10.1.0.0/16, ipv6: { length: 64, inside: 'fd00:1::/48' } }, \
         worker: { address: [10.0.1.2, 'fd00::2'] } }",
    );
    let nodes = expect.nodes.unwrap();
    assert_eq!(
        nodes.pod_cidrs.iter().map(|cidrs| cidrs.family).collect::<Vec<_>>(),
        [WantedFamily::Ipv4, WantedFamily::Ipv6]
    );
    assert_eq!(nodes.each[0].addresses.len(), 2);
    let (_, noted) = read("nodes: { pod-cidrs: { inside: 'fd00::/48' } }");
    assert!(noted.contains("fd00::/48 is not IPv4"), "{noted}");
}

#[rstest]
#[case("contains", WantedFib::Contains)]
#[case("exact", WantedFib::Exact { besides: vec![] })]
#[case("{ match: exact, besides: [default] }", WantedFib::Exact { besides: vec![Symbol::Default] })]
#[case("{ besides: default }", WantedFib::Exact { besides: vec![Symbol::Default] })]
#[case("unjudged", WantedFib::Unjudged)]
fn the_kernels_table_is_judged_as_said(#[case] text: &str, #[case] fib: WantedFib) {
    assert_eq!(good(&format!("routes: {{ r: {{ count: 1, fib: {text} }} }}")).routes[0].fib, fib);
}

#[test]
fn the_way_back_is_made_or_given() {
    let made = good("paths: [{ from: pod/a, to: pod/b, both: true, hops: [node(a):net0, pod/b] }]");
    let back: Vec<_> = made.paths[0].back.as_ref().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(back, ["node(b):net0", "pod/a"]);
    let given = good("paths: [{ from: pod/a, to: pod/b, hops: [pod/b], back: ['*', pod/a] }]");
    assert_eq!(given.paths[0].back.as_ref().unwrap()[0], Hop::Silent);
}

#[test]
fn reach_has_sensible_defaults() {
    let reach = &good("reach: [{ from: pod/a, to: pod/b, ttl: 59 }]").reach[0];
    assert_eq!((reach.count, reach.loss, reach.via, reach.reachable), (3, 0, Via::Both, true));
    assert_eq!(reach.ttl, [59]);
}

#[test]
fn times_are_read_at_every_level() {
    let expect = good("holds: 2s\nwithin: 1m\nsessions: { within: 20s, r: { holds: 500ms, net0: down } }");
    assert_eq!(expect.patience.holds, Some(Duration::from_secs(2)));
    let router = expect.sessions[0].patience;
    assert_eq!(
        (router.within, router.holds),
        (Some(Duration::from_secs(20)), Some(Duration::from_millis(500)))
    );
}

/// Every mistake at once: a reader does not stop at the first.
const MISTAKES: &str = r#"sesions: {}
sessions:
  router0:
    net0: { stat: established, as: many }
    net1: { state: estblished }
    net2: up
    10.0.0.0/8: down
    podCIDR(*): down
nodes: { ready: perhaps, worker: { lables: {} } }
pods: { nettool-1: { phase: running, address: node/worker } }
interfaces: { router0: { net0: { stte: up }, net1: upp } }
routes:
  router0: { prefixs: [], prefixes: ["podCDR(*)", pod/x], adds: [mgmt], fib: some }
  tor0: { prefixes: { router0: {}, tor0:lo: { origin: ige, next-hop: mgmt } } }
  tor1: { fib: { match: contains, besides: [default] } }
reach:
  - { from: pod/a }
  - { from: 10.0.0.1, to: pod/b }
  - { from: pod/a, to: pod/b, loss: 100 }
  - { from: pod/a, to: pod/b, reachable: false, ttl: 59 }
paths:
  - { from: pod/a, to: pod/b, hops: ["*?"] }
  - { from: pod/a, to: pod/b, hops: ["{tor0:lo|tor1", pod/b] }
  - { from: pod/a, to: pod/b, hops: [pod/b], both: true, back: [pod/a] }
"#;

#[test]
fn mistakes_are_told_with_their_place_and_what_to_write() {
    let (expect, noted) = read(MISTAKES);
    assert_eq!(expect, None);
    insta::assert_snapshot!(noted);
}

#[rstest]
#[case("sessions: { r: { net0: } }")]
#[case("routes: { r: { fib: exact } }")]
#[case("pods: { nettool-1: {} }")]
#[case("nodes: { worker: }")]
fn what_expects_nothing_is_a_mistake(#[case] text: &str) {
    let (expect, noted) = read(text);
    assert_eq!(expect, None);
    assert!(noted.contains("nothing is expected of"), "{noted}");
}

#[test]
fn an_error_inside_a_symbol_points_inside_it() {
    let (_, noted) = read("routes: { r: { absent: [podCIDR(rack=)] } }");
    // The value is missing behind the equals sign: 24 characters of line, then 14 of symbol.
    assert!(noted.contains("lab.yaml:1:38"), "{noted}");
    let (_, noted) = read("routes: { r: { absent: [\"podCIDR(rack=)\"] } }");
    assert!(noted.contains("lab.yaml:1:39"), "{noted}");
}
