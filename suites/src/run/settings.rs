//! How a run is to go, what can stop it, and what is left of it.
//!
//! What lives here: the types. What does not: the run (`session`).

use std::path::PathBuf;

use fabric_harness::fabric::FabricError;
use fabric_harness::outside::ProgramError;
use fabric_harness::runtime::docker::EngineError;
use fabric_harness::tools::ToolsError;
use fabric_reports::record::Record;
use fabric_reports::{ReportError, Written};

use super::actions::ActionError;
use super::attach::FoundSettings;
use super::home::Home;

/// How to get a fabric for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// A new one that ends with the run.
    Fresh,
    /// A new one that outlives the run when a check fails.
    KeepOnFailure,
    /// The one of this name, which is up; it outlives the run.
    Attach(String),
    /// One that others brought up.
    Found(FoundSettings),
}

/// How a run is to go.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Where its fabric comes from.
    pub begin: Begin,
    /// The fabric's name, where the lab's own will not do.
    pub name: Option<String>,
    /// Where reports go instead of into a folder of runs.
    pub report_dir: Option<PathBuf>,
    /// The folder of runs.
    pub runs_dir: PathBuf,
    /// Where its nodes are to live.
    pub home: Home,
}

/// What can stop a run before anything is judged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Programs are missing and could not be fetched.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The fabric could not be made or found.
    #[error(transparent)]
    Fabric(#[from] FabricError),
    /// The container engine would not do.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A program that makes a real lab is missing.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A real lab has a cluster.
    #[error(
        "`--env lab` brings up kind's cluster, and this lab has none; give it a kind configuration (`cluster:` in lab.yaml)"
    )]
    NoCluster,
    /// The engine's containers are not ours to wire.
    #[error(
        "containers are wired through their network namespaces, which takes root on the engine's own machine: run this as root \
         (`sudo -E`), with the engine at a unix socket, not at {host}; without root there is `--runtime netns`"
    )]
    NotAtHand {
        /// Where the engine is.
        host: String,
    },
    /// A phase could not be reached.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// What the fabric lives on ended while the lab was brought up.
    #[error("{id}: {why}; then try again")]
    Gone {
        /// The fabric.
        id: String,
        /// What ended.
        why: &'static str,
    },
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// Its record.
    pub record: Record,
    /// Where the reports are, or why they are nowhere.
    pub written: Result<Written, ReportError>,
    /// Name of the fabric, if it is still up.
    pub kept: Option<String>,
}
