//! The lab of `fixtures/cilium-bgp-bird` as several BIRDs tell it on tor1: with its policies applied and its pods running,
//! and after the policies were deleted. Whatever the version, the readers make the same of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::control::Reply;
use super::counts::Counts;
use super::protocols::{Protocol, protocols};
use super::routes::{installed, routes, table};
use super::sessions::{pulse, sessions, status};
use super::{reasons, sessions as reader};
use crate::router::rib::{Origin, PathSource, Rib};
use crate::router::session::{Family, SessionState, SessionType, Sessions};
use crate::router::testing;

const REFERENCE: &str = "2.0.12";

fn recorded(version: &str, file: &str) -> Reply {
    Reply::of_birdc(&testing::recorded(&format!("bird-{version}/{file}.txt")))
}

/// Link-local addresses are made anew in every run: they are all one.
fn still(address: &mut IpAddr) {
    if matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        *address = "fe80::".parse().unwrap();
    }
}

fn all_protocols(version: &str) -> Vec<Protocol> {
    protocols(&recorded(version, "protocols"))
}

fn told_sessions(version: &str) -> Sessions {
    let now = status(&recorded(version, "status")).now;
    let mut all = sessions(&all_protocols(version), now);
    for session in all.values_mut() {
        *session = session.without_clocks();
        session.last_reset = None;
        session.address.iter_mut().chain(&mut session.local_address).for_each(still);
    }
    all
}

fn told_table(version: &str) -> Rib {
    let mut rib = table(&recorded(version, "routes"), &all_protocols(version));
    for path in rib.routes.values_mut().flatten() {
        path.peer.address.iter_mut().for_each(still);
        path.next_hops.iter_mut().for_each(|hop| still(&mut hop.ip));
    }
    rib
}

#[rstest]
fn every_version_tells_the_same_sessions(#[values("2.17.6", "2.20.0", "3.1.8", "3.4.0")] version: &str) {
    assert_eq!(told_sessions(version), told_sessions(REFERENCE));
}

#[rstest]
fn every_version_tells_the_same_table(#[values("2.17.6", "2.20.0", "3.1.8", "3.4.0")] version: &str) {
    assert_eq!(told_table(version), told_table(REFERENCE));
}

#[rstest]
fn every_version_says_what_it_is(#[values("2.0.12", "2.17.6", "2.20.0", "3.1.8", "3.4.0")] version: &str) {
    let told = status(&recorded(version, "status"));
    assert_eq!(told.version, format!("BIRD {version}"));
    assert_eq!(told.router_id.unwrap().to_string(), "10.0.0.2");
    assert!(told.now.is_some());
}

#[rstest]
fn every_version_says_what_goes_into_the_kernel_and_to_a_neighbor(
    #[values("2.0.12", "2.17.6", "2.20.0", "3.1.8", "3.4.0")] version: &str,
) {
    let given = installed(&recorded(version, "exported-to-kernel"), &all_protocols(version));
    let pod = &given[&"10.1.2.0/24".parse().unwrap()][0];
    assert_eq!((pod.protocol.as_str(), pod.selected, pod.distance), ("bgp", true, 100));
    assert_eq!(pod.interfaces, ["net1"]);
    assert_eq!(given.len(), 10);
    let announced: BTreeSet<_> =
        routes(&recorded(version, "exported")).into_iter().filter_map(|route| route.prefix).collect();
    assert_eq!(announced.len(), 11);
    assert!(!announced.contains(&"10.1.2.0/24".parse().unwrap()), "not back to where it is from");
}

#[rstest]
fn every_version_says_why_a_session_was_lost(
    #[values("2.0.12", "2.17.6", "2.20.0", "3.1.8", "3.4.0")] version: &str,
    #[values("10.0.3.2", "10.0.4.2")] key: &str,
) {
    let lost = &sessions(&protocols(&recorded(version, "protocols-withdrawn")), None)[key];
    let reset = lost.last_reset.clone().unwrap();
    assert_eq!(reset.notification.as_deref(), Some("Cease/Peer De-configured"));
    assert_eq!((reset.code, lost.is_up()), (Some((6, 3)), false));
}

#[test]
fn sessions_with_policies() {
    let all = told_sessions(REFERENCE);
    assert_eq!(all.keys().collect::<Vec<_>>(), ["10.0.3.2", "10.0.4.2", "net0"]);
    let (server, uplink) = (&all["10.0.3.2"], &all["net0"]);
    assert!(server.is_up() && uplink.is_up());
    assert_eq!((server.kind, uplink.kind), (SessionType::Internal, SessionType::External));
    assert_eq!((server.remote_as, uplink.remote_as), (Some(65011), Some(65000)));
    let seconds = Duration::from_secs;
    assert_eq!((server.hold, server.keepalive), (Some(seconds(9)), Some(seconds(3))));
    assert_eq!(server.hostname.as_deref(), Some("clab-bgp-bird-worker2"));
    assert_eq!((uplink.hostname.as_deref(), uplink.interface.as_deref()), (Some("router0"), Some("net0")));
    let ipv4 = &server.families[&Family::Ipv4Unicast];
    assert_eq!((ipv4.negotiated, ipv4.accepted, ipv4.sent), (true, 1, Some(11)));
    let ipv4 = &uplink.families[&Family::Ipv4Unicast];
    assert_eq!((ipv4.accepted, ipv4.sent), (8, Some(5)));
    // BIRD's own name for it is what a person has to type.
    assert_eq!(server.handle.as_deref(), Some("server2"));
}

