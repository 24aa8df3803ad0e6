//! `--env attach`: a twin that is up stands for what somebody else brought up: an API, and routers behind a command.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::support::{Ground, Record, article};

const NODES: [&str; 7] = ["router0", "tor0", "tor1", "control-plane", "worker", "worker2", "worker3"];

/// The article's lab, up to a phase, and the flags that lead to it from outside.
struct There<'g> {
    ground: &'g Ground,
    kubeconfig: String,
    flags: Vec<String>,
}

impl<'g> There<'g> {
    fn up(ground: &'g Ground, phase: &str) -> Self {
        let lab = article();
        ground.run(&["up", lab.to_str().unwrap(), "--name", "there", "--to", phase]).code(0);
        let status = ground.run(&["status", "--name", "there", "--format", "json"]).json();
        let kubeconfig = status["kubeconfig"].as_str().unwrap().to_owned();
        let mut flags: Vec<String> =
            ["--env", "attach", "--kubeconfig", &kubeconfig].map(str::to_owned).into();
        for node in NODES {
            let way = format!("{node}=exec:{} exec --name there {node} --", env!("CARGO_BIN_EXE_fabric"));
            flags.extend(["--router".to_owned(), way]);
        }
        Self { ground, kubeconfig, flags }
    }

    fn arguments<'a>(&'a self, lab: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let flags = self.flags.iter().map(String::as_str);
        ["test", lab].into_iter().chain(flags).chain(more.iter().copied()).collect()
    }

    fn kubectl(&self, words: &[&str]) -> Value {
        let arguments = [&["get"], words, &["-o", "json"]].concat();
        let mut command = self.ground.command("kubectl");
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", self.ground.path("home")).args(arguments);
        self.ground.start(command).wait().code(0).json()
    }
}

fn left_out(record: &Record) -> Vec<(&str, &str)> {
    let all = record.0["left_out"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|one| (one["phase"].as_str().unwrap(), one["why"].as_str().unwrap())).collect()
}

#[test]
fn the_present_state_is_judged_and_nothing_is_changed() {
    let Some(ground) = Ground::new("the_present_state_is_judged_and_nothing_is_changed") else { return };
    let there = There::up(&ground, "workload");
    let lab = article();
    let done = ground.run(&there.arguments(lab.to_str().unwrap(), &[])).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!((record.outcome(), record.0["environment"]["env"].as_str()), ("passed", Some("attach")));
    let passed = record.names("passed");
    assert!(passed.iter().all(|name| name.starts_with("workload::")), "{passed:?}");
    assert!(passed.len() >= 20, "{passed:?}");
    let left = left_out(&record);
    assert_eq!(left.len(), 5, "{left:?}");
    assert!(done.err.contains("Left out policy: Pod/nettool-1 and Pod/nettool-2 are there"), "{}", done.err);
    assert!(record.steps().iter().all(|step| !step.contains("apply") && !step.contains("take")));
    // It is still up, as it was.
    ground.exec("there", "default/nettool-1", &["true"]);

    // A phase that the state does not satisfy can be asked for; then it fails, and says how to look.
    let done = ground
        .run(&there.arguments(lab.to_str().unwrap(), &["--phase", "underlay", "--only", "router0::rib has"]));
    assert_eq!(done.code, 1, "{}", done.err);
    assert!(done.err.contains("exec --name there router0 -- vtysh -c 'show bgp ipv4 wide'"), "{}", done.err);
}

#[test]
fn the_policies_phase_holds_through_a_command() {
    let Some(ground) = Ground::new("the_policies_phase_holds_through_a_command") else { return };
    let there = There::up(&ground, "policy");
    let lab = article();
    ground.run(&there.arguments(lab.to_str().unwrap(), &[])).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!(record.names("passed").len(), 62);
    // A flag too many, a lab that is not known, a way that is none: each its own sentence.
    let wrong = ground.run(&["test", lab.to_str().unwrap(), "--router", "router0=docker:x"]).code(2);
    assert!(wrong.err.contains("--env attach"), "{}", wrong.err);
    let wrong =
        ground.run(&["test", lab.to_str().unwrap(), "--env", "attach", "--router", "router0"]).code(2);
    assert!(wrong.err.contains("there is no `=`"), "{}", wrong.err);
    let kubeconfig = ["--kubeconfig", there.kubeconfig.as_str()];
    let lost = ["test", lab.to_str().unwrap(), "--env", "attach", kubeconfig[0], kubeconfig[1]];
    let lost = ground.run(&lost).code(3);
    assert!(lost.err.contains("nothing leads into router0"), "{}", lost.err);
}

