//! A fabric broken by hand: the checks that say so fail, and only they, and the text names the cause.
//!
//! Each test brings the article's lab up to the phase `policy`, sees it whole, breaks one thing, waits until the routers
//! know, and judges it again.

use std::collections::BTreeSet;

use super::support::{Ground, Record, SOON, article, copy, impatient, until};

/// A lab that is up and was whole a moment ago.
struct Broken {
    ground: Ground,
    lab: std::path::PathBuf,
}

impl Broken {
    /// Brings the article's lab up to its policies and sees every check of that phase pass.
    fn whole(test: &str) -> Option<Self> {
        let ground = Ground::new(test)?;
        let article = article();
        let article = article.to_str().unwrap();
        ground.run(&["up", article, "--name", "b", "--to", "policy"]).code(0);
        ground.run(&["test", article, "--name", "b", "--only", "policy::"]).code(0);
        let lab = impatient(&ground, "3s");
        Some(Self { ground, lab })
    }

    fn exec(&self, node: &str, command: &[&str]) {
        self.ground.exec("b", node, command);
    }

    /// Signals a daemon of FRR's, by the file with its pid: pkill is on few machines that have only what is needed.
    fn signal(&self, node: &str, daemon: &str, signal: &str) {
        let line = format!("kill -{signal} $(cat /run/frr/{daemon}.pid)");
        self.exec(node, &["sh", "-c", &line]);
    }

    /// Waits until a kernel has so many routes: its router has then done all it does about what happened.
    #[track_caller]
    fn routes_in_kernel(&self, router: &str, count: usize) {
        let there = until(SOON * 10, || {
            let table =
                self.ground.exec("b", router, &["ip", "-json", "route", "show", "proto", "bgp"]).json();
            match table.as_array().map_or(0, Vec::len) {
                seen if seen == count => Ok(()),
                seen => Err(format!("{router} has {seen} routes of BGP, not {count}: {table}")),
            }
        });
        there.unwrap();
    }

    /// Judges the phase again; the record.
    #[track_caller]
    fn judged(&self) -> Record {
        let arguments = ["test", self.lab.to_str().unwrap(), "--name", "b", "--only", "policy::"];
        let done = self.ground.run(&arguments).code(1);
        assert!(done.err.contains("failed"), "{}", done.err);
        Record::read(&self.ground.path("target/fabric/latest"))
    }
}

/// Exactly the checks of these names failed, and every other one passed.
#[track_caller]
fn only_these_failed(record: &Record, wanted: &[&str]) {
    let wanted: BTreeSet<String> = wanted.iter().map(|name| format!("policy::{name}")).collect();
    let failed: BTreeSet<String> = record.names("failed").into_iter().map(str::to_owned).collect();
    let unexpected: Vec<_> = failed.difference(&wanted).collect();
    let missing: Vec<_> = wanted.difference(&failed).collect();
    assert!(
        unexpected.is_empty() && missing.is_empty(),
        "unexpected: {unexpected:#?}\nmissing: {missing:#?}"
    );
    assert!(record.names("not-run").is_empty());
    assert!(record.names("passed").len() > 20, "{:?}", record.names("passed"));
}

