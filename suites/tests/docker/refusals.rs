//! What keeps a lab from being made is told clearly, and nothing is left of the attempt.

use super::engine::{docker, images};
use super::lab::Bench;

const ONE: &str = "  nodes:\n    a: {kind: linux, image: frrouting/frr, cmd: sleep infinity}\n";
const MGMT: &str = "network: NAME, ipv4-subnet: SUBNET";

/// A container of somebody else's, gone with the test.
struct Foreign(String);

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.0]);
        let _ = docker(&["network", "rm", &self.0]);
    }
}

pub(crate) fn a_name_that_is_taken() {
    let bench = Bench::topology("taken", MGMT, ONE);
    let images = images();
    let image = images.split(',').find_map(|pair| pair.strip_prefix("frrouting/frr=")).unwrap();
    let foreign = Foreign(format!("clab-{}-a", bench.name));
    docker(&["create", "--name", &foreign.0, image, "true"]).unwrap();
    let done = bench.run("up", &[]).code(3);
    assert!(
        done.err.contains(&foreign.0) && done.err.contains("not of this program's making"),
        "{}",
        done.err
    );
    bench.nothing_is_left();
    docker(&["inspect", &foreign.0]).expect("somebody else's container is left alone");
}

pub(crate) fn an_image_that_is_not_there() {
    let node = "  nodes:\n    a: {kind: linux, image: 'fabric/none:9', image-pull-policy: Never}\n";
    let bench = Bench::topology("image", MGMT, node);
    let done = bench.run("up", &[]).code(3);
    assert!(done.err.contains("fabric/none:9") && done.err.contains("image-pull-policy"), "{}", done.err);
    bench.nothing_is_left();
}

pub(crate) fn a_network_of_another_subnet() {
    let bench = Bench::topology("subnet", MGMT, ONE);
    let foreign = Foreign(bench.name.clone());
    let other = format!("10.214.{}.0/24", std::process::id() % 256);
    docker(&["network", "create", "--subnet", &other, &foreign.0]).unwrap();
    let done = bench.run("up", &[]).code(3);
    assert!(done.err.contains(&other) && done.err.contains(&super::lab::subnet()), "{}", done.err);
    bench.nothing_is_left();
    docker(&["network", "inspect", &foreign.0]).expect("somebody else's network is left alone");
}

pub(crate) fn no_engine() {
    let bench = Bench::topology("engine", MGMT, ONE);
    let mut command = bench.ground.fabric(&[
        "up",
        bench.path.to_str().unwrap(),
        "--runtime",
        "docker",
        "--name",
        &bench.name,
    ]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let done = bench.ground.start(command).wait().code(3);
    assert!(done.err.contains("/nowhere/docker.sock"), "{}", done.err);
}
