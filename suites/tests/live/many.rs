//! `fabric stress` and `fabric history`: many real runs.

use std::fs;

use super::support::{Ground, foreign};

const LAB: &str = "topology: two-routers.clab.yml
phases:
  - name: underlay
    expect:
      sessions:
        r1: { NEIGHBOR: established }
";

/// Two routers with one expectation.
fn two(ground: &Ground, expected: &str) -> String {
    let lab = foreign(ground, "two-routers");
    fs::write(lab.join("lab.yaml"), LAB.replace("NEIGHBOR: established", expected)).unwrap();
    lab.to_str().unwrap().to_owned()
}

#[test]
fn many_runs_side_by_side_leave_nothing_but_figures() {
    let Some(ground) = Ground::new("many_runs_side_by_side_leave_nothing_but_figures") else { return };
    let lab = two(&ground, "192.0.2.1: established");
    let told = ground.run(&["stress", "4", &lab, "--jobs", "2", "--format", "json"]).code(0).json();
    assert_eq!((told["runs"].as_u64(), told["passed"].as_u64()), (Some(4), Some(4)));
    let checks = told["checks"].as_array().unwrap();
    assert!(checks.len() >= 3, "{told:#}");
    for check in checks {
        assert_eq!((check["passed"].as_u64(), check["failed"].as_u64()), (Some(4), Some(0)), "{check}");
        assert!(check["p50_ms"].as_f64() <= check["p90_ms"].as_f64(), "{check}");
        assert!(check["p90_ms"].as_f64() <= check["max_ms"].as_f64(), "{check}");
    }
    assert!(!ground.path("target/fabric/stress").exists(), "records of runs that passed are not kept");
    assert!(ground.kin().is_empty(), "{:?}", ground.kin());

    let wrong = two(&ground, "192.0.2.1: { state: established, as: 65999, within: 1s }");
    let told = ground.run(&["stress", "2", &wrong, "--jobs", "1"]).code(1);
    assert!(told.out.contains("0 of 2 runs passed") && told.out.contains("in every run"), "{}", told.out);
    let kept = fs::read_dir(ground.path("target/fabric/stress")).unwrap().count();
    assert_eq!(kept, 2, "records of runs that failed are kept");
}

#[test]
fn runs_are_remembered() {
    let Some(ground) = Ground::new("runs_are_remembered") else { return };
    assert!(ground.run(&["history"]).code(4).err.contains("no run is remembered"));
    let lab = two(&ground, "192.0.2.1: established");
    for _ in 0..2 {
        ground.run(&["test", &lab]).code(0);
    }
    fs::remove_dir_all(ground.path("target/fabric/runs")).unwrap();
    let seen = ground.run(&["history", &lab, "--format", "json"]).code(0).json();
    assert_eq!(seen[0]["runs"].as_array().unwrap().len(), 2, "{seen:#}");
    assert!(seen[0]["checks"].as_array().unwrap().iter().all(|check| check["passed"] == 2), "{seen:#}");

    // The same lab fails once: somebody else's cable.
    ground.run(&["up", &lab, "--name", "f"]).code(0);
    ground.exec(
        "f",
        "r1",
        &["vtysh", "-c", "conf t", "-c", "router bgp 64601", "-c", "neighbor 192.0.2.1 shutdown"],
    );
    ground.run(&["test", &lab, "--name", "f"]).code(1);
    let told = ground.run(&["history", &lab]).code(1);
    assert!(told.out.contains("flaky underlay::sessions::r1::192.0.2.1 is established"), "{}", told.out);
    assert!(told.out.contains("failed in 1 of 3 runs on the same lab"), "{}", told.out);
}
