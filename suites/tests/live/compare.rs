//! `fabric diff` and `fabric parity`: two real runs compared, alike and broken by hand.

use serde_json::Value;

use super::support::{Ground, article, copy, impatient};

/// The titles of a comparison's groups that weigh more than a note.
fn titles(diff: &Value) -> Vec<&str> {
    let groups = diff["groups"].as_array().unwrap().iter().filter(|group| group["weight"] != "note");
    groups.map(|group| group["title"].as_str().unwrap()).collect()
}

#[test]
fn two_runs_of_a_lab_differ_in_nothing() {
    let Some(ground) = Ground::new("two_runs_of_a_lab_differ_in_nothing") else { return };
    let lab = article();
    let lab = lab.to_str().unwrap();
    // Side by side, each slowing the other down.
    let runs = ["one", "other"].map(|name| {
        ground.start(ground.fabric(&["test", lab, "--fresh", "--name", name, "--report-dir", name]))
    });
    for run in runs {
        run.wait().code(0);
    }
    let told = ground.run(&["diff", "one", "other/record.json"]).code(0);
    assert!(told.out.contains("the same: nothing of meaning differs"), "{}", told.out);
    let seen = ground.run(&["diff", "one", "other", "--format", "json"]).code(0).json();
    assert_eq!(seen["groups"].as_array().unwrap().len(), 0, "{seen:#}");
}

