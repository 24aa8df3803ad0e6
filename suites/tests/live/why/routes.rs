//! Routes that stop on their way, and kernels that have others than their routers.
//!
//! A fabric is broken in one way after the other, judged, and mended again.

use super::up::{Up, explains_all, the_cause};

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
