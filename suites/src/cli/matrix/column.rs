//! One version's run of a lab: the lab as it would be for that version, in a folder of its own, and what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use fabric_harness::cilium::{CiliumVersion, known_lines};
use fabric_reports::Record;
use fabric_reports::progress::Silent;
use fabric_reports::record::Verdict;
use fabric_suites::run::{self, Begin, Home, RunSettings, Selection};
use fabric_suites::upgrade::{self, Migrated};
use tokio::sync::oneshot;

/// What came of a lab on one version.
#[derive(Debug)]
pub(super) struct Column {
    /// The version.
    pub(super) version: CiliumVersion,
    /// The run, or why there was none: the version refuses the lab's files.
    pub(super) came: Result<Box<Record>, String>,
}

impl Column {
    /// The verdict on a check; none where it was not run at all.
    pub(super) fn verdict(&self, check: &str) -> Option<Verdict> {
        let record = self.came.as_ref().ok()?;
        record.checks.iter().find(|one| one.name == check).map(|one| one.verdict)
    }

    /// Whether every check passed.
    pub(super) fn is_good(&self) -> bool {
        self.came.as_ref().is_ok_and(|record| record.exit_code == 0)
    }
}

/// What to run, and how.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// The lab.
    pub(super) lab: PathBuf,
    /// Whether the lab's files are rewritten for each version, as `fabric upgrade check --write` does.
    pub(super) migrate: bool,
    /// Only checks whose name contains one of these.
    pub(super) only: Vec<String>,
    /// Where its nodes are to live.
    pub(super) home: Home,
}

/// Runs a lab on one version.
///
/// # Errors
/// When the lab cannot be read as it is, or a folder for it cannot be made.
pub(super) async fn column(way: &Way, version: CiliumVersion) -> Result<Column> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("lab");
    rewrite(way, version, &dir)?;
    let prepared = match run::prepare(&dir) {
        Ok(prepared) => prepared,
        // The version does not take these files: that is an answer.
        Err(error) => {
            let why = error.render(false).replace(&format!("{}/", dir.display()), "");
            return Ok(Column { version, came: Err(why) });
        }
    };
    let mut selection = Selection::new();
    // Nobody listens to single checks; the record has them all.
    let mut listeners = Vec::new();
    for check in prepared.plan.iter().flat_map(|phase| &phase.checks) {
        if way.only.is_empty() || way.only.iter().any(|text| check.name.contains(text)) {
            let (tell, told) = oneshot::channel();
            selection.insert(check.name.clone(), tell);
            listeners.push(told);
        }
    }
    let name = format!("{}-{version}-{}", prepared.lab.name, std::process::id());
    let settings = RunSettings {
        begin: Begin::Fresh,
        name: Some(name.replace('.', "-")),
        report_dir: Some(folder.path().join("report")),
        runs_dir: folder.path().to_path_buf(),
        home: way.home.clone(),
    };
    let recorder = run::recorder(&prepared, Arc::new(Silent));
    let record = run::run(prepared, settings, selection, recorder).await.record;
    Ok(Column { version, came: Ok(Box::new(record)) })
}

/// The lab for a version: nothing but its version changed, or everything that the version wants otherwise.
fn rewrite(way: &Way, version: CiliumVersion, dir: &Path) -> Result<()> {
    let root = if way.lab.is_file() {
        way.lab.parent().map(Path::to_path_buf).unwrap_or_default()
    } else {
        way.lab.clone()
    };
    let at = upgrade::version_at(&way.lab)?;
    let Some(at) = at else {
        return Err(super::super::exit::Usage(format!(
            "{} names no Cilium, so it has no versions to compare: write `cilium: {{ version: 1.18.0 }}` in lab.yaml",
            way.lab.display()
        ))
        .into());
    };
    let migrated = match upgrade::of_lab(&way.lab, None, version) {
        Ok(asked) if way.migrate => upgrade::migrate(&asked, Some(&at))?,
        // Its own version, or an earlier one: there is nothing to rewrite but the version.
        _ => Migrated { changed: vec![upgrade::with_version(&at, version)?], lost: Vec::new() },
    };
    migrated.write(&root, dir)?;
    Ok(())
}

/// A range of versions: `1.12..1.20` (each line between, the last included), or versions with commas between.
pub(super) fn versions(text: &str) -> Result<Vec<CiliumVersion>, String> {
    let read = |word: &str| word.trim().parse::<CiliumVersion>().map_err(|error| error.to_string());
    let Some((from, to)) = text.split_once("..") else {
        return text.split(',').map(read).collect();
    };
    let (from, to) = (read(from)?, read(to.trim_start_matches('='))?);
    if to < from {
        return Err(format!("the range {text} ends before it begins; write the earlier version first"));
    }
    let between = known_lines().map(|row| row.line).filter(|line| *line > from.line() && *line < to.line());
    let mut all = vec![from];
    all.extend(between.map(|(major, minor)| CiliumVersion::new(major, minor, 0)));
    if to != from {
        all.push(to);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.17..1.20", "1.17.0 1.18.0 1.19.0 1.20.0")]
    #[case("1.12.1..1.13.4", "1.12.1 1.13.4")]
    #[case("1.18.5", "1.18.5")]
    #[case("1.12.1,1.20-dev", "1.12.1 1.20.0-dev")]
    #[case("1.19..1.19", "1.19.0")]
    fn ranges_have_each_line_between(#[case] text: &str, #[case] expected: &str) {
        let all: Vec<String> = versions(text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(all.join(" "), expected);
    }

    #[rstest]
    #[case("1.20..1.12", "earlier version first")]
    #[case("newest", "write it as 1.12.1")]
    #[case("1.12..", "write it as 1.12.1")]
    fn what_is_no_range_is_refused(#[case] text: &str, #[case] expected: &str) {
        let error = versions(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
