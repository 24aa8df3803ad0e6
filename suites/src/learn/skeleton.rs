//! A lab.yaml for a folder that has none: its files named, and a phase for each thing there is to do.
//!
//! What lives here: which phases, and a folder in which the lab can be read with them. What does not: what to expect.

use std::io;
use std::path::{Path, PathBuf};

use fabric_harness::lab::{Lab, LoadError, load};
use serde_json::Value as Json;

use super::page::{list, mapping, scalar};
use crate::expect::Expect;

/// Why there is no lab.yaml to begin with.
#[derive(Debug, thiserror::Error)]
pub enum SkeletonError {
    /// The folder's files are no lab.
    #[error(transparent)]
    Lab(#[from] LoadError),
    /// The folder could not be read, or a folder beside it not be made.
    #[error("cannot put a lab.yaml beside the files of {}: {source}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are objects of Cilium's, and nothing says which Cilium.
    #[error(
        "{file} holds {kind}, an object of Cilium's, and without a lab.yaml nothing says which Cilium: say it, as `--cilium 1.12.1`"
    )]
    NoVersion {
        /// The file.
        file: String,
        /// The kind of the object.
        kind: String,
    },
}

/// A folder with the same files and a lab.yaml; it goes with the value.
#[derive(Debug)]
pub struct Skeleton {
    /// The folder.
    pub dir: tempfile::TempDir,
    /// The text of its lab.yaml.
    pub text: String,
}

/// Makes it for a lab without a lab.yaml: a folder, or a topology file in one.
///
/// # Errors
/// When the files are no lab, when a Cilium is needed and `cilium` does not say which, or when the system refuses.
pub fn skeleton(path: &Path, cilium: Option<&str>) -> Result<Skeleton, SkeletonError> {
    let lab: Lab<Expect> = load(path)?;
    let refused = |source| SkeletonError::Folder { dir: lab.dir.clone(), source };
    let names = names(&lab.dir).map_err(refused)?;
    let text = text(&lab, &names, cilium)?;
    let dir = tempfile::Builder::new().prefix("fabric-learn-").tempdir().map_err(refused)?;
    for entry in std::fs::read_dir(&lab.dir).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        std::os::unix::fs::symlink(entry.path(), dir.path().join(entry.file_name())).map_err(refused)?;
    }
    std::fs::write(dir.path().join("lab.yaml"), &text).map_err(refused)?;
    Ok(Skeleton { dir, text })
}

/// The names of a folder's YAML files, sorted.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") || name.ends_with(".yml") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn text(lab: &Lab<Expect>, names: &[String], cilium: Option<&str>) -> Result<String, SkeletonError> {
    let shown = |path: &Path| path.display().to_string();
    let mut text = format!("topology: {}\n", scalar(&shown(&lab.files.topology)));
    let mut phases: Vec<String> = Vec::new();
    if let Some(cluster) = &lab.files.cluster {
        text.push_str(&format!("cluster: {}\n", scalar(&shown(cluster))));
        phases.push(mapping(&[("name", "cluster".into())]));
    }
    phases.push(mapping(&[("name", "underlay".into())]));
    let own = [Some(shown(&lab.files.topology)), lab.files.cluster.as_deref().map(shown)];
    let others = names.iter().filter(|name| !own.iter().flatten().any(|own| own == *name));
    let mut applied: Vec<(bool, &String)> = Vec::new();
    for name in others {
        let objects = objects(&lab.dir.join(name));
        let kind = |object: &Json, prefix: &str| {
            let version = object.get("apiVersion").and_then(Json::as_str).unwrap_or_default();
            version
                .starts_with(prefix)
                .then(|| object.get("kind").and_then(Json::as_str).unwrap_or("?").to_owned())
        };
        if objects.is_empty() || lab.cluster.is_none() {
            continue;
        }
        let of_cilium = objects.iter().find_map(|object| kind(object, "cilium.io/"));
        if let (Some(kind), None) = (&of_cilium, cilium) {
            return Err(SkeletonError::NoVersion { file: name.clone(), kind: kind.clone() });
        }
        applied.push((of_cilium.is_none(), name));
    }
    if let (Some(version), Some(_)) = (cilium, &lab.cluster) {
        let mut pairs = vec![("version", scalar(version))];
        let values = names.iter().find(|name| matches!(name.as_str(), "values.yaml" | "values.yml"));
        pairs.extend(values.map(|values| ("values", scalar(values))));
        text.push_str(&format!("cilium: {}\n", mapping(&pairs)));
        phases.push(mapping(&[("name", "cni".into())]));
    }
    // What routes first, then what is to be reached.
    applied.sort();
    for (_, name) in applied {
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
        phases.push(mapping(&[("name", scalar(stem)), ("apply", list([scalar(name)]))]));
    }
    text.push_str("phases:\n");
    for phase in phases {
        text.push_str(&format!("  - {phase}\n"));
    }
    Ok(text)
}

/// The Kubernetes objects of a file; none where it holds anything else.
fn objects(path: &Path) -> Vec<Json> {
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let Ok(documents) = serde_saphyr::from_multiple::<Json>(&text) else { return Vec::new() };
    let is_object = |document: &Json| {
        document.get("apiVersion").is_some()
            && document.get("kind").is_some()
            && document.get("metadata").is_some()
    };
    if documents.iter().all(is_object) { documents } else { Vec::new() }
}
