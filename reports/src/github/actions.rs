//! Workflow commands (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::markdown;
use crate::record::{Check, Place, Record, Verdict};
use crate::text::clean;

/// GitHub shows ten errors and ten warnings of a step, and no more.
const SHOWN: usize = 10;

/// How much of a text an annotation shows; it is cut at 4 KiB.
const TEXT: usize = 3_000;

/// A job of GitHub Actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actions {
    /// The checked-out repository: annotations name files from there.
    workspace: Option<PathBuf>,
    /// The folder that names in the record are relative to.
    here: PathBuf,
    /// The file that the step's part of the job's summary goes to.
    summary: Option<PathBuf>,
}

/// The job's summary could not be written.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot append the run's summary to {}: {source}; GitHub made that file for this step and named it in GITHUB_STEP_SUMMARY",
    path.display()
)]
pub struct GithubError {
    path: PathBuf,
    source: io::Error,
}

impl Actions {
    /// The job this runs in, by its environment; none where `GITHUB_ACTIONS` is not `true`.
    pub fn here(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let said = |name: &str| variable(name).filter(|value| !value.is_empty());
        (said("GITHUB_ACTIONS").as_deref() == Some("true")).then(|| Self {
            workspace: said("GITHUB_WORKSPACE").map(PathBuf::from),
            here: std::env::current_dir().unwrap_or_default(),
            summary: said("GITHUB_STEP_SUMMARY").map(PathBuf::from),
        })
    }

    /// The annotations: an error for each cause and each failed check that has none, at most ten.
    pub fn annotations(&self, record: &Record) -> String {
        let failed: Vec<&Check> =
            record.checks.iter().filter(|check| check.verdict == Verdict::Failed).collect();
        let mut all: Vec<String> = Vec::new();
        if let Some(error) = &record.error {
            all.push(command(&[("title", &format!("{} did not work", error.phase))], &error.text));
        }
        let mut explained: Vec<&str> = Vec::new();
        for check in failed {
            let cause = record.causes.iter().find(|cause| Some(&cause.id) == check.cause.as_ref());
            // Ten are shown: one for each cause says more than ten victims of the same.
            if let Some(cause) = cause {
                if explained.contains(&cause.id.as_str()) {
                    continue;
                }
                explained.push(&cause.id);
            }
            let others = cause.map_or(0, |cause| cause.victims.len().saturating_sub(1));
            let mut text = check.failure.clone().unwrap_or_default();
            if others > 0 {
                text = format!("{text}\n\nFor the same reason {others} more fail.");
            }
            all.push(self.at(check, &text));
        }
        let more = all.len().saturating_sub(SHOWN);
        if more > 0 {
            all.truncate(SHOWN - 1);
            let text = format!("{} more are in record.json, junit.xml and the job's summary.", more + 1);
            all.push(command(&[("title", "More checks fail")], &text));
        }
        all.concat()
    }

    fn at(&self, check: &Check, text: &str) -> String {
        let Some(Place { file, line, column }) = &check.written_at else {
            return command(&[("title", &check.name)], text);
        };
        let (line, column) = (line.to_string(), column.to_string());
        let file = self.in_repository(Path::new(file));
        command(&[("file", &file), ("line", &line), ("col", &column), ("title", &check.name)], text)
    }

    /// A file as GitHub knows it: from the root of the repository. One outside is named as it is.
    fn in_repository(&self, file: &Path) -> String {
        let whole = self.here.join(file);
        let whole = whole.canonicalize().unwrap_or(whole);
        let root = self.workspace.as_ref().map(|root| root.canonicalize().unwrap_or_else(|_| root.clone()));
        match root.as_deref().and_then(|root| whole.strip_prefix(root).ok()) {
            Some(inside) => inside.display().to_string(),
            None => file.display().to_string(),
        }
    }

    /// Appends the run's page to the job's summary, if there is one.
    ///
    /// # Errors
    /// When the file cannot be written to.
    pub fn summarize(&self, record: &Record) -> Result<(), GithubError> {
        let Some(path) = &self.summary else { return Ok(()) };
        let page = format!("{}\n", markdown::render(record));
        let append = || OpenOptions::new().append(true).create(true).open(path)?.write_all(page.as_bytes());
        append().map_err(|source| GithubError { path: path.clone(), source })
    }
}

/// Tells GitHub of a run that is over, where this is a job of GitHub's. Annotations go to standard error, where the runner
/// reads them, too: standard output may be for programs. What cannot be told is said there.
pub fn tell(record: &Record) {
    let Some(actions) = Actions::here(|name| std::env::var(name).ok()) else { return };
    let mut err = io::stderr().lock();
    // That nobody reads it is no failure of the run.
    let _ = err.write_all(actions.annotations(record).as_bytes());
    if let Err(error) = actions.summarize(record) {
        let _ = writeln!(err, "{error}");
    }
}

