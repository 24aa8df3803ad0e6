//! A whole folder rewritten: which files change, and writing them into a folder of their own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fabric_harness::cilium::{BgpV2, CiliumVersion, promises};
use fabric_harness::lab::Manifest;
use fabric_harness::lab::yaml::Location;

use super::super::Asked;
use super::super::look::fields;
use super::super::read::AskError;
use super::comments::Comments;
use super::policy::Shared;
use super::values;

/// What cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The folder is not ours to fill.
    #[error("{} is there already, and is not empty; name a folder that is not there yet", dir.display())]
    Taken {
        /// The folder.
        dir: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The question could not be made.
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// What was rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// The files that changed: as they are shown, the text before, the text after.
    pub changed: Vec<(PathBuf, String, String)>,
    /// What could not be carried over, a sentence each.
    pub lost: Vec<String>,
}

/// Rewrites everything that is looked at for the version that is asked for, in memory. `root` is the folder under which the
/// files are shown; `version_at` is where lab.yaml names its version.
///
/// # Errors
/// When a file that was read before cannot be read any more.
pub fn migrate(asked: &Asked, version_at: Option<&Location>) -> Result<Migrated, MigrateError> {
    let mut migrated = Migrated::default();
    let mut texts: BTreeMap<PathBuf, (String, String)> = BTreeMap::new();
    let mut put = |path: &Path, change: &mut dyn FnMut(&str) -> String| -> Result<(), MigrateError> {
        if !texts.contains_key(path) {
            let text = file("read", path, fs::read_to_string(path))?;
            texts.insert(path.to_path_buf(), (text.clone(), text));
        }
        if let Some((_, after)) = texts.get_mut(path) {
            *after = change(after);
        }
        Ok(())
    };
    if let Some(file) = &asked.values {
        put(&file.shown, &mut |text| values::migrate(asked, text))?;
    }
    let mut files: BTreeMap<&Path, Vec<&Manifest>> = BTreeMap::new();
    for object in &asked.objects {
        files.entry(&object.at.file).or_default().push(object);
    }
    for (path, objects) in files {
        let mut lost = Vec::new();
        put(path, &mut |text| manifests(asked, text, &objects, &mut lost))?;
        migrated.lost.extend(lost);
    }
    if let Some(at) = version_at {
        put(&at.file, &mut |text| version(asked.to, text, at))?;
    }
    let changed = texts.into_iter().filter(|(_, (before, after))| before != after);
    migrated.changed = changed.map(|(path, (before, after))| (path, before, after)).collect();
    Ok(migrated)
}

/// A lab.yaml with another version and nothing else changed: its name, the text before, the text after.
///
/// # Errors
/// When it cannot be read.
pub fn with_version(at: &Location, to: CiliumVersion) -> Result<(PathBuf, String, String), MigrateError> {
    let text = file("read", &at.file, fs::read_to_string(&at.file))?;
    let after = version(to, &text, at);
    Ok((at.file.clone(), text, after))
}

/// The version in lab.yaml.
fn version(to: CiliumVersion, text: &str, at: &Location) -> String {
    let line = |(index, line): (usize, &str)| {
        if index + 1 == at.line as usize {
            // Where it is written in another form (`v1.12.1`, quoted), what is between the separators goes.
            let start = line
                .char_indices()
                .nth(at.column.saturating_sub(1) as usize)
                .map_or(line.len(), |(at, _)| at);
            let rest = &line[start..];
            let old: String =
                rest.chars().take_while(|c| !c.is_whitespace() && *c != ',' && *c != '}').collect();
            return format!("{}{to}{}", &line[..start], &rest[old.len()..]);
        }
        line.to_owned()
    };
    rejoin(text, text.lines().enumerate().map(line).collect())
}

fn rejoin(text: &str, lines: Vec<String>) -> String {
    let end = if text.ends_with('\n') { "\n" } else { "" };
    lines.join("\n") + end
}

/// One file of manifests.
fn manifests(asked: &Asked, text: &str, objects: &[&Manifest], lost: &mut Vec<String>) -> String {
    let text = renamed(asked, text, objects);
    let policies: Vec<&&Manifest> =
        objects.iter().filter(|object| object.kind == "CiliumBGPPeeringPolicy").collect();
    let stage = promises(&asked.to).map_or(BgpV2::Absent, |row| row.bgp_v2);
    // Before 1.18 the policy is not even deprecated: nobody asked for another API.
    if policies.is_empty() || stage != BgpV2::V2 {
        return text;
    }
    let comments = Comments::of(&text);
    let mut shared = Shared::new("cilium.io/v2");
    let mut documents: Vec<String> = Vec::new();
    for (first, document) in split(&text) {
        let last = first + document.lines().count();
        let inside = |object: &&&&Manifest| (first..last).contains(&(object.at.line as usize - 1));
        match policies.iter().find(inside) {
            Some(policy) => documents.extend(shared.cluster(policy, &comments)),
            None => documents.push(document),
        }
    }
    documents.extend(shared.documents());
    lost.append(&mut shared.lost);
    documents.join("---\n")
}

