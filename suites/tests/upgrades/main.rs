//! Every folder of `fixtures/upgrades` is a case: what `fabric upgrade check` must find in it, exactly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fabric_harness::cilium::CiliumVersion;
use fabric_suites::upgrade::{Asked, AskedNode, Files, Finding, Severity, forecast, of_files, of_lab};
use rstest::rstest;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[allow(dead_code, reason = "for people")]
    about: String,
    from: CiliumVersion,
    to: CiliumVersion,
    lab: Option<PathBuf>,
    values: Option<PathBuf>,
    #[serde(default)]
    manifests: Vec<PathBuf>,
    #[serde(default)]
    nodes: BTreeMap<String, BTreeMap<String, String>>,
    finds: Vec<Found>,
    #[serde(default)]
    silent: Vec<String>,
}

/// One finding, as far as a case names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    rule: String,
    severity: String,
    at: Option<String>,
    with: Option<String>,
}

impl Found {
    fn of(finding: &Finding) -> Self {
        let at = finding.at.as_ref().map(|at| {
            let file = at.file.file_name().unwrap_or_default().to_string_lossy();
            format!("{file}:{}", at.line)
        });
        Self {
            rule: finding.rule.to_owned(),
            severity: finding.severity.to_string(),
            at,
            with: finding.with.map(|(major, minor)| format!("{major}.{minor}")),
        }
    }
}

#[allow(clippy::unwrap_used, reason = "a case that cannot be read fails its test")]
fn asked(case: &Case, dir: &Path) -> Asked {
    match &case.lab {
        Some(lab) => of_lab(&dir.join(lab), Some(case.from), case.to).unwrap(),
        None => {
            let nodes = case
                .nodes
                .iter()
                .map(|(name, labels)| AskedNode { name: name.clone(), labels: labels.clone() });
            let files = Files {
                values: case.values.as_ref().map(|file| dir.join(file)),
                manifests: case.manifests.iter().map(|file| dir.join(file)).collect(),
                nodes: nodes.collect(),
            };
            of_files(&files, Some(case.from), case.to).unwrap()
        }
    }
}

#[rstest]
fn finds_what_is_known(#[files("../fixtures/upgrades/*/case.yaml")] file: PathBuf) {
    let text = std::fs::read_to_string(&file).unwrap();
    let case: Case =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let dir = file.parent().unwrap();
    let answer = forecast(&asked(&case, dir));
    let mut found: Vec<Found> = answer.findings.iter().map(Found::of).collect();
    let mut wanted: Vec<Found> = case.finds.clone();
    // A case that leaves the line out does not mean that there is none.
    for want in &mut wanted {
        if want.with.is_none() {
            let same = found.iter().find(|found| (&found.rule, &found.at) == (&want.rule, &want.at));
            want.with = same.and_then(|found| found.with.clone());
        }
    }
    found.sort();
    wanted.sort();
    let shown = |all: &[Found]| all.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join("\n");
    assert!(found == wanted, "found:\n{}\n\nwanted:\n{}", shown(&found), shown(&wanted));
    assert_eq!(answer.effect.silenced(), case.silent.iter().map(String::as_str).collect::<Vec<_>>());
    for finding in &answer.findings {
        assert!(!finding.instead.is_empty() && !finding.source.is_empty(), "{finding:?}");
    }
    assert_eq!(answer.breaks(), answer.findings.iter().any(|finding| finding.severity == Severity::Breaks));
}
