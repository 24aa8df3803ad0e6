//! A lab read and judged, with its plan: everything there is to know before anything runs.

use std::path::{Path, PathBuf};

use fabric_harness::lab::{Diagnostics, Lab, LoadError, load};

use crate::expect::Expect;
use crate::plan::{PlannedPhase, judge_manifests, plan, review};

/// A lab that was read, and what is to be done with it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The lab.
    pub lab: Lab<Expect>,
    /// Its plan.
    pub plan: Vec<PlannedPhase>,
    /// Its folder as the user named it.
    pub shown: PathBuf,
}

/// Reads a lab and makes its plan. Touches nothing but the lab's files.
///
/// # Errors
/// When the lab cannot be read; the error shows every place that is wrong.
pub fn prepare(path: &Path) -> Result<Prepared, LoadError> {
    let mut lab = load::<Expect>(path)?;
    let mut noted = Diagnostics::new();
    if let Some(phase) = lab.phases.first() {
        // For the line a mistake stands on; without it only the place is shown.
        let file = &phase.at.file;
        let text =
            std::fs::read_to_string(file).or_else(|_| std::fs::read_to_string(lab.dir.join("lab.yaml")));
        noted.add_source(file, &text.unwrap_or_default());
    }
    // First: a pod that is not read as one is no pod to the expectations.
    judge_manifests(&lab, &mut noted);
    if !noted.has_errors() {
        review(&lab, &mut noted);
    }
    if noted.has_errors() {
        return Err(LoadError::Invalid { diagnostics: noted.into_sorted() });
    }
    lab.warnings.extend(noted.into_sorted());
    let plan = plan(&lab);
    Ok(Prepared { lab, plan, shown: path.to_path_buf() })
}