/// The documents of a file, each with the number of its first line, from 0.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut documents: Vec<(usize, String)> = vec![(0, String::new())];
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("---") {
            documents.push((index + 1, String::new()));
        } else if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents.retain(|(_, document)| !document.trim().is_empty());
    documents
}

/// Single lines that have other words in the version that is asked for.
fn renamed(asked: &Asked, text: &str, objects: &[&Manifest]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let to = asked.to.line();
    let mut change = |object: &Manifest, path: &str, change: &dyn Fn(&str) -> String| {
        if let Some(at) = object.places.nearest(path)
            && let Some(line) = lines.get_mut((at.line as usize).saturating_sub(1))
        {
            *line = change(line);
        }
    };
    for object in objects.iter().filter(|object| object.api_version == "cilium.io/v2alpha1") {
        let second = object.kind.starts_with("CiliumBGP") && object.kind != "CiliumBGPPeeringPolicy";
        let pool = object.kind == "CiliumLoadBalancerIPPool";
        if (second || pool) && to >= (1, 18) {
            change(object, "apiVersion", &|line| line.replacen("cilium.io/v2alpha1", "cilium.io/v2", 1));
            for key in ["group", "kind"] {
                // The version that takes them is left; they said what is so anyway.
                for (path, _) in
                    fields(&object.object, &format!("spec.bgpInstances.[].peers.[].peerConfigRef.{key}"))
                {
                    change(object, &path, &|line| format!("{}# {}", indent(line), line.trim_start()));
                }
            }
            for (path, _) in fields(&object.object, "spec.transport.localPort") {
                change(object, &path, &|line| format!("{}# {}", indent(line), line.trim_start()));
            }
        }
        if pool && to >= (1, 15) {
            for (path, _) in fields(&object.object, "spec.cidrs") {
                change(object, &path, &|line| line.replacen("cidrs", "blocks", 1));
            }
        }
    }
    rejoin(text, lines)
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

fn file<T>(doing: &'static str, path: &Path, done: std::io::Result<T>) -> Result<T, MigrateError> {
    done.map_err(|source| MigrateError::File { doing, path: path.to_path_buf(), source })
}

impl Migrated {
    /// Writes the rewritten folder: every file of `root`, those that changed as they are now. A folder that is there and holds
    /// something is left alone.
    ///
    /// # Errors
    /// When the folder is not empty or a file cannot be written; what was written until then is taken away again.
    pub fn write(&self, root: &Path, dir: &Path) -> Result<(), MigrateError> {
        let taken = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file();
        if taken {
            return Err(MigrateError::Taken { dir: dir.to_path_buf() });
        }
        let was_there = dir.exists();
        let written = copy(root, dir).and_then(|()| self.put(root, dir));
        if written.is_err() && !was_there {
            // The folder is ours, and half of it is no use.
            let _ = fs::remove_dir_all(dir);
        }
        written
    }

    fn put(&self, root: &Path, dir: &Path) -> Result<(), MigrateError> {
        for (path, _, after) in &self.changed {
            let below = path
                .strip_prefix(root)
                .unwrap_or_else(|_| Path::new(path.file_name().unwrap_or(path.as_os_str())));
            let to = dir.join(below);
            if let Some(parent) = to.parent() {
                file("make", parent, fs::create_dir_all(parent))?;
            }
            file("write", &to, fs::write(&to, after))?;
        }
        Ok(())
    }
}

/// Copies the files of a folder, hidden ones left out.
fn copy(from: &Path, to: &Path) -> Result<(), MigrateError> {
    file("make", to, fs::create_dir_all(to))?;
    if !from.is_dir() {
        return Ok(());
    }
    for entry in file("read", from, fs::read_dir(from))? {
        let entry = file("read", from, entry)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name().to_string_lossy().starts_with('.') || source == to {
            continue;
        }
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            file("copy", &source, fs::copy(&source, &target).map(drop))?;
        }
    }
    Ok(())
}