#[test]
fn a_link_is_down() {
    let Some(broken) = Broken::whole("a_link_is_down") else { return };
    broken.exec("tor0", &["ip", "link", "set", "net0", "down"]);
    broken.routes_in_kernel("router0", 5);
    broken.routes_in_kernel("tor1", 5);
    broken.routes_in_kernel("tor0", 2);
    let record = broken.judged();
    only_these_failed(
        &record,
        &[
            "sessions::router0::net0 is established with AS 65010",
            "sessions::router0::net0 gives 5 IPv4 prefixes",
            "sessions::router0::net0 is sent 13 IPv4 prefixes",
            "sessions::router0::net1 is sent 13 IPv4 prefixes",
            "sessions::tor0::net0 is established with AS 65000",
            "sessions::tor0::net0 gives 8 IPv4 prefixes",
            "sessions::tor0::net0 is sent 13 IPv4 prefixes",
            "sessions::tor0::10.0.1.2 is sent 11 IPv4 prefixes",
            "sessions::tor0::10.0.2.2 is sent 11 IPv4 prefixes",
            "sessions::tor1::net0 gives 8 IPv4 prefixes",
            "sessions::tor1::net0 is sent 13 IPv4 prefixes",
            "sessions::tor1::10.0.3.2 is sent 11 IPv4 prefixes",
            "sessions::tor1::10.0.4.2 is sent 11 IPv4 prefixes",
            "routes::router0::rib has the 12 prefixes",
            "routes::router0::fib routes to the 12 prefixes",
            "routes::router0::podCIDR(rack=rack0) comes from tor0 with next hop tor0:net0, AS path 65010 and origin IGP",
            "routes::router0::podCIDR(rack=rack0) leaves through net0",
            "routes::tor0::rib has the 13 prefixes",
            "routes::tor0::fib routes to the 13 prefixes and no others",
            "routes::tor0::podCIDR(rack=rack1) comes from router0 with AS path 65000 65011 and origin IGP",
            "routes::tor0::podCIDR(rack=rack1) leaves through net0",
            "routes::tor1::rib has the 13 prefixes",
            "routes::tor1::fib routes to the 13 prefixes and no others",
            "routes::tor1::podCIDR(rack=rack0) comes from router0 with AS path 65000 65010 and origin IGP",
            "routes::tor1::podCIDR(rack=rack0) leaves through net0",
        ],
    );
    let text = record.failure("policy::sessions::tor0::net0 is established with AS 65000");
    assert!(text.contains("the session is Idle, not established"), "{text}");
    assert!(text.contains("waiting does not help: tor0 has switched net0 off"), "{text}");
    let text = record.failure("policy::sessions::router0::net0 is established with AS 65010");
    assert!(text.contains("waiting does not help: net0 of router0 has no carrier"), "{text}");
    assert!(text.contains("impatient/lab.yaml:"), "where it is written: {text}");
    let text = record.failure("policy::routes::tor1::rib has the 13 prefixes");
    assert!(
        text.contains("missing: 10.0.1.0/24 = tor0:net1") && text.contains("= podCIDR(worker)"),
        "{text}"
    );
}

#[test]
fn a_daemon_is_killed() {
    let Some(broken) = Broken::whole("a_daemon_is_killed") else { return };
    // watchfrr first, or it would start another one.
    broken.signal("tor1", "watchfrr", "KILL");
    broken.signal("tor1", "bgpd", "KILL");
    broken.routes_in_kernel("router0", 5);
    broken.routes_in_kernel("tor0", 5);
    broken.routes_in_kernel("tor1", 0);
    let record = broken.judged();
    let failed = record.names("failed");
    // tor1 cannot be asked any more: whatever is said of its sessions and its BGP table fails.
    let of_tor1 = |name: &&str| name.contains("::sessions::tor1::") || name.contains("::routes::tor1::");
    let not_of_tor1: Vec<&str> = failed.iter().copied().filter(|name| !of_tor1(name)).collect();
    let passed_of_tor1: Vec<&str> = record.names("passed").into_iter().filter(of_tor1).collect();
    assert_eq!(passed_of_tor1, Vec::<&str>::new());
    let others = [
        "sessions::router0::net0 is sent 13 IPv4 prefixes",
        "sessions::router0::net1 is established with AS 65011",
        "sessions::router0::net1 gives 5 IPv4 prefixes",
        "sessions::router0::net1 is sent 13 IPv4 prefixes",
        "sessions::tor0::net0 gives 8 IPv4 prefixes",
        "sessions::tor0::net0 is sent 13 IPv4 prefixes",
        "sessions::tor0::10.0.1.2 is sent 11 IPv4 prefixes",
        "sessions::tor0::10.0.2.2 is sent 11 IPv4 prefixes",
        "routes::router0::rib has the 12 prefixes",
        "routes::router0::fib routes to the 12 prefixes",
        "routes::router0::podCIDR(rack=rack1) comes from tor1 with next hop tor1:net0, AS path 65011 and origin IGP",
        "routes::router0::podCIDR(rack=rack1) leaves through net1",
        "routes::tor0::rib has the 13 prefixes",
        "routes::tor0::fib routes to the 13 prefixes and no others",
        "routes::tor0::podCIDR(rack=rack1) comes from router0 with AS path 65000 65011 and origin IGP",
        "routes::tor0::podCIDR(rack=rack1) leaves through net0",
    ];
    let others: BTreeSet<String> = others.iter().map(|name| format!("policy::{name}")).collect();
    let not_of_tor1: BTreeSet<String> = not_of_tor1.into_iter().map(str::to_owned).collect();
    assert_eq!(not_of_tor1, others);
    let text = record.failure("policy::sessions::tor1::net0 is established with AS 65000");
    assert!(text.contains("bgpd"), "{text}");
    let text = record.failure("policy::sessions::router0::net1 is established with AS 65011");
    assert!(text.contains("the session is Active, not established; the router says:"), "{text}");
}

