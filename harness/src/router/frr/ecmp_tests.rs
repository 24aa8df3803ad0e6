//! A prefix by several paths at once, as FRR 8.4.4 says it on the lab of Services: over both racks, over both nodes.

use rstest::rstest;
use serde_json::Value;

use super::{sessions, table};
use crate::router::rib::{PathSource, Rib};
use crate::router::testing;

fn recorded(file: &str) -> Value {
    serde_json::from_str(&testing::recorded(&format!("frr-8.4.4/ecmp/{file}.json"))).unwrap()
}

fn router(name: &str) -> Rib {
    let sessions = sessions(&recorded(&format!("{name}-neighbors")));
    let mut rib = table(&recorded(&format!("{name}-ipv4-detail")));
    rib.routes.extend(table(&recorded(&format!("{name}-ipv6-detail"))).routes);
    rib.resolve(&sessions);
    rib
}

#[rstest]
#[case("198.51.100.1/32")]
#[case("fd00:99::1/128")]
fn router0_uses_both_racks(#[case] prefix: &str) {
    let (rib, prefix) = (router("router0"), prefix.parse().unwrap());
    let mut from: Vec<String> = rib.in_use(&prefix).map(|path| path.peer.to_string()).collect();
    from.sort();
    assert_eq!(from, ["net0 (tor0)", "net1 (tor1)"]);
    let best = rib.best(&prefix).unwrap();
    assert!(best.multipath && best.valid);
    for path in rib.in_use(&prefix) {
        assert_eq!(
            (path.communities.as_slice(), path.as_path.len()),
            (["65010:100".to_owned()].as_slice(), 1)
        );
        assert_eq!(path.next_hop().unwrap().interface, path.peer.neighbor);
    }
}

#[rstest]
#[case("198.51.100.1/32")]
#[case("fd00:99::1/128")]
fn a_tor_uses_both_of_its_nodes_and_not_the_other_rack(#[case] prefix: &str) {
    let (rib, prefix) = (router("tor0"), prefix.parse().unwrap());
    assert_eq!(rib.in_use(&prefix).count(), 2);
    assert!(
        rib.in_use(&prefix).all(|path| path.source == PathSource::Internal && path.local_pref == Some(100))
    );
    // What router0 says of it came from here: it is not even kept.
    assert!(rib.routes[&prefix].iter().all(|path| path.best || path.multipath));
}

#[test]
fn most_prefixes_have_one_path() {
    let rib = router("router0");
    let several = rib.routes.keys().filter(|prefix| rib.in_use(prefix).count() > 1).count();
    assert_eq!((several, rib.best_prefixes(false).count(), rib.best_prefixes(true).count()), (2, 15, 15));
}
