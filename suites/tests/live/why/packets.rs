//! Packets that die on their way, and what killed them.

use super::up::{Up, explains_all, of_kind, the_cause};

const REACH: &str = "workload::reach";

/// The article's lab with its pods, whole a moment ago; the pods' addresses.
fn whole(test: &str) -> Option<(Up, String, String)> {
    let up = Up::to(test, "workload")?;
    let (one, two) = (up.address("nettool-1"), up.address("nettool-2"));
    up.passes("workload::");
    Some((up, one, two))
}

#[test]
fn a_hop_takes_them() {
    let Some((up, one, two)) = whole("a_hop_takes_them") else { return };
    up.sh("tor1", &format!("iptables -A FORWARD -s {one} -j DROP"));
    let record = up.judged(REACH);
    let cause = the_cause(&record, "packets-filtered", "tor1", "-j DROP");
    explains_all(&record, cause, 2);
    up.sh("tor1", "iptables -F FORWARD");

    up.sh("router0", &format!("ip route add blackhole {two}/32"));
    let record = up.judged("workload::");
    let cause = the_cause(&record, "blackhole", "router0", &two);
    explains_all(&record, cause, 4);
    up.sh("router0", &format!("ip route del blackhole {two}/32"));

    up.sh("tor0", "echo 0 > /proc/sys/net/ipv4/conf/net0/forwarding");
    let record = up.judged(REACH);
    the_cause(&record, "not-forwarding", "tor0", "net0");
    up.sh("tor0", "echo 1 > /proc/sys/net/ipv4/conf/net0/forwarding");

    // And whole again: nothing of the looking has changed anything.
    up.passes("workload::");
}

#[test]
fn no_way_leads_back() {
    let Some((up, one, two)) = whole("no_way_leads_back") else { return };
    // The target's node knows no way back.
    let (node, gateway) = {
        let said = up.ground.exec("w", "tor1", &["ip", "-json", "route", "get", &two]).json();
        let via = said[0]["gateway"].as_str().unwrap().to_owned();
        (if via == "10.0.3.2" { "worker2" } else { "worker3" }, via.replace(".2", ".1"))
    };
    let gateway = gateway.replace("10.0.1", "10.0.3");
    let default = up.ground.exec("w", node, &["ip", "route", "show", "default"]).out;
    up.sh(node, "ip route del default");
    let record = up.judged(REACH);
    let cause = the_cause(&record, "no-route", node, &one);
    explains_all(&record, cause, 2);
    let there = record.0["checks"].as_array().unwrap().iter().find(|check| {
        check["verdict"] == "failed" && check["name"].as_str().unwrap().contains("nettool-1 pings nettool-2")
    });
    let rung = there.unwrap()["ladder"].as_array().unwrap().last().unwrap();
    assert_eq!((rung["name"].as_str(), rung["standing"].as_str()), (Some("return"), Some("broken")));
    let default = default.trim();
    assert!(!default.is_empty(), "no default route by {gateway}");
    up.sh(node, &format!("ip route add {default}"));
}

#[test]
fn a_kernel_wants_them_from_elsewhere() {
    let Some((up, one, _)) = whole("a_kernel_wants_them_from_elsewhere") else { return };
    // A source that does not come by the way that leads back to it.
    up.sh("tor1", "echo 1 > /proc/sys/net/ipv4/conf/net0/rp_filter");
    up.sh("tor1", &format!("ip route add {one}/32 via 10.0.3.2 dev net1"));
    let record = up.judged(REACH);
    let cause = of_kind(&record, "rp-filter", "tor1", "net0");
    assert!(cause["text"].as_str().unwrap().contains("leads back via 10.0.3.2 dev net1"), "{cause}");
    up.sh("tor1", &format!("ip route del {one}/32"));
    up.sh("tor1", "echo 0 > /proc/sys/net/ipv4/conf/net0/rp_filter");
}

#[test]
fn hops_and_targets_are_silent() {
    let Some((up, _, two)) = whole("hops_and_targets_are_silent") else { return };
    // A hop that may say little, and has said it.
    up.sh("router0", "echo 600000 > /proc/sys/net/ipv4/icmp_ratelimit");
    for _ in 0..4 {
        up.sh("nettool-1", &format!("traceroute -n -q 3 -w 1 {two} > /dev/null"));
    }
    let record = up.judged("workload::paths");
    of_kind(&record, "icmp-limited", "router0", "icmp_ratelimit");
    up.sh("router0", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit");

    up.sh("nettool-2", "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all");
    let record = up.judged(REACH);
    the_cause(&record, "icmp-ignored", "nettool-2", "icmp_echo_ignore_all");
    up.sh("nettool-2", "echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all");
}

#[test]
fn a_link_takes_no_large_ones() {
    let Some((up, ..)) = whole("a_link_takes_no_large_ones") else { return };
    // A link that takes no large packets: small ones pass.
    let file = up.lab.join("lab.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let large = "      reach:\n        - { from: pod/nettool-1, to: pod/nettool-2, size: 1500 }\n";
    let (before, after) = text.split_once("- name: workload").unwrap();
    std::fs::write(&file, format!("{before}- name: workload{}", after.replacen("      reach:\n", large, 1)))
        .unwrap();
    up.passes(REACH);
    up.sh("router0", "ip link set dev net1 mtu 1300");
    let record = up.judged(REACH);
    let cause = the_cause(&record, "mtu", "router0", "net1");
    assert!(
        cause["title"]
            .as_str()
            .unwrap()
            .contains("packets of 1500 bytes do not fit router0's net1, whose MTU is 1300")
    );
    up.sh("router0", "ip link set dev net1 mtu 1500");
}
