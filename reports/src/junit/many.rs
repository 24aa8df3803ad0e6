//! Several runs in one JUnit file: a suite per run, under a name of the caller's.

use std::collections::HashSet;

use quick_junit::Report;

use super::render::{JunitError, Names, phase_suite, run_suite, without_root_skipped};
use crate::record::Record;
use crate::text::clean;

/// Renders runs of one lab side by side, each with the name of its suite (a version, say).
///
/// # Errors
/// When the XML writer refuses, which no text in a record should bring about.
pub fn render_many(title: &str, runs: &[(String, &Record)]) -> Result<String, JunitError> {
    let mut report = Report::new(clean(title));
    let mut names = Names::default();
    for (name, record) in runs {
        // One suite holds the checks of all phases: their names begin with the phase anyway.
        let mut record = (*record).clone();
        record.phases.clear();
        for check in &mut record.checks {
            check.phase.clone_from(name);
        }
        if let Some(mut suite) = run_suite(&record, &mut names) {
            suite.name = clean(&format!("{name}: {}", suite.name.as_str())).into();
            report.add_test_suite(suite);
        }
        if !record.checks.is_empty() {
            report.add_test_suite(phase_suite(&record, name, &mut names, &mut HashSet::new()));
        }
    }
    Ok(without_root_skipped(report.to_string()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    #[test]
    fn each_run_has_its_suite() {
        let (good, bad, none) = (sample::passed(), sample::failed(), sample::bring_up_failed());
        let runs = [("1.18".to_owned(), &good), ("1.19".to_owned(), &bad), ("1.20".to_owned(), &none)];
        let xml = render_many("fabric matrix: demo", &runs).unwrap();
        for suite in ["name=\"1.18\"", "name=\"1.19\"", "name=\"1.20: bring-up\""] {
            assert!(xml.contains(suite), "{suite}\n{xml}");
        }
        assert!(!xml.contains("<testsuites skipped"));
    }
}
