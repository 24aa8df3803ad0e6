//! Reading links and sessions off what was seen.

use fabric_harness::router::{LinkAddress, SessionType};
use fabric_reports::record::{LinkEnd, Node as Drawn};
use rstest::rstest;

use super::*;

fn topology() -> Topology {
    let node = |name: &str| Drawn { name: name.to_owned(), role: Role::Router, ..Drawn::default() };
    let end = |text: &str| {
        let (node, interface) = text.split_once(':').unwrap_or((text, ""));
        LinkEnd { node: node.to_owned(), interface: interface.to_owned() }
    };
    let link = |a: &str, b: &str| Link { ends: [end(a), end(b)] };
    Topology {
        nodes: ["a", "b", "c"].map(node).to_vec(),
        links: vec![link("a:net0", "b:net0"), link("b:net1", "a:net1"), link("b:net2", "c:net0")],
    }
}

fn interfaces(all: &[(&str, bool, &str)]) -> Interfaces {
    let link = |(at, (name, up, _)): (usize, &(&str, bool, &str))| fabric_harness::router::Link {
        index: at as u32 + 1,
        name: (*name).to_owned(),
        up: *up,
        carrier: *up,
        mtu: 1500,
    };
    let address = |(name, _, address): &(&str, bool, &str)| {
        Some(LinkAddress { dev: (*name).to_owned(), address: address.parse().ok()?, tentative: false })
    };
    Interfaces {
        links: all.iter().enumerate().map(link).collect(),
        addresses: all.iter().filter_map(address).collect(),
        unread: None,
    }
}

fn seen() -> Seen {
    Seen::from([
        ("a".to_owned(), interfaces(&[("net0", true, "10.0.0.1/24"), ("net1", true, "10.0.1.1/24")])),
        ("b".to_owned(), interfaces(&[("net0", true, "10.0.0.2/24"), ("net1", false, "10.0.1.2/24")])),
        ("c".to_owned(), interfaces(&[("lo", true, "10.9.9.9/32")])),
    ])
}

fn session(neighbor: &str, state: SessionState, came: u64) -> Session {
    Session {
        neighbor: neighbor.to_owned(),
        interface: None,
        handle: None,
        address: neighbor.parse().ok(),
        local_address: None,
        hostname: None,
        remote_as: None,
        local_as: 65_000,
        state,
        kind: SessionType::External,
        remote_id: None,
        hold: None,
        keepalive: None,
        configured_hold: None,
        configured_keepalive: None,
        connect_retry: None,
        next_connect: None,
        next_start: None,
        uptime: None,
        established_count: came,
        dropped_count: 0,
        last_reset: None,
        peer_group: None,
        shutdown: false,
        defers: false,
        families: BTreeMap::new(),
    }
}

#[rstest]
#[case::both_ends(0, Some(true))]
#[case::one_end_is_down(1, Some(false))]
#[case::an_end_that_is_not_there(2, Some(false))]
fn a_link_is_what_its_ends_are(#[case] link: usize, #[case] expected: Option<bool>) {
    assert_eq!(is_up(&topology().links[link], &seen()), expected);
    assert_eq!(is_up(&topology().links[link], &Seen::new()), None);
}

#[rstest]
#[case::unnumbered("a", "net0", Some("b"), Some("a:net0--b:net0"))]
#[case::in_the_links_network("a", "10.0.1.2", Some("b"), Some("b:net1--a:net1"))]
#[case::not_over_a_link("a", "10.9.9.9", Some("c"), None)]
#[case::over_a_link_to_a_loopback("b", "10.9.9.9", Some("c"), Some("b:net2--c:net0"))]
#[case::nobody("a", "192.0.2.1", None, None)]
fn a_session_finds_its_peer_and_link(
    #[case] router: &str,
    #[case] neighbor: &str,
    #[case] peer: Option<&str>,
    #[case] link: Option<&str>,
) {
    let now = of_session(&topology(), &seen(), router, neighbor, &session(neighbor, SessionState::Active, 0));
    assert_eq!((now.peer.as_deref(), now.link.as_deref()), (peer, link));
}

#[rstest]
#[case(SessionState::Established, 1, Standing::Established)]
#[case(SessionState::Active, 0, Standing::Trying)]
#[case(SessionState::Active, 2, Standing::Down)]
#[case(SessionState::OpenSent, 2, Standing::Trying)]
#[case(SessionState::Idle, 0, Standing::Trying)]
fn what_was_there_is_missed(#[case] state: SessionState, #[case] came: u64, #[case] expected: Standing) {
    assert_eq!(standing(&session("net0", state, came)), expected);
}
