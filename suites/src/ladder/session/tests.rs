//! Tables over the rungs: one thing broken in a session that would be up, and what is said of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fabric_harness::router::{
    Family, FamilyState, Fib, FibNextHop, FibRoute, Link, LinkAddress, Neighbour, RemoteAs, Reset, RouteKind,
    Session, SessionState, SessionType, TcpSocket, TcpState,
};
use fabric_harness::runtime::keeper::AgentNeighbor;
use fabric_reports::record::{RungName, Standing};
use rstest::rstest;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn session(neighbor: &str, local_as: u32, remote_as: u32) -> Session {
    Session {
        neighbor: neighbor.into(),
        interface: None,
        handle: None,
        address: neighbor.parse().ok(),
        local_address: None,
        hostname: None,
        remote_as: Some(remote_as),
        local_as,
        state: SessionState::Active,
        kind: if local_as == remote_as { SessionType::Internal } else { SessionType::External },
        remote_id: None,
        hold: None,
        keepalive: None,
        configured_hold: None,
        configured_keepalive: None,
        connect_retry: None,
        next_connect: None,
        next_start: None,
        uptime: None,
        established_count: 0,
        dropped_count: 0,
        last_reset: None,
        peer_group: None,
        shutdown: false,
        defers: false,
        families: BTreeMap::from([(Family::Ipv4Unicast, FamilyState::default())]),
    }
}

fn listener() -> TcpSocket {
    let local: SocketAddr = "0.0.0.0:179".parse().unwrap();
    TcpSocket { local, remote: "0.0.0.0:0".parse().unwrap(), state: TcpState::Listen, retransmits: 0 }
}

/// One end of a link `net0` whose subnet is 10.0.1.0/24.
fn end(name: &str, own: &str, peer: &str) -> End {
    let hop = FibNextHop { via: None, dev: Some("net0".into()) };
    let route = FibRoute {
        protocol: "kernel".into(),
        kind: RouteKind::Unicast,
        metric: 0,
        source: Some(address(own)),
        next_hops: vec![hop],
    };
    let mut fib = Fib::default();
    fib.routes.insert("10.0.1.0/24".parse().unwrap(), vec![route]);
    End {
        name: name.into(),
        interface: Some("net0".into()),
        links: Some(vec![Link { index: 2, name: "net0".into(), up: true, carrier: true, mtu: 1500 }]),
        addresses: Some(vec![LinkAddress {
            dev: "net0".into(),
            address: format!("{own}/24").parse().unwrap(),
            tentative: false,
        }]),
        peer: Some(address(peer)),
        fib: Some(fib),
        sockets: Some(vec![listener()]),
        dialed: Some(Dialed {
            to: SocketAddr::new(address(peer), 179),
            came: Came::Silence,
            waited: Duration::from_secs(1),
        }),
        ..End::default()
    }
}

fn router(name: &str, own: &str, peer: &str, local_as: u32, remote_as: u32) -> End {
    let session = session(peer, local_as, remote_as);
    let seen = RouterSeen {
        key: Some(peer.into()),
        neighbors: BTreeMap::from([(peer.to_owned(), Some(address(peer)))]),
        session: Some(session),
        local_as: Some(local_as),
        expects: Some(RemoteAs::Number(remote_as)),
        update_source: None,
        passive: false,
        line: format!("vtysh -c 'show bgp neighbors {peer}'"),
    };
    End { speaker: Speaker::Router(seen), ..end(name, own, peer) }
}

/// Two routers that could speak: nothing is wrong but what a case makes so.
fn routers() -> SessionFacts {
    let ends = vec![
        router("r1", "10.0.1.1", "10.0.1.2", 65001, 65002),
        router("r2", "10.0.1.2", "10.0.1.1", 65002, 65001),
    ];
    let mut facts = SessionFacts { ends, passwords: Some(Passwords::None), still: Duration::from_secs(60) };
    calls(&mut facts, &Came::Connected);
    facts
}

fn calls(facts: &mut SessionFacts, came: &Came) {
    for end in &mut facts.ends {
        end.dialed.as_mut().unwrap().came = came.clone();
    }
}

fn seen(end: &mut End) -> &mut RouterSeen {
    match &mut end.speaker {
        Speaker::Router(seen) => seen,
        other => panic!("{other:?}"),
    }
}

fn reset(facts: &mut SessionFacts, code: (u8, u8), reason: &str) {
    let session = seen(&mut facts.ends[0]).session.as_mut().unwrap();
    session.established_count = 1;
    session.last_reset = Some(Reset {
        reason: reason.into(),
        notification: None,
        code: Some(code),
        ago: Some(Duration::from_secs(3)),
    });
}

