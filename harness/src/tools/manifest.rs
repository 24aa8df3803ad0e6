//! What a layer holds, written when it is made: by it a ready layer is recognised and a damaged one noticed.
//!
//! What does not live here: making a layer (`layer`), and whether packages are genuine (apt checks signatures).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Tool, ToolsError};

/// Raised whenever layers made by an older program must be made again.
const SCHEMA: u32 = 1;
const FILE: &str = "manifest.json";
const SUM: &str = "manifest.sha256";

/// A package whose files are in a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    /// The distribution's version, epoch and revision included.
    pub(super) version: String,
    /// Size of the archive in bytes.
    pub(super) size: u64,
    /// Sum of the archive as it was fetched, after apt's own check.
    pub(super) sha256: String,
}

/// One file of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Entry {
    File { size: u64, mtime: i64, sha256: String },
    Link { target: String },
}

/// Everything a layer holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    schema: u32,
    pub(super) tool: Tool,
    pub(super) packages: Vec<Package>,
    files: BTreeMap<String, Entry>,
}

impl Manifest {
    /// Reads the tree below `root` and sums every file.
    pub(super) fn of(root: &Path, tool: Tool, packages: Vec<Package>) -> Result<Self, ToolsError> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(ToolsError::io("cannot list", &folder))? {
                let path = entry.map_err(ToolsError::io("cannot list", &folder))?.path();
                let meta =
                    std::fs::symlink_metadata(&path).map_err(ToolsError::io("cannot look at", &path))?;
                if meta.is_dir() {
                    folders.push(path);
                    continue;
                }
                // JSON has no way to name what is not UTF-8; Debian's policy (10.10) has every file name in UTF-8.
                let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
                let entry = Entry::read(&path, &meta).map_err(ToolsError::io("cannot read", &path))?;
                files.insert(name.to_owned(), entry);
            }
        }
        Ok(Self { schema: SCHEMA, tool, packages, files })
    }

    /// Writes the manifest, and its own sum beside it, into a layer's folder.
    pub(super) fn write(&self, folder: &Path) -> Result<(), ToolsError> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec(self).map_err(|e| ToolsError::Io {
            what: "cannot write",
            path: path.clone(),
            source: e.into(),
        })?;
        std::fs::write(&path, &text).map_err(ToolsError::io("cannot write", &path))?;
        let sum = folder.join(SUM);
        std::fs::write(&sum, hex(&Sha256::digest(&text))).map_err(ToolsError::io("cannot write", sum))
    }

    /// Reads the manifest of a layer's folder; the error is what is wrong with it, in words.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let text = std::fs::read(folder.join(FILE)).map_err(|e| format!("{FILE}: {e}"))?;
        let manifest: Self = serde_json::from_slice(&text).map_err(|e| format!("{FILE}: {e}"))?;
        if manifest.schema != SCHEMA {
            return Err(format!("{FILE} has schema {}, this program writes {SCHEMA}", manifest.schema));
        }
        Ok(manifest)
    }

    /// What in the tree is not as it was written, by size and time; a file whose time differs is summed, since a
    /// restored backup may have set times anew. `None` when all is well. Costs one `lstat` per file.
    pub(super) fn damage(&self, root: &Path) -> Option<String> {
        self.files.iter().find_map(|(name, entry)| entry.damage(&root.join(name), false))
    }

    /// The same for a layer's folder, summing every file and the manifest itself.
    pub(super) fn deep_damage(&self, folder: &Path) -> Option<String> {
        let sums =
            sum(&folder.join(FILE)).and_then(|now| Ok((now, std::fs::read_to_string(folder.join(SUM))?)));
        match sums {
            Err(e) => return Some(format!("{}: the sum of {FILE} cannot be read: {e}", folder.display())),
            Ok((now, written)) if now != written.trim() => {
                return Some(format!("{}: {FILE} is not the one that was written", folder.display()));
            }
            Ok(_) => {}
        }
        let root = folder.join("root");
        self.files.iter().find_map(|(name, entry)| entry.damage(&root.join(name), true))
    }

    /// The version of one of the packages.
    pub(super) fn version_of(&self, package: &str) -> Option<&str> {
        self.packages.iter().find(|p| p.name == package).map(|p| p.version.as_str())
    }
}

impl Entry {
    fn read(path: &Path, meta: &std::fs::Metadata) -> io::Result<Self> {
        if meta.is_symlink() {
            let target = std::fs::read_link(path)?.to_string_lossy().into_owned();
            return Ok(Self::Link { target });
        }
        Ok(Self::File { size: meta.size(), mtime: meta.mtime(), sha256: sum(path)? })
    }

