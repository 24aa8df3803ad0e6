//! The archive: one tar, the same names in the same order each time, put in its place whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::Utc;

use super::collect::Collected;
use super::index::{self, Index, Missing};
use super::part::{Content, Piece};

/// A bundle's name beside a record, and without its end the folder that it unpacks to.
pub const NAME: &str = "fabric-diagnostics.tar";
const FOLDER: &str = "fabric-diagnostics";

/// A bundle could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the diagnostics could not be written to {}: {source}; is the folder writable, the disk not full?", path.display())]
pub struct BundleError {
    /// The file.
    path: PathBuf,
    /// What the system said.
    source: io::Error,
}

/// A bundle that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// How many files it has, its index not counted.
    pub files: usize,
    /// How many parts could not be had.
    pub missing: usize,
    /// How many bytes it has.
    pub bytes: u64,
}

impl Collected {
    /// Takes secrets out and writes the bundle; the folder is made if need be. The file is there whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn write(self, path: &Path) -> Result<Made, BundleError> {
        self.written(path).map_err(|source| BundleError { path: path.to_path_buf(), source })
    }

    fn written(mut self, path: &Path) -> io::Result<Made> {
        self.pieces.sort_by(|a, b| a.path.cmp(&b.path));
        for piece in &self.pieces {
            if let Ok(Content::Text(text)) = &piece.content {
                self.redactor.learn(text);
            }
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // As readable as the user's umask lets it be: a CI's collector often runs as somebody else.
        let file = tempfile::Builder::new()
            .prefix(".writing-")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        let (files, missing) = self.fill(file.as_file())?;
        let bytes = file.as_file().metadata()?.len();
        file.persist(path).map_err(|error| error.error)?;
        Ok(Made { path: path.to_path_buf(), files, missing, bytes })
    }

    fn fill(self, file: &File) -> io::Result<(usize, usize)> {
        let Self { pieces, redactor, fabric, why, notes, began } = self;
        let mut index = Index::new(fabric, why, notes);
        index.began = began;
        let mut archive = tar::Builder::new(BufWriter::new(file));
        for Piece { path, about, from, at, took, content } in pieces {
            let from = redactor.redact(&from).0;
            let (bytes, redacted) = match content {
                Err(why) => {
                    let why = redactor.redact(&why).0;
                    index.missing.push(Missing { path, about, from, why });
                    continue;
                }
                Ok(Content::Bytes(bytes)) => (bytes, 0),
                Ok(Content::Text(text)) => {
                    let (text, count) = redactor.redact(&text);
                    (text.into_bytes(), count)
                }
            };
            add(&mut archive, &path, &bytes, at.timestamp())?;
            let took_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
            index.files.push(index::File { path, about, from, at, took_ms, bytes: bytes.len(), redacted });
        }
        index.ended = Utc::now();
        let now = index.ended.timestamp();
        add(&mut archive, "index.json", index.json().as_bytes(), now)?;
        add(&mut archive, "INDEX.md", index.markdown().as_bytes(), now)?;
        archive.into_inner()?.flush()?;
        Ok((index.files.len(), index.missing.len()))
    }
}

fn add(archive: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8], at: i64) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(u64::try_from(at).unwrap_or_default());
    archive.append_data(&mut header, format!("{FOLDER}/{path}"), bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;
    use crate::bundle::Redactor;

    fn files(path: &Path) -> BTreeMap<String, String> {
        let mut archive = tar::Archive::new(File::open(path).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (name, String::from_utf8_lossy(&bytes).into_owned())
        });
        entries.collect()
    }

    #[test]
    fn a_secret_of_one_file_is_in_no_other_and_what_is_missing_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er").join(NAME);
        let pieces = vec![
            Piece::text("b/log.txt", "a log", "somewhere", "auth with Hunter2-xyz failed"),
            Piece::text("a/conf.txt", "a configuration", "cat", " neighbor 10.0.0.1 password Hunter2-xyz\n"),
            Piece::missing("c.txt", "gone", "cat Hunter2-xyz", "no such file: Hunter2-xyz"),
        ];
        let collected = Collected {
            pieces,
            redactor: Redactor::new(),
            fabric: "demo".into(),
            why: "a check failed".into(),
            notes: vec!["A note.".into()],
            began: Utc::now(),
        };
        let made = collected.write(&path).unwrap();
        assert_eq!((made.files, made.missing), (2, 1));
        let all = files(&path);
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        let wanted = ["INDEX.md", "a/conf.txt", "b/log.txt", "index.json"];
        assert_eq!(names, wanted.map(|name| format!("{FOLDER}/{name}")));
        assert!(all.values().all(|text| !text.contains("Hunter2")), "{all:#?}");
        assert_eq!(all["fabric-diagnostics/b/log.txt"], "auth with <redacted:1> failed");
        let index: serde_json::Value = serde_json::from_str(&all["fabric-diagnostics/index.json"]).unwrap();
        assert_eq!(index["missing"][0]["why"], "no such file: <redacted:1>");
        assert_eq!(index["files"][0]["redacted"], 1);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a temporary file stays behind");
    }
}