type Break = fn(&mut SessionFacts);

#[rstest]
#[case::nothing(|_: &mut SessionFacts| {}, None)]
#[case::gone(|facts: &mut SessionFacts| facts.ends[1].gone = true, Some(("router-gone", Some("r2"), None)))]
#[case::off(|facts: &mut SessionFacts| facts.ends[1].links.as_mut().unwrap()[0].up = false, Some(("link-down", Some("r2"), Some("net0"))))]
#[case::no_carrier(|facts: &mut SessionFacts| facts.ends[1].links.as_mut().unwrap()[0].carrier = false, Some(("link-down", Some("r2"), Some("net0"))))]
#[case::no_interface(|facts: &mut SessionFacts| facts.ends[0].links.as_mut().unwrap().clear(), Some(("link-down", Some("r1"), Some("net0"))))]
#[case::no_address(|facts: &mut SessionFacts| { calls(facts, &Came::Silence); facts.ends[1].addresses = Some(vec![]) }, Some(("address-missing", Some("r2"), Some("net0"))))]
#[case::unresolved(|facts: &mut SessionFacts| {
    calls(facts, &Came::Silence);
    let entry = Neighbour { address: address("10.0.1.2"), dev: "net0".into(), hardware: None, state: "failed".into() };
    facts.ends[0].neighbours = vec![entry];
}, Some(("neighbor-unresolved", Some("r2"), Some("net0"))))]
#[case::no_route(|facts: &mut SessionFacts| { calls(facts, &Came::Silence); facts.ends[0].fib.as_mut().unwrap().routes.clear() }, Some(("no-route-to-peer", Some("r1"), Some("10.0.1.2"))))]
#[case::blackhole(|facts: &mut SessionFacts| {
    calls(facts, &Came::Silence);
    let routes = &mut facts.ends[1].fib.as_mut().unwrap().routes;
    routes.values_mut().for_each(|all| all[0].kind = RouteKind::Blackhole);
}, Some(("no-route-to-peer", Some("r2"), Some("10.0.1.1"))))]
#[case::astray(|facts: &mut SessionFacts| {
    calls(facts, &Came::Silence);
    let routes = &mut facts.ends[0].fib.as_mut().unwrap().routes;
    routes.values_mut().for_each(|all| all[0].next_hops[0].dev = Some("net9".into()));
}, Some(("no-route-to-peer", Some("r1"), Some("10.0.1.2"))))]
#[case::dead(|facts: &mut SessionFacts| facts.ends[1].speaker = Speaker::Missing("no vty".into()), Some(("daemon-not-running", Some("r2"), None)))]
#[case::hung(|facts: &mut SessionFacts| facts.ends[0].speaker = Speaker::Hung("no answer".into()), Some(("daemon-hung", Some("r1"), None)))]
#[case::shut(|facts: &mut SessionFacts| seen(&mut facts.ends[1]).session.as_mut().unwrap().shutdown = true, Some(("session-shut-down", Some("r2"), Some("10.0.1.1"))))]
#[case::untold(|facts: &mut SessionFacts| { let seen = seen(&mut facts.ends[1]); seen.session = None; seen.neighbors.clear() }, Some(("peer-not-configured", Some("r2"), Some("10.0.1.1"))))]
#[case::untold_a_moment_ago(|facts: &mut SessionFacts| { facts.still = Duration::ZERO; seen(&mut facts.ends[1]).session = None }, None)]
#[case::wiped(|facts: &mut SessionFacts| { let seen = seen(&mut facts.ends[1]); *seen = RouterSeen { line: String::new(), ..RouterSeen::default() } }, Some(("no-bgp-configured", Some("r2"), None)))]
#[case::another_address(|facts: &mut SessionFacts| {
    let seen = seen(&mut facts.ends[1]);
    seen.session = None;
    seen.neighbors = BTreeMap::from([("10.0.1.9".to_owned(), Some(address("10.0.1.9")))]);
}, Some(("wrong-peer-address", Some("r2"), Some("10.0.1.9"))))]
#[case::another_source(|facts: &mut SessionFacts| for (at, source) in [(0, "10.0.7.1"), (1, "10.0.7.2")] {
    seen(&mut facts.ends[at]).update_source = Some(source.into());
}, Some(("wrong-peer-address", Some("r1"), Some("10.0.1.2"))))]
#[case::one_source_is_enough(|facts: &mut SessionFacts| seen(&mut facts.ends[1]).update_source = Some("10.0.7.2".into()), None)]
#[case::nobody_listens(|facts: &mut SessionFacts| {
    calls(facts, &Came::Refused);
    facts.ends.iter_mut().for_each(|end| end.sockets = Some(vec![]));
}, Some(("peer-not-listening", Some("r1"), Some("tcp/179"))))]
#[case::nobody_calls(|facts: &mut SessionFacts| for at in 0..2 {
    seen(&mut facts.ends[at]).passive = true;
}, Some(("nobody-calls", Some("r1"), Some("passive"))))]
#[case::one_may_wait(|facts: &mut SessionFacts| seen(&mut facts.ends[1]).passive = true, None)]
#[case::who_calls_is_not_heard(|facts: &mut SessionFacts| {
    seen(&mut facts.ends[1]).passive = true;
    facts.ends[0].dialed.as_mut().unwrap().came = Came::Refused;
    facts.ends[1].sockets = None;
}, Some(("tcp-refused", Some("r2"), Some("tcp/179"))))]
#[case::filtered(|facts: &mut SessionFacts| calls(facts, &Came::Silence), Some(("tcp-filtered", Some("r1"), Some("tcp/179"))))]
#[case::filtered_here(|facts: &mut SessionFacts| {
    calls(facts, &Came::Silence);
    facts.ends[1].filters = vec!["-A INPUT -p tcp --dport 179 -j DROP".into()];
}, Some(("tcp-filtered", Some("r2"), Some("tcp/179"))))]
#[case::refused_on_the_way(|facts: &mut SessionFacts| {
    calls(facts, &Came::Refused);
    facts.ends[1].filters = vec!["-A INPUT -p tcp --dport 179 -j REJECT".into()];
}, Some(("tcp-refused", Some("r2"), Some("tcp/179"))))]
#[case::refused_by_who_knows(|facts: &mut SessionFacts| {
    calls(facts, &Came::Refused);
    facts.ends.iter_mut().for_each(|end| end.sockets = None);
}, Some(("tcp-refused", Some("r2"), Some("tcp/179"))))]
#[case::wrong_as(|facts: &mut SessionFacts| seen(&mut facts.ends[0]).expects = Some(RemoteAs::Number(65099)), Some(("wrong-as", Some("r1"), Some("10.0.1.2"))))]
#[case::internal(|facts: &mut SessionFacts| seen(&mut facts.ends[1]).expects = Some(RemoteAs::Internal), Some(("wrong-as", Some("r2"), Some("10.0.1.1"))))]
#[case::external(|facts: &mut SessionFacts| seen(&mut facts.ends[0]).expects = Some(RemoteAs::External), None)]
#[case::one_password(|facts: &mut SessionFacts| facts.passwords = Some(Passwords::Only("r2".into())), Some(("md5-mismatch", Some("r1"), Some("10.0.1.2"))))]
#[case::two_passwords(|facts: &mut SessionFacts| facts.passwords = Some(Passwords::Differ), Some(("md5-mismatch", Some("r1"), Some("10.0.1.2"))))]
#[case::passwords_that_fit(|facts: &mut SessionFacts| facts.passwords = Some(Passwords::Same), None)]
#[case::counted(|facts: &mut SessionFacts| {
    calls(facts, &Came::Silence);
    facts.passwords = None;
    facts.ends[1].md5 = BTreeMap::from([("TCPMD5NotFound".to_owned(), 4)]);
}, Some(("md5-mismatch", Some("r1"), Some("10.0.1.2"))))]
#[case::open_refused(|facts: &mut SessionFacts| reset(facts, (2, 3), "BGP Notification received"), Some(("open-refused", Some("r1"), Some("10.0.1.2"))))]
#[case::an_old_word(|facts: &mut SessionFacts| reset(facts, (2, 2), "BGP Notification received"), None)]
#[case::hold(|facts: &mut SessionFacts| reset(facts, (4, 0), "Hold Timer Expired"), Some(("hold-timer-expired", Some("r1"), Some("10.0.1.2"))))]
#[case::limit(|facts: &mut SessionFacts| reset(facts, (6, 1), "Maximum prefixes"), Some(("prefix-limit", Some("r1"), Some("10.0.1.2"))))]
fn one_thing_broken_is_said(
    #[case] breaks: Break,
    #[case] wanted: Option<(&str, Option<&str>, Option<&str>)>,
) {
    let mut facts = routers();
    breaks(&mut facts);
    let finding = climb(&facts, &[]);
    let blame = finding.blame.as_ref();
    let seen = blame.map(|blame| (blame.kind, blame.node.as_deref(), blame.about.as_deref()));
    assert_eq!(seen, wanted, "{finding:#?}");
    let broken = finding.rungs.iter().filter(|rung| rung.standing == Standing::Broken).count();
    assert_eq!(broken, usize::from(wanted.is_some()));
    if let Some(blame) = blame {
        assert!(!blame.proofs.is_empty() && !blame.title.ends_with('.'), "{blame:#?}");
        assert_eq!(finding.rungs.last().map(|rung| rung.name), Some(blame.rung));
    }
}

