//! What is written of a small fabric, and that the language takes it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fabric_harness::lab::yaml::{Diagnostics, FromTree, parse};
use fabric_harness::router::{
    Family, FamilyState, Fib, FibNextHop, FibRoute, NextHop, Origin, Path as RoutePath, PathPeer, PathSource,
    Rib, RouteKind, Session, SessionState, SessionType, Sessions,
};
use rstest::rstest;

use super::page::{Line, write};
use super::seen::{NodeSeen, PathSeen, RouterSeen, Seen};
use super::{Naming, packets, routes, sessions};
use crate::expect::{Expect, Select, Symbol};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

/// Four nodes in two racks behind a router, and a neighbor that is down.
fn seen() -> Seen {
    let mut naming = Naming::new(["spine".to_owned(), "leaf".to_owned()]);
    naming.address(ip("fe80::1"), symbol("leaf:eth1"));
    naming.address(ip("10.0.9.2"), symbol("node/b"));
    naming.address(ip("10.0.9.2"), symbol("node(b):net0"));
    naming.prefix("10.0.0.1/32".parse().unwrap(), symbol("spine:lo"));
    let mut nodes = Vec::new();
    for (number, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let cidr = format!("10.1.{number}.0/24").parse().unwrap();
        naming.prefix(cidr, Symbol::PodCidr(Select::Of(name.into())));
        let rack = if number < 2 { "left" } else { "right" };
        let labels =
            [("rack", rack), ("kubernetes.io/hostname", name)].map(|(k, v)| (k.to_owned(), v.to_owned()));
        nodes.push(NodeSeen { name: name.into(), ready: true, labels: labels.into(), addresses: vec![] });
    }
    Seen { nodes, naming, cilium: true, ..Seen::default() }
}

fn session(up: bool) -> Session {
    let families = [(
        Family::Ipv4Unicast,
        FamilyState { negotiated: up, accepted: 4, sent: up.then_some(6), ..FamilyState::default() },
    )];
    Session {
        neighbor: String::new(),
        interface: None,
        handle: None,
        address: Some(ip("fe80::1")),
        local_address: None,
        hostname: up.then(|| "leaf".to_owned()),
        remote_as: Some(65_001),
        local_as: 65_000,
        state: if up { SessionState::Established } else { SessionState::Active },
        kind: SessionType::External,
        remote_id: None,
        hold: up.then_some(Duration::from_secs(9)),
        keepalive: up.then_some(Duration::from_secs(3)),
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
        families: families.into(),
    }
}

fn path(neighbor: Option<&str>, hop: &str, as_path: &[u32]) -> RoutePath {
    RoutePath {
        best: true,
        valid: true,
        multipath: false,
        origin: Some(Origin::Igp),
        as_path: as_path.to_vec(),
        next_hops: vec![NextHop { ip: ip(hop), interface: None, used: true, accessible: Some(true) }],
        local_pref: None,
        med: Some(0),
        weight: 0,
        peer: PathPeer {
            neighbor: neighbor.map(str::to_owned),
            hostname: neighbor.map(|_| "leaf".to_owned()),
            address: None,
        },
        source: if neighbor.is_some() { PathSource::External } else { PathSource::Local },
        communities: vec!["65000:1".into(), "noExport".into()],
        why_best: None,
    }
}

fn tables() -> (Rib, Fib) {
    let mut rib = Rib { local_as: 65_000, ..Rib::default() };
    let mut fib = Fib::default();
    rib.routes.insert("10.0.0.1/32".parse().unwrap(), vec![path(None, "0.0.0.0", &[])]);
    for number in 0..4 {
        let prefix = format!("10.1.{number}.0/24").parse().unwrap();
        let as_path: &[u32] = if number < 2 { &[65_001] } else { &[65_001, 65_002] };
        rib.routes.insert(prefix, vec![path(Some("eth1"), "fe80::1", as_path)]);
        let hop = FibNextHop { via: Some(ip("fe80::1")), dev: Some("eth1".into()) };
        let route = FibRoute {
            protocol: "bgp".into(),
            kind: RouteKind::Unicast,
            metric: 20,
            source: None,
            next_hops: vec![hop],
        };
        fib.routes.insert(prefix, vec![route]);
    }
    (rib, fib)
}

/// The lines as the language reads them; mistakes fail the test.
fn read(key: &str, lines: &[Line]) -> Expect {
    let text = format!("{key}:\n{}", write(lines));
    read_whole(&text)
}

fn read_whole(text: &str) -> Expect {
    let mut noted = Diagnostics::new();
    let tree = parse(Path::new("learned.yaml"), text, &mut noted).unwrap();
    let expect = Expect::from_tree(&tree, &mut noted);
    let mistakes: Vec<String> = noted.into_sorted().iter().map(ToString::to_string).collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}\n{text}");
    expect.unwrap()
}

#[test]
fn sessions_are_written_with_their_reasons() {
    let seen = seen();
    let mut all = Sessions::new();
    all.insert("eth1".into(), session(true));
    all.insert(
        "10.0.9.2".into(),
        Session { kind: SessionType::Internal, address: Some(ip("10.0.9.2")), ..session(false) },
    );
    let lines = sessions::lines(&seen, "spine", &all, 1);
    insta::assert_snapshot!(write(&lines));
    let expect = read("sessions", &lines);
    assert_eq!(expect.sessions.len(), 1);
    assert!(expect.sessions[0].only && expect.sessions[0].neighbors.len() == 2);
}

