//! Finding kubectls and running them.
//!
//! What lives here: which kubectls there are, one of them with a folder and a cluster of its own. What does not: what they are asked.
//! Without `FABRIC_KUBECTL_DIR`, the newest of the machine runs everything and the others the article's commands.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::super::served;
use crate::twin::api::Endpoint;
use crate::twin::store::Store;

/// The folder whose kubectls run the whole suite, each of them.
const FOLDER: &str = "FABRIC_KUBECTL_DIR";

/// The kubectls of `FABRIC_KUBECTL_DIR`, else of this machine, with their minor versions, the oldest first; a dispatcher that picks one
/// by the server counts as none.
pub(super) fn kubectls() -> Vec<(PathBuf, u32)> {
    let folder = std::env::var_os(FOLDER).filter(|folder| !folder.is_empty());
    let files = match &folder {
        Some(folder) => files(Path::new(folder), "kubectl"),
        None => installed(),
    };
    let mut all: Vec<_> =
        files.into_iter().filter_map(|file| version(&file).map(|minor| (file, minor))).collect();
    all.sort_by_key(|(_, minor)| *minor);
    all.dedup_by_key(|(_, minor)| *minor);
    if all.is_empty() {
        let folder = folder.map_or("on this machine".into(), |folder| format!("in {}", folder.display()));
        eprintln!(
            "SKIPPED: there is no kubectl {folder}; `.ci/kubectl FOLDER` fetches some, {FOLDER}=FOLDER uses them"
        );
    }
    all
}

fn files(folder: &Path, begin: &str) -> Vec<PathBuf> {
    let beside = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let named =
        |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin));
    beside.filter(named).collect()
}

fn installed() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|file| file.exists());
    let Some(first) = found.and_then(|file| file.canonicalize().ok()) else { return Vec::new() };
    let mut all = files(first.parent().unwrap_or(Path::new("/")), "kubectl.1.");
    all.push(first);
    all
}

fn version(kubectl: &Path) -> Option<u32> {
    let output =
        std::process::Command::new(kubectl).args(["version", "--client", "-o", "json"]).output().ok()?;
    let version: Value = serde_json::from_slice(&output.stdout).ok()?;
    let version = &version["clientVersion"];
    if version["gitVersion"].as_str()?.contains("dispatcher") {
        return None;
    }
    version["minor"].as_str()?.trim_end_matches('+').parse().ok()
}

/// One kubectl with a folder of its own.
pub(super) struct Kubectl {
    program: PathBuf,
    pub(super) folder: tempfile::TempDir,
}

pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Kubectl {
    pub(super) fn new(program: &Path, endpoint: &Endpoint) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config"), endpoint.kubeconfig("demo")).unwrap();
        Self { program: program.to_owned(), folder }
    }

    pub(super) fn file(&self, name: &str, objects: &[Value]) -> String {
        let path = self.folder.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        for object in objects {
            writeln!(file, "---\n{object}").unwrap();
        }
        path.to_string_lossy().into_owned()
    }

    pub(super) async fn run(&self, arguments: &str) -> Said {
        self.argv(&shell_words::split(arguments).unwrap(), Stdio::null()).await
    }

    pub(super) async fn argv(&self, arguments: &[String], stdin: Stdio) -> Said {
        let output = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(self.folder.path().join("config"))
            .arg("--cache-dir")
            .arg(self.folder.path().join("cache"))
            .args(arguments)
            .stdin(stdin)
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs and expects success; the output with runs of blanks made one.
    pub(super) async fn good(&self, arguments: &str) -> String {
        let said = self.run(arguments).await;
        assert_eq!(said.code, 0, "kubectl {arguments}: {}{}", said.out, said.err);
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        said.out.lines().map(squeezed).collect::<Vec<_>>().join("\n")
    }

    /// Runs and expects a refusal; what was said.
    pub(super) async fn bad(&self, arguments: &str) -> String {
        let said = self.run(arguments).await;
        assert_ne!(said.code, 0, "kubectl {arguments}: {}", said.out);
        said.err
    }
}

pub(super) fn policy(name: &str, asn: &Value) -> Value {
    json!({
        "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"matchLabels": {"rack": name}},
            "virtualRouters": [{
                "localASN": asn, "exportPodCIDR": true,
                "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 65010}],
            }],
        },
    })
}

/// The newest kubectl there is, on an endpoint of its own.
pub(super) async fn newest() -> Option<(Kubectl, u32, Store)> {
    let (program, minor) = kubectls().pop()?;
    eprintln!("kubectl 1.{minor}: {}", program.display());
    let (store, endpoint) = served().await;
    Some((Kubectl::new(&program, &endpoint), minor, store))
}

/// The kubectls that run the whole suite, each on an endpoint of its own.
pub(super) async fn each() -> Vec<(Kubectl, u32, Store)> {
    let mut all = kubectls();
    if std::env::var_os(FOLDER).is_none_or(|folder| folder.is_empty()) {
        all = all.pop().into_iter().collect();
    }
    let mut each = Vec::new();
    for (program, minor) in all {
        eprintln!("kubectl 1.{minor}: {}", program.display());
        let (store, endpoint) = served().await;
        each.push((Kubectl::new(&program, &endpoint), minor, store));
    }
    each
}
