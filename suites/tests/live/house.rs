//! The labs of this repository, as they are: every folder of `fixtures` with a `lab.yaml`, but the article's, which is
//! the main job. A lab is added by adding a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

use super::support::{Ground, Record, article, copy};

#[rstest]
fn passes(#[files("../fixtures/*/lab.yaml")] file: PathBuf) {
    // Loaded here and not by the pattern's exclusion, so that a renamed article is noticed.
    let lab = file.parent().unwrap();
    if lab.canonicalize().unwrap() == article() {
        return;
    }
    let name = lab.file_name().unwrap().to_string_lossy().into_owned();
    let Some(ground) = Ground::new(&name) else { return };
    // A copy: a lab of the repository must not need the repository around it.
    let here = ground.path(&name);
    copy(lab, &here);
    ground.run(&["test", here.to_str().unwrap()]).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    assert_eq!(record.outcome(), "passed");
    assert_eq!(record.names("failed"), BTreeSet::new());
    assert!(record.names("passed").len() > 50, "{name} hardly judges anything: {:?}", record.names("passed"));
    ground.goes_on(&here);
}

#[test]
fn every_lab_says_what_it_is_for() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
    for entry in fs::read_dir(fixtures).unwrap().map(Result::unwrap) {
        let file = entry.path().join("lab.yaml");
        if let Ok(text) = fs::read_to_string(&file) {
            assert!(text.lines().any(|line| line.starts_with("description:")), "{}", file.display());
        }
    }
}
