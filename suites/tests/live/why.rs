//! Routes that are not where they should be and packets that do not arrive: the report names what broke, once.
//!
//! One fabric for routes and one for packets; each is broken in one way after the other, judged, and mended again.

use std::path::PathBuf;

use serde_json::Value;

use super::support::{Ground, Record, SOON, article, copy, until};

/// The article's lab, up, and a copy of it that does not wait for what will not come.
struct Up {
    ground: Ground,
    lab: PathBuf,
}

impl Up {
    fn to(test: &str, phase: &str) -> Option<Self> {
        let ground = Ground::new(test)?;
        ground.run(&["up", article().to_str().unwrap(), "--name", "w", "--to", phase]).code(0);
        let lab = ground.path("quick");
        copy(&article(), &lab);
        let file = lab.join("lab.yaml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for phase in ["policy", "workload"] {
            let (before, after) = text.split_once(&format!("- name: {phase}")).unwrap();
            let after = after.replacen("expect:\n", "expect:\n      within: 2s\n", 1);
            text = format!("{before}- name: {phase}{after}");
        }
        std::fs::write(&file, text).unwrap();
        Some(Self { ground, lab })
    }

    #[track_caller]
    fn sh(&self, node: &str, line: &str) {
        self.ground.exec("w", node, &["sh", "-c", line]);
    }

    /// Configures FRR.
    #[track_caller]
    fn frr(&self, node: &str, lines: &[&str]) {
        let lines: Vec<&str> = ["conf t"].iter().chain(lines).flat_map(|line| ["-c", *line]).collect();
        self.ground.exec("w", node, &[&["vtysh"], lines.as_slice()].concat());
    }

    /// Waits until a BGP table has a best path to a prefix, or has none.
    #[track_caller]
    fn best(&self, node: &str, prefix: &str, there: bool) {
        let seen = until(SOON * 10, || {
            let line = format!("show bgp ipv4 unicast {prefix} json");
            let said = self.ground.exec("w", node, &["vtysh", "-c", &line]);
            let best = said.out.contains("\"overall\":true");
            if best == there { Ok(()) } else { Err(format!("{node}, best path to {prefix}: {best}")) }
        });
        seen.unwrap();
    }

    /// Waits until a kernel's way to an address has a word in it.
    #[track_caller]
    fn way(&self, node: &str, to: &str, word: &str) {
        let seen = until(SOON * 10, || {
            let line = format!("ip route get {to} 2>&1; true");
            let said = self.ground.exec("w", node, &["sh", "-c", &line]);
            if said.out.contains(word) { Ok(()) } else { Err(format!("{node} to {to}: {}", said.out)) }
        });
        seen.unwrap();
    }

    /// Judges checks, of which some fail, and has what the record says.
    #[track_caller]
    fn judged(&self, only: &str) -> Record {
        let arguments = ["test", self.lab.to_str().unwrap(), "--name", "w", "--only", only];
        let done = self.ground.run(&arguments).code(1);
        assert!(done.err.contains("         Why "), "{}", done.err);
        Record::read(&self.ground.path("target/fabric/latest"))
    }

    /// The pod CIDR of a node, and the address of a pod.
    #[track_caller]
    fn pod_cidr(&self, tor: &str, node: &str) -> String {
        let table =
            self.ground.exec("w", tor, &["ip", "-json", "route", "show", "proto", "bgp", "via", node]);
        table.json()[0]["dst"].as_str().unwrap().to_owned()
    }

    fn address(&self, pod: &str) -> String {
        let said =
            self.ground.exec("w", pod, &["ip", "-json", "-4", "address", "show", "dev", "eth0"]).json();
        said[0]["addr_info"][0]["local"].as_str().unwrap().to_owned()
    }
}

/// The one cause there is: of this kind, in this box, about this; with evidence, and a line to type.
#[track_caller]
fn the_cause<'r>(record: &'r Record, kind: &str, node: &str, about: &str) -> &'r Value {
    let causes = record.0["causes"].as_array().unwrap();
    let told = serde_json::to_string_pretty(causes).unwrap();
    assert_eq!(causes.len(), 1, "{told}");
    of_kind(record, kind, node, about)
}

