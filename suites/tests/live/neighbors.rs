//! Several fabrics at once.

use super::support::{Ground, Record, article};

#[test]
fn two_of_one_lab_do_not_see_each_other() {
    let Some(ground) = Ground::new("two_of_one_lab_do_not_see_each_other") else { return };
    let lab = article();
    let up = |name| {
        ground.start(ground.fabric(&["up", lab.to_str().unwrap(), "--name", name, "--to", "underlay"]))
    };
    let both = ["one", "two"].map(up);
    for up in both {
        up.wait().code(0);
    }

    ground.exec("one", "router0", &["ip", "link", "set", "net0", "down"]);
    ground.exec("one", "router0", &["touch", "/tmp/only-in-one", "/etc/only-in-one", "/usr/only-in-one"]);
    let link = |name| ground.exec(name, "router0", &["ip", "-o", "link", "show", "net0"]).out;
    assert!(link("one").contains("state DOWN"), "{}", link("one"));
    assert!(!link("two").contains("state DOWN"), "{}", link("two"));
    let files = ground.run(&[
        "exec",
        "--name",
        "two",
        "router0",
        "--",
        "ls",
        "/tmp",
        "/etc/only-in-one",
        "/usr/only-in-one",
    ]);
    assert_eq!(files.code, 2, "the other fabric's files are seen: {}", files.out);
    assert!(!files.out.contains("only-in-one"), "{}", files.out);

    let listed = ground.run(&["list", "--format", "json"]).code(0).json();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "two"]);
    let nameless = ground.run(&["status"]).code(2);
    assert!(
        nameless.err.contains("several fabrics are up") && nameless.err.contains("one, two"),
        "{}",
        nameless.err
    );
    let again = ground.run(&["up", lab.to_str().unwrap(), "--name", "one"]);
    assert_eq!(again.code, 3, "{}", again.err);
    assert!(again.err.contains("a fabric named one is already up"), "{}", again.err);
    assert!(again.err.contains("`fabric down` ends it, `--name` starts another"), "{}", again.err);

    // The end of one is not the end of the other.
    ground.run(&["down", "--name", "one"]).code(0);
    ground.exec("two", "router0", &["true"]);
    let kin = ground.kin();
    ground.run(&["down", "--all"]).code(0);
    ground.nothing_is_left_of(&kin);
}

#[test]
fn two_runs_at_once_both_pass() {
    let Some(ground) = Ground::new("two_runs_at_once_both_pass") else { return };
    let lab = article();
    let start = |reports: &str| {
        let mut command = ground.fabric(&["test", lab.to_str().unwrap(), "--only", "underlay::"]);
        command.env("FABRIC_REPORT_DIR", ground.path(reports));
        ground.start(command)
    };
    let both = ["reports-1", "reports-2"].map(start);
    for run in both {
        run.wait().code(0);
    }
    let records = ["reports-1", "reports-2"].map(|reports| Record::read(&ground.path(reports)));
    assert_ne!(records[0].0["run_id"], records[1].0["run_id"]);
    assert_eq!(records[0].names("passed"), records[1].names("passed"));
    assert!(records[0].names("passed").len() > 50);
}