    fn damage(&self, path: &Path, deep: bool) -> Option<String> {
        let say = |what: &str| Some(format!("{} {what}", path.display()));
        match self {
            Self::Link { target } => match std::fs::read_link(path) {
                Ok(now) if now.to_string_lossy() == *target => None,
                Ok(_) => say("points elsewhere than when it was fetched"),
                Err(e) => say(&format!("cannot be read as a link: {e}")),
            },
            Self::File { size, mtime, sha256 } => match std::fs::symlink_metadata(path) {
                Err(e) => say(&format!("cannot be looked at: {e}")),
                Ok(meta) if !meta.is_file() || meta.size() != *size => {
                    say("has not the size it had when it was fetched")
                }
                Ok(meta) if !deep && meta.mtime() == *mtime => None,
                Ok(_) => match sum(path) {
                    Ok(now) if now == *sha256 => None,
                    Ok(_) => say("has not the content it had when it was fetched"),
                    Err(e) => say(&format!("cannot be read: {e}")),
                },
            },
        }
    }
}

/// The SHA-256 of a file, in hex.
pub(super) fn sum(path: &Path) -> io::Result<String> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use rstest::rstest;

    use super::*;

    fn layer() -> (tempfile::TempDir, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("usr/bin")).unwrap();
        std::fs::write(root.join("usr/bin/gobgpd"), "program").unwrap();
        symlink("gobgpd", root.join("usr/bin/link")).unwrap();
        let packages = vec![Package {
            name: "gobgpd".into(),
            version: "3.10.0-1+b4".into(),
            size: 7,
            sha256: "00".into(),
        }];
        let manifest = Manifest::of(&root, Tool::Gobgp, packages).unwrap();
        manifest.write(dir.path()).unwrap();
        (dir, manifest)
    }

    #[test]
    fn what_is_written_is_read() {
        let (dir, manifest) = layer();
        let read = Manifest::read(dir.path()).unwrap();
        assert_eq!(read, manifest);
        assert_eq!(read.version_of("gobgpd"), Some("3.10.0-1+b4"));
        assert_eq!(read.damage(&dir.path().join("root")), None);
        assert_eq!(read.deep_damage(dir.path()), None);
    }

    fn set_time(path: &Path, seconds: u64) {
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    #[rstest]
    #[case::gone(|root: &Path| std::fs::remove_file(root.join("usr/bin/gobgpd")).unwrap(), "cannot be looked at")]
    #[case::cut(|root: &Path| std::fs::write(root.join("usr/bin/gobgpd"), "prog").unwrap(), "not the size")]
    #[case::other(|root: &Path| {
        std::fs::write(root.join("usr/bin/gobgpd"), "PROGRAM").unwrap();
        set_time(&root.join("usr/bin/gobgpd"), 1);
    }, "not the content")]
    #[case::relinked(|root: &Path| {
        std::fs::remove_file(root.join("usr/bin/link")).unwrap();
        symlink("/bin/sh", root.join("usr/bin/link")).unwrap();
    }, "points elsewhere")]
    #[case::a_link_instead(|root: &Path| {
        std::fs::remove_file(root.join("usr/bin/gobgpd")).unwrap();
        symlink("/bin/sh", root.join("usr/bin/gobgpd")).unwrap();
    }, "not the size")]
    fn damage_is_noticed(#[case] harm: fn(&Path), #[case] word: &str) {
        let (dir, manifest) = layer();
        let root = dir.path().join("root");
        harm(&root);
        let damage = manifest.damage(&root).unwrap();
        assert!(damage.contains(word), "{damage}");
    }

    #[test]
    fn a_new_time_alone_is_no_damage_and_a_forged_one_is_found_by_the_deep_check() {
        let (dir, manifest) = layer();
        let root = dir.path().join("root");
        let program = root.join("usr/bin/gobgpd");
        let written = std::fs::metadata(&program).unwrap().modified().unwrap();
        set_time(&program, 1);
        assert_eq!(manifest.damage(&root), None);
        std::fs::write(&program, "PROGRAM").unwrap();
        File::options().append(true).open(&program).unwrap().set_modified(written).unwrap();
        assert_eq!(manifest.damage(&root), None, "the quick check goes by size and time");
        assert!(manifest.deep_damage(dir.path()).is_some());
    }

    #[test]
    fn a_manifest_that_was_changed_is_not_believed() {
        let (dir, _) = layer();
        let path = dir.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap().replace("3.10.0", "9.99.9");
        std::fs::write(&path, text).unwrap();
        let changed = Manifest::read(dir.path()).unwrap();
        assert!(changed.deep_damage(dir.path()).unwrap().contains("not the one that was written"));
        std::fs::write(&path, "{").unwrap();
        assert!(Manifest::read(dir.path()).is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(Manifest::read(dir.path()).is_err());
    }
}