#[track_caller]
fn of_kind<'r>(record: &'r Record, kind: &str, node: &str, about: &str) -> &'r Value {
    let causes = record.0["causes"].as_array().unwrap();
    let told = serde_json::to_string_pretty(causes).unwrap();
    let is = |cause: &&Value| {
        cause["kind"] == kind
            && cause["node"].as_str().unwrap_or_default().ends_with(node)
            && cause["about"].as_str().unwrap_or_default().contains(about)
    };
    let cause =
        causes.iter().find(is).unwrap_or_else(|| panic!("no {kind} of {node} about {about}:\n{told}"));
    assert!(!cause["evidence"].as_array().unwrap().is_empty(), "{told}");
    assert!(!cause["victims"].as_array().unwrap().is_empty(), "{told}");
    cause
}

/// Every check that failed has this cause, and there are so many of them at least.
#[track_caller]
fn explains_all(record: &Record, cause: &Value, least: usize) {
    let failed = record.names("failed").len();
    let victims = cause["victims"].as_array().unwrap().len();
    assert!(victims == failed && victims >= least, "{victims} of {failed}: {:#?}", record.names("failed"));
}

#[test]
fn routes_stop_on_their_way() {
    let Some(up) = Up::to("routes_stop_on_their_way", "policy") else { return };
    let far = up.pod_cidr("tor1", "10.0.3.2");
    let near = up.pod_cidr("tor0", "10.0.2.2");
    up.best("tor0", &far, true);

    // Not let in.
    let bad = format!("ip prefix-list BAD seq 5 deny {far}");
    let family = ["router bgp 65010", "address-family ipv4 unicast"];
    up.frr(
        "tor0",
        &[
            &[&bad, "ip prefix-list BAD seq 10 permit any"],
            &family[..],
            &["neighbor ROUTERS prefix-list BAD in"],
        ]
        .concat(),
    );
    up.best("tor0", &far, false);
    let record = up.judged("policy::routes::tor0");
    let cause = the_cause(&record, "import-filtered", "tor0", "net0");
    explains_all(&record, cause, 3);
    assert!(
        cause["title"]
            .as_str()
            .unwrap()
            .starts_with("tor0's prefix-list BAD lets no such route in from router0: ")
    );
    assert!(cause["next_command"].as_str().unwrap().contains("show ip prefix-list detail BAD"), "{cause}");
    up.frr("tor0", &[&family[..], &["no neighbor ROUTERS prefix-list BAD in"]].concat());
    up.best("tor0", &far, true);

    // Not announced, and not let out.
    let spine = ["router bgp 65000", "address-family ipv4 unicast"];
    let keep = format!("ip prefix-list KEEP seq 5 deny {far}");
    up.frr(
        "router0",
        &[
            &[
                &keep,
                "ip prefix-list KEEP seq 10 permit any",
                "route-map OUT permit 10",
                "match ip address prefix-list KEEP",
            ],
            &spine[..],
            &["neighbor net0 route-map OUT out"],
        ]
        .concat(),
    );
    up.best("tor0", &far, false);
    let record = up.judged("policy::routes::tor0");
    let cause = the_cause(&record, "export-filtered", "router0", "net0");
    explains_all(&record, cause, 3);
    assert!(
        cause["title"].as_str().unwrap().starts_with("router0's route-map OUT keeps routes from tor0"),
        "{cause}"
    );
    up.frr("router0", &[&spine[..], &["no neighbor net0 route-map OUT out"]].concat());
    up.best("tor0", &far, true);

    // A next hop that nobody can reach: what follows from it on the spine has the same cause.
    let leaf = ["router bgp 65011", "address-family ipv4 unicast"];
    up.frr(
        "tor1",
        &[
            &["route-map NH permit 10", "set ip next-hop 192.0.2.1"],
            &leaf[..],
            &["neighbor 10.0.3.2 route-map NH in"],
        ]
        .concat(),
    );
    up.best("router0", &far, false);
    let record = up.judged("policy::routes");
    let cause = the_cause(&record, "next-hop-unreachable", "tor1", "192.0.2.1");
    explains_all(&record, cause, 8);
    up.frr("tor1", &[&leaf[..], &["no neighbor 10.0.3.2 route-map NH in"]].concat());
    up.best("router0", &far, true);

    // Another path is better.
    up.frr(
        "router0",
        &[
            "router bgp 65000",
            "no bgp network import-check",
            "address-family ipv4 unicast",
            &format!("network {near}"),
        ],
    );
    up.frr("tor0", &[&family[..], &["neighbor ROUTERS weight 100"]].concat());
    up.way("tor0", near.trim_end_matches("/24").trim_end_matches(".0"), "net0");
    let record = up.judged("policy::routes::tor0::podCIDR(worker)");
    let cause = the_cause(&record, "not-best", "tor0", &near);
    assert!(cause["title"].as_str().unwrap().contains("'s: Weight"), "{cause}");
    up.frr("router0", &["router bgp 65000", "address-family ipv4 unicast", &format!("no network {near}")]);
    up.frr("tor0", &[&family[..], &["no neighbor ROUTERS weight 100"]].concat());
}

