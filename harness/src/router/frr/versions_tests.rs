//! One lab as several FRRs say it: the article's with its policies applied, and after they were deleted. Whatever the
//! version, the readers make the same of it.
//!
//! FRR 7.5.1 is older than what is promised (8.2 to 10.x). It is here because its forms are the farthest from today's, and a
//! reader that takes it takes what lies between.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rstest::rstest;
use serde_json::Value;

use super::{advertised, installed, pulse, sessions, table};
use crate::router::rib::Rib;
use crate::router::session::{Family, SessionState, SessionType, Sessions};
use crate::router::testing;

/// What all others are held against.
const REFERENCE: &str = "8.4.4";

fn text(version: &str, file: &str) -> String {
    testing::recorded(&format!("frr-{version}/cilium-bgp/{file}"))
}

fn recorded(version: &str, file: &str) -> Value {
    serde_json::from_str(&text(version, &format!("{file}.json"))).unwrap()
}

/// Link-local addresses are made anew in every run: they are all one.
fn still(address: &mut IpAddr) {
    if matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        *address = "fe80::".parse().unwrap();
    }
}

/// The sessions without clocks, and without what came before: how often each failed while the lab was brought up. When
/// FRR tries again by itself is left out, too: with traditional defaults after 120 s, and since 10 after 30 s.
fn told_sessions(version: &str, router: &str) -> Sessions {
    let mut all = sessions(&recorded(version, &format!("{router}-neighbors")));
    for session in all.values_mut() {
        *session = session.without_clocks();
        (session.established_count, session.dropped_count, session.last_reset) = (0, 0, None);
        assert!(session.connect_retry.take().is_some());
        session.address.iter_mut().chain(&mut session.local_address).for_each(still);
    }
    all
}

fn told_table(version: &str, router: &str, form: &str) -> Rib {
    let mut rib = table(&recorded(version, &format!("{router}-ipv4{form}")));
    rib.resolve(&sessions(&recorded(version, &format!("{router}-neighbors"))));
    for paths in rib.routes.values_mut() {
        for path in paths.iter_mut() {
            path.peer.address.iter_mut().for_each(still);
            path.next_hops.iter_mut().for_each(|hop| still(&mut hop.ip));
            // A path sourced here has no peer, so it has no name either; some versions give it the router's own.
            path.peer.hostname = path.peer.hostname.take().filter(|_| path.peer.address.is_some());
        }
    }
    rib
}

#[rstest]
fn every_version_tells_the_same_sessions(
    #[values("10.3", "10.7.1")] version: &str,
    #[values("router0", "tor0")] router: &str,
) {
    assert_eq!(told_sessions(version, router), told_sessions(REFERENCE, router));
}

#[rstest]
fn every_version_tells_the_same_table(
    #[values("10.3", "10.7.1")] version: &str,
    #[values("router0", "tor0")] router: &str,
) {
    assert_eq!(told_table(version, router, "-detail"), told_table(REFERENCE, router, "-detail"));
}

/// A version without `detail` is asked the plain form; nothing that a lab can ask for is lost.
#[rstest]
fn the_plain_table_says_the_same(#[values("7.5.1", "8.4.4", "10.3", "10.7.1")] version: &str) {
    let mut plain = told_table(version, "tor0", "");
    let mut detail = told_table(REFERENCE, "tor0", "-detail");
    for path in plain.routes.values_mut().chain(detail.routes.values_mut()).flatten() {
        // Why a path is the best one is told since 7.6; the plain form says neither whether a next hop is accessible nor,
        // before 8, a MED of zero.
        (path.why_best, path.med) = (None, None);
        path.next_hops.iter_mut().for_each(|hop| (hop.used, hop.accessible) = (false, None));
    }
    assert_eq!(plain, detail);
}

#[test]
fn a_version_without_detail_says_so_in_words() {
    let said = text("7.5.1", "tor0-ipv4-detail.txt");
    assert_eq!(said.trim(), "% Unknown command: show bgp ipv4 unicast json detail");
}

#[rstest]
fn every_version_says_who_is_up_and_how_much_is_there(
    #[values("7.5.1", "8.4.4", "10.3", "10.7.1")] version: &str,
) {
    let pulse = pulse(&recorded(version, "tor0-summary"));
    let peers: BTreeMap<&str, _> = pulse
        .peers
        .iter()
        .map(|((_, key), peer)| (key.as_str(), (peer.state, peer.received, peer.sent)))
        .collect();
    let up = SessionState::Established;
    let expected = BTreeMap::from([
        ("10.0.1.2", (up, 1, 11)),
        ("10.0.2.2", (up, 1, 11)),
        // FRR 10 tells a router what it has from there, too, and counts it.
        ("net0", (up, 8, 13)),
    ]);
    assert_eq!(peers, expected);
    assert_eq!(pulse.tables.keys().collect::<Vec<_>>(), [&Family::Ipv4Unicast]);
}

#[rstest]
fn every_version_says_what_is_installed(#[values("7.5.1", "8.4.4", "10.3", "10.7.1")] version: &str) {
    let ours = |version: &str| {
        let mut all = installed(&recorded(version, "tor0-ip-route"));
        // FRR 10 tells the addresses of the router itself, too (`local`).
        all.values_mut().for_each(|routes| routes.retain(|route| route.protocol != "local"));
        all.retain(|_, routes| !routes.is_empty());
        all
    };
    assert_eq!(ours(version), ours(REFERENCE));
    let bgp = ours(version).into_values().flatten().filter(|route| route.protocol == "bgp").count();
    assert_eq!(bgp, 10);
}

#[rstest]
fn every_version_says_what_is_announced(#[values("7.5.1", "8.4.4", "10.3", "10.7.1")] version: &str) {
    let told = advertised(&recorded(version, "tor0-advertised"));
    let expected: BTreeSet<_> = advertised(&recorded(REFERENCE, "tor0-advertised"));
    assert_eq!(told, expected);
    assert_eq!(told.len(), 13);
}

#[rstest]
fn every_version_says_why_a_session_was_lost(#[values("7.5.1", "8.4.4", "10.3", "10.7.1")] version: &str) {
    let lost = &sessions(&recorded(version, "tor0-neighbors-withdrawn"))["10.0.1.2"];
    let reset = lost.last_reset.clone().unwrap();
    // FRR 7.5 calls it `Peer Unconfigured`.
    assert_eq!(reset.to_string(), "BGP Notification received (Cease/Peer De-configured)");
    assert_eq!((reset.code, reset.ago.unwrap().as_secs() < 5), (Some((6, 3)), true));
    assert!(!lost.is_up() && lost.dropped_count > 0);
    assert_eq!((lost.kind, lost.hold, lost.uptime), (SessionType::Internal, None, None));
}

/// What the oldest one does not say, so that it is known and not taken for a fault of the reader.
#[test]
fn what_7_5_does_not_say() {
    let (old, new) = (told_sessions("7.5.1", "tor0"), told_sessions(REFERENCE, "tor0"));
    for (key, session) in &new {
        let mut known = old[key].clone();
        assert_eq!((known.configured_hold, known.configured_keepalive), (None, None));
        known.configured_hold = session.configured_hold;
        known.configured_keepalive = session.configured_keepalive;
        assert_eq!(&known, session);
    }
}
