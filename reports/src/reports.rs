//! Writing a run's reports into a folder: into one the user names, or into a folder of runs of which the last
//! twenty are kept and the newest is called `latest`.
//!
//! Two runs may end at the same moment. Files are replaced whole, `latest` is a link that is replaced whole, and
//! who changes a folder holds its lock.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use crate::html;
use crate::junit::{self, JunitError};
use crate::record::{Record, RecordError, write_atomically};

/// How many runs a folder of runs keeps.
pub const KEPT_RUNS: usize = 20;

const RECORD: &str = "record.json";
const JUNIT: &str = "junit.xml";
const PAGE: &str = "report.html";

/// Why reports could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A folder could not be made or changed.
    #[error("cannot {tried} {}: {source}; set FABRIC_REPORT_DIR to a folder that can be written to", path.display())]
    Folder {
        /// What was tried.
        tried: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The link to the newest run could not be replaced.
    #[error("cannot point {} at the new run: {source}; it must be a symbolic link: if it is yours, move it away", path.display())]
    Latest {
        /// The link.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The run's name cannot be a folder's name.
    #[error("`{0}` cannot name a run's folder; use record::new_run_id()")]
    RunId(String),
    /// The record could not be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The JUnit file could not be rendered.
    #[error(transparent)]
    Junit(#[from] JunitError),
    /// The page could not be rendered.
    #[error("cannot render the record as a page: {0}")]
    Page(#[source] serde_json::Error),
}

/// Where a run's reports are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The folder, by the path to tell the user: through `latest` where there is one.
    pub dir: PathBuf,
    /// The record.
    pub record: PathBuf,
    /// The JUnit file.
    pub junit: PathBuf,
    /// The page.
    pub page: PathBuf,
}

impl Written {
    fn in_folder(dir: PathBuf) -> Self {
        Self { record: dir.join(RECORD), junit: dir.join(JUNIT), page: dir.join(PAGE), dir }
    }
}

/// Writes the reports of runs.
#[derive(Debug, Clone, Copy)]
pub struct Reports;

impl Reports {
    /// Writes all reports of a run into one folder, which is made if need be. Reports of an earlier run that are
    /// there are replaced.
    ///
    /// # Errors
    /// When the folder cannot be made or written to. The record is written first: whatever else goes wrong,
    /// everything can be rendered from it later.
    pub fn write_all(record: &Record, dir: &Path) -> Result<Written, ReportError> {
        fs::create_dir_all(dir).map_err(folder("make the folder", dir))?;
        let _lock = lock(dir)?;
        let written = Written::in_folder(dir.to_path_buf());
        record.write(&written.record)?;
        let xml = junit::render(record)?;
        let page = html::render(record).map_err(ReportError::Page)?;
        for (path, text) in [(&written.junit, xml), (&written.page, page)] {
            write_atomically(path, |file| io::Write::write_all(file, text.as_bytes()))
                .map_err(folder("write", path))?;
        }
        Ok(written)
    }

    /// Writes all reports of a run into `base/runs/<run id>`, points `base/latest` at it, and removes the oldest
    /// runs beyond [`KEPT_RUNS`].
    ///
    /// # Errors
    /// When a folder cannot be made or written to, when `latest` is something other than a link, or when the run's
    /// name cannot name a folder. Old runs that cannot be removed are no error.
    pub fn write_run(record: &Record, base: &Path) -> Result<Written, ReportError> {
        let id = record.run_id.as_str();
        if !names_a_folder(id) {
            return Err(ReportError::RunId(id.to_owned()));
        }
        let runs = base.join("runs");
        Self::write_all(record, &runs.join(id))?;
        let _lock = lock(base)?;
        let latest = base.join("latest");
        point(&latest, &Path::new("runs").join(id), id)
            .map_err(|source| ReportError::Latest { path: latest.clone(), source })?;
        remove_old(&runs, id);
        Ok(Written::in_folder(latest))
    }
}

/// True for a name that stays inside the folder it is joined to, and that is not hidden.
fn names_a_folder(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name);
    one && !name.starts_with('.') && !name.contains('\0')
}

/// Locks a folder against other runs, until the result is dropped; the system drops it with a process that dies.
fn lock(dir: &Path) -> Result<Option<File>, ReportError> {
    let file = File::open(dir).map_err(folder("open the folder", dir))?;
    match file.lock() {
        Ok(()) => Ok(Some(file)),
        // Some network file systems know no locks. Files and the link are still replaced whole.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(source) => Err(folder("lock the folder", dir)(source)),
    }
}

/// Makes `link` point at `target`, in one step for whoever looks.
fn point(link: &Path, target: &Path, id: &str) -> io::Result<()> {
    let new = link.with_file_name(format!(".latest-{id}"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => std::os::unix::fs::symlink(target, &new)?,
    }
    fs::rename(&new, link).inspect_err(|_| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&new);
    })
}

