use fabric_harness::router::{NextHop, Origin, PathPeer, PathSource};
use fabric_reports::record::Content;
use rstest::rstest;

use super::*;

fn path(neighbor: &str, as_path: &[u32], why: Option<&str>) -> Path {
    Path {
        best: why.is_some(),
        valid: true,
        multipath: false,
        origin: Some(Origin::Igp),
        as_path: as_path.to_vec(),
        next_hops: vec![NextHop {
            ip: "192.0.2.1".parse().unwrap(),
            interface: None,
            used: true,
            accessible: Some(false),
        }],
        local_pref: None,
        med: None,
        weight: 0,
        peer: PathPeer { address: None, neighbor: Some(neighbor.to_owned()), hostname: None },
        source: PathSource::External,
        communities: Vec::new(),
        why_best: why.map(str::to_owned),
    }
}

fn proof() -> Proof {
    Proof { title: "t".into(), node: "r".into(), line: None, content: Content::Text("x".into()) }
}

fn zebra(protocol: &str, selected: bool, installed: bool, distance: u32) -> ZebraRoute {
    ZebraRoute { protocol: protocol.into(), selected, installed, distance, interfaces: Vec::new() }
}

fn dropping(kind: RouteKind) -> FibRoute {
    FibRoute { protocol: "boot".into(), kind, metric: 0, source: None, next_hops: Vec::new() }
}

#[rstest]
#[case::other(&[zebra("kernel", true, true, 0), zebra("bgp", false, false, 20)], None, "other-protocol-preferred",
    "tor0 prefers a kernel route (distance 0) to 10.1.1.0/24 (podCIDR(worker)) over BGP's (distance 20)")]
#[case::rejected(&[zebra("bgp", true, false, 20)], None, "kernel-refused-route",
    "tor0's kernel did not take the route to 10.1.1.0/24 (podCIDR(worker))")]
#[case::lost(&[zebra("bgp", true, true, 20)], None, "kernel-lost-route",
    "10.1.1.0/24 (podCIDR(worker)) is gone from tor0's kernel, and zebra believes it is there")]
#[case::unknown(&[], None, "not-in-zebra",
    "tor0's bgpd has a best path to 10.1.1.0/24 (podCIDR(worker)) that zebra knows nothing of")]
#[case::blackhole(&[zebra("kernel", true, true, 0)], Some(dropping(RouteKind::Blackhole)), "blackhole",
    "tor0's kernel route to 10.1.1.0/24 (podCIDR(worker)) is a blackhole, put there by boot")]
#[case::prohibit(&[], Some(dropping(RouteKind::Prohibit)), "prohibit-route",
    "tor0's kernel route to 10.1.1.0/24 (podCIDR(worker)) is prohibited, put there by boot")]
fn kernels_without_a_route(
    #[case] zebra: &[ZebraRoute],
    #[case] kernel: Option<FibRoute>,
    #[case] kind: &str,
    #[case] title: &str,
) {
    let prefix = "10.1.1.0/24 (podCIDR(worker))";
    let blame = not_in_kernel("tor0", prefix, zebra, kernel.as_ref(), vec![proof()], "ip route".into());
    assert_eq!((blame.kind, blame.title.as_str()), (kind, title));
    assert_eq!(blame.about.as_deref(), Some("10.1.1.0/24"));
}

#[test]
fn the_reason_is_the_routers_and_the_difference_is_told() {
    let (wanted, best) = (path("net1", &[65011, 65012], None), path("net0", &[65010], Some("AS Path")));
    let blame = not_best("router0", "10.1.1.0/24", &wanted, &best, proof(), "x".into());
    assert_eq!(blame.title, "router0 prefers net0's path to 10.1.1.0/24 over net1's: AS Path");
    assert_eq!(blame.text, "It has an AS path of length 2, against 1 of the best path.");
}

#[rstest]
#[case::filter(&["route-map OUT"], false, "export-filtered", "router0's route-map OUT keeps routes from tor0, 10.0.3.0/24 among them")]
#[case::internal(&[], true, "internal-not-passed-on", "router0 has 10.0.3.0/24 over iBGP, and must not pass it on to tor0 over iBGP")]
#[case::unknown(&[], false, "export-filtered", "router0 does not announce 10.0.3.0/24 to tor0, though it has it")]
fn what_is_kept_back(
    #[case] filters: &[&str],
    #[case] internal: bool,
    #[case] kind: &str,
    #[case] title: &str,
) {
    let filters: Vec<String> = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let step = Step {
        from: "router0",
        key: "net0",
        to: "tor0",
        back_key: "net0",
        prefix: "10.0.3.0/24",
        filters: &filters,
    };
    let blame = kept_back(&step, internal, Vec::new(), None);
    assert_eq!((blame.kind, blame.title.as_str()), (kind, title));
    assert_eq!((blame.node.as_deref(), blame.about.as_deref()), (Some("router0"), Some("net0")));
}

#[rstest]
#[case::filter(&["prefix-list BAD"], None, "import-filtered")]
#[case::unknown(&[], None, "import-filtered")]
#[case::looped(&["prefix-list BAD"], Some(65010), "as-loop")]
fn what_is_kept_out(#[case] filters: &[&str], #[case] looped: Option<u32>, #[case] kind: &str) {
    let filters: Vec<String> = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let step =
        Step { from: "router0", key: "net0", to: "tor0", back_key: "net9", prefix: "p", filters: &filters };
    let blame = kept_out(&step, looped, Vec::new(), None);
    assert_eq!(blame.kind, kind);
    assert_eq!((blame.node.as_deref(), blame.about.as_deref()), (Some("tor0"), Some("net9")));
}

#[test]
fn an_unreachable_next_hop_is_named() {
    let blame =
        next_hop_unreachable("tor1", "10.1.2.0/24", &path("10.0.3.2", &[], None), proof(), "x".into());
    assert_eq!(blame.title, "tor1 cannot reach 192.0.2.1, the next hop of 10.1.2.0/24 from 10.0.3.2");
    assert_eq!(blame.about.as_deref(), Some("192.0.2.1"));
}

#[test]
fn a_loop_is_the_own_as_in_the_path() {
    let best = path("net0", &[65000, 65011], Some("x"));
    assert!(loops(&best, 65011) && !loops(&best, 65010) && !loops(&path("x", &[0], None), 0));
}
