//! What is gone for good is not waited for: nodes taken away from the article's lab while it is up, judged with the lab's own
//! deadlines of over four minutes.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::{Ground, Record, article};

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
}