#[test]
fn a_walk_applies_and_puts_everything_back() {
    let Some(ground) = Ground::new("a_walk_applies_and_puts_everything_back") else { return };
    let there = There::up(&ground, "policy");
    let lab = article();
    ground.run(&there.arguments(lab.to_str().unwrap(), &["--allow-apply"])).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!(record.outcome(), "passed");
    for phase in ["underlay::", "cni::", "policy::", "workload::", "withdraw::"] {
        assert!(record.names("passed").iter().any(|name| name.starts_with(phase)), "{phase}");
    }
    assert!(record.steps().contains(&"put everything back as it was"), "{:?}", record.steps());
    // The policies are there again, and the pods are not.
    let vtysh = ["vtysh", "-c", "show bgp ipv4 summary json"];
    ground.exec("there", "tor0", &vtysh);
    if std::process::Command::new("kubectl").arg("version").output().is_ok() {
        assert_eq!(there.kubectl(&["ciliumbgppeeringpolicies"])["items"].as_array().unwrap().len(), 2);
        assert_eq!(there.kubectl(&["pods", "-n", "default"])["items"].as_array().unwrap().len(), 0);
    }
    // And so a second run judges the same phase again.
    ground.run(&there.arguments(lab.to_str().unwrap(), &["--only", "policy::sessions::tor0"])).code(0);
}

#[test]
fn an_interrupted_walk_puts_everything_back() {
    let Some(ground) = Ground::new("an_interrupted_walk_puts_everything_back") else { return };
    let there = There::up(&ground, "policy");
    let lab = article();
    let arguments = there.arguments(lab.to_str().unwrap(), &["--allow-apply"]);
    let mut running = ground.start(ground.fabric(&arguments));
    running.says("Phase underlay");
    running.signal(Signal::SIGINT);
    let done = running.wait();
    assert_eq!(done.code, 130, "{}", done.err);
    assert!(done.err.contains("put everything back as it was"), "{}", done.err);
    ground.run(&there.arguments(lab.to_str().unwrap(), &["--only", "policy::sessions::tor0"])).code(0);
}

#[test]
fn what_is_there_is_discovered() {
    let Some(ground) = Ground::new("what_is_there_is_discovered") else { return };
    let there = There::up(&ground, "policy");
    let seen =
        ground.run(&["discover", "--kubeconfig", &there.kubeconfig, "--format", "json"]).code(0).json();
    assert_eq!(seen["cluster"]["nodes"].as_array().unwrap().len(), 4);
    let apis = seen["cluster"]["bgp"].as_array().unwrap();
    assert_eq!(
        (apis[0]["kind"].as_str(), apis[0]["objects"].as_u64()),
        (Some("CiliumBGPPeeringPolicy"), Some(2))
    );
    let lab = seen["labs"].as_array().unwrap().iter().find(|lab| lab["name"] == "there").unwrap();
    let first =
        lab["routers"].as_array().unwrap().iter().find(|way| way.as_str().unwrap().starts_with("router0="));
    assert!(first.unwrap().as_str().unwrap().ends_with("exec --name there router0 --"), "{lab}");
    let told = ground.run(&["discover", "--kubeconfig", &there.kubeconfig]).code(0);
    assert!(
        told.out.contains("CiliumBGPPeeringPolicy cilium.io/v2alpha1: 2 objects, in use"),
        "{}",
        told.out
    );
    assert!(told.out.contains("Not found: "), "{}", told.out);
}
