//! What can go wrong while tools are looked for or fetched, and what to do then.

use std::path::PathBuf;

use super::Tool;

/// Why the tools a node needs are not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolsError {
    /// The host lacks them and is not one whose packages we can fetch.
    #[error("{} not on this host ({distro}), and packages can be fetched only where apt-get and dpkg-deb are; type: {remedy}", are(.missing))]
    Missing {
        /// What is missing.
        missing: Vec<Tool>,
        /// The distribution, by its own name.
        distro: String,
        /// The line to type.
        remedy: String,
    },
    /// The host lacks them and its package archive could not be asked.
    #[error(
        "{} not on this host and could not be fetched as packages: {reason}\n  with a network the next run fetches by itself; else type: {remedy}",
        are(.missing)
    )]
    Fetch {
        /// What is missing.
        missing: Vec<Tool>,
        /// What was tried and what was said, last words first.
        reason: String,
        /// The line to type.
        remedy: String,
    },
    /// A fetched program does not start on this host.
    #[error("{tool} was fetched into {} but `{program}` does not run there: {reason}\n  type: {remedy}", .layer.display())]
    DoesNotRun {
        /// The tool.
        tool: Tool,
        /// The folder of the layer.
        layer: PathBuf,
        /// The program that was started.
        program: String,
        /// What it said.
        reason: String,
        /// The line to type.
        remedy: String,
    },
    /// A program we need for fetching could not be started or failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The command line.
        command: String,
        /// Its words, or the system's.
        reason: String,
    },
    /// apt said something we do not understand.
    #[error("`apt-get --print-uris`, line {line}: `{text}` is not `'URI' FILE SIZE HASH`: {why}")]
    Answer {
        /// The line, counted from 1.
        line: usize,
        /// The line itself.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// No folder to keep layers in.
    #[error("no cache folder: {why}; set FABRIC_CACHE_DIR to a folder you may write to")]
    NoCache {
        /// Why not.
        why: String,
    },
    /// A variable of the environment is wrong.
    #[error("FABRIC_ASSUME_ABSENT: {source}")]
    AssumeAbsent {
        /// What is wrong with it.
        source: super::tool::UnknownTool,
    },
    /// The system said no.
    #[error("{what} {}: {source}", .path.display())]
    Io {
        /// What was tried, as the start of a sentence that ends in the path.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
}

impl ToolsError {
    /// For `map_err`: the error of doing `what` to `path`.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

fn are(missing: &[Tool]) -> String {
    let names: Vec<String> = missing.iter().map(Tool::to_string).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}
