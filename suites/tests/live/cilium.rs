//! `fabric cilium bgp`: what Cilium's own command line would print, from the speakers.

use super::support::{Ground, article};

#[test]
fn peers_and_routes_as_ciliums_command_line_has_them() {
    let Some(ground) = Ground::new("peers_and_routes_as_ciliums_command_line_has_them") else { return };
    let lab = article();
    let lab = lab.to_str().unwrap();
    let none = ground.run(&["cilium", "bgp", "peers"]).code(2);
    assert!(none.err.contains("no fabric is up"), "{}", none.err);
    ground.run(&["up", lab, "--name", "c", "--to", "policy"]).code(0);

    let peers = ground.run(&["cilium", "bgp", "peers"]).code(0);
    let heading =
        "Local AS   Peer AS   Peer Address   Session State   Uptime   Family         Received   Advertised";
    assert!(peers.out.lines().next().unwrap().ends_with(heading), "{}", peers.out);
    let up = peers.out.lines().filter(|line| line.contains("established") && line.contains("ipv4/unicast"));
    assert_eq!(up.count(), 4, "{}", peers.out);
    // The article's Cilium is older than the command.
    assert!(
        peers.err.contains("Cilium 1.12.1 has no `cilium bgp peers`: it came with 1.14"),
        "{}",
        peers.err
    );

    let worker =
        ground.run(&["cilium", "bgp", "peers", lab, "--node", "worker", "-o", "json"]).code(0).json();
    let worker = worker.as_object().unwrap();
    let peer = &worker["clab-bgp-cplane-demo-worker"][0];
    assert_eq!(worker.len(), 1);
    assert_eq!((&peer["peer-address"], &peer["local-asn"]), (&"10.0.0.1".into(), &65010.into()));
    assert_eq!(
        (&peer["session-state"], &peer["applied-hold-time-seconds"]),
        (&"established".into(), &9.into())
    );

    let routes =
        ["cilium", "bgp", "routes", "advertised", "ipv4", "unicast", "vrouter", "65010", "-o", "json"];
    let routes = ground.run(&routes).code(0).json();
    let count = |node: &str| routes[format!("clab-bgp-cplane-demo-{node}")].as_array().map(Vec::len);
    assert_eq!(["control-plane", "worker", "worker2"].map(count), [Some(1), Some(1), Some(0)], "{routes}");
    let own =
        ground.run(&["cilium", "bgp", "routes", "available", "ipv4", "unicast", "--node", "worker3"]).code(0);
    assert!(own.out.contains("[{Origin: i} {Nexthop: 0.0.0.0}]"), "{}", own.out);
    assert_eq!(own.out.lines().count(), 2, "{}", own.out);
    let wrong = ground.run(&["cilium", "bgp", "routes", "offered"]).code(2);
    assert!(wrong.err.contains("write `available` or `advertised`"), "{}", wrong.err);
    ground.run(&["down", "--name", "c"]).code(0);
}