#[test]
fn the_table_has_thirteen_routes_and_tells_whose_they_are() {
    let rib = told_table(REFERENCE);
    assert_eq!((rib.local_as, rib.best_prefixes(false).count()), (65011, 13));
    let best = |prefix: &str| rib.best(&prefix.parse().unwrap()).unwrap();
    let near = best("10.1.2.0/24");
    assert_eq!(
        (near.source, near.local_pref, near.origin),
        (PathSource::Internal, Some(100), Some(Origin::Igp))
    );
    assert_eq!(near.next_hop().unwrap().ip.to_string(), "10.0.3.2");
    let far = best("10.1.1.0/24");
    assert_eq!((far.source, far.as_path.as_slice()), (PathSource::External, [65000, 65010].as_slice()));
    assert_eq!(far.next_hop().unwrap().interface.as_deref(), Some("net0"));
    assert_eq!(far.peer.to_string(), "net0 (router0)");
    assert!(best("10.0.3.0/24").from_self() && best("10.0.0.2/32").from_self());
    assert_eq!(best("172.20.20.0/24").origin, Some(Origin::Incomplete));
}

#[rstest]
fn the_pulse_moves_when_a_session_does(#[values("2.0.12", "3.4.0")] version: &str) {
    let before = pulse(&all_protocols(version));
    let after = pulse(&protocols(&recorded(version, "protocols-withdrawn")));
    assert_ne!(before, after);
    let key = (Family::Ipv4Unicast, "10.0.3.2".to_owned());
    assert_eq!((before.peers[&key].state, before.peers[&key].received), (SessionState::Established, 1));
    assert_ne!(after.peers[&key].state, SessionState::Established);
}

#[test]
fn what_is_seen_to_come_and_go_is_counted() {
    let mut counts = Counts::default();
    let (up, down) = (all_protocols(REFERENCE), protocols(&recorded(REFERENCE, "protocols-withdrawn")));
    let mut read = |protocols: &[Protocol]| {
        let mut all = sessions(protocols, None);
        counts.take(protocols, &mut all);
        let server = &all["10.0.3.2"];
        (server.established_count, server.dropped_count)
    };
    assert_eq!([read(&up), read(&up), read(&down), read(&down)], [(1, 0), (1, 0), (1, 1), (1, 1)]);
    // It came back in between: since when it is up tells.
    assert_eq!(read(&up), (2, 1));
}

#[rstest]
#[case("Received: Peer de-configured", Some((6, 3)), Some("Cease/Peer De-configured"))]
#[case("BGP Error: Hold timer expired", Some((4, 0)), Some("Hold Timer Expired"))]
#[case("Received: Unknown error 6.10", Some((6, 10)), None)]
#[case("Socket: Connection reset by peer", None, None)]
fn reasons_are_named_by_their_code(
    #[case] said: &str,
    #[case] code: Option<(u8, u8)>,
    #[case] notification: Option<&str>,
) {
    let reset = reasons::reset(said);
    assert_eq!((reset.code, reset.notification.as_deref()), (code, notification));
}

/// A line as `birdc -v` might print it.
fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,60}",
        "(1002|1006|1007|1008|1012)[- ](net0 BGP --- up [0-9:. ]{0,20}|  BGP state: [A-Za-z]{0,12}|\\PC{0,40})",
        "     (\t(via|dev|BGP.next_hop:|bgp_path:) [0-9a-f:. (,)]{0,30}| {4,8}Neighbor address: [0-9a-f:.%]{0,30})",
        "1007-[0-9./]{0,20} +unicast \\[[a-z0-9_ ]{0,10}\\] \\*? ?\\([0-9/]{0,8}\\)",
    ]
}

proptest! {
    #[test]
    fn no_text_breaks_the_readers(lines in prop::collection::vec(any_line(), 0..40)) {
        let reply = Reply::of_birdc(&lines.join("\n"));
        let protocols = protocols(&reply);
        let now = reader::status(&reply).now;
        let mut all: Sessions = sessions(&protocols, now);
        Counts::default().take(&protocols, &mut all);
        let _ = (pulse(&protocols), table(&reply, &protocols), installed(&reply, &protocols));
        let keys: BTreeMap<_, _> = reader::by_key(&protocols);
        prop_assert_eq!(keys.len(), all.len());
    }
}
