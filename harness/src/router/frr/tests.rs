use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::router::rib::{Origin, Path, PathSource, Rib};
use crate::router::session::{Family, SessionState, SessionType, Sessions};
use crate::router::testing;

fn recorded(path: &str) -> Value {
    serde_json::from_str(&testing::recorded(path)).unwrap()
}

/// Sessions and table of one router at one moment.
fn both(path: &str) -> (Sessions, Rib) {
    let sessions = sessions(&recorded(&format!("{path}-neighbors.json")));
    let mut rib = table(&recorded(&format!("{path}-ipv4.json")));
    rib.resolve(&sessions);
    (sessions, rib)
}

fn prefixes(rib: &Rib) -> BTreeSet<String> {
    rib.best_prefixes(false).map(ToString::to_string).collect()
}

fn states(sessions: &Sessions) -> Vec<(&str, SessionState, Option<u32>)> {
    sessions.values().map(|s| (s.neighbor.as_str(), s.state, s.remote_as)).collect()
}

/// The best path to a prefix, as one line.
fn best(rib: &Rib, prefix: &str) -> String {
    let path = rib.best(&prefix.parse().unwrap()).unwrap();
    let hop = path.next_hop().unwrap();
    let way = hop.interface.clone().unwrap_or_else(|| hop.ip.to_string());
    format!("{} from {} via {way} {:?}", path.origin.unwrap(), path.peer, path.as_path)
}

const UNDERLAY: [&str; 8] = [
    "10.0.0.0/32",
    "10.0.0.1/32",
    "10.0.0.2/32",
    "10.0.1.0/24",
    "10.0.2.0/24",
    "10.0.3.0/24",
    "10.0.4.0/24",
    "172.20.20.0/24",
];

#[rstest]
#[case::before_1_12(both("1.12.1/0/router0").1)]
#[case::after_1_12(both("1.12.1/5/router0").1)]
#[case::before_1_20(both("1.20-dev/0/router0").1)]
#[case::after_1_20(both("1.20-dev/5/router0").1)]
fn router0_has_its_eight_routes_without_policies(#[case] rib: Rib) {
    assert_eq!(prefixes(&rib), UNDERLAY.map(str::to_owned).into());
    assert_eq!((rib.local_as, rib.router_id), (65000, Some(Ipv4Addr::new(10, 0, 0, 0))));
}

#[test]
fn router0_has_twelve_routes_with_policies() {
    let (_, rib) = both("1.12.1/2/router0");
    assert_eq!(rib.routes.len(), 12);
    let more: Vec<String> = prefixes(&rib).into_iter().filter(|p| !UNDERLAY.contains(&p.as_str())).collect();
    assert_eq!(more, ["10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24", "10.1.3.0/24"]);
    assert_eq!(best(&rib, "10.1.0.0/24"), "IGP from net0 (tor0) via net0 [65010]");
    assert_eq!(best(&rib, "10.1.3.0/24"), "IGP from net1 (tor1) via net1 [65011]");
    assert_eq!(best(&rib, "10.0.4.0/24"), "incomplete from net1 (tor1) via net1 [65011]");
    assert_eq!(best(&rib, "172.20.20.0/24"), "incomplete from self via 0.0.0.0 []");
    let own = rib.best(&"10.0.0.0/32".parse().unwrap()).unwrap();
    assert!(own.from_self() && own.valid && own.weight == 32768);
    assert_eq!(prefixes(&both("1.20-dev/2/router0").1).len(), 12);
}

#[test]
fn a_tor_learns_pod_prefixes_over_ibgp_with_local_preference() {
    let (_, rib) = both("1.12.1/2/tor0");
    assert_eq!(best(&rib, "10.1.1.0/24"), "IGP from 10.0.2.2 (clab-bgp-cplane-demo-worker) via 10.0.2.2 []");
    let near = rib.best(&"10.1.1.0/24".parse().unwrap()).unwrap();
    assert_eq!((near.local_pref, near.med, near.source), (Some(100), None, PathSource::Internal));
    let far = rib.best(&"10.1.3.0/24".parse().unwrap()).unwrap();
    assert_eq!((far.as_path.as_slice(), far.source), ([65000, 65011].as_slice(), PathSource::External));
    assert_eq!(far.why_best.as_deref(), Some("First path received"));
}

#[test]
fn sessions_before_policies() {
    use SessionState::{Active, Established};
    let (router0, _) = both("1.12.1/0/router0");
    assert_eq!(states(&router0), [("net0", Established, Some(65010)), ("net1", Established, Some(65011))]);
    let (tor0, _) = both("1.12.1/0/tor0");
    assert_eq!(
        states(&tor0),
        [("10.0.1.2", Active, None), ("10.0.2.2", Active, None), ("net0", Established, Some(65000))]
    );
    let server = &tor0["10.0.1.2"];
    assert_eq!(server.kind, SessionType::Internal);
    assert_eq!((server.hold, server.keepalive, server.uptime, server.remote_id), (None, None, None, None));
    assert_eq!(server.configured_hold, Some(Duration::from_secs(9)));
    assert_eq!(server.connect_retry, Some(Duration::from_secs(10)));
    assert_eq!(server.next_connect, Some(Duration::from_secs(9)));
    assert_eq!(server.last_reset.as_ref().unwrap().to_string(), "Waiting for peer OPEN");
    assert_eq!((server.established_count, server.dropped_count), (0, 0));
    assert_eq!(server.address, Some(IpAddr::from([10, 0, 1, 2])));
}

