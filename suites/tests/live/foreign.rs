//! Labs that are not the article's: `tests/labs`.

use std::collections::BTreeMap;

use super::support::{Ground, Record, SOON, foreign, until};

/// Waits until the sessions of a router are up and have brought so many prefixes, by neighbor.
#[track_caller]
fn established(ground: &Ground, name: &str, router: &str, wanted: &[(&str, u64)]) {
    let wanted: BTreeMap<String, u64> =
        wanted.iter().map(|(neighbor, count)| ((*neighbor).to_owned(), *count)).collect();
    let all = until(SOON * 30, || {
        let summary = ground.exec(name, router, &["vtysh", "-c", "show bgp summary json"]).json();
        let peers = summary["ipv4Unicast"]["peers"].as_object().cloned().unwrap_or_default();
        let up = peers.iter().filter(|(_, peer)| peer["state"] == "Established");
        let seen: BTreeMap<String, u64> =
            up.map(|(neighbor, peer)| (neighbor.clone(), peer["pfxRcd"].as_u64().unwrap_or(0))).collect();
        if seen == wanted { Ok(()) } else { Err(format!("{router}: {seen:?}, not {wanted:?}: {summary}")) }
    });
    all.unwrap();
}

/// Waits until a ping arrives: the kernels' tables come after BGP's.
#[track_caller]
fn reaches(ground: &Ground, name: &str, from: &str, to: &str) {
    let arrived = until(SOON * 10, || {
        let ping = ground.run(&["exec", "--name", name, from, "--", "ping", "-c", "1", "-W", "1", to]);
        if ping.code == 0 { Ok(()) } else { Err(ping.out) }
    });
    arrived.unwrap();
}

#[test]
fn two_routers_with_bound_configuration() {
    let Some(ground) = Ground::new("two_routers_with_bound_configuration") else { return };
    let lab = foreign(&ground, "two-routers");
    // The file itself may be named, too.
    let done =
        ground.run(&["up", lab.join("two-routers.clab.yml").to_str().unwrap(), "--name", "two"]).code(0);
    assert!(done.out.contains("two is up: 4 nodes"), "{}", done.out);
    established(&ground, "two", "r1", &[("192.0.2.1", 2)]);
    established(&ground, "two", "r2", &[("192.0.2.0", 2)]);
    reaches(&ground, "two", "pc1", "198.51.100.66");
    reaches(&ground, "two", "pc2", "198.51.100.2");
    let mgmt = ground.exec("two", "r2", &["ip", "-o", "-4", "addr", "show", "eth0"]).out;
    assert!(mgmt.contains("192.168.77.12/24"), "{mgmt}");
    let kin = ground.kin();
    ground.run(&["down", "--name", "two"]).code(0);
    ground.nothing_is_left_of(&kin);
}

#[test]
fn a_clos_with_levels_and_a_bridge() {
    let Some(ground) = Ground::new("a_clos_with_levels_and_a_bridge") else { return };
    let lab = foreign(&ground, "clos");
    ground.run(&["up", lab.to_str().unwrap(), "--name", "clos"]).code(0);
    for spine in ["spine1", "spine2"] {
        // leaf1 and leaf2 give their loopbacks and their servers' networks, leaf3 its loopback.
        established(&ground, "clos", spine, &[("eth1", 2), ("eth2", 2), ("eth3", 1)]);
    }
    // Over the bridge, and over the fabric: h1 and h2 hang on one leaf, h3 on another.
    reaches(&ground, "clos", "h1", "172.31.1.20");
    reaches(&ground, "clos", "h2", "172.31.2.10");
    let both_ways = until(SOON * 10, || {
        let routes = ground.exec("clos", "leaf3", &["ip", "-json", "route", "show", "172.31.2.0/24"]).json();
        match routes[0]["nexthops"].as_array().map(Vec::len) {
            Some(2) => Ok(()),
            _ => Err(format!("not one way over each spine: {routes}")),
        }
    });
    both_ways.unwrap();
    // Defaults, kinds, groups and the node's own, in this order.
    let motd = |node| ground.exec("clos", node, &["cat", "/etc/motd"]).out;
    assert_eq!(
        ["spine1", "spine2", "leaf2"].map(motd),
        ["spine of lab-7\n", "spine of lab-8\n", "leaf of lab-7\n"]
    );
    let sysctl = |node| ground.exec("clos", node, &["cat", "/proc/sys/net/ipv4/conf/all/arp_announce"]).out;
    assert_eq!(["spine1", "leaf1"].map(sysctl), ["0\n", "2\n"]);
    let mtu = |node, interface: &str| {
        ground.exec("clos", node, &["cat", &format!("/sys/class/net/{interface}/mtu")]).out
    };
    assert_eq!(
        [mtu("leaf1", "eth1"), mtu("leaf1", "eth2"), mtu("h2", "eth1")],
        ["9100\n", "9500\n", "1400\n"]
    );
    ground.run(&["down"]).code(0);
}

