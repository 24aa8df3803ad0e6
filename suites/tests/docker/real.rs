//! `--env lab`: the article's order through kind's and helm's command lines, the article's lab unchanged.
//!
//! What lives here: the runs. What does not: the programs in kind's and Cilium's place (`standins`): a script that takes kind's
//! command lines and makes a twin in containers, and a chart whose agents only say that they are ready. helm is a real one, found by
//! `FABRIC_HELM`; without it these trials say so.

use std::fs;
use std::path::{Path, PathBuf};

use super::engine;
use super::lab::Bench;
use super::support::{Done, Record};

/// A lab, and a folder for the programs that stand in.
struct Real {
    bench: Bench,
    standin: PathBuf,
}

/// The helm to run, if there is one.
pub(crate) fn helm() -> Option<PathBuf> {
    let named = std::env::var_os("FABRIC_HELM").map(PathBuf::from);
    let on_path = || {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|dir| dir.join("helm"))
            .find(|file| file.is_file())
    };
    named.or_else(on_path)
}

fn standins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/docker/standins")
}

impl Real {
    fn new(test: &str) -> Self {
        let bench = Bench::article(test);
        let standin = bench.ground.path("standin");
        fs::create_dir_all(standin.join("lab")).unwrap();
        fs::create_dir(standin.join("run")).unwrap();
        for file in ["cluster.yaml", "values.yaml"] {
            fs::copy(bench.path.join(file), standin.join("lab").join(file)).unwrap();
        }
        let topology = format!("name: {}-kind\ntopology: {{nodes: {{}}}}\n", bench.name);
        fs::write(standin.join("lab/topo.yaml"), topology).unwrap();
        let lab = "topology: topo.yaml\ncluster: cluster.yaml\ncilium: { version: 1.12.1, values: values.yaml }\n\
                   phases: [{ name: cluster }, { name: cni, expect: { nodes: { ready: true } } }, \
                   { name: newer, upgrade: { to: 1.13.18 }, expect: { nodes: { ready: true } } }]\n";
        fs::write(standin.join("lab/lab.yaml"), lab).unwrap();
        Self { bench, standin }
    }

    #[track_caller]
    fn run(&self, command: &str, more: &[&str]) -> Done {
        let images = engine::images();
        let lab = self.bench.path.to_str().unwrap();
        let line = [command, lab, "--env", "lab", "--image", &images, "--name", &self.bench.name];
        let mut run = self.bench.ground.fabric(&[&line, more].concat());
        let path = std::env::var("PATH").unwrap_or_default();
        run.env("PATH", format!("{}:{path}", standins().display()));
        run.env("FABRIC_STANDIN", &self.standin).env("FABRIC_BIN", env!("CARGO_BIN_EXE_fabric"));
        run.env("FABRIC_HELM", helm().unwrap()).env("FABRIC_IMAGES", &images);
        self.bench.ground.start(run).wait()
    }

    fn lines(&self, program: &str) -> Vec<String> {
        let text = fs::read_to_string(self.standin.join(format!("{program}.lines"))).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// What comes after the policies, instead of the article's pods.
const NEWER: &str = "  - name: newer
    upgrade: { to: 1.13.18 }
    expect:
      sessions:
        tor0: { 10.0.1.2: established, 10.0.2.2: established }
        tor1: { 10.0.3.2: established, 10.0.4.2: established }
      routes: { router0: { count: 12 } }
      throughout: { absent: 30s, down: 30s }
";

pub(crate) fn an_upgrade_is_helms_and_is_watched() {
    let real = Real::new("helm");
    let file = real.bench.path.join("lab.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (before, _) = text.split_once("  # A pod per rack.").unwrap();
    fs::write(&file, format!("{before}{NEWER}")).unwrap();
    let done = real.run("test", &["--fresh", "--only", "newer::"]).code(0);
    let record = Record::read(&real.bench.ground.path("target/fabric/latest"));
    assert_eq!(record.outcome(), "passed", "{}", done.err);
    let watched = record.names("passed").iter().filter(|name| name.contains("::throughout::")).count();
    assert_eq!(watched, 6, "{:?}", record.names("passed"));
    let helm = real.lines("helm");
    let upgrade =
        "upgrade -n kube-system cilium cilium/cilium --version v1.13.18 -f values.yaml --wait --timeout 15m";
    assert_eq!(helm.last().map(String::as_str), Some(upgrade), "{helm:?}");
    assert!(helm.contains(
        &"install -n kube-system cilium cilium/cilium --version v1.12.1 -f values.yaml".to_owned()
    ));
    // Each node's speaker was another one for a moment, and the routers saw it.
    let events = record.0["events"].as_array().unwrap();
    let is_loss =
        |event: &&serde_json::Value| event.to_string().to_lowercase().contains("\"from\":\"established\"");
    let lost = events.iter().filter(is_loss);
    assert!(lost.count() >= 4, "{}", done.err);
    real.bench.nothing_is_left();
    assert_eq!(engine::left_of("standin"), Vec::<String>::new());
}

pub(crate) fn kind_and_helm_in_their_order() {
    let real = Real::new("real");
    let chart = standins().join("cilium");
    let done = real.run("test", &["--fresh", "--chart", chart.to_str().unwrap()]).code(0);
    assert!(done.err.contains("239 of 239 checks passed"), "{}", done.err);
    let record = Record::read(&real.bench.ground.path("target/fabric/latest"));
    assert_eq!((record.outcome(), record.0["environment"]["env"].as_str()), ("passed", Some("lab")));
    let steps = record.steps();
    let place = |part: &str| {
        steps.iter().position(|step| step.contains(part)).unwrap_or_else(|| panic!("{part}: {steps:?}"))
    };
    assert!(place("create cluster --config cluster.yaml") < place("bring up the underlay"));
    assert!(place("bring up the underlay") < place("install -n kube-system cilium"));
    let kind = real.lines("kind");
    assert_eq!(kind.iter().filter(|line| line.starts_with("create cluster")).count(), 1, "{kind:?}");
    assert!(
        kind.last().unwrap().starts_with(&format!("delete cluster --name clab-{}", real.bench.name)),
        "{kind:?}"
    );
    real.bench.nothing_is_left();
    assert_eq!(engine::left_of("standin"), Vec::<String>::new());
}