/// The first broken rung counts, whatever is broken above it.
#[test]
fn the_lowest_rung_is_told() {
    let mut facts = routers();
    seen(&mut facts.ends[0]).expects = Some(RemoteAs::Number(65099));
    facts.ends[1].links.as_mut().unwrap()[0].up = false;
    assert_eq!(climb(&facts, &[]).blame.unwrap().kind, "link-down");
}

/// Where nothing can be looked at nothing is broken.
#[test]
fn what_cannot_be_looked_at_is_unknown() {
    let mut facts = routers();
    calls(&mut facts, &Came::Silence);
    for end in &mut facts.ends {
        *end = End { name: end.name.clone(), interface: end.interface.clone(), ..End::default() };
    }
    facts.passwords = None;
    let finding = climb(&facts, &[]);
    assert_eq!(finding.blame, None);
    assert!(finding.rungs.iter().all(|rung| rung.standing == Standing::Unknown), "{finding:#?}");
    assert!(finding.rungs.iter().any(|rung| rung.name == RungName::Link));
}

#[rstest]
#[case::the_far_end_does_not(1, Some(("family-not-negotiated", Some("r2"), Some("10.0.1.1 ipv6 unicast"))))]
#[case::the_near_end_does_not(0, Some(("family-not-negotiated", Some("r1"), Some("10.0.1.2 ipv6 unicast"))))]
fn a_family_is_lacking_at_one_end(
    #[case] lacks: usize,
    #[case] wanted: Option<(&str, Option<&str>, Option<&str>)>,
) {
    let mut facts = routers();
    for (at, end) in facts.ends.iter_mut().enumerate() {
        let session = seen(end).session.as_mut().unwrap();
        session.state = SessionState::Established;
        let carried = FamilyState { negotiated: true, ..FamilyState::default() };
        session.families.insert(Family::Ipv4Unicast, carried);
        if at != lacks {
            session.families.insert(Family::Ipv6Unicast, FamilyState::default());
        }
    }
    assert_eq!(climb(&facts, &[Family::Ipv4Unicast]).blame, None);
    let blame = climb(&facts, &[Family::Ipv6Unicast]).blame.unwrap();
    assert_eq!(Some((blame.kind, blame.node.as_deref(), blame.about.as_deref())), wanted);
}