/// Removes the oldest runs beyond [`KEPT_RUNS`]: folders that hold a record, never the one just written. Another
/// run, or a user, may be removing the same ones.
fn remove_old(runs: &Path, current: &str) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    let mut old: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.file_name() != current)
        .filter_map(|entry| {
            let written = fs::symlink_metadata(entry.path().join(RECORD)).ok()?.modified().ok()?;
            Some((written, entry.path()))
        })
        .collect();
    old.sort();
    let surplus = (old.len() + 1).saturating_sub(KEPT_RUNS);
    for (_, run) in old.into_iter().take(surplus) {
        // What stays is tried again at the end of the next run.
        let _ = fs::remove_dir_all(run);
    }
}

fn folder(tried: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.to_path_buf();
    move |source| ReportError::Folder { tried, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{new_run_id, sample};
    use rstest::rstest;

    fn run(id: &str) -> Record {
        Record { run_id: id.into(), ..sample::failed() }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_plain_folder_holds_the_reports_of_the_last_run() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("a/b");
        Reports::write_all(&run("one"), &dir).unwrap();
        let written = Reports::write_all(&run("two"), &dir).unwrap();
        assert_eq!(names(&dir), ["junit.xml", "record.json", "report.html"]);
        assert_eq!(Record::read(written.record).unwrap().run_id, "two");
        assert!(fs::read_to_string(written.junit).unwrap().contains("value=\"two\""));
    }

    #[test]
    fn latest_is_the_last_run_and_earlier_ones_stay() {
        let base = tempfile::tempdir().unwrap();
        Reports::write_run(&run("one"), base.path()).unwrap();
        let written = Reports::write_run(&run("two"), base.path()).unwrap();
        assert_eq!(written.dir, base.path().join("latest"));
        assert_eq!(Record::read(written.record).unwrap().run_id, "two");
        assert_eq!(fs::read_link(written.dir).unwrap(), Path::new("runs/two"));
        assert_eq!(names(base.path()), ["latest", "runs"]);
        assert_eq!(names(&base.path().join("runs")), ["one", "two"]);
    }

    #[test]
    fn only_the_last_runs_are_kept_and_what_is_not_a_run_is_left_alone() {
        let base = tempfile::tempdir().unwrap();
        let runs = base.path().join("runs");
        fs::create_dir_all(runs.join("mine")).unwrap();
        fs::write(runs.join("mine/notes.txt"), "keep").unwrap();
        for number in 0..KEPT_RUNS + 3 {
            Reports::write_run(&run(&format!("run-{number:02}")), base.path()).unwrap();
            // Runs written within one tick of the file system's clock would be of the same age.
            let record = File::open(runs.join(format!("run-{number:02}")).join(RECORD)).unwrap();
            let age = std::time::Duration::from_secs(1_000_000 + number as u64);
            record.set_modified(SystemTime::UNIX_EPOCH + age).unwrap();
        }
        let kept = names(&runs);
        assert_eq!(kept.len(), KEPT_RUNS + 1);
        assert!(kept.contains(&"mine".to_owned()));
        assert!(!kept.contains(&"run-02".to_owned()) && kept.contains(&"run-03".to_owned()), "{kept:?}");
    }

    #[rstest]
    #[case("")]
    #[case("..")]
    #[case("a/b")]
    #[case("/tmp/x")]
    #[case(".hidden")]
    #[case("a/")]
    #[case("a\0b")]
    fn a_run_cannot_leave_its_folder(#[case] id: &str) {
        let base = tempfile::tempdir().unwrap();
        assert!(matches!(Reports::write_run(&run(id), base.path()), Err(ReportError::RunId(_))));
        assert!(names(base.path()).is_empty());
    }

    #[test]
    fn a_folder_called_latest_is_not_replaced() {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir_all(base.path().join("latest/mine")).unwrap();
        let error = Reports::write_run(&run("one"), base.path()).unwrap_err().to_string();
        assert!(error.contains("must be a symbolic link"), "{error}");
        assert_eq!(names(base.path()), ["latest", "runs"]);
        assert!(base.path().join("runs/one/record.json").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let base = tempfile::tempdir().unwrap();
        fs::write(base.path().join("file"), "").unwrap();
        let error = Reports::write_all(&run("one"), &base.path().join("file/dir")).unwrap_err().to_string();
        assert!(error.contains("file/dir") && error.contains("FABRIC_REPORT_DIR"), "{error}");
    }

    #[test]
    fn runs_that_end_together_leave_whole_reports() {
        let base = tempfile::tempdir().unwrap();
        let (runs, plain) = (base.path().join("fabric"), base.path().join("plain"));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let id = new_run_id();
                    for _ in 0..3 {
                        Reports::write_run(&run(&id), &runs).unwrap();
                        Reports::write_all(&run(&id), &plain).unwrap();
                        // Whoever's it is by now, it can be read at any moment.
                        Record::read(runs.join("latest/record.json")).unwrap();
                    }
                });
            }
        });
        assert_eq!(names(&runs), ["latest", "runs"]);
        assert_eq!(names(&runs.join("runs")).len(), 8);
        let record = Record::read(plain.join(RECORD)).unwrap();
        assert!(fs::read_to_string(plain.join(JUNIT)).unwrap().contains(&record.run_id), "two runs mixed");
    }
}
