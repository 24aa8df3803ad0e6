//! A run's `record.json`, as a program that knows only its schema would read it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A record.
#[derive(Debug)]
pub(crate) struct Record(pub(crate) Value);

impl Record {
    /// Reads the record in a folder of reports; `junit.xml` must be beside it.
    #[track_caller]
    pub(crate) fn read(folder: &Path) -> Self {
        let junit = fs::read_to_string(folder.join("junit.xml")).unwrap();
        assert!(junit.contains("<testsuites") && junit.trim_end().ends_with("</testsuites>"), "{junit}");
        let path = folder.join("record.json");
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(serde_json::from_slice(&bytes).unwrap())
    }

    pub(crate) fn outcome(&self) -> &str {
        self.0["outcome"].as_str().unwrap()
    }

    fn checks(&self) -> impl Iterator<Item = &Value> {
        self.0["checks"].as_array().unwrap().iter()
    }

    /// Names of the checks with this verdict.
    pub(crate) fn names(&self, verdict: &str) -> BTreeSet<&str> {
        let found = self.checks().filter(|check| check["verdict"] == verdict);
        found.map(|check| check["name"].as_str().unwrap()).collect()
    }

    /// Why a check failed.
    #[track_caller]
    pub(crate) fn failure(&self, name: &str) -> &str {
        let check =
            self.checks().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}"));
        check["failure"].as_str().unwrap_or_else(|| panic!("{name} did not fail"))
    }

    /// Names of the steps of bringing up and down.
    pub(crate) fn steps(&self) -> Vec<&str> {
        self.0["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect()
    }
}
