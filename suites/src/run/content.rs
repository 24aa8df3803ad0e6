//! A sum over a lab's files, by which two runs are known to be of the same lab.

use std::fs;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Files that are larger than this are no lab's (bytes); of such a one its length is summed.
const LARGE: u64 = 1 << 20;

/// The sum over all files below a folder, hidden ones excepted: the first half of SHA-256, in hexadecimal digits. None where
/// one cannot be read.
pub(super) fn sum(dir: &Path) -> Option<String> {
    let mut sum = Sha256::new();
    add(dir, Path::new(""), &mut sum, 0).ok()?;
    let digits: String = sum.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Some(digits)
}

fn add(dir: &Path, below: &Path, sum: &mut Sha256, depth: usize) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        // What runs leave there, and what editors and version control do, is no part of the lab.
        if name.to_string_lossy().starts_with('.') || name == "target" {
            continue;
        }
        let (path, shown) = (entry.path(), below.join(&name));
        let about = fs::metadata(&path)?;
        if about.is_dir() {
            if depth < 8 {
                add(&path, &shown, sum, depth + 1)?;
            }
            continue;
        }
        if !about.is_file() {
            continue;
        }
        let shown = shown.to_string_lossy().into_owned();
        sum.update((shown.len() as u64).to_be_bytes());
        sum.update(shown);
        sum.update(about.len().to_be_bytes());
        if about.len() <= LARGE {
            sum.update(fs::read(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_is_known_by_what_is_in_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let of = || sum(folder.path()).unwrap();
        fs::write(folder.path().join("a"), "one").unwrap();
        let first = of();
        fs::write(folder.path().join(".hidden"), "no matter").unwrap();
        assert_eq!(of(), first);
        fs::write(folder.path().join("a"), "two").unwrap();
        assert_ne!(of(), first);
        fs::write(folder.path().join("a"), "one").unwrap();
        assert_eq!(of(), first);
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::rename(folder.path().join("a"), folder.path().join("b/a")).unwrap();
        assert_ne!(of(), first);
        assert_eq!(sum(Path::new("/no/such/folder")), None);
    }
}
