//! The command line's contract: exit codes, streams, JSON, and where a mistake is said to be.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use rstest::rstest;

use super::support::{Ground, Record, article};

/// A small lab of two boxes, with this as its lab.yaml.
fn small(ground: &Ground, lab: &str) -> PathBuf {
    let dir = ground.path("small");
    fs::create_dir_all(&dir).unwrap();
    let topology = "name: small\n\
                    topology:\n  \
                      nodes:\n    \
                        a: { kind: linux, image: alpine }\n    \
                        b: { kind: linux, image: alpine }\n  \
                      links:\n    \
                        - endpoints: [\"a:eth1\", \"b:eth1\"]\n";
    fs::write(dir.join("topo.yaml"), topology).unwrap();
    fs::write(dir.join("lab.yaml"), format!("topology: topo.yaml\nphases:\n{lab}")).unwrap();
    dir
}

const UP: &str = "  - name: underlay\n    expect: { interfaces: { a: { eth1: up } } }\n";

#[test]
fn exit_codes_of_runs() {
    let Some(ground) = Ground::new("exit_codes_of_runs") else { return };
    let lab = small(&ground, UP);
    let lab = lab.to_str().unwrap();
    let passed = ground.run(&["test", lab]).code(0);
    assert!(passed.err.contains("1 of 1 check passed"), "{}", passed.err);

    let nothing = ground.run(&["test", lab, "--only", "no-check-is-called-so"]).code(4);
    assert!(nothing.err.contains("checked nothing"), "{}", nothing.err);
    assert!(!nothing.err.contains("start the keeper"), "nothing is made for nothing: {}", nothing.err);

    let wants_what_is_not =
        "  - name: underlay\n    expect: { interfaces: { within: 50ms, a: { eth1: down } } }\n";
    small(&ground, wants_what_is_not);
    let failed = ground.run(&["test", lab]).code(1);
    assert!(failed.err.contains("underlay::interfaces::a::eth1 is down"), "{}", failed.err);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!((record.outcome(), record.0["exit_code"].as_u64()), ("failed", Some(1)));

    let breaks = format!(
        "{UP}  - name: second\n    run: [{{ node: b, command: ls /not/there }}]\n    \
                          expect: {{ interfaces: {{ b: {{ eth1: up }} }} }}\n"
    );
    small(&ground, &breaks);
    let broken = ground.run(&["test", lab]).code(3);
    assert!(broken.err.contains("`ls /not/there` in b ended with code 2"), "{}", broken.err);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!(record.outcome(), "bring-up-failed");
    assert_eq!(record.names("passed").len(), 1, "what came before was judged");
    assert_eq!(
        record.names("not-run").into_iter().collect::<Vec<_>>(),
        ["second::interfaces::b::eth1 is up"]
    );
    let up = ground.run(&["up", lab, "--to", "second"]).code(3);
    assert!(up.err.contains("`ls /not/there` in b ended with code 2"), "{}", up.err);
    assert!(ground.kin().is_empty(), "half a fabric is no fabric");
}

#[rstest]
#[case::no_command(&[], "Usage: fabric")]
#[case::unknown_command(&["bring-up"], "unrecognized subcommand")]
#[case::unknown_flag(&["list", "--loud"], "unexpected argument")]
#[case::no_lab_there(&["test", "/not/there"], "/not/there")]
#[case::nothing_up(&["exec", "router0", "--", "true"], "no fabric is up: `fabric up` brings one up")]
#[case::nothing_up(&["down", "--name", "x"], "no fabric named x is up")]
fn wrong_usage_is_two(#[case] arguments: &[&str], #[case] says: &str) {
    let Some(ground) = Ground::new("wrong_usage_is_two") else { return };
    let done = ground.run(arguments).code(2);
    assert!(done.err.contains(says), "{}", done.err);
    assert_eq!(done.out, "");
}

#[rstest]
#[case::a_key("  - name: underlay\n    expekt: {}\n", "small/lab.yaml:4:5", "did you mean `expect`?")]
#[case::a_value(
    "  - name: underlay\n    expect: { interfaces: { a: { eth1: upp } } }\n",
    "small/lab.yaml:4:40",
    "`up`"
)]
#[case::a_node(
    "  - name: underlay\n    expect: { interfaces: { c: { eth1: up } } }\n",
    "small/lab.yaml:4:29",
    "no node `c`"
)]
#[case::yaml("  - name: underlay\n    expect: { interfaces\n", "small/lab.yaml:", "")]
fn a_bad_lab_is_two_and_says_where(#[case] lab: &str, #[case] place: &str, #[case] help: &str) {
    let Some(ground) = Ground::new("a_bad_lab_is_two_and_says_where") else { return };
    small(&ground, lab);
    for command in ["test", "up"] {
        let done = ground.run(&[command, "small"]).code(2);
        assert!(done.err.contains(place) && done.err.contains(help), "{}", done.err);
    }
    assert!(ground.kin().is_empty());
}

