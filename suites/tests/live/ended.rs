//! What is gone for good is not waited for: nodes, daemons and addresses taken away from the article's lab while it is up,
//! judged with the lab's own deadlines of over four minutes.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::{Ground, Record, SOON, article, until};

/// A fabric with its policies that was whole a moment ago.
fn whole(test: &str) -> Option<Ground> {
    let ground = Ground::new(test)?;
    let article = article();
    ground.run(&["up", article.to_str().unwrap(), "--name", "b", "--to", "policy"]).code(0);
    ground.run(&["test", article.to_str().unwrap(), "--name", "b", "--only", "policy::"]).code(0);
    Some(ground)
}

/// Judges the phase again; the record, and that the deadline was not what ended it.
#[track_caller]
fn judged(ground: &Ground) -> Record {
    let begun = Instant::now();
    let article = article();
    ground.run(&["test", article.to_str().unwrap(), "--name", "b", "--only", "policy::"]).code(1);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(90), "it waited for what cannot come: {took:?}");
    Record::read(&ground.path("target/fabric/latest"))
}

/// Waits until a router has lost a session: the hold time of 9 s runs out, where no interface tells sooner.
#[track_caller]
fn lost(ground: &Ground, router: &str, neighbor: &str) {
    let lost = until(SOON * 20, || {
        let summary = ground.exec("b", router, &["vtysh", "-c", "show bgp summary json"]).json();
        match &summary["ipv4Unicast"]["peers"][neighbor]["state"] {
            state if state == "Established" => Err(format!("{router} <-> {neighbor} is up: {summary}")),
            _ => Ok(()),
        }
    });
    lost.unwrap();
}

#[test]
fn nodes_are_gone() {
    let Some(ground) = whole("nodes_are_gone") else { return };
    let status = ground.run(&["status", "--name", "b", "--format", "json"]).code(0).json();
    let nodes = status["nodes"].as_array().unwrap();
    for name in ["tor1", "worker"] {
        let node = nodes.iter().find(|node| {
            let own = node["name"].as_str().unwrap();
            own == name || own.ends_with(&format!("-{name}"))
        });
        let init = node.unwrap()["init"].as_i64().unwrap();
        kill(Pid::from_raw(i32::try_from(init).unwrap()), Signal::SIGKILL).unwrap();
    }
    let record = judged(&ground);
    let text = record.failure("policy::sessions::tor1::net0 is established with AS 65000");
    assert!(text.contains("tor1 is gone"), "{text}");
    let text = record.failure("policy::sessions::router0::net1 is established with AS 65011");
    assert!(text.contains("waiting does not help"), "{text}");
    let text = record.failure("policy::sessions::tor0::10.0.2.2 is established with AS 65010");
    assert!(text.contains("worker is gone"), "{text}");
    let gone = |node: &str| {
        let causes = record.0["causes"].as_array().unwrap().iter();
        causes
            .filter(|cause| cause["kind"] == "router-gone")
            .any(|cause| cause["node"].as_str().unwrap_or_default().ends_with(node))
    };
    assert!(gone("tor1") && gone("worker"), "{:#}", record.0["causes"]);
}

#[test]
fn a_daemon_is_gone_and_nobody_starts_it() {
    let Some(ground) = whole("a_daemon_is_gone_and_nobody_starts_it") else { return };
    // watchfrr first, or it would start another one.
    for daemon in ["watchfrr", "bgpd"] {
        ground.exec("b", "tor1", &["sh", "-c", &format!("kill -KILL $(cat /run/frr/{daemon}.pid)")]);
    }
    lost(&ground, "router0", "net1");
    let record = judged(&ground);
    for check in [
        "policy::sessions::tor1::net0 is established with AS 65000",
        "policy::sessions::router0::net1 is established with AS 65011",
        "policy::routes::router0::rib has the 12 prefixes",
    ] {
        let text = record.failure(check);
        assert!(
            text.contains("bgpd of tor1 does not run, and nothing there or in this lab starts it"),
            "{text}"
        );
    }
}

#[test]
fn an_address_is_taken_from_a_router() {
    let Some(ground) = whole("an_address_is_taken_from_a_router") else { return };
    ground.exec("b", "tor0", &["ip", "address", "del", "10.0.2.1/24", "dev", "net2"]);
    lost(&ground, "tor0", "10.0.2.2");
    let run = judged(&ground);
    let text = run.failure("policy::sessions::tor0::10.0.2.2 is established with AS 65010");
    assert!(text.contains("tor0 has no route to 10.0.2.2"), "{text}");
}

#[test]
fn an_address_is_taken_from_a_node() {
    let Some(ground) = whole("an_address_is_taken_from_a_node") else { return };
    ground.exec("b", "worker", &["ip", "address", "del", "10.0.2.2/24", "dev", "net0"]);
    lost(&ground, "tor0", "10.0.2.2");
    let run = judged(&ground);
    let text = run.failure("policy::sessions::tor0::10.0.2.2 is established with AS 65010");
    assert!(text.contains("worker has the address 10.0.2.2 no more"), "{text}");
}
