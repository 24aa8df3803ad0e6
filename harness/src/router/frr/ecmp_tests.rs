//! A prefix by several paths at once, as each FRR says it on the lab of Services: over both racks, over both nodes.

use rstest::rstest;
use serde_json::Value;

use super::{sessions, table};
use crate::router::rib::{PathSource, Rib};
use crate::router::testing;

fn recorded(version: &str, file: &str) -> Value {
    serde_json::from_str(&testing::recorded(&format!("frr-{version}/ecmp/{file}.json"))).unwrap()
}

fn router(version: &str, name: &str) -> Rib {
    let sessions = sessions(&recorded(version, &format!("{name}-neighbors")));
    let mut rib = table(&recorded(version, &format!("{name}-ipv4-detail")));
    rib.routes.extend(table(&recorded(version, &format!("{name}-ipv6-detail"))).routes);
    rib.resolve(&sessions);
    rib
}

#[rstest]
#[case("198.51.100.1/32")]
#[case("fd00:99::1/128")]
fn router0_uses_both_racks(#[values("8.4.4", "10.3", "10.7.1")] version: &str, #[case] prefix: &str) {
    let (rib, prefix) = (router(version, "router0"), prefix.parse().unwrap());
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
fn a_tor_uses_both_of_its_nodes_and_not_the_other_rack(
    #[values("8.4.4", "10.3", "10.7.1")] version: &str,
    #[case] prefix: &str,
) {
    let (rib, prefix) = (router(version, "tor0"), prefix.parse().unwrap());
    assert_eq!(rib.in_use(&prefix).count(), 2);
    assert!(
        rib.in_use(&prefix).all(|path| path.source == PathSource::Internal && path.local_pref == Some(100))
    );
    // What router0 says of it came from here and is not even kept, unless it chose the other rack's: then it is not used.
    let others = rib.routes[&prefix].iter().filter(|path| !path.best && !path.multipath);
    assert!(others.map(|path| path.as_path.as_slice()).all(|as_path| as_path == [65000, 65011]));
}

#[rstest]
fn most_prefixes_have_one_path(#[values("8.4.4", "10.3", "10.7.1")] version: &str) {
    let rib = router(version, "router0");
    let several = rib.routes.keys().filter(|prefix| rib.in_use(prefix).count() > 1).count();
    assert_eq!((several, rib.best_prefixes(false).count(), rib.best_prefixes(true).count()), (2, 15, 15));
}