/// The same lab on two versions: what differs is the version's doing, and with the policies left behind it is an outage.
#[test]
fn an_upgrade_is_no_regression_and_a_silent_outage_is_one() {
    let Some(ground) = Ground::new("an_upgrade_is_no_regression_and_a_silent_outage_is_one") else { return };
    let old = article();
    let old = old.to_str().unwrap();
    let written = ground.path("written");
    let new = written.to_str().unwrap();
    ground.run(&["upgrade", "check", old, "--to", "1.20.0", "--write", new]).code(1);
    // The same with nothing for the new version to act on: what is left of policies that nobody serves.
    let silent = ground.path("silent");
    copy(&written, &silent);
    let file = silent.join("lab.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let without = |line: &&str| !line.contains("[cilium-bgp-peering-policies.yaml]");
    let text: String = text.lines().filter(without).map(|line| format!("{line}\n")).collect();
    let (before, after) = text.split_once("- name: policy").unwrap();
    let after = after.replacen("expect:\n", "expect:\n      within: 3s\n", 1);
    std::fs::write(&file, format!("{before}- name: policy{after}")).unwrap();
    // One after the other: a busy machine loses sessions that neither version would.
    for (lab, name, code) in [(old, "old", 0), (new, "new", 0), (silent.to_str().unwrap(), "silent", 1)] {
        let line = ["test", lab, "--fresh", "--name", name, "--report-dir", name, "--only", "policy::"];
        ground.run(&line).code(code);
    }

    let told = ground.run(&["diff", "old", "new"]).code(0).out;
    assert!(told.contains("Cilium (modelled): 1.12.1 -> 1.20.0"), "{told}");
    assert!(told.contains("expected: Cilium 1.20 embeds GoBGP 4.7: go.mod"), "{told}");
    assert!(!told.contains("does not serve"), "{told}");

    let seen = ground.run(&["diff", "old", "silent", "--format", "json", "--no-durations"]).code(1).json();
    let all = titles(&seen);
    assert!(all[0].starts_with("12 routes became 8 on router0"), "{all:#?}");
    assert!(
        all[0].contains(
            "Cilium 1.20.0 does not serve CiliumBGPPeeringPolicy any more; rack0, rack1 are ignored"
        ),
        "{all:#?}"
    );
    let differences = seen["groups"][0]["differences"].as_array().unwrap();
    let of = |kind: &str| differences.iter().filter(|one| one["kind"] == kind).count();
    assert_eq!((of("session"), of("route"), of("kernel")), (4, 12, 12), "{seen:#}");
    ground.run(&["diff", "old", "silent", "--no-expected"]).code(1);
}

#[test]
fn a_broken_link_is_one_cause() {
    let Some(ground) = Ground::new("a_broken_link_is_one_cause") else { return };
    let lab = article();
    let lab = lab.to_str().unwrap();
    ground.run(&["up", lab, "--name", "b", "--to", "policy"]).code(0);
    let judge = |lab: &str, folder: &str| {
        ground.run(&["test", lab, "--name", "b", "--only", "policy::", "--report-dir", folder]).code
    };
    assert_eq!(judge(lab, "whole"), 0);
    ground.exec("b", "tor0", &["ip", "link", "set", "net0", "down"]);
    let hasty = impatient(&ground, "3s");
    assert_eq!(judge(hasty.to_str().unwrap(), "broken"), 1);
    let seen = ground.run(&["diff", "whole", "broken", "--format", "json"]).code(1).json();
    assert_eq!(titles(&seen), ["the session router0 net0 -- tor0 net0 is down"], "{seen:#}");
    let differences = seen["groups"][0]["differences"].as_array().unwrap();
    let of = |kind: &str| differences.iter().filter(|one| one["kind"] == kind).count();
    assert_eq!(of("session"), 2);
    assert!(of("route") > 8 && of("kernel") > 8 && of("check") == 25, "{seen:#}");
    // The way back is better, and told for a pull request.
    let page = ground.run(&["diff", "broken", "whole", "--format", "md"]).code(1).out;
    assert!(page.contains("<b>changed</b>") || page.contains("<b>better</b>"), "{page}");
    // What is no record is bad input.
    let wrong = ground.run(&["diff", "whole", "nowhere"]).code(2);
    assert!(wrong.err.contains("cannot read the record nowhere"), "{}", wrong.err);
}

#[test]
fn a_twin_that_was_broken_by_hand_is_not_as_predicted() {
    let Some(ground) = Ground::new("a_twin_that_was_broken_by_hand_is_not_as_predicted") else { return };
    let lab = article();
    let lab = lab.to_str().unwrap();
    ground.run(&["up", lab, "--name", "there", "--to", "workload"]).code(0);
    let status = ground.run(&["status", "--name", "there", "--format", "json"]).json();
    let kubeconfig = status["kubeconfig"].as_str().unwrap().to_owned();
    let mut flags: Vec<String> = ["--env", "attach", "--kubeconfig", &kubeconfig].map(str::to_owned).into();
    for node in ["router0", "tor0", "tor1", "control-plane", "worker", "worker2", "worker3"] {
        let way = format!("{node}=exec:{} exec --name there {node} --", env!("CARGO_BIN_EXE_fabric"));
        flags.extend(["--router".to_owned(), way]);
    }
    let parity = |lab: &str, more: &[&str]| {
        let flags = flags.iter().map(String::as_str);
        let line: Vec<&str> = ["parity", lab].into_iter().chain(flags).chain(more.iter().copied()).collect();
        ground.run(&line)
    };
    let same = parity(lab, &[]).code(0);
    assert!(same.out.contains("the same"), "{}", same.out);

    // One router prepends its AS on what it sends up: sessions stay, routes and a path do not.
    let prepend = "vtysh -c 'conf t' -c 'route-map far permit 10' -c 'set as-path prepend 65010 65010' -c 'exit' \
                   -c 'router bgp 65010' -c 'address-family ipv4 unicast' -c 'neighbor net0 route-map far out' \
                   -c 'end' -c 'clear bgp ipv4 unicast * soft out'";
    ground.exec("there", "tor0", &["sh", "-c", prepend]);
    let hasty = impatient(&ground, "3s");
    let seen = parity(hasty.to_str().unwrap(), &["--format", "json"]).code(1).json();
    let all = titles(&seen);
    assert!(
        all.iter().any(|title| title.contains("router0") && title.contains("come from tor0")),
        "{seen:#}"
    );
    let told = seen.to_string();
    assert!(told.contains("AS path 65010 65010 65010"), "{seen:#}");
    assert_eq!(
        (seen["old"]["called"].as_str(), seen["new"]["called"].as_str()),
        (Some("twin"), Some("attached"))
    );
    let none = ground.run(&["parity", lab]).code(2);
    assert!(none.err.contains("say which, as `--env attach`"), "{}", none.err);
}