fn labels(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|one| one.split_once('='))
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

fn policy(name: &str, selects: &str, peer: &str) -> Policy {
    let selector = serde_json::from_value(serde_json::json!({ "matchLabels": labels(selects) })).unwrap();
    Policy { kind: "CiliumBGPPeeringPolicy".into(), name: name.into(), selector, peers: vec![address(peer)] }
}

/// tor0 and Cilium on a node of rack 0, which peers with nobody.
fn silent(policies: Vec<Policy>, node: &str) -> SessionFacts {
    let mut facts = routers();
    calls(&mut facts, &Came::Refused);
    let nodes = [("worker", labels(node)), ("worker2", labels("rack=rack1"))];
    let silences = vec!["no CiliumBGPPeeringPolicy selects the node".to_owned()];
    let seen = CiliumSeen {
        agent: Some(AgentWords { settled: true, silences, ..AgentWords::default() }),
        labels: labels(node),
        given_labels: labels("rack=rack0"),
        acts_on: vec!["CiliumBGPPeeringPolicy".into()],
        version: Some("1.12.1".into()),
        policies: Some(policies),
        nodes: nodes.map(|(name, labels)| (name.to_owned(), labels)).into(),
        control_plane: true,
    };
    facts.ends[1] = End {
        name: "worker".into(),
        speaker: Speaker::Cilium(seen),
        ..end("worker", "10.0.1.2", "10.0.1.1")
    };
    facts.passwords = None;
    facts
}

