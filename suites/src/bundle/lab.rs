//! The lab's own files, as they are now, and those of the fabric's keeper.

use std::fs;
use std::path::{Path, PathBuf};

use super::part::{Part, Piece};

/// More than this is no lab any more; it is said what was left out.
const FILES: usize = 300;
const LARGEST: u64 = 1024 * 1024;
const DEEPEST: usize = 4;
/// Folders that hold no part of a lab.
const PASSED_OVER: [&str; 4] = ["target", "node_modules", "runs", "clab"];

/// Every file of a lab's folder that can be read as text.
pub(super) fn files(dir: &Path) -> (Vec<Part>, Vec<Piece>) {
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    let mut folders = vec![(dir.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                let from = folder.display().to_string();
                missing.push(Piece::missing(
                    name(dir, &folder),
                    "a folder of the lab",
                    from,
                    error.to_string(),
                ));
                continue;
            }
        };
        let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        entries.sort();
        for path in entries {
            let last = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let why =
                if last.starts_with('.') || PASSED_OVER.contains(&last.as_str()) || last.starts_with("clab-")
                {
                    continue;
                } else if metadata.is_dir() {
                    if depth < DEEPEST {
                        folders.push((path, depth + 1));
                    }
                    continue;
                } else if holds_keys(&last) {
                    "it is left out: by its name it holds a key"
                } else if !metadata.is_file() {
                    "it is no regular file"
                } else if metadata.len() > LARGEST {
                    "it is larger than 1 MiB"
                } else if parts.len() >= FILES {
                    "the lab's folder has more files than belong into a bundle"
                } else if !is_text(&path) {
                    "it is no text"
                } else {
                    parts.push(Part::file(name(dir, &path), "the lab's own file", &path));
                    continue;
                };
            if missing.len() < FILES {
                missing.push(Piece::missing(
                    name(dir, &path),
                    "the lab's own file",
                    path.display().to_string(),
                    why,
                ));
            }
        }
    }
    (parts, missing)
}

/// What a keeper has written.
pub(super) fn keeper(dir: &Path) -> Vec<Part> {
    vec![
        Part::file(
            "keeper/state.json",
            "what the keeper has written down of the fabric",
            &dir.join("state.json"),
        ),
        Part::file(
            "keeper/keeper.log",
            "the keeper's log; empty when nothing went wrong",
            &dir.join("keeper.log"),
        ),
    ]
}

/// The machine, as far as it explains slowness.
pub(super) fn host() -> Vec<Part> {
    let files = ["version", "loadavg", "meminfo", "pressure/cpu", "pressure/memory", "pressure/io"];
    let part = |file: &&str| {
        let path = Path::new("/proc").join(file);
        Part::file(format!("host/{}.txt", file.replace('/', "-")), "this machine", &path)
    };
    files.iter().map(part).collect()
}

fn name(dir: &Path, path: &Path) -> String {
    format!("lab/{}", path.strip_prefix(dir).unwrap_or(path).display())
}

fn holds_keys(name: &str) -> bool {
    let ends = [".key", ".pem", ".p12", ".pfx", ".jks", ".keytab"];
    ends.iter().any(|end| name.ends_with(end)) || name.starts_with("id_") || name.contains("kubeconfig")
}

/// Whether the beginning of a file is text.
fn is_text(path: &Path) -> bool {
    use std::io::Read;
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && !start.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_what_is_no_text_are_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("lab.yaml", b"phases: []");
        write("r1/frr.conf", b"router bgp 1");
        write("tls.key", b"secret");
        write("image.bin", &[0, 1, 2]);
        write(".git/config", b"x");
        write("target/big", b"x");
        let (parts, missing) = files(folder.path());
        assert_eq!(parts.len(), 2);
        let missing: Vec<&str> = missing.iter().map(|piece| piece.path.as_str()).collect();
        assert_eq!(missing, ["lab/image.bin", "lab/tls.key"]);
    }
}
