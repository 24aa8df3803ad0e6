//! However a fabric of containers ends, nothing is left of it.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::engine::left_of;
use super::lab::Bench;
use super::support::{Record, until};

/// An engine needs its time to end a dozen containers.
const ENGINES_TIME: Duration = Duration::from_secs(30);

pub(crate) fn the_article_passes() {
    let bench = Bench::article("article");
    let done = bench.run("test", &["--fresh"]).code(0);
    assert!(done.err.contains("239 of 239 checks passed"), "{}", done.err);
    let record = Record::read(&bench.ground.path("target/fabric/latest"));
    assert_eq!(record.outcome(), "passed");
    assert_eq!(record.0["environment"]["runtime"], "docker");
    bench.nothing_is_left();
}

pub(crate) fn after_the_keeper_was_killed() {
    let bench = Bench::article("keeper");
    bench.run("up", &["--to", "underlay"]).code(0);
    assert!(!left_of(&bench.name).is_empty());
    let keepers = bench.ground.kin().keepers();
    assert_eq!(keepers.len(), 1);
    kill(Pid::from_raw(keepers[0]), Signal::SIGKILL).unwrap();
    until(ENGINES_TIME, || match bench.ground.kin().keepers().len() {
        0 => Ok(()),
        _ => Err("the keeper lives".to_owned()),
    })
    .unwrap();
    bench.ground.run(&["down", "--name", &bench.name]);
    bench.nothing_is_left();
}

/// The client of a test run: its keeper ends with it, and ends the containers.
pub(crate) fn after_the_client_was_killed() {
    let bench = Bench::article("client");
    let mut run = bench.start("test", &["--fresh", "--only", "policy::"]);
    run.says("bring up the underlay");
    assert!(!left_of(&bench.name).is_empty());
    run.signal(Signal::SIGKILL);
    run.wait().code(137);
    until(ENGINES_TIME, || match left_of(&bench.name) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join(", ")),
    })
    .unwrap();
}
