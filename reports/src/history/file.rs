//! What is kept of runs that are over, after their folders have gone: of each check its verdict and how long it took.
//!
//! One file beside the folder of runs, rewritten whole. Names stand in it once; a run of the article's lab takes about 4 kB.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Outcome, Record, Runtime, Verdict, write_atomically};

/// How many runs are kept; the oldest go first.
pub const KEPT: usize = 500;

/// The name of the file.
const FILE: &str = "history.json";

/// The version of the file's format.
const VERSION: u32 = 1;

/// Why a history could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file could not be read.
    #[error("cannot read the history {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no history, or one of another version.
    #[error("{}: no history of runs that this program reads: {why}; move it away, and a new one is begun", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It could not be written.
    #[error("cannot write the history {}: {source}; is the folder writable, the disk not full?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs that are over, by their start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The runs.
    pub runs: Vec<PastRun>,
}

/// What runs have in common that can be compared with one another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Series {
    /// The lab's name.
    pub lab: String,
    /// The environment: `twin`, `lab`, `attach`.
    pub env: String,
    /// Where nodes lived: `netns`, `docker`, `attach`.
    pub runtime: String,
}

/// One run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// Its id.
    pub run_id: String,
    /// When it started.
    pub started: DateTime<Utc>,
    /// What it can be compared with.
    pub series: Series,
    /// A sum over the lab's files, where the record has one.
    pub content: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Its checks that were judged, by name.
    pub checks: BTreeMap<String, PastCheck>,
}

/// One check of a run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct PastCheck {
    /// Whether it passed; else it failed.
    pub passed: bool,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// How long it was given, in milliseconds; 0 where nothing was said.
    pub budget_ms: f64,
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
struct OnDisk {
    version: u32,
    /// Names of checks; runs speak of them by their place here.
    names: Vec<String>,
    runs: Vec<RunOnDisk>,
}

#[derive(Serialize, Deserialize)]
struct RunOnDisk {
    run: String,
    started: DateTime<Utc>,
    #[serde(flatten)]
    series: Series,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    outcome: Outcome,
    /// Name's place, 1 for passed or 0 for failed, milliseconds, milliseconds given.
    checks: Vec<(usize, u8, u64, u64)>,
}

impl PastRun {
    /// What is kept of a record.
    pub fn of(record: &Record) -> Self {
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let of_kind = |kind: Kind| word(serde_json::to_value(kind).unwrap_or_default());
        let of_runtime = |runtime: Runtime| word(serde_json::to_value(runtime).unwrap_or_default());
        let judged =
            record.checks.iter().filter(|check| matches!(check.verdict, Verdict::Passed | Verdict::Failed));
        let checks = judged.map(|check| {
            let past = PastCheck {
                passed: check.verdict == Verdict::Passed,
                ms: check.duration_ms.round(),
                budget_ms: check.deadline.as_ref().map_or(0.0, |deadline| deadline.budget_ms.round()),
            };
            (check.name.clone(), past)
        });
        Self {
            run_id: record.run_id.clone(),
            started: record.started,
            series: Series {
                lab: record.lab.name.clone(),
                env: of_kind(record.environment.env),
                runtime: of_runtime(record.environment.runtime),
            },
            content: record.lab.content.clone(),
            outcome: record.outcome,
            checks: checks.collect(),
        }
    }
}

impl History {
    /// Everything that is known of the runs of a folder: what its history says, and the records that are still there.
    ///
    /// # Errors
    /// When the history is there and cannot be read. Records that cannot be read are left out.
    pub fn of_folder(base: &Path) -> Result<Self, HistoryError> {
        let mut history = Self::read(base)?;
        for entry in fs::read_dir(base.join("runs")).into_iter().flatten().flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            if history.runs.iter().any(|run| run.run_id == id) {
                continue;
            }
            if let Ok(record) = Record::read(entry.path().join("record.json")) {
                history.add(PastRun::of(&record));
            }
        }
        Ok(history)
    }

    fn read(base: &Path) -> Result<Self, HistoryError> {
        let path = base.join(FILE);
        let malformed = |why: String| HistoryError::Malformed { path: path.clone(), why };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(HistoryError::Read { path: path.clone(), source }),
        };
        let file: OnDisk = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        if file.version != VERSION {
            return Err(malformed(format!("it has version {}, this program reads {VERSION}", file.version)));
        }
        let mut history = Self::default();
        for run in file.runs {
            let mut checks = BTreeMap::new();
            for (name, passed, ms, budget) in run.checks {
                let name = file.names.get(name).ok_or_else(|| malformed("a check has no name".into()))?;
                let past = PastCheck { passed: passed == 1, ms: ms as f64, budget_ms: budget as f64 };
                checks.insert(name.clone(), past);
            }
            history.add(PastRun {
                run_id: run.run,
                started: run.started,
                series: run.series,
                content: run.content,
                outcome: run.outcome,
                checks,
            });
        }
        Ok(history)
    }

    /// Adds a run at its place in time; a run of that name that is there stays.
    pub fn add(&mut self, run: PastRun) {
        if self.runs.iter().any(|known| known.run_id == run.run_id) {
            return;
        }
        let at = self.runs.partition_point(|known| known.started <= run.started);
        self.runs.insert(at, run);
    }

    /// Adds a record to the history of a folder of runs, whose lock the caller holds. A history that cannot be read is moved
    /// aside: the new run is not to be lost with it.
    pub(crate) fn note(record: &Record, base: &Path) -> Result<(), HistoryError> {
        // What nothing was judged in says nothing.
        if record.checks.iter().all(|check| !matches!(check.verdict, Verdict::Passed | Verdict::Failed)) {
            return Ok(());
        }
        let path = base.join(FILE);
        let mut history = match Self::read(base) {
            Ok(history) => history,
            Err(HistoryError::Malformed { .. }) => {
                let aside = base.join(format!("{FILE}.unreadable"));
                fs::rename(&path, aside)
                    .map_err(|source| HistoryError::Write { path: path.clone(), source })?;
                Self::default()
            }
            Err(error) => return Err(error),
        };
        history.add(PastRun::of(record));
        let surplus = history.runs.len().saturating_sub(KEPT);
        history.runs.drain(..surplus);
        history.write(&path)
    }

    fn write(&self, path: &Path) -> Result<(), HistoryError> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut names: Vec<String> = Vec::new();
        let mut runs = Vec::new();
        for run in &self.runs {
            let mut checks = Vec::new();
            for (name, check) in &run.checks {
                let place = *places.entry(name).or_insert_with(|| {
                    names.push(name.clone());
                    names.len() - 1
                });
                checks.push((place, u8::from(check.passed), check.ms as u64, check.budget_ms as u64));
            }
            runs.push(RunOnDisk {
                run: run.run_id.clone(),
                started: run.started,
                series: run.series.clone(),
                content: run.content.clone(),
                outcome: run.outcome,
                checks,
            });
        }
        let file = OnDisk { version: VERSION, names, runs };
        write_atomically(path, |out| {
            serde_json::to_writer(&mut *out, &file)?;
            out.write_all(b"\n")
        })
        .map_err(|source| HistoryError::Write { path: path.into(), source })
    }

    /// The series there are, each with its runs in order; of one lab, where one is named.
    pub fn series(&self, lab: Option<&str>) -> Vec<(Series, Vec<&PastRun>)> {
        let mut all: BTreeMap<Series, Vec<&PastRun>> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| lab.is_none_or(|lab| run.series.lab == lab)) {
            all.entry(run.series.clone()).or_default().push(run);
        }
        all.into_iter().collect()
    }
}
