//! Why a lab could not be loaded.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::yaml::{Diagnostic, Severity};

/// Why a lab could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing at that path.
    #[error("there is no lab at {}: name a folder that holds a lab.yaml or a containerlab topology, or a topology file", path.display())]
    NotFound {
        /// The path, as given.
        path: PathBuf,
    },
    /// The folder holds no lab.yaml and no topology.
    #[error(
        "{} holds no lab: put a lab.yaml into it (`topology: topo.yaml`), or a containerlab topology (topo.yaml, or any name ending in .clab.yml)",
        dir.display()
    )]
    NoTopology {
        /// The folder, as given.
        dir: PathBuf,
    },
    /// The folder holds several files that could be meant.
    #[error(
        "{} holds several {what} ({}): name the one that is meant in a lab.yaml (`{key}: {}`), or give its path",
        dir.display(),
        candidates.join(", "),
        candidates.first().map(String::as_str).unwrap_or_default()
    )]
    Several {
        /// The folder, as given.
        dir: PathBuf,
        /// What there are several of.
        what: &'static str,
        /// The key of lab.yaml that decides.
        key: &'static str,
        /// The files' names.
        candidates: Vec<String>,
    },
    /// A file or folder could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The path, as given.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is written in the lab's files is wrong.
    #[error("{}", Shown { diagnostics, colour: false })]
    Invalid {
        /// Everything that was found, errors and warnings, in the order of the files.
        diagnostics: Vec<Diagnostic>,
    },
}

impl LoadError {
    /// What was found in the lab's files; empty when it never came to reading them.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        if let Self::Invalid { diagnostics } = self { diagnostics } else { &[] }
    }

    /// The whole error for people, with terminal colours when asked.
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Invalid { diagnostics } => Shown { diagnostics, colour }.to_string(),
            other => other.to_string(),
        }
    }
}

struct Shown<'a> {
    diagnostics: &'a [Diagnostic],
    colour: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in self.diagnostics {
            writeln!(f, "{}\n", diagnostic.render(self.colour))?;
        }
        let errors = self.diagnostics.iter().filter(|noted| noted.severity == Severity::Error).count();
        let plural = if errors == 1 { "" } else { "s" };
        write!(f, "the lab cannot be used: {errors} error{plural}")
    }
}
