//! The table of causes against what the real programs said.

use rstest::rstest;

use super::*;

fn recorded(name: &str) -> String {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/recorded/lab-tools/");
    std::fs::read_to_string(format!("{top}{name}.txt")).unwrap()
}

fn machine(instances: u64) -> Machine {
    Machine { inotify_instances: Some(instances), inotify_watches: Some(1_048_576), cgroup2: true }
}

#[rstest]
#[case::no_free_subnet("kind", "kind-no-free-subnet", "no free subnet left", "docker network prune")]
#[case::no_image("kind", "kind-no-image", "could not be pulled", "--kind-image NAME")]
#[case::no_systemd("kind", "kind-no-systemd", "systemd did not come up in a node: an old", "docker info")]
#[case::exists("kind", "kind-cluster-exists", "is there already", "--reuse")]
#[case::inotify(
    "kind",
    "node-inotify",
    "no inotify watches left",
    "sysctl -w fs.inotify.max_user_instances=512"
)]
#[case::not_privileged("kind", "docker-not-privileged", "may not run privileged containers", "--env twin")]
#[case::port("kind", "docker-port-in-use", "a port that the lab wants", "ss -ltnp")]
#[case::overlap(
    "containerlab",
    "docker-overlap",
    "another Docker network has these",
    "docker network rm NAME"
)]
#[case::no_network("containerlab", "docker-no-network", "no network to pull from", "docker load")]
#[case::no_repository("helm", "helm-no-repository", "repository cannot be reached", "--chart FILE")]
#[case::value("helm", "helm-value-refused", "the chart refuses a value", "values.yaml")]
#[case::no_chart("helm", "helm-no-chart", "no chart at that path", "--chart FOLDER")]
#[case::no_cluster("helm", "helm-no-cluster", "API does not answer", "docker ps")]
#[case::deployed("containerlab", "containerlab-deployed", "is deployed already", "containerlab destroy")]
#[case::ended("containerlab", "containerlab-ended", "ended as soon as it was started", "docker logs")]
#[case::slow("containerlab", "containerlab-slow", "too slow for containerlab", "--deployer fabric")]
fn what_the_real_ones_said(
    #[case] program: &str,
    #[case] file: &str,
    #[case] what: &str,
    #[case] remedy: &str,
) {
    let found = cause(program, &recorded(file), &machine(1024)).expect("a cause that is known");
    assert!(found.what.contains(what), "{found}");
    assert!(found.remedy.contains(remedy), "{found}");
}

#[test]
fn the_machine_tells_causes_apart_that_sound_alike() {
    let found = cause("kind", &recorded("kind-no-systemd"), &machine(128)).unwrap();
    assert_eq!(
        found.to_string(),
        "systemd did not come up in a node, as happens where fs.inotify.max_user_instances is 128; type: sysctl -w \
         fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"
    );
}

#[test]
fn what_is_not_known_is_not_guessed() {
    assert_eq!(cause("kind", "ERROR: something new", &machine(128)), None);
    assert_eq!(
        cause("helm", &recorded("kind-cluster-exists"), &machine(128)),
        None,
        "another program's words"
    );
}
