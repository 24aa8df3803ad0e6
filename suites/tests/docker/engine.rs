//! The engine as its own command shows it.

use std::process::Command;

use serde_json::Value;

/// The images of `fixtures/images/build`.
const IMAGES: &str = "frrouting/frr=fabric/frr,nicolaka/netshoot=fabric/node";

/// Which images stand for a lab's own.
pub(crate) fn images() -> String {
    std::env::var("FABRIC_IMAGES").unwrap_or_else(|_| IMAGES.to_owned())
}

/// What keeps these tests from running here, if anything.
pub(crate) fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("containers are wired as root only".to_owned());
    }
    let answers = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    match answers {
        Err(error) => return Some(format!("there is no `docker` to ask: {error}")),
        Ok(output) if !output.status.success() => {
            return Some(format!("no engine answers: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(_) => {}
    }
    let wanted = images();
    let mut wanted = wanted.split(',').filter_map(|pair| pair.split_once('=')).map(|(_, image)| image);
    let absent = wanted.find(|image| docker(&["image", "inspect", image]).is_err())?;
    Some(format!("the image {absent} is not there: fixtures/images/build makes it"))
}

/// What `docker` says; an error is what it says of that.
pub(crate) fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(arguments).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// All that `docker inspect` says of a container or a network.
#[track_caller]
pub(crate) fn inspect(name: &str) -> Value {
    let text = docker(&["inspect", name]).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[0].clone()
}

/// Containers and networks of a fabric.
pub(crate) fn left_of(fabric: &str) -> Vec<String> {
    let filter = format!("label=fabric={fabric}");
    let containers =
        docker(&["ps", "--all", "--filter", &filter, "--format", "container {{.Names}}"]).unwrap();
    let networks = docker(&["network", "ls", "--filter", &filter, "--format", "network {{.Name}}"]).unwrap();
    containers.lines().chain(networks.lines()).map(str::to_owned).collect()
}
