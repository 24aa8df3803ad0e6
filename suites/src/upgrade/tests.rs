//! Rewriting whole files: what changes, what stays to the letter.

use std::fs;
use std::path::{Path, PathBuf};

use fabric_harness::cilium::CiliumVersion;
use rstest::rstest;

use super::*;

fn article() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp")
}

fn migrated(to: &str) -> Migrated {
    let asked = of_lab(&article(), None, to.parse().unwrap()).unwrap();
    migrate(&asked, version_at(&article()).unwrap().as_ref()).unwrap()
}

fn after<'m>(migrated: &'m Migrated, name: &str) -> Option<&'m str> {
    let found = migrated.changed.iter().find(|(path, _, _)| path.ends_with(name))?;
    Some(&found.2)
}

#[test]
fn the_articles_policies_in_the_second_api() {
    insta::assert_snapshot!(after(&migrated("1.19.4"), "cilium-bgp-peering-policies.yaml").unwrap());
}

#[rstest]
#[case("1.13.4", None)]
#[case("1.14.0", Some("routingMode: native"))]
#[case("1.20.0", Some("routingMode: native"))]
fn values_change_where_they_must(#[case] to: &str, #[case] expected: Option<&str>) {
    let migrated = migrated(to);
    let values = after(&migrated, "values.yaml");
    assert_eq!(values.map(|text| text.contains(expected.unwrap_or_default())), expected.map(|_| true));
    // What does not have to change is not touched, comments included.
    assert!(values.is_none_or(|text| text.contains("# BGP support, as --enable-bgp-control-plane=true")));
}

#[rstest]
#[case("1.17.6", false)]
#[case("1.18.0", true)]
fn policies_are_left_alone_until_they_are_deprecated(#[case] to: &str, #[case] rewritten: bool) {
    assert_eq!(after(&migrated(to), "cilium-bgp-peering-policies.yaml").is_some(), rewritten);
}

#[test]
fn lab_yaml_names_the_new_version_and_is_otherwise_the_same() {
    let migrated = migrated("1.20.0");
    let (before, after) = migrated
        .changed
        .iter()
        .find(|(path, _, _)| path.ends_with("lab.yaml"))
        .map(|(_, before, after)| (before, after))
        .unwrap();
    assert_eq!(before.replace("version: 1.12.1", "version: 1.20.0"), *after);
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("mine.txt"), "mine").unwrap();
    let error = migrated("1.20.0").write(&article(), dir.path()).unwrap_err().to_string();
    assert!(error.contains("is not empty; name a folder that is not there yet"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn what_is_written_loads_and_breaks_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let lab = dir.path().join("lab");
    migrated("1.20.0").write(&article(), &lab).unwrap();
    let asked = of_lab(&lab, Some(CiliumVersion::new(1, 18, 5)), CiliumVersion::new(1, 20, 0)).unwrap();
    let answer = forecast(&asked);
    let left: Vec<&Finding> = answer.of(Severity::Breaks).collect();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(answer.effect.speak_after.len(), 4);
}

#[rstest]
#[case("1.12.1", "is no upgrade")]
#[case("1.11.0", "is no upgrade")]
fn the_way_is_up(#[case] to: &str, #[case] expected: &str) {
    let error = of_lab(&article(), None, to.parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}
