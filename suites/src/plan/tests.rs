use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use fabric_harness::cilium::promises;
use fabric_harness::lab::yaml::Diagnostics;
use fabric_harness::lab::{Lab, load};
use fabric_harness::wait::{CiliumEnd, FrrEnd};

use super::*;
use crate::expect::Expect;

fn article() -> Lab<Expect> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
    load(&dir).unwrap_or_else(|error| panic!("{error}"))
}

/// The article's lab with another lab.yaml.
fn variant(lab_yaml: &str) -> Lab<Expect> {
    let dir = tempfile::tempdir().unwrap();
    let article = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
    for file in
        ["topo.yaml", "cluster.yaml", "values.yaml", "cilium-bgp-peering-policies.yaml", "nettool.yaml"]
    {
        std::fs::copy(article.join(file), dir.path().join(file)).unwrap();
    }
    let head =
        "topology: topo.yaml\ncluster: cluster.yaml\ncilium: { version: 1.12.1, values: values.yaml }\n";
    std::fs::write(dir.path().join("lab.yaml"), format!("{head}{lab_yaml}")).unwrap();
    load(dir.path()).unwrap_or_else(|error| panic!("{error}"))
}

fn names(plan: &[PlannedPhase]) -> Vec<&str> {
    plan.iter().flat_map(|phase| &phase.checks).map(|check| check.name.as_str()).collect()
}

#[test]
fn the_articles_plan_reads_as_sentences() {
    let plan = plan(&article());
    let names = names(&plan);
    assert!(names.len() >= 60, "{}", names.len());
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn names_are_unique_and_begin_with_phase_and_kind() {
    let plan = plan(&article());
    let names: Vec<&str> = names(&plan);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for phase in &plan {
        for check in &phase.checks {
            assert!(check.name.starts_with(&format!("{}::{}::", phase.name, check.kind)), "{}", check.name);
            assert!(!check.at.file.as_os_str().is_empty(), "{} has no place", check.name);
        }
    }
}

#[test]
fn the_articles_names_are_all_known() {
    let mut ctx = Diagnostics::new();
    review(&article(), &mut ctx);
    assert_eq!(ctx.iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn names_nobody_knows_are_found_with_the_nearest() {
    let lab = variant(
        r#"phases:
  - name: a
    expect:
      sessions: { rooter0: { net0: established }, tor0: { node/wroker: down } }
      routes:
        tor1: { removes: [mgmt], absent: ["podCIDR(nettool-1)"] }
        router0: { count: 1, prefixes: { tor9:lo: { from: tor7 }, mgmt: {}, tor0:lo: { from: net0 }, tor1:lo: { from: 10.0.0.9 } } }
"#,
    );
    let mut ctx = Diagnostics::new();
    review(&lab, &mut ctx);
    let noted: Vec<String> =
        ctx.iter().map(|one| format!("{one:#} ({})", one.help.as_deref().unwrap_or(""))).collect();
    let noted = noted.join("\n");
    let noted = regex::Regex::new(r"(?m)^.*?lab.yaml").unwrap().replace_all(&noted, "lab.yaml").into_owned();
    insta::assert_snapshot!(noted);
}

#[test]
fn a_set_is_changed_by_what_later_phases_add_and_remove() {
    let lab = variant(
        r#"phases:
  - name: a
    expect: { routes: { router0: { prefixes: [router0:lo, tor0:lo] } } }
  - name: b
    expect: { routes: { router0: { adds: [mgmt] }, tor0: { adds: [mgmt], fib: unjudged } } }
  - name: c
    expect: { routes: { router0: { removes: [tor0:lo], absent: [tor0:lo] }, tor0: { count: 3 } } }
"#,
    );
    let plan = plan(&lab);
    insta::assert_snapshot!(names(&plan).join("\n"), @r"
    a::routes::router0::rib has the 2 prefixes
    a::routes::router0::fib routes to the 2 prefixes
    b::routes::router0::rib has router0:lo, tor0:lo, mgmt
    b::routes::router0::fib routes to router0:lo, tor0:lo, mgmt
    b::routes::tor0::rib has mgmt
    c::routes::router0::rib has router0:lo, mgmt
    c::routes::router0::fib routes to router0:lo, mgmt
    c::routes::router0::rib lacks tor0:lo
    c::routes::router0::fib lacks tor0:lo
    c::routes::tor0::rib has 3 prefixes
    ");
}

#[test]
fn what_is_said_of_one_goes_before_what_is_said_of_all() {
    let lab = variant(
        r#"phases:
  - name: a
    expect:
      within: 9s
      holds: 2s
      sessions:
        holds: 1s
        router0: { within: 8s, net0: { state: established, within: 7s }, net1: established }
"#,
    );
    let plan = plan(&lab);
    let times: Vec<_> =
        plan[0].checks.iter().map(|check| (check.within.unwrap(), check.holds.unwrap())).collect();
    let seconds = Duration::from_secs;
    assert_eq!(times, [(seconds(7), seconds(1)), (seconds(8), seconds(1))]);
}

fn timers() -> Timers {
    let promises = promises(&"1.12.1".parse().unwrap()).unwrap();
    let routers = [
        ("router0".to_owned(), FrrEnd::traditional()),
        ("tor0".to_owned(), FrrEnd::datacenter()),
        ("tor1".to_owned(), FrrEnd::datacenter()),
    ];
    Timers { cilium: Some(CiliumEnd::new(promises)), routers: routers.into(), image: Duration::ZERO }
}

#[test]
fn deadlines_are_the_timers_behind_them() {
    let plan = plan(&article());
    let timers = timers();
    let mut lines: Vec<String> = Vec::new();
    for phase in &plan {
        for kind in CheckKind::ALL {
            let checks = phase.checks.iter().filter(|check| check.kind == kind);
            let longest = checks.map(|check| deadline(phase, check, &timers)).max_by_key(|one| one.budget);
            if let Some(longest) = longest {
                lines.push(format!("{}::{kind}: {longest}", phase.name));
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn within_goes_before_every_timer() {
    let lab = variant("phases: [{ name: a, expect: { within: 20s, nodes: { ready: true } } }]\n");
    let plan = plan(&lab);
    assert_eq!(deadline(&plan[0], &plan[0].checks[0], &timers()).budget, Duration::from_secs(20));
}
