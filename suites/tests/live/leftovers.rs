//! Nothing is left behind, however a run or a fabric ends.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::{Ground, Kin, Running, SOON, a_second, article, copy, until};

/// Starts a run of the article's lab, from its bring-up into its waiting for BGP; what lives then.
fn in_the_middle_of_a_run(ground: &Ground) -> (Running, Kin) {
    let lab = article();
    let mut run = ground.start(ground.fabric(&["test", lab.to_str().unwrap(), "--only", "policy::"]));
    run.says("bring up the underlay");
    let kin = until(SOON * 20, || {
        let kin = ground.kin();
        let daemons = kin.named("bgpd").len() + kin.named("zebra").len() + kin.named("watchfrr").len();
        if daemons == 9 { Ok(kin) } else { Err(format!("not all routers run: {kin:?}")) }
    });
    let kin = kin.unwrap();
    assert!(kin.networks().len() >= 7, "three routers and four nodes: {kin:?}");
    assert_eq!(kin.keepers().len(), 1);
    (run, kin)
}

#[test]
fn after_success() {
    let Some(ground) = Ground::new("after_success") else { return };
    let lab = article();
    let mut run = ground.start(ground.fabric(&["test", lab.to_str().unwrap(), "--only", "underlay::lines"]));
    run.says("bring up the underlay");
    let kin = ground.kin();
    assert!(!kin.is_empty());
    run.wait().code(0);
    ground.nothing_is_left_of(&kin);
    ground.goes_on(&lab);
}

#[test]
fn after_a_check_failed() {
    let Some(ground) = Ground::new("after_a_check_failed") else { return };
    let lab = ground.path("lab");
    copy(&article(), &lab);
    let text = std::fs::read_to_string(lab.join("lab.yaml")).unwrap();
    let text = text.replace(
        "      nodes:\n        count: 4\n",
        "      nodes:\n        count: 5\n        within: 100ms\n",
    );
    std::fs::write(lab.join("lab.yaml"), text).unwrap();
    let mut run =
        ground.start(ground.fabric(&["test", lab.to_str().unwrap(), "--only", "cluster::nodes::there are"]));
    run.says("bring up the cluster");
    let kin = ground.kin();
    let done = run.wait().code(1);
    assert!(done.err.contains("there are 5"), "{}", done.err);
    ground.nothing_is_left_of(&kin);
    ground.goes_on(&article());
}

#[test]
fn after_ctrl_c_and_sigterm() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let Some(ground) = Ground::new("after_ctrl_c_and_sigterm") else { return };
        let (run, kin) = in_the_middle_of_a_run(&ground);
        run.signal(signal);
        let done = run.wait().code(130);
        // The command says so only when it has cleaned up: nothing may need a second then.
        assert_eq!(kin.remains(), Vec::<String>::new(), "{}", done.err);
        ground.nothing_is_left_of(&kin);
        let record = super::support::Record::read(&ground.path("target/fabric/latest"));
        assert_eq!(record.outcome(), "interrupted");
        assert_eq!(record.0["exit_code"], 130);
        ground.goes_on(&article());
    }
}

#[test]
fn after_the_client_was_killed() {
    let Some(ground) = Ground::new("after_the_client_was_killed") else { return };
    let (run, kin) = in_the_middle_of_a_run(&ground);
    run.signal(Signal::SIGKILL);
    run.wait().code(137);
    ground.nothing_is_left_of(&kin);
    ground.goes_on(&article());
}

#[test]
fn after_the_keeper_of_a_run_was_killed() {
    let Some(ground) = Ground::new("after_the_keeper_of_a_run_was_killed") else { return };
    let (mut run, kin) = in_the_middle_of_a_run(&ground);
    kill(Pid::from_raw(kin.keepers()[0]), Signal::SIGKILL).unwrap();
    let gone = until(a_second(), || match kin.remains() {
        // The client is told by the end of its connections, and still has its reports to write.
        left if left.iter().all(|line| line.contains("fabric test")) => Ok(()),
        left => Err(left.join("\n")),
    });
    gone.unwrap();
    let done =
        until(a_second(), || run.ended().ok_or_else(|| "the run waits for what cannot come".to_owned()));
    assert_eq!(done.unwrap().code(), Some(3));
    ground.nothing_is_left_of(&kin);
    let record = super::support::Record::read(&ground.path("target/fabric/latest"));
    assert_eq!(record.outcome(), "bring-up-failed");
    let not_run = record.names("not-run");
    assert!(not_run.contains("policy::routes::router0::rib has the 12 prefixes"), "{not_run:?}");
    assert!(
        record.0["error"]["text"].as_str().unwrap().contains("keeper was killed"),
        "{}",
        record.0["error"]
    );
    ground.goes_on(&article());
}

#[test]
fn after_down() {
    let Some(ground) = Ground::new("after_down") else { return };
    let lab = article();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "one", "--to", "policy"]).code(0);
    let kin = ground.kin();
    assert_eq!(kin.keepers().len(), 1);
    ground.run(&["down", "--name", "one"]).code(0);
    assert_eq!(kin.remains(), Vec::<String>::new(), "`down` returns when nothing is left");
    ground.nothing_is_left_of(&kin);
    ground.goes_on(&lab);
}

#[test]
fn after_the_keeper_was_killed() {
    let Some(ground) = Ground::new("after_the_keeper_was_killed") else { return };
    let lab = article();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "one", "--to", "policy"]).code(0);
    // A command that runs in a node at that moment ends with its node.
    let in_node = ground.start(ground.fabric(&["exec", "--name", "one", "router0", "--", "sleep", "600"]));
    let kin = until(SOON * 5, || {
        let kin = ground.kin();
        if kin.named("sleep").is_empty() { Err("no sleep yet".to_owned()) } else { Ok(kin) }
    });
    let kin = kin.unwrap();
    kill(Pid::from_raw(kin.keepers()[0]), Signal::SIGKILL).unwrap();
    in_node.wait().code(137);
    ground.nothing_is_left_of(&kin);
    let done = ground.run(&["status", "--name", "one"]).code(2);
    assert!(done.err.contains("no fabric named one is up"), "{}", done.err);
    ground.goes_on(&lab);
}