#[test]
fn kernels_have_other_routes() {
    let Some(up) = Up::to("kernels_have_other_routes", "policy") else { return };
    let far = up.pod_cidr("tor1", "10.0.3.2");
    let inside = far.replace(".0/24", ".7");
    up.way("tor0", &inside, "net0");
    let fib = "policy::routes::tor0";

    up.sh("tor0", &format!("ip route add {far} dev net1"));
    up.way("tor0", &inside, "net1");
    let record = up.judged(fib);
    let cause = the_cause(&record, "other-protocol-preferred", "tor0", &far);
    assert!(cause["title"].as_str().unwrap().contains("prefers a kernel route (distance 0)"), "{cause}");
    up.sh("tor0", &format!("ip route del {far} dev net1"));
    up.way("tor0", &inside, "net0");

    up.sh("tor0", &format!("ip route add blackhole {far}"));
    up.way("tor0", &inside, "Invalid argument");
    let record = up.judged(fib);
    the_cause(&record, "blackhole", "tor0", &far);
    up.sh("tor0", &format!("ip route del blackhole {far}"));
    up.way("tor0", &inside, "net0");

    // A zebra that hangs puts nothing back.
    up.sh("tor0", "kill -STOP $(cat /run/frr/zebra.pid)");
    up.sh("tor0", &format!("ip route del {far}"));
    let record = up.judged(fib);
    let cause = the_cause(&record, "daemon-silent", "tor0", "zebra");
    explains_all(&record, cause, 2);
    up.sh("tor0", "kill -CONT $(cat /run/frr/zebra.pid)");
    up.way("tor0", &inside, "net0");

    // Whose prefix it is does not announce it.
    let near = up.pod_cidr("tor0", "10.0.2.2");
    up.sh("worker", &format!("gobgp --target unix://$(ls /run/gobgp/*/api-*.sock) global rib del {near}"));
    up.best("tor1", &near, false);
    let record = up.judged("policy::routes");
    let cause = the_cause(&record, "not-announced", "-worker", &near);
    explains_all(&record, cause, 8);

    // And a pod that no node is for.
    let file = up.lab.join("nettool.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("rack: rack0", "rack: rack9", 1)).unwrap();
    let record = up.judged("workload::");
    let cause = the_cause(&record, "pod-not-scheduled", "", "default/nettool-1");
    explains_all(&record, cause, 4);
    let junit = std::fs::read_to_string(up.ground.path("target/fabric/latest/junit.xml")).unwrap();
    assert_eq!(junit.matches("== pod default/nettool-1").count(), 1, "the cause is told in full once");
    assert!(junit.contains("told in full at: workload::"), "{junit}");
}

#[test]
#[ignore = "takes minutes: a dozen fabrics' worth of breakages one after the other"]
fn packets_die_on_their_way() {
    let Some(up) = Up::to("packets_die_on_their_way", "workload") else { return };
    let (one, two) = (up.address("nettool-1"), up.address("nettool-2"));
    let lab = up.lab.to_str().unwrap();
    up.ground.run(&["test", lab, "--name", "w", "--only", "workload::"]).code(0);
    let reach = "workload::reach";

    up.sh("tor1", &format!("iptables -A FORWARD -s {one} -j DROP"));
    let record = up.judged(reach);
    let cause = the_cause(&record, "packets-filtered", "tor1", "-j DROP");
    explains_all(&record, cause, 2);
    up.sh("tor1", "iptables -F FORWARD");

    up.sh("router0", &format!("ip route add blackhole {two}/32"));
    let record = up.judged("workload::");
    let cause = the_cause(&record, "blackhole", "router0", &two);
    explains_all(&record, cause, 4);
    up.sh("router0", &format!("ip route del blackhole {two}/32"));

    up.sh("tor0", "echo 0 > /proc/sys/net/ipv4/conf/net0/forwarding");
    let record = up.judged(reach);
    the_cause(&record, "not-forwarding", "tor0", "net0");
    up.sh("tor0", "echo 1 > /proc/sys/net/ipv4/conf/net0/forwarding");

    // The target's node knows no way back.
    let (node, gateway) = {
        let said = up.ground.exec("w", "tor1", &["ip", "-json", "route", "get", &two]).json();
        let via = said[0]["gateway"].as_str().unwrap().to_owned();
        (if via == "10.0.3.2" { "worker2" } else { "worker3" }, via.replace(".2", ".1"))
    };
    let gateway = gateway.replace("10.0.1", "10.0.3");
    let default = up.ground.exec("w", node, &["ip", "route", "show", "default"]).out;
    up.sh(node, "ip route del default");
    let record = up.judged(reach);
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
    // The node's own session was lost with its default route: it is waited for.
    up.sh("nettool-1", &format!("for i in $(seq 60); do ping -n -c 1 -W 1 {two} && exit 0; done; exit 1"));

    // A source that does not come by the way that leads back to it.
    up.sh("tor1", "echo 1 > /proc/sys/net/ipv4/conf/net0/rp_filter");
    up.sh("tor1", &format!("ip route add {one}/32 via 10.0.3.2 dev net1"));
    let record = up.judged(reach);
    let cause = of_kind(&record, "rp-filter", "tor1", "net0");
    assert!(cause["text"].as_str().unwrap().contains("leads back via 10.0.3.2 dev net1"), "{cause}");
    up.sh("tor1", &format!("ip route del {one}/32"));
    up.sh("tor1", "echo 0 > /proc/sys/net/ipv4/conf/net0/rp_filter");

    // A hop that may say little, and has said it.
    up.sh("router0", "echo 600000 > /proc/sys/net/ipv4/icmp_ratelimit");
    for _ in 0..4 {
        up.sh("nettool-1", &format!("traceroute -n -q 3 -w 1 {two} > /dev/null"));
    }
    let record = up.judged("workload::paths");
    of_kind(&record, "icmp-limited", "router0", "icmp_ratelimit");
    up.sh("router0", "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit");

    up.sh("nettool-2", "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all");
    let record = up.judged(reach);
    the_cause(&record, "icmp-ignored", "nettool-2", "icmp_echo_ignore_all");
    up.sh("nettool-2", "echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_all");

    // And whole again: nothing of the looking has changed anything.
    up.ground.run(&["test", lab, "--name", "w", "--only", "workload::"]).code(0);

    // A link that takes no large packets: small ones pass.
    let file = up.lab.join("lab.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let large = "      reach:\n        - { from: pod/nettool-1, to: pod/nettool-2, size: 1500 }\n";
    let (before, after) = text.split_once("- name: workload").unwrap();
    std::fs::write(&file, format!("{before}- name: workload{}", after.replacen("      reach:\n", large, 1)))
        .unwrap();
    up.ground.run(&["test", lab, "--name", "w", "--only", reach]).code(0);
    up.sh("router0", "ip link set dev net1 mtu 1300");
    let record = up.judged(reach);
    let cause = the_cause(&record, "mtu", "router0", "net1");
    assert!(
        cause["title"]
            .as_str()
            .unwrap()
            .contains("packets of 1500 bytes do not fit router0's net1, whose MTU is 1300")
    );
    up.sh("router0", "ip link set dev net1 mtu 1500");
}