#[test]
fn routes_of_a_rack_are_one_line() {
    let seen = seen();
    let (rib, fib) = tables();
    let lines = routes::lines(&seen, "spine", &rib, Some(&fib), 1);
    insta::assert_snapshot!(write(&lines));
    let expect = read("routes", &lines);
    assert_eq!(expect.routes[0].count, Some(5));
    assert_eq!(expect.routes[0].prefixes.as_ref().map(Vec::len), Some(3));
}

#[rstest]
#[case::the_first_stayed("Older Path")]
#[case::heard_in_one_moment("Router ID")]
fn a_choice_by_age_is_not_held_against_the_next_run(#[case] why: &str) {
    let seen = seen();
    let (mut rib, fib) = tables();
    let prefix = "10.1.0.0/24".parse().unwrap();
    rib.routes.get_mut(&prefix).unwrap()[0].why_best = Some(why.into());
    let text = write(&routes::lines(&seen, "spine", &rib, Some(&fib), 1));
    let line = text.lines().find(|line| line.contains("podCIDR(a)")).unwrap();
    assert!(!line.contains("from") && !line.contains("out") && line.contains("origin: igp"), "{text}");
}

#[test]
fn what_follows_from_a_choice_by_chance_is_chance_too() {
    let mut seen = seen();
    let (rib, fib) = tables();
    let mut far = tables().0;
    far.routes.get_mut(&"10.1.0.0/24".parse().unwrap()).unwrap()[0].why_best = Some("Older Path".into());
    let of_spine =
        |seen: &Seen| write(&sessions::lines(seen, "spine", &[("eth1".into(), session(true))].into(), 1));
    assert!(of_spine(&seen).contains("received: 4"));
    seen.routers.insert("leaf".into(), RouterSeen { rib: Some(Arc::new(far)), ..RouterSeen::default() });
    let text = of_spine(&seen);
    assert!(
        !text.contains("received") && text.contains("sent: 6"),
        "leaf tells one thing or another: {text}"
    );
    let text = write(&routes::lines(&seen, "spine", &rib, Some(&fib), 1));
    let of = |prefix: &str| text.lines().find(|line| line.contains(prefix)).unwrap();
    assert!(of("podCIDR(a)").contains("from: leaf") && !of("podCIDR(a)").contains("as-path"), "{text}");
    assert!(of("podCIDR(b)").contains("as-path"), "{text}");
}

type Flows = Vec<Vec<Option<&'static str>>>;

#[rstest]
#[case::one(vec![vec![Some("10.0.0.1"), Some("10.1.2.9")]], "hops: [\"*?\", spine:lo, \"*?\", pod/q]")]
#[case::silent_ends(vec![vec![None, Some("10.0.0.1"), None, Some("10.1.2.9")]], "hops: [\"*?\", spine:lo, \"*?\", pod/q]")]
#[case::silent_in_between(
    vec![vec![Some("10.0.0.1"), None, Some("10.0.9.2"), Some("10.1.2.9")]],
    "hops: [\"*?\", spine:lo, \"*\", node(q):net0, \"*?\", pod/q]"
)]
#[case::equal_ways(
    vec![vec![Some("10.0.0.1"), Some("10.1.2.9")]  , vec![Some("192.0.2.1"), Some("10.1.2.9")]],
    "hops: [\"*?\", \"{192.0.2.1|spine:lo}\", \"*?\", pod/q]"
)]
fn hops_are_written_by_their_part(#[case] flows: Flows, #[case] expected: &str) {
    let mut seen = seen();
    seen.naming.address(ip("10.0.0.1"), symbol("spine:lo"));
    seen.naming.address(ip("10.0.9.2"), symbol("node(q):net0"));
    let there = flows.into_iter().map(|flow| flow.into_iter().map(|hop| hop.map(ip)).collect()).collect();
    seen.paths =
        vec![PathSeen { from: symbol("pod/p"), to: symbol("pod/q"), reached: true, there, back: vec![] }];
    let lines = packets::lines(&seen, 0);
    let text = write(&lines);
    assert!(text.contains(expected), "{text}");
    let expect = read_whole(&text);
    assert_eq!((expect.reach.len(), expect.paths.len()), (1, 1));
}

#[test]
fn what_is_not_reached_is_said_and_not_traced() {
    let mut seen = seen();
    seen.paths = vec![PathSeen {
        from: symbol("pod/p"),
        to: symbol("pod/q"),
        reached: false,
        there: vec![],
        back: vec![],
    }];
    let text = write(&packets::lines(&seen, 0));
    assert!(text.contains("reachable: false") && !text.contains("paths:"), "{text}");
    read_whole(&text);
}

#[test]
fn a_silent_router_is_left_out() {
    let mut seen = seen();
    seen.routers = BTreeMap::from([(
        "spine".to_owned(),
        super::RouterSeen { rib: Some(Arc::default()), ..Default::default() },
    )]);
    assert!(routes::lines(&seen, "spine", &Rib::default(), None, 1).is_empty());
    assert!(sessions::lines(&seen, "spine", &Sessions::new(), 1).is_empty());
}