#[test]
fn a_phase_that_is_not_there() {
    let Some(ground) = Ground::new("a_phase_that_is_not_there") else { return };
    let lab = small(&ground, UP);
    let done = ground.run(&["up", lab.to_str().unwrap(), "--to", "polcy"]).code(2);
    assert!(done.err.contains("the lab has no phase polcy; it has underlay"), "{}", done.err);
}

#[test]
fn listing_works_with_nothing_installed() {
    let Some(ground) = Ground::new("listing_works_with_nothing_installed") else { return };
    let mut command = ground.fabric(&["test", article().to_str().unwrap(), "--list", "--only", "policy::"]);
    command.env_clear().env("PATH", "").env("FABRIC_CACHE_DIR", "");
    let done = ground.start(command).wait().code(0);
    assert!(done.out.lines().all(|line| line.starts_with("policy::")), "{}", done.out);
    assert!(
        done.out.lines().any(|line| line == "policy::routes::router0::rib has the 12 prefixes"),
        "{}",
        done.out
    );
    assert_eq!(done.err, "");
}

#[test]
fn what_is_up_can_be_asked_and_entered() {
    let Some(ground) = Ground::new("what_is_up_can_be_asked_and_entered") else { return };
    let lab = article();
    let up = ground.run(&["up", lab.to_str().unwrap(), "--name", "s"]).code(0);
    assert!(up.out.starts_with("s is up: 11 nodes, phase cni,"), "{}", up.out);
    assert!(up.out.contains("export KUBECONFIG=") && up.out.contains("kubectl apply -f"), "{}", up.out);

    let status = ground.run(&["status", "--format", "json"]).code(0).json();
    assert_eq!(
        (&status["name"], &status["phase"], &status["state"]),
        (&"s".into(), &"cni".into(), &"up".into())
    );
    assert_eq!(status["phases"].as_array().unwrap().len(), 6);
    let nodes = status["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 11);
    assert!(nodes.iter().all(|node| node["init"].as_i64().is_some_and(|pid| pid > 1)), "{nodes:?}");
    let kubeconfig = fs::metadata(status["kubeconfig"].as_str().unwrap()).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&kubeconfig.permissions()) & 0o777, 0o600);
    assert!(ground.run(&["status"]).code(0).out.contains("s: up, phase cni"));

    let exec = |node: &str, command: &[&str]| ground.run(&[&["exec", node, "--"], command].concat());
    assert_eq!(exec("router0", &["sh", "-c", "echo out; echo err >&2; exit 42"]).code(42).out, "out\n");
    assert_eq!(exec("worker", &["hostname"]).code(0).out, "clab-bgp-cplane-demo-worker\n");
    exec("tor0", &["sh", "-c", "kill -9 $$"]).code(137);
    assert!(exec("tor0", &["no-such-program"]).code(127).err.contains("no-such-program"));
    let nobody = exec("tor9", &["true"]).code(2);
    assert!(nobody.err.contains("there is no node tor9 (did you mean tor0?)"), "{nobody:?}");
    let mut shell = ground.fabric(&["shell", "tor0"]);
    fs::write(ground.path("script"), "hostname\nexit 7\n").unwrap();
    shell.stdin(Stdio::from(fs::File::open(ground.path("script")).unwrap()));
    let shell = ground.start(shell).wait().code(7);
    assert_eq!(
        (shell.out.as_str(), shell.err.as_str()),
        ("tor0\n", ""),
        "a script's shell asks for no terminal"
    );
    // Standard input goes in, and its end too.
    fs::write(ground.path("input"), "one\ntwo\n").unwrap();
    let mut command = ground.fabric(&["exec", "tor1", "--", "sort", "-r"]);
    command.stdin(Stdio::from(fs::File::open(ground.path("input")).unwrap()));
    assert_eq!(ground.start(command).wait().code(0).out, "two\none\n");

    // A run on what is up says which phases it has left behind, and leaves it up.
    let judged =
        ground.run(&["test", lab.to_str().unwrap(), "--only", "cluster::", "--only", "cni::"]).code(0);
    assert!(judged.err.contains("Still up"), "{}", judged.err);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert!(
        record.names("skipped").iter().all(|name| name.starts_with("cluster::")),
        "{:?}",
        record.names("skipped")
    );
    assert!(
        record.names("passed").iter().all(|name| name.starts_with("cni::")),
        "{:?}",
        record.names("passed")
    );
    ground.run(&["down", lab.to_str().unwrap()]).code(0);
}

#[rstest]
#[case::its_folder_which_is_gone("small")]
#[case::its_name("by-name")]
fn a_fabric_ends_by_what_is_written_down_of_it(#[case] said: &str) {
    let Some(ground) = Ground::new("a_fabric_ends_by_what_is_written_down_of_it") else { return };
    let lab = small(&ground, UP);
    ground.run(&["up", lab.to_str().unwrap(), "--name", "by-name"]).code(0);
    fs::remove_dir_all(&lab).unwrap();
    let other = ground.run(&["down", "another"]).code(2);
    assert!(other.err.contains("no fabric of the lab another is up (up: by-name)"), "{}", other.err);
    assert!(ground.run(&["down", said]).code(0).out.starts_with("by-name is down"));
}