#[test]
fn sessions_with_policies() {
    let (tor0, _) = both("1.12.1/2/tor0");
    for (key, name, id) in [
        ("10.0.1.2", "clab-bgp-cplane-demo-control-plane", [10, 0, 1, 2]),
        ("10.0.2.2", "clab-bgp-cplane-demo-worker", [10, 0, 2, 2]),
    ] {
        let server = &tor0[key];
        assert!(server.is_up());
        assert_eq!(
            (server.remote_as, server.local_as, server.kind),
            (Some(65010), 65010, SessionType::Internal)
        );
        assert_eq!(server.hostname.as_deref(), Some(name));
        assert_eq!(server.remote_id, Some(id.into()));
        assert_eq!(
            (server.hold, server.keepalive),
            (Some(Duration::from_secs(9)), Some(Duration::from_secs(3)))
        );
        assert_eq!(server.peer_group.as_deref(), Some("SERVERS"));
        let ipv4 = &server.families[&Family::Ipv4Unicast];
        assert_eq!((ipv4.negotiated, ipv4.accepted, ipv4.sent), (true, 1, Some(11)));
        assert_eq!(server.interface, None);
    }
    let uplink = &tor0["net0"];
    assert_eq!((uplink.interface.as_deref(), uplink.kind), (Some("net0"), SessionType::External));
    assert!(matches!(uplink.address, Some(IpAddr::V6(_))));
    assert!(uplink.families[&Family::Ipv4Unicast].end_of_rib_received);
    assert_eq!(uplink.uptime, Some(Duration::from_secs(114)));
}

#[test]
fn the_timers_of_router0_are_negotiated_down() {
    let (router0, _) = both("1.12.1/2/router0");
    let down = &router0["net0"];
    assert_eq!(
        (down.configured_hold, down.hold),
        (Some(Duration::from_secs(180)), Some(Duration::from_secs(9)))
    );
}

#[rstest]
#[case::deleted(both("1.12.1/5/tor0").0, "10.0.2.2", "BGP Notification received (Cease/Peer De-configured)", Some((6, 3)))]
#[case::killed(both("1.12.1/4/tor0").0, "10.0.2.2", "Peer closed the session", None)]
fn a_lost_session_says_why(
    #[case] sessions: Sessions,
    #[case] key: &str,
    #[case] expected: &str,
    #[case] code: Option<(u8, u8)>,
) {
    let reset = sessions[key].last_reset.clone().unwrap();
    assert_eq!((reset.to_string().as_str(), reset.code), (expected, code));
    assert!(!sessions[key].is_up());
    assert!(sessions[key].dropped_count > 0);
}

#[test]
fn two_readings_of_a_quiet_session_are_equal_without_clocks() {
    let (early, _) = both("1.12.1/2/router0");
    let mut late = early["net0"].clone();
    late.uptime = Some(Duration::from_secs(999));
    assert_ne!(early["net0"], late);
    assert_eq!(early["net0"].without_clocks(), late.without_clocks());
}

#[test]
fn the_summary_moves_when_routes_or_sessions_do_and_not_otherwise() {
    let before = recorded("1.12.1/0/tor0-summary.json");
    let after = recorded("1.12.1/2/tor0-summary.json");
    assert_ne!(pulse(&before), pulse(&after));
    let mut later = after.clone();
    for peer in later["ipv4Unicast"]["peers"].as_object_mut().unwrap().values_mut() {
        peer["peerUptimeMsec"] = json!(999_000);
        peer["msgRcvd"] = json!(999);
    }
    assert_eq!(pulse(&after), pulse(&later));
    let key = (Family::Ipv4Unicast, "10.0.1.2".to_owned());
    let server = pulse(&after).peers[&key];
    assert_eq!((server.state, server.established, server.dropped), (SessionState::Established, 2, 1));
    assert_eq!((server.received, server.sent), (1, 11));
    assert_eq!(pulse(&after).tables[&Family::Ipv4Unicast], (21, 23));
}

#[test]
fn zebra_says_what_is_installed() {
    let routes = installed(&recorded("1.12.1/2/tor0-ip-route.json"));
    let pod = &routes[&"10.1.1.0/24".parse().unwrap()][0];
    assert_eq!((pod.protocol.as_str(), pod.selected, pod.installed, pod.distance), ("bgp", true, true, 200));
    assert_eq!(pod.interfaces, ["net2"]);
    let hole = &installed(&recorded("1.12.1/2/router0-ip-route.json"))[&"10.0.0.0/8".parse().unwrap()][0];
    assert_eq!((hole.protocol.as_str(), hole.interfaces.len()), ("kernel", 0));
}