#[rstest]
#[case::none(vec![], "rack=rack0", ("policy-missing", None, None))]
#[case::typo(vec![policy("a", "rack=rack9", "10.0.1.1")], "rack=rack0", ("policy-selects-no-node", None, Some("CiliumBGPPeeringPolicy/a")))]
#[case::unlabelled(vec![policy("a", "rack=rack0", "10.0.1.1")], "", ("node-not-labelled", Some("worker"), Some("rack")))]
#[case::mislabelled(vec![policy("a", "rack=rack0", "10.0.1.1")], "rack=rack7", ("node-not-labelled", Some("worker"), Some("rack")))]
#[case::of_another_rack(vec![policy("a", "rack=rack1", "10.0.9.9")], "rack=rack0", ("policy-missing", Some("worker"), None))]
fn nothing_makes_cilium_speak(
    #[case] policies: Vec<Policy>,
    #[case] node: &str,
    #[case] wanted: (&str, Option<&str>, Option<&str>),
) {
    let finding = climb(&silent(policies, node), &[]);
    let blame = finding.blame.as_ref().unwrap_or_else(|| panic!("{finding:#?}"));
    assert_eq!((blame.kind, blame.node.as_deref(), blame.about.as_deref()), wanted, "{blame:#?}");
    assert!(blame.next.as_deref().is_some_and(|next| next.starts_with("kubectl ")), "{blame:#?}");
}

fn told(neighbor: &str, asn: u32, local_asn: u32) -> SessionFacts {
    let mut facts = silent(vec![policy("a", "rack=rack0", neighbor)], "rack=rack0");
    let Speaker::Cilium(seen) = &mut facts.ends[1].speaker else { panic!("no Cilium") };
    let families = vec!["ipv4/unicast".to_owned()];
    let agent = seen.agent.as_mut().unwrap();
    agent.silences.clear();
    agent.neighbors =
        vec![AgentNeighbor { address: address(neighbor), asn, local_asn, families, session: None }];
    facts
}

#[rstest]
#[case::all_well("10.0.1.1", 65001, 65002, None)]
#[case::any_as("10.0.1.1", 0, 65002, None)]
#[case::another_router("10.0.9.9", 65001, 65002, Some("wrong-peer-address"))]
#[case::wrong_peer_as("10.0.1.1", 65099, 65002, Some("wrong-as"))]
#[case::wrong_own_as("10.0.1.1", 65001, 65099, Some("wrong-as"))]
fn what_a_policy_says_wrongly_is_the_policys(
    #[case] neighbor: &str,
    #[case] asn: u32,
    #[case] local_asn: u32,
    #[case] wanted: Option<&str>,
) {
    let mut facts = told(neighbor, asn, local_asn);
    calls(&mut facts, &Came::Connected);
    let blame = climb(&facts, &[]).blame;
    assert_eq!(blame.as_ref().map(|blame| blame.kind), wanted);
    if let Some(blame) = blame {
        assert_eq!((blame.node, blame.about.as_deref()), (None, Some("CiliumBGPPeeringPolicy/a")));
    }
}

#[test]
fn a_cilium_that_has_not_acted_yet_is_not_blamed() {
    let mut facts = silent(vec![], "rack=rack0");
    let Speaker::Cilium(seen) = &mut facts.ends[1].speaker else { panic!("no Cilium") };
    seen.agent.as_mut().unwrap().settled = false;
    facts.ends.iter_mut().for_each(|end| end.dialed = None);
    let finding = climb(&facts, &[]);
    assert_eq!(finding.blame, None, "{finding:#?}");
}

#[test]
fn a_kind_that_this_cilium_does_not_read_is_told() {
    // All of the kind are ignored, whether they choose this node or another one: it is one thing to be done about.
    let all = vec![policy("a", "rack=rack0", "10.0.1.1"), policy("b", "rack=rack1", "10.0.1.1")];
    let mut facts = silent(all, "rack=rack0");
    let Speaker::Cilium(seen) = &mut facts.ends[1].speaker else { panic!("no Cilium") };
    seen.acts_on = vec!["CiliumBGPClusterConfig".into()];
    let blame = climb(&facts, &[]).blame.unwrap();
    assert_eq!((blame.kind, blame.about.as_deref()), ("api-not-served", Some("CiliumBGPPeeringPolicy")));
    assert!(blame.title.ends_with("CiliumBGPPeeringPolicy: a, b are ignored"), "{}", blame.title);
}

/// Facts can be written down and judged again.
#[test]
fn facts_are_data() {
    let facts = silent(vec![policy("a", "rack=rack9", "10.0.1.1")], "rack=rack0");
    let text = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<SessionFacts>(&text).unwrap(), facts);
}
