//! Which files of a folder are the lab, when no lab.yaml says so.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::error::LoadError;
use super::yaml::{self, Diagnostics, Node};

/// The lab's own file.
pub(super) const LAB_FILES: [&str; 2] = ["lab.yaml", "lab.yml"];

/// The names of a folder's YAML files, sorted.
pub(super) fn yaml_files(dir: &Path) -> Result<Vec<String>, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: dir.to_path_buf(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        let is_yaml =
            path.extension().and_then(OsStr::to_str).is_some_and(|end| matches!(end, "yaml" | "yml"));
        if is_yaml
            && path.is_file()
            && let Some(name) = entry.file_name().to_str()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The one containerlab topology of a folder: `*.clab.yml` or `*.clab.yaml`, else topo.yaml or topology.yaml, else the
/// one YAML file whose top level has `topology`.
pub(super) fn topology(dir: &Path) -> Result<String, LoadError> {
    let names = yaml_files(dir)?;
    let called =
        |wanted: &dyn Fn(&str) -> bool| names.iter().filter(|name| wanted(name)).cloned().collect::<Vec<_>>();
    let mut candidates = called(&|name| name.ends_with(".clab.yml") || name.ends_with(".clab.yaml"));
    if candidates.is_empty() {
        candidates =
            called(&|name| matches!(name, "topo.yaml" | "topo.yml" | "topology.yaml" | "topology.yml"));
    }
    if candidates.is_empty() {
        candidates = called(&|name| {
            !LAB_FILES.contains(&name) && tops(dir, name, |top| top.get("topology").is_some())
        });
    }
    match only(dir, candidates, "containerlab topologies", "topology")? {
        Some(name) => Ok(name),
        None => Err(LoadError::NoTopology { dir: dir.to_path_buf() }),
    }
}

/// The one kind configuration of a folder (`kind: Cluster` of kind.x-k8s.io), if there is one.
pub(super) fn cluster(dir: &Path) -> Result<Option<String>, LoadError> {
    let is_cluster = |top: &Node| {
        let text = |key| top.get(key).and_then(Node::as_text);
        text("kind") == Some("Cluster")
            && text("apiVersion").is_some_and(|version| version.starts_with("kind.x-k8s.io/"))
    };
    let candidates = yaml_files(dir)?.into_iter().filter(|name| tops(dir, name, is_cluster)).collect();
    only(dir, candidates, "kind configurations", "cluster")
}

/// Whether a file is YAML whose first document is such. What it may be beyond that is for its own reader to judge.
fn tops(dir: &Path, name: &str, wanted: impl Fn(&Node) -> bool) -> bool {
    let Ok(text) = fs::read_to_string(dir.join(name)) else { return false };
    yaml::parse_all(Path::new(name), &text, &mut Diagnostics::new())
        .and_then(|documents| documents.first().map(wanted))
        .unwrap_or(false)
}

fn only(
    dir: &Path,
    mut candidates: Vec<String>,
    what: &'static str,
    key: &'static str,
) -> Result<Option<String>, LoadError> {
    if candidates.len() > 1 {
        return Err(LoadError::Several { dir: dir.to_path_buf(), what, key, candidates });
    }
    Ok(candidates.pop())
}