#[test]
fn a_policy_has_the_wrong_as() {
    let Some(ground) = Ground::new("a_policy_has_the_wrong_as") else { return };
    let lab = impatient(&ground, "3s");
    let file = lab.join("cilium-bgp-peering-policies.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("peerASN: 65011", "peerASN: 65099")).unwrap();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "b", "--to", "policy"]).code(0);
    let broken = Broken { ground, lab };
    // rack0 comes up as ever, some seconds after its policy: six routes of the ToRs', two to its nodes.
    broken.routes_in_kernel("router0", 8);
    broken.routes_in_kernel("tor1", 8);
    let record = broken.judged();
    only_these_failed(
        &record,
        &[
            "sessions::router0::net0 is sent 13 IPv4 prefixes",
            "sessions::router0::net1 gives 5 IPv4 prefixes",
            "sessions::router0::net1 is sent 13 IPv4 prefixes",
            "sessions::tor0::net0 gives 8 IPv4 prefixes",
            "sessions::tor0::net0 is sent 13 IPv4 prefixes",
            "sessions::tor0::10.0.1.2 is sent 11 IPv4 prefixes",
            "sessions::tor0::10.0.2.2 is sent 11 IPv4 prefixes",
            "sessions::tor1::net0 is sent 13 IPv4 prefixes",
            "sessions::tor1::10.0.3.2 is established with AS 65011",
            "sessions::tor1::10.0.3.2 negotiated hold 9 s and keepalive 3 s",
            "sessions::tor1::10.0.3.2 gives 1 IPv4 prefix",
            "sessions::tor1::10.0.3.2 is sent 11 IPv4 prefixes",
            "sessions::tor1::10.0.3.2 calls itself worker2",
            "sessions::tor1::10.0.4.2 is established with AS 65011",
            "sessions::tor1::10.0.4.2 negotiated hold 9 s and keepalive 3 s",
            "sessions::tor1::10.0.4.2 gives 1 IPv4 prefix",
            "sessions::tor1::10.0.4.2 is sent 11 IPv4 prefixes",
            "sessions::tor1::10.0.4.2 calls itself worker3",
            "routes::router0::rib has the 12 prefixes",
            "routes::router0::fib routes to the 12 prefixes",
            "routes::router0::podCIDR(rack=rack1) comes from tor1 with next hop tor1:net0, AS path 65011 and origin IGP",
            "routes::router0::podCIDR(rack=rack1) leaves through net1",
            "routes::tor0::rib has the 13 prefixes",
            "routes::tor0::fib routes to the 13 prefixes and no others",
            "routes::tor0::podCIDR(rack=rack1) comes from router0 with AS path 65000 65011 and origin IGP",
            "routes::tor0::podCIDR(rack=rack1) leaves through net0",
            "routes::tor1::rib has the 13 prefixes",
            "routes::tor1::fib routes to the 13 prefixes and no others",
            "routes::tor1::podCIDR(worker2) comes from worker2 with next hop node/worker2, an empty AS path, \
             local preference 100 and origin IGP",
            "routes::tor1::podCIDR(worker2) leaves through net1",
            "routes::tor1::podCIDR(worker3) comes from worker3 with next hop node/worker3, an empty AS path, \
             local preference 100 and origin IGP",
            "routes::tor1::podCIDR(worker3) leaves through net2",
        ],
    );
    for server in ["10.0.3.2", "10.0.4.2"] {
        let text = record.failure(&format!("policy::sessions::tor1::{server} is established with AS 65011"));
        assert!(text.contains("the neighbor was never heard"), "{text}");
    }
    let text = record.failure("policy::routes::tor1::rib has the 13 prefixes");
    assert!(text.contains("= podCIDR(worker2)") && text.contains("= podCIDR(worker3)"), "{text}");
    assert!(!text.contains("= podCIDR(worker)\n"), "{text}");
}

#[test]
fn a_route_is_withdrawn() {
    let Some(broken) = Broken::whole("a_route_is_withdrawn") else { return };
    let cidr = pod_cidr_of_worker(&broken.ground);
    let line = format!("gobgp --target unix://$(ls /run/gobgp/*/api-*.sock) global rib del {cidr}");
    broken.exec("worker", &["sh", "-c", &line]);
    broken.routes_in_kernel("tor0", 9);
    broken.routes_in_kernel("router0", 9);
    broken.routes_in_kernel("tor1", 9);
    let record = broken.judged();
    only_these_failed(
        &record,
        &[
            "sessions::router0::net0 gives 5 IPv4 prefixes",
            "sessions::router0::net0 is sent 13 IPv4 prefixes",
            "sessions::router0::net1 is sent 13 IPv4 prefixes",
            "sessions::tor0::net0 is sent 13 IPv4 prefixes",
            "sessions::tor0::10.0.2.2 gives 1 IPv4 prefix",
            "sessions::tor1::net0 gives 8 IPv4 prefixes",
            "sessions::tor1::net0 is sent 13 IPv4 prefixes",
            "sessions::tor1::10.0.3.2 is sent 11 IPv4 prefixes",
            "sessions::tor1::10.0.4.2 is sent 11 IPv4 prefixes",
            "routes::router0::rib has the 12 prefixes",
            "routes::router0::fib routes to the 12 prefixes",
            "routes::router0::podCIDR(rack=rack0) comes from tor0 with next hop tor0:net0, AS path 65010 and origin IGP",
            "routes::router0::podCIDR(rack=rack0) leaves through net0",
            "routes::tor0::rib has the 13 prefixes",
            "routes::tor0::fib routes to the 13 prefixes and no others",
            "routes::tor0::podCIDR(worker) comes from worker with next hop node/worker, an empty AS path, \
             local preference 100 and origin IGP",
            "routes::tor0::podCIDR(worker) leaves through net2",
            "routes::tor1::rib has the 13 prefixes",
            "routes::tor1::fib routes to the 13 prefixes and no others",
            "routes::tor1::podCIDR(rack=rack0) comes from router0 with AS path 65000 65010 and origin IGP",
            "routes::tor1::podCIDR(rack=rack0) leaves through net0",
        ],
    );
    let text = record.failure("policy::routes::router0::rib has the 12 prefixes");
    assert!(text.contains(&format!("missing: {cidr} = podCIDR(worker)")), "{text}");
}

#[test]
fn a_route_is_missing_in_one_kernel_only() {
    let Some(broken) = Broken::whole("a_route_is_missing_in_one_kernel_only") else { return };
    let cidr = pod_cidr_of_worker(&broken.ground);
    // A zebra that runs puts back what somebody takes from it: that is no fault. One that hangs does not.
    broken.signal("tor0", "zebra", "STOP");
    broken.exec("tor0", &["ip", "route", "del", &cidr]);
    let record = broken.judged();
    only_these_failed(
        &record,
        &[
            "routes::tor0::fib routes to the 13 prefixes and no others",
            "routes::tor0::podCIDR(worker) leaves through net2",
        ],
    );
    let text = record.failure("policy::routes::tor0::fib routes to the 13 prefixes and no others");
    assert!(text.contains(&format!("missing: {cidr} = podCIDR(worker)")), "{text}");
    let next =
        record.0["checks"].as_array().unwrap().iter().find(|check| check["verdict"] == "failed").unwrap();
    let next = next["next_command"].as_str().unwrap();
    // What is wrong is the daemon, and that is what is to be looked at.
    assert!(next.ends_with(" exec --name b tor0 -- ps -eo pid,stat,args"), "{next}");
    assert!(text.contains("cause: "), "{text}");
    // And whole again: every check passes without the run having changed anything.
    broken.signal("tor0", "zebra", "CONT");
    broken.routes_in_kernel("tor0", 10);
    broken.ground.run(&["test", broken.lab.to_str().unwrap(), "--name", "b", "--only", "policy::"]).code(0);
}

/// The pod CIDR of `worker`, as the kernel of its ToR routes it: through the node's own address.
#[track_caller]
fn pod_cidr_of_worker(ground: &Ground) -> String {
    let table =
        ground.exec("b", "tor0", &["ip", "-json", "route", "show", "proto", "bgp", "via", "10.0.2.2"]).json();
    table[0]["dst"].as_str().unwrap_or_else(|| panic!("no route through worker: {table}")).to_owned()
}

/// Runs the article's lab with its policies changed, as far as tor0's sessions and router0's routes; what the record has.
fn with_policies(ground: &Ground, change: impl Fn(String) -> String) -> Record {
    let lab = ground.path("lab");
    copy(&article(), &lab);
    let policies = lab.join("cilium-bgp-peering-policies.yaml");
    let text = std::fs::read_to_string(&policies).unwrap();
    let changed = change(text.clone());
    assert_ne!(text, changed);
    std::fs::write(&policies, changed).unwrap();
    let only = ["--only", "policy::sessions::tor0::10.0", "--only", "policy::routes::router0::rib"];
    let begun = std::time::Instant::now();
    ground.run(&[&["test", lab.to_str().unwrap()][..], &only[..]].concat()).code(1);
    // The deadline computed from Cilium's timers is over four minutes.
    assert!(begun.elapsed() < SOON * 60, "it waited for what cannot come: {:?}", begun.elapsed());
    Record::read(&ground.path("target/fabric/latest"))
}

#[test]
fn a_policy_with_a_wrong_as_is_not_waited_for() {
    let Some(ground) = Ground::new("a_policy_with_a_wrong_as_is_not_waited_for") else { return };
    let record = with_policies(&ground, |text| text.replacen("peerASN: 65010", "peerASN: 65099", 1));
    let text = record.failure("policy::sessions::tor0::10.0.2.2 is established with AS 65010");
    assert!(
        text.contains(
            "waiting does not help: Cilium on clab-bgp-cplane-demo-worker expects AS 65099 of tor0"
        ),
        "{text}"
    );
    let text = record.failure("policy::routes::router0::rib has the 12 prefixes");
    assert!(text.contains("no route has moved for") && text.contains("expects AS 65099"), "{text}");
}

#[test]
fn a_policy_that_selects_nobody_is_not_waited_for() {
    let Some(ground) = Ground::new("a_policy_that_selects_nobody_is_not_waited_for") else { return };
    let record = with_policies(&ground, |text| text.replacen("rack: rack0", "rack: rack7", 1));
    let text = record.failure("policy::sessions::tor0::10.0.2.2 is established with AS 65010");
    assert!(text.contains("has acted on the newest policies and peers with nobody, not with tor0"), "{text}");
}