/// One command, with its line feed.
fn command(properties: &[(&str, &str)], text: &str) -> String {
    let property = |(key, value): &(&str, &str)| format!("{key}={}", property(&clean(value)));
    let properties: Vec<String> = properties.iter().map(property).collect();
    format!("::error {}::{}\n", properties.join(","), data(&cut(&clean(text))))
}

/// What ends a line or begins an escape, as the runner reads it back.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// In a property, what ends one as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn cut(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let end = (0..=TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n[...]", &text[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::sample;

    fn job(dir: &Path) -> Actions {
        let said = |name: &str| match name {
            "GITHUB_ACTIONS" => Some("true".to_owned()),
            "GITHUB_WORKSPACE" => Some(dir.display().to_string()),
            "GITHUB_STEP_SUMMARY" => Some(dir.join("summary.md").display().to_string()),
            _ => None,
        };
        Actions { here: dir.join("suites"), ..Actions::here(said).unwrap() }
    }

    #[test]
    fn elsewhere_nothing_is_told() {
        assert_eq!(Actions::here(|_| None), None);
        assert_eq!(Actions::here(|name| (name == "GITHUB_ACTIONS").then(|| "false".into())), None);
    }

    #[test]
    fn a_failed_check_is_shown_where_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("fixtures/lab")).unwrap();
        std::fs::create_dir(dir.path().join("suites")).unwrap();
        std::fs::write(dir.path().join("fixtures/lab/lab.yaml"), "").unwrap();
        let mut record = sample::failed();
        // As cargo test names it, which runs in the crate's folder.
        let place = Place { file: "../fixtures/lab/lab.yaml".into(), line: 3, column: 7 };
        record.checks[0].written_at = Some(place);
        insta::assert_snapshot!(job(dir.path()).annotations(&record));
    }

    #[test]
    fn a_cause_is_told_once_and_ten_are_told() {
        let mut record = sample::failed();
        let failed = record.checks[0].clone();
        record.checks =
            (0..30).map(|n| Check { name: format!("policy::routes::tor0::{n}"), ..failed.clone() }).collect();
        record.causes[0].victims = record.checks.iter().map(|check| check.name.clone()).collect();
        let dir = Path::new("/");
        let told = job(dir).annotations(&record);
        assert_eq!(told.lines().count(), 1);
        assert!(told.contains("For the same reason 29 more fail."), "{told}");
        record.checks.iter_mut().for_each(|check| check.cause = None);
        let told = job(dir).annotations(&record);
        assert_eq!(told.lines().count(), SHOWN);
        assert!(told.lines().last().unwrap().contains("21 more"), "{told}");
    }

    #[test]
    fn a_passed_run_has_no_annotation_and_a_summary() {
        let dir = tempfile::tempdir().unwrap();
        let job = job(dir.path());
        assert_eq!(job.annotations(&sample::passed()), "");
        std::fs::write(dir.path().join("summary.md"), "before\n").unwrap();
        job.summarize(&sample::passed()).unwrap();
        let written = std::fs::read_to_string(dir.path().join("summary.md")).unwrap();
        assert!(written.starts_with("before\n## cilium-bgp-lab: the run passed"), "{written}");
    }

    #[test]
    fn a_summary_that_cannot_be_written_is_said() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("summary.md")).unwrap();
        let error = job(dir.path()).summarize(&sample::passed()).unwrap_err().to_string();
        assert!(error.contains("GITHUB_STEP_SUMMARY"), "{error}");
    }

    /// What the runner does with a command (`ActionCommand.cs`): split at `::` and `,`, then take the escapes back.
    fn read(line: &str) -> Option<(Vec<(String, String)>, String)> {
        let (head, text) = line.strip_prefix("::error ")?.split_once("::")?;
        let back = |text: &str| {
            let text = text.replace("%0D", "\r").replace("%0A", "\n");
            text.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
        };
        let properties =
            head.split(',').filter_map(|one| one.split_once('=')).map(|(k, v)| (k.to_owned(), back(v)));
        Some((properties.collect(), back(text)))
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_read_back(name in "[^%\u{0}-\u{1f}\u{7f}-\u{9f}\u{fffe}\u{ffff}]{0,40}", text: String) {
            let line = command(&[("file", "a,b:c"), ("title", &name)], &text);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let (properties, said) = read(line.trim_end_matches('\n')).unwrap();
            prop_assert_eq!(&properties[0].1, "a,b:c");
            prop_assert_eq!(&properties[1].1, &name);
            if !text.contains('%') {
                prop_assert_eq!(said, cut(&clean(&text)));
            }
        }
    }
}
