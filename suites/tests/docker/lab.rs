//! Labs of these tests: the article's under a name and a subnet of its own, so that it runs beside others; small ones.

use std::fs;
use std::path::PathBuf;

use super::engine;
use super::support::{Done, Ground, Running, article, copy};

/// A lab in a ground of its own.
pub(crate) struct Bench {
    pub(crate) ground: Ground,
    /// The lab's name and its fabric's.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// A name that no other run has.
fn unique(test: &str) -> String {
    format!("{test}-{}", std::process::id())
}

/// A subnet that other runs have not, most likely: one that is taken fails the test, and says so.
pub(crate) fn subnet() -> String {
    format!("10.213.{}.0/24", std::process::id() % 256)
}

impl Bench {
    /// The article's lab.
    pub(crate) fn article(test: &str) -> Self {
        let ground = Ground::new(test).unwrap();
        let (name, path) = (unique(test), ground.path("lab"));
        copy(&article(), &path);
        for file in ["topo.yaml", "cluster.yaml"] {
            let text = fs::read_to_string(path.join(file)).unwrap();
            let mut text = text.replace("bgp-cplane-demo", &name);
            if file == "topo.yaml" {
                text.push_str(&format!("\nmgmt: {{network: {name}, ipv4-subnet: {}}}\n", subnet()));
            }
            fs::write(path.join(file), text).unwrap();
        }
        Self { ground, name, path }
    }

    /// A topology alone: what stands under `topology:`, and the rest.
    pub(crate) fn topology(test: &str, mgmt: &str, body: &str) -> Self {
        let ground = Ground::new(test).unwrap();
        let (name, path) = (unique(test), ground.path("lab"));
        fs::create_dir(&path).unwrap();
        let mgmt = mgmt.replace("NAME", &name).replace("SUBNET", &subnet());
        let text = format!("name: {name}\nmgmt: {{{mgmt}}}\ntopology:\n{body}");
        fs::write(path.join("topo.clab.yml"), text).unwrap();
        Self { ground, name, path }
    }

    /// Starts the program on this lab, with containers.
    pub(crate) fn start(&self, command: &str, more: &[&str]) -> Running {
        let images = engine::images();
        let lab = self.path.to_str().unwrap();
        let arguments = [command, lab, "--runtime", "docker", "--image", &images, "--name", &self.name];
        self.ground.start(self.ground.fabric(&[&arguments, more].concat()))
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(&self, command: &str, more: &[&str]) -> Done {
        self.start(command, more).wait()
    }

    /// No container and no network of it is left.
    #[track_caller]
    pub(crate) fn nothing_is_left(&self) {
        assert_eq!(engine::left_of(&self.name), Vec::<String>::new());
    }
}
