//! What a BGP speaker of the cluster says of itself: the twin's GoBGP by gobgp, Cilium's agent by its own command line.

use fabric_harness::node::NodeRef;

use super::nodes::script;
use super::part::Part;

/// What is asked of the GoBGP that listens on a socket; its folder's name is that of its files.
pub(super) fn gobgp(folder: &str, node: &NodeRef, socket: &str) -> Vec<Part> {
    let (home, _) = socket.rsplit_once('/').unwrap_or((socket, ""));
    let name = home.rsplit('/').next().unwrap_or(home);
    let path = |file: &str| format!("{folder}/gobgp/{name}/{file}");
    let target = format!("gobgp --target unix://{socket}");
    let g = |words: &str| format!("{target} {words}");
    let state = format!(
        "G='{target}'; {}; for peer in $($G neighbor | sed -n '2,$s/ .*//p'); do run $G neighbor $peer; \
         for family in ipv4 ipv6; do run $G neighbor $peer adj-in -a $family; run $G neighbor $peer adj-out -a $family; \
         done; done; true",
        script(&[
            &g("global"),
            &g("neighbor"),
            &g("global rib -a ipv4"),
            &g("global rib -a ipv6"),
            &g("policy")
        ])
    );
    let from = format!("{target} global, neighbor, global rib, neighbor ADDRESS adj-in and adj-out");
    let json = |file: &str, about: &str, words: &[&str]| {
        let target = format!("unix://{socket}");
        let words: Vec<&str> = ["gobgp", "--target", &target, "-j"].iter().chain(words).copied().collect();
        Part::command(path(file), about, node, &words)
    };
    vec![
        Part::command(
            path("config.json"),
            "GoBGP's configuration",
            node,
            &["cat", &format!("{home}/gobgpd.json")],
        ),
        Part::command(
            path("log.txt"),
            "GoBGP's log, from its start",
            node,
            &["cat", &format!("{home}/gobgpd.log")],
        ),
        Part::script(path("state.txt"), "sessions and tables, for people", node, &from, &state),
        json("neighbors.json", "each session in detail", &["neighbor"]),
        json("rib-ipv4.json", "the table of IPv4", &["global", "rib", "-a", "ipv4"]),
        json("rib-ipv6.json", "the table of IPv6", &["global", "rib", "-a", "ipv6"]),
    ]
}

/// What is asked of Cilium's agent; older ones have a program of another name.
pub(super) fn cilium(folder: &str, node: &NodeRef) -> Vec<Part> {
    let lines = "c() { if command -v cilium-dbg >/dev/null; then run cilium-dbg \"$@\"; else run cilium \"$@\"; fi; }; \
                 c status --verbose; c bgp peers; c bgp routes available ipv4 unicast; c bgp routes available ipv6 unicast; \
                 c bgp routes advertised ipv4 unicast; c bgp route-policies; c node list; c service list";
    let from = "cilium-dbg status, bgp peers, bgp routes, bgp route-policies, node list, service list";
    let script = format!("{}{lines}; true", super::nodes::RUN);
    vec![Part::script(format!("{folder}/cilium.txt"), "what Cilium's agent says", node, from, &script)]
}