/// Brings two forms of one table to what both say.
fn common(mut rib: Rib) -> Rib {
    for path in rib.routes.values_mut().flatten() {
        path.communities.clear();
        path.next_hops.iter_mut().for_each(|hop| {
            (hop.used, hop.accessible) = (false, None);
        });
        path.peer.hostname = path.peer.hostname.take().filter(|_| !path.from_self());
    }
    rib
}

#[test]
fn the_plain_and_the_detailed_table_say_the_same() {
    let sessions = sessions(&recorded("frr-8.4.4/tor0-neighbors.json"));
    let mut plain = table(&recorded("frr-8.4.4/tor0-ipv4.json"));
    let mut detail = table(&recorded("frr-8.4.4/tor0-ipv4-detail.json"));
    plain.resolve(&sessions);
    detail.resolve(&sessions);
    let learned = detail.best(&"10.99.0.0/24".parse().unwrap()).unwrap();
    assert_eq!(learned.communities, ["65000:1", "65000:2", "1:2:3"]);
    assert_eq!((learned.med, learned.origin), (Some(7), Some(Origin::Igp)));
    assert_eq!(learned.next_hop().unwrap().accessible, Some(true));
    let invalid = &detail.routes[&"10.77.0.0/24".parse().unwrap()][0];
    assert!(!invalid.valid && !invalid.best);
    assert_eq!(common(plain), common(detail));
}

#[test]
fn ipv6_is_read_too() {
    let sessions = sessions(&recorded("frr-8.4.4/tor0-neighbors.json"));
    let mut rib = table(&recorded("frr-8.4.4/tor0-ipv6-detail.json"));
    rib.resolve(&sessions);
    assert_eq!(best(&rib, "fd00::2/128"), "incomplete from net0 (router0) via net0 [65000]");
    let both = &sessions["net0"].families;
    assert!(both[&Family::Ipv6Unicast].negotiated && both[&Family::Ipv4Unicast].negotiated);
    assert_eq!(pulse(&recorded("frr-8.4.4/tor0-summary.json")).tables.len(), 2);
}

fn one_path(value: Value) -> Path {
    let rib = table(&json!({ "localAS": 65000, "routes": { "10.0.0.0/8": value } }));
    rib.routes.into_values().next().unwrap().remove(0)
}

#[test]
fn newer_forms_are_read() {
    // FRR 9: an object with the paths in it; FRR 9.0: AS numbers in dot notation, as text.
    let path = one_path(json!({ "prefix": "10.0.0.0/8", "paths": [{
        "aspath": { "string": "1.10 65011 {65012,65013}" }, "origin": "EGP", "valid": true, "multipath": true,
        "locPrf": "200", "bestpath": { "overall": true }, "peer": { "peerId": "10.0.0.9", "type": "internal" },
        "nexthops": [{ "ip": "10.0.0.8", "accessible": false, "interfaceName": "eth1" }],
    }] }));
    assert_eq!(path.as_path, [65546, 65011, 65012, 65013]);
    assert_eq!(
        (path.origin, path.local_pref, path.best, path.multipath),
        (Some(Origin::Egp), Some(200), true, true)
    );
    assert_eq!((path.source, path.next_hops[0].interface.as_deref()), (PathSource::Internal, Some("eth1")));
    assert_eq!(path.next_hops[0].accessible, Some(false));
}

#[rstest]
#[case(json!(65000), Some(65000))]
#[case(json!("65000"), Some(65000))]
#[case(json!("1.10"), Some(65546))]
#[case(json!(0), None)]
#[case(json!("65536.1"), None)]
#[case(json!(-1), None)]
#[case(json!(null), None)]
fn as_numbers(#[case] value: Value, #[case] expected: Option<u32>) {
    assert_eq!(lenient::asn(Some(&value)), expected);
}

#[rstest]
#[case("Idle (Admin)", SessionState::Idle)]
#[case("OpenSent", SessionState::OpenSent)]
#[case("", SessionState::Unknown)]
fn words_for_states(#[case] word: &str, #[case] expected: SessionState) {
    assert_eq!(SessionState::from_word(word), expected);
}

/// Any JSON, with FRR's keys among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9a-f:./ ]{0,12}|Established|internal|0603".prop_map(Value::from),
    ];
    let key = "routes|paths|peers|net0|10\\.0\\.0\\.0/8|bgpState|origin|aspath|peer|peerId|nexthops|ip|remoteAs|\
               addressFamilyInfo|ipv4Unicast|bestpath|community|list|lastErrorCodeSubcode|lastResetDueTo|bgpTimerUpMsec";
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_breaks_the_readers(value in any_json()) {
        let sessions = sessions(&value);
        let mut rib = table(&value);
        rib.resolve(&sessions);
        let _ = (pulse(&value), installed(&value));
    }
}
