//! The labs of these tests: the article's, copies of it with changes, and those under `tests/labs`.

use std::fs;
use std::path::{Path, PathBuf};

use super::ground::Ground;

/// The article's lab.
pub(crate) fn article() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp").canonicalize().unwrap()
}

/// A copy of a lab of `tests/labs` in the test's folder: nodes may write into what is bound into them.
pub(crate) fn foreign(ground: &Ground, name: &str) -> PathBuf {
    let to = ground.path(name);
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labs").join(name), &to);
    to
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of the article's lab whose phase `policy` waits no longer than this: for what will not come.
pub(crate) fn impatient(ground: &Ground, within: &str) -> PathBuf {
    let to = ground.path("impatient");
    copy(&article(), &to);
    let file = to.join("lab.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("- name: policy").unwrap();
    let after = after.replacen("expect:\n", &format!("expect:\n      within: {within}\n"), 1);
    fs::write(&file, format!("{before}- name: policy{after}")).unwrap();
    to
}
