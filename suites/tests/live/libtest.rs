//! `cargo test --test fabric` as a citizen of test harnesses.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::support::{Done, Ground, Record};

/// The test executable `fabric`: cargo gives tests the path of a binary, but not of another test.
fn suite() -> PathBuf {
    static SUITE: OnceLock<PathBuf> = OnceLock::new();
    SUITE
        .get_or_init(|| {
            if let Some(built) = std::env::var_os("FABRIC_SUITE") {
                return built.into();
            }
            // target/<profile>/fabric; the profile `dev` builds into `debug`.
            let binary = PathBuf::from(env!("CARGO_BIN_EXE_fabric"));
            let profile = binary.parent().unwrap();
            let name = match profile.file_name().unwrap().to_str().unwrap() {
                "debug" => "dev",
                other => other,
            };
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args([
                "test",
                "--offline",
                "--no-run",
                "--test",
                "fabric",
                "--message-format=json",
                "--profile",
                name,
            ]);
            // In the workspace's own folder: a package alone has other features, and all it depends on would be built again.
            let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
            cargo.current_dir(workspace).env("CARGO_TARGET_DIR", profile.parent().unwrap());
            // What cargo says of this package to its tests would be news to build scripts that look at it, `ring`'s for one.
            for (name, _) in std::env::vars_os() {
                let own = ["CARGO_MANIFEST_", "CARGO_PKG_"];
                if own.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                    cargo.env_remove(name);
                }
            }
            let output = cargo.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let messages = output
                .stdout
                .split(|byte| *byte == b'\n')
                .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
            let of_suite = |message: &Value| {
                message["target"]["kind"][0] == "test" && message["target"]["name"] == "fabric"
            };
            let built = messages
                .filter(of_suite)
                .find_map(|message| message["executable"].as_str().map(PathBuf::from));
            built.unwrap_or_else(|| {
                panic!("cargo built no test `fabric`: {}", String::from_utf8_lossy(&output.stdout))
            })
        })
        .clone()
}

fn run(ground: &Ground, arguments: &[&str]) -> Done {
    let mut command = ground.command(suite());
    command.args(arguments).env("FABRIC_REPORT_DIR", ground.path("reports"));
    ground.start(command).wait()
}

#[test]
fn listing_needs_nothing() {
    let Some(ground) = Ground::new("listing_needs_nothing") else { return };
    let mut command = ground.command(suite());
    command.arg("--list").env_clear().env("FABRIC_CACHE_DIR", "");
    let done = ground.start(command).wait().code(0);
    let names: Vec<&str> = done.out.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    assert!(names.len() > 200, "{}", done.out);
    assert!(names.contains(&"policy::routes::router0::rib has the 12 prefixes"), "{}", done.out);
    let listed = run(&ground, &["--list", "--skip", "::routes::", "workload::"]).code(0).out;
    assert!(
        listed.contains("workload::reach::")
            && !listed.contains("::routes::")
            && !listed.contains("underlay::")
    );
    assert!(!ground.path("reports").exists(), "listing writes no reports");
    // Who has read enough may go.
    let mut command = ground.command("sh");
    command.args(["-c", "\"$0\" --list | head -n 1"]).arg(suite());
    let done = ground.start(command).wait().code(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("cluster::nodes::there are 4: test\n", ""));
}

#[test]
fn a_filter_brings_up_only_what_it_needs() {
    let Some(ground) = Ground::new("a_filter_brings_up_only_what_it_needs") else { return };
    let done = run(&ground, &["cluster::"]).code(0);
    assert!(done.out.contains("test result: ok."), "{}", done.out);
    let record = Record::read(&ground.path("reports"));
    assert!(record.steps().contains(&"bring up the cluster"), "{:?}", record.steps());
    assert!(
        !record.steps().contains(&"bring up the underlay"),
        "no router is brought up: {:?}",
        record.steps()
    );
    assert!(record.names("passed").iter().all(|name| name.starts_with("cluster::")));

    let name = "cluster::nodes::there are 4";
    let done = run(&ground, &["--exact", name, "--format", "json"]).code(0);
    let lines: Vec<Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let ok: Vec<&Value> =
        lines.iter().filter(|line| line["event"] == "ok" && line["type"] == "test").collect();
    assert_eq!(ok.len(), 1, "{}", done.out);
    assert_eq!(ok[0]["name"], name);
    assert_eq!(Record::read(&ground.path("reports")).names("passed").len(), 1);

    let none = run(&ground, &["no-check-is-called-so"]).code(0);
    assert!(none.out.contains("0 passed"), "{}", none.out);
}

#[test]
fn under_nextest_it_attaches_or_is_skipped() {
    let Some(ground) = Ground::new("under_nextest_it_attaches_or_is_skipped") else { return };
    let name = "cluster::nodes::there are 4";
    // As nextest starts it: to list, to list what is ignored, and once for each test.
    let nextest = |arguments: &[&str]| {
        let mut command = ground.command(suite());
        command.args(arguments).env("NEXTEST", "1").env("FABRIC_REPORT_DIR", ground.path("reports"));
        ground.start(command).wait()
    };
    let listed =
        |arguments: &[&str]| nextest(&[&["--list", "--format", "terse"], arguments].concat()).code(0).out;
    let all = listed(&[]);
    assert!(all.lines().count() > 200, "{all}");
    assert_eq!(listed(&["--ignored"]), all, "no fabric is up: every check is to be skipped");
    let insisted = nextest(&["--exact", name, "--nocapture", "--ignored"]).code(101);
    assert!(insisted.out.contains("run `fabric up` first"), "{}", insisted.out);
    assert!(ground.kin().is_empty());

    let lab = super::support::article();
    ground.run(&["up", lab.to_str().unwrap(), "--to", "underlay"]).code(0);
    assert_eq!(listed(&[]), all);
    let ignored = listed(&["--ignored"]);
    let of_cluster: Vec<&str> = all.lines().filter(|line| line.starts_with("cluster::")).collect();
    assert_eq!(ignored.lines().collect::<Vec<_>>(), of_cluster, "only what the fabric has left behind");
    let session = "underlay::sessions::router0::net0 is established with AS 65010";
    let attached = nextest(&["--exact", session, "--nocapture"]).code(0);
    assert!(attached.out.contains("1 passed"), "{}", attached.out);
    let kin = ground.kin();
    assert_eq!(kin.keepers().len(), 1, "the fabric outlives the test");
    ground.run(&["down"]).code(0);
    ground.nothing_is_left_of(&kin);
}

#[test]
fn an_interrupted_run_is_reported() {
    use nix::sys::signal::Signal;
    let Some(ground) = Ground::new("an_interrupted_run_is_reported") else { return };
    let mut command = ground.command(suite());
    command.env("FABRIC_REPORT_DIR", ground.path("reports"));
    let mut running = ground.start(command);
    running.says("Phase underlay");
    let kin = ground.kin();
    running.signal(Signal::SIGINT);
    running.wait().code(130);
    ground.nothing_is_left_of(&kin);
    let record = Record::read(&ground.path("reports"));
    assert_eq!(record.outcome(), "interrupted");
    let (passed, not_run) = (record.names("passed"), record.names("not-run"));
    assert!(passed.iter().all(|name| name.starts_with("cluster::")) && !passed.is_empty(), "{passed:?}");
    assert!(not_run.contains("withdraw::routes::router0::rib has the 8 prefixes"), "{not_run:?}");
    let step =
        record.0["steps"].as_array().unwrap().iter().find(|step| step["name"] == "bring up the underlay");
    assert_eq!(step.unwrap()["ok"], false, "it was not finished");
}
