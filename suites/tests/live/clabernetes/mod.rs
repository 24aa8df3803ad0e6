//! `--env attach --deployer clabernetes`: the routers become pods of the cluster, are judged there, and are gone afterwards.
//!
//! What lives here: the runs. What does not: the stand-in for clabernetes' controller (`controller`), which wires pods of a twin as
//! clabernetes wires its own: by VXLAN.

mod controller;

use std::fs;
use std::path::PathBuf;

use controller::Controller;
use nix::sys::signal::Signal;

use super::support::{Ground, Record, SOON, article, foreign, until};

/// What must be true of two routers, whoever brought them up.
const EXPECTED: &str = "\
topology: two-routers.clab.yml
phases:
  - name: underlay
    expect:
      sessions:
        r1: { 192.0.2.1: { state: established, as: 64602 }, only: true }
        r2: { 192.0.2.0: { state: established, as: 64601 }, only: true }
      routes:
        r1:
          count: 4
          prefixes:
            r1:lo: {}
            r1:eth2: {}
            r2:lo: { as-path: [64602], from: r2 }
            r2:eth2: { as-path: [64602], from: r2 }
      reach:
        - { from: pc1:eth1, to: pc2:eth1 }
";

/// A cluster with room for pods, and a lab of two routers.
fn there(ground: &Ground) -> (String, PathBuf) {
    ground.run(&["up", article().to_str().unwrap(), "--name", "there", "--to", "cni"]).code(0);
    let status = ground.run(&["status", "--name", "there", "--format", "json"]).json();
    let lab = foreign(ground, "two-routers");
    fs::write(lab.join("lab.yaml"), EXPECTED).unwrap();
    (status["kubeconfig"].as_str().unwrap().to_owned(), lab)
}

#[test]
fn the_routers_become_pods_are_judged_and_are_gone_afterwards() {
    let Some(ground) = Ground::new("the_routers_become_pods_are_judged_and_are_gone_afterwards") else {
        return;
    };
    let (kubeconfig, lab) = there(&ground);
    let lab = lab.to_str().unwrap();
    let line = ["test", lab, "--env", "attach", "--kubeconfig", &kubeconfig, "--deployer", "clabernetes"];

    // Without clabernetes in the cluster nothing is made, and the line to type is said.
    let lost = ground.run(&line).code(3);
    assert!(
        lost.err.contains("helm upgrade --install --create-namespace --namespace c9s clabernetes"),
        "{}",
        lost.err
    );

    let controller = Controller::start(&kubeconfig, &ground.path("controller"));
    ground.run(&line).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!((record.outcome(), record.0["environment"]["env"].as_str()), ("passed", Some("attach")));
    let passed = record.names("passed");
    assert!(passed.contains(&"underlay::sessions::r1::192.0.2.1 is established with AS 64602"), "{passed:?}");
    for step in ["deploy the topology with clabernetes", "take the topology out of the cluster"] {
        assert!(record.steps().contains(&step), "{:?}", record.steps());
    }
    assert_eq!(controller.namespaces(), ["c9s-two-routers"], "what it saw come and go");
    assert!(controller.is_gone("c9s-two-routers"));

    // A failing lab says how to look into the pod, and the pods are gone all the same.
    fs::write(ground.path("two-routers/lab.yaml"), EXPECTED.replace("count: 4", "count: 5")).unwrap();
    let failed = ground.run(&line);
    assert_eq!(failed.code, 1, "{}", failed.err);
    assert!(failed.err.contains("kubectl -n c9s-two-routers exec r1"), "{}", failed.err);
    assert!(controller.is_gone("c9s-two-routers"));
}

#[test]
fn an_interrupted_run_takes_the_topology_away() {
    let Some(ground) = Ground::new("an_interrupted_run_takes_the_topology_away") else { return };
    let (kubeconfig, lab) = there(&ground);
    let controller = Controller::start(&kubeconfig, &ground.path("controller"));
    let lab = lab.to_str().unwrap();
    let line = ["test", lab, "--env", "attach", "--kubeconfig", &kubeconfig, "--deployer", "clabernetes"];
    // In the middle of the deployment, and in the middle of a phase.
    for moment in ["0 of 4 pods ready", "Phase underlay"] {
        let mut running = ground.start(ground.fabric(&line));
        match moment {
            "Phase underlay" => running.says(moment),
            _ => until(SOON, || {
                controller.namespaces().first().map(drop).ok_or_else(|| "nothing comes".into())
            })
            .unwrap(),
        }
        running.signal(Signal::SIGINT);
        let done = running.wait();
        assert_eq!(done.code, 130, "{}", done.err);
        assert!(done.err.contains("take the topology out of the cluster"), "{}", done.err);
        assert!(controller.is_gone("c9s-two-routers"), "{moment}");
    }
}

#[test]
fn a_topology_that_is_there_is_left_alone() {
    let Some(ground) = Ground::new("a_topology_that_is_there_is_left_alone") else { return };
    let (kubeconfig, lab) = there(&ground);
    let lab = lab.to_str().unwrap();
    let controller = Controller::start(&kubeconfig, &ground.path("controller"));
    controller.make_namespace("c9s-two-routers");
    let deployed = ["test", lab, "--env", "attach", "--kubeconfig", &kubeconfig, "--deployer", "clabernetes"];

    // The namespace is somebody else's: what is put into it goes, and it stays.
    ground.run(&deployed).code(0);
    assert!(!controller.is_gone("c9s-two-routers"));
    assert_eq!(controller.topologies("c9s-two-routers"), Vec::<String>::new());

    controller.make_topology("c9s-two-routers", "two-routers");
    let there = ground.run(&deployed).code(3);
    assert!(
        there.err.contains("there is a Topology two-routers in the namespace c9s-two-routers already"),
        "{}",
        there.err
    );
    assert_eq!(controller.topologies("c9s-two-routers"), ["two-routers"]);

    // A file's name may be somebody's, too: nothing is written over.
    controller.make_files("c9s-two-routers", "two-routers-r1-files");
    let there = ground.run(&deployed).code(3);
    assert!(
        there.err.contains("there is a ConfigMap two-routers-r1-files in the namespace"),
        "{}",
        there.err
    );
    assert_eq!(controller.files("c9s-two-routers", "two-routers-r1-files")["whose"], "somebody's");
}
