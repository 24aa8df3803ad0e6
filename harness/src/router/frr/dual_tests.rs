//! Both address families at once, as each FRR says them on the dual-stack lab: one session per neighbor for both.

use rstest::rstest;
use serde_json::Value;

use super::{sessions, table};
use crate::router::rib::Rib;
use crate::router::session::{Family, Sessions};
use crate::router::testing;

fn recorded(version: &str, file: &str) -> Value {
    serde_json::from_str(&testing::recorded(&format!("frr-{version}/dual-stack/{file}.json"))).unwrap()
}

fn router(version: &str, name: &str) -> (Sessions, Rib) {
    let sessions = sessions(&recorded(version, &format!("{name}-neighbors")));
    let mut rib = table(&recorded(version, &format!("{name}-ipv4-detail")));
    rib.routes.extend(table(&recorded(version, &format!("{name}-ipv6-detail"))).routes);
    rib.resolve(&sessions);
    (sessions, rib)
}

#[rstest]
#[case("router0", 12)]
#[case("tor0", 13)]
fn as_many_prefixes_of_one_family_as_of_the_other(
    #[values("8.4.4", "10.3", "10.7.1")] version: &str,
    #[case] name: &str,
    #[case] count: usize,
) {
    let (_, rib) = router(version, name);
    assert_eq!((rib.best_prefixes(false).count(), rib.best_prefixes(true).count()), (count, count));
}

#[rstest]
#[case("10.1.1.0/24")]
#[case("fd00:10:1:1::/64")]
fn a_pod_cidr_of_either_family_leads_to_the_nodes_ipv6_address(
    #[values("8.4.4", "10.3", "10.7.1")] version: &str,
    #[case] prefix: &str,
) {
    let prefix = prefix.parse().unwrap();
    let (_, tor0) = router(version, "tor0");
    let path = tor0.best(&prefix).unwrap();
    assert_eq!(path.next_hop().unwrap().ip.to_string(), "fd00:10:0:2::2");
    assert_eq!(path.peer.to_string(), "fd00:10:0:2::2 (clab-bgp-dual-stack-worker)");
    assert_eq!((path.local_pref, path.as_path.as_slice()), (Some(100), [].as_slice()));
    // Behind the ToR it comes over an unnumbered session: by a link-local address, twice in FRR's words for IPv6.
    let (_, router0) = router(version, "router0");
    let path = router0.best(&prefix).unwrap();
    let hop = path.next_hop().unwrap();
    assert!(hop.used && hop.ip.to_string().starts_with("fe80::"), "{hop:?}");
    assert_eq!((hop.interface.as_deref(), path.as_path.as_slice()), (Some("net0"), [65010].as_slice()));
    assert_eq!(router0.in_use(&prefix).count(), 1);
}

#[rstest]
fn one_session_carries_both_families(#[values("8.4.4", "10.3", "10.7.1")] version: &str) {
    let (tor0, _) = router(version, "tor0");
    let server = &tor0["fd00:10:0:2::2"];
    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
        let state = &server.families[&family];
        assert_eq!((state.negotiated, state.accepted, state.sent), (true, 1, Some(11)), "{family}");
        let state = &tor0["net0"].families[&family];
        assert_eq!((state.negotiated, state.accepted, state.sent), (true, 8, Some(13)), "{family}");
    }
    assert_eq!(server.interface, None);
    assert_eq!(server.address.unwrap().to_string(), "fd00:10:0:2::2");
}