#[test]
fn a_site_with_a_kind_cluster() {
    let Some(ground) = Ground::new("a_site_with_a_kind_cluster") else { return };
    let lab = foreign(&ground, "edge");
    ground.run(&["test", lab.to_str().unwrap()]).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!(record.outcome(), "passed");
    assert!(record.names("passed").len() > 40, "{:?}", record.names("passed"));
    assert!(record.names("failed").is_empty());
}

#[test]
fn nodes_come_up_in_the_order_a_lab_gives() {
    let Some(ground) = Ground::new("nodes_come_up_in_the_order_a_lab_gives") else { return };
    let lab = foreign(&ground, "order");
    let begun = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let done = ground.run(&["up", lab.to_str().unwrap(), "--name", "order"]).code(0);
    assert!(!done.err.contains("ended with code"), "{}", done.err);
    let read = |node, path| ground.exec("order", node, &["cat", path]).out;
    let at = |node| read(node, "/tmp/at").trim().parse::<u128>().unwrap();
    let (first, second, late) = (at("first"), at("second"), at("late"));
    assert!(first < second, "second waits until first has run its lines: {first}, {second}");
    assert!(late - begun >= 1_000_000_000, "late waits a second: {begun}, {late}");
    assert!(!read("second", "/tmp/before").contains("eth1"), "its link comes after it has entered the stage");
    assert!(read("second", "/tmp/after").contains("eth1"), "and is there when it leaves it");
    // The node's own /etc, whoever started it; the host's is as it was.
    assert!(read("first", "/etc/hosts").ends_with("192.0.2.1 first.example\n"));
    assert_eq!(read("first", "/etc/resolv.conf"), "nameserver 192.0.2.53\n");
    assert_eq!(read("first", "/etc/sysctl.d/90-lab.conf"), "net.ipv4.ip_forward=1\n");
    assert!(read("first", "/etc/passwd").starts_with("toor:"));
    assert!(!read("second", "/etc/hosts").contains("first.example"), "each node has its own");
    assert!(!std::fs::read_to_string("/etc/hosts").unwrap().contains("first.example"));
    ground.run(&["down", "--name", "order"]).code(0);
}

#[test]
fn what_was_waited_for_in_vain_is_named() {
    let Some(ground) = Ground::new("what_was_waited_for_in_vain_is_named") else { return };
    let lab = foreign(&ground, "two-routers");
    let file = "topology: two-routers.clab.yml\nphases:\n  - name: underlay\n    expect:\n      within: 100ms\n      \
                sessions: { r1: { 192.0.2.1: { state: established, as: 65099 } } }\n";
    std::fs::write(lab.join("lab.yaml"), file).unwrap();
    let done = ground.run(&["up", lab.to_str().unwrap()]).code(0);
    assert!(done.out.contains("Not as the lab expects"), "{}", done.out);
    assert!(
        done.out.contains("underlay::sessions::r1::192.0.2.1 is established with AS 65099"),
        "{}",
        done.out
    );
    ground.run(&["down"]).code(0);
}
