//! Exit codes of `fabric`, and how an error becomes one.

use std::process::ExitCode;

use fabric_harness::fabric::FabricError;
use fabric_harness::lab::LoadError;

/// All checks passed, or the command did what it was asked.
pub(super) const OK: u8 = 0;
/// Wrong usage or a bad lab file.
pub(super) const USAGE: u8 = 2;
/// The environment could not be brought up, or is not there.
pub(super) const ENVIRONMENT: u8 = 3;

/// Interrupted, by Ctrl-C or a request to end; what was made has been ended.
pub(super) const INTERRUPTED: u8 = 130;

/// Tells an error and gives the exit code that goes with it.
pub(super) fn code_of(error: &anyhow::Error) -> ExitCode {
    let text = format!("{error:#}");
    // Mistakes in a lab's files carry the word already, each with its place.
    let labelled = ["error: ", "warning: "].iter().any(|label| text.starts_with(label));
    let label = if labelled { "" } else { "error: " };
    eprintln!("{label}{text}");
    let bad_lab = error.downcast_ref::<LoadError>().is_some();
    let wrong_name = matches!(error.downcast_ref(), Some(FabricError::NoSuchNode { .. }));
    let usage = bad_lab || wrong_name || error.downcast_ref::<Usage>().is_some();
    ExitCode::from(if usage { USAGE } else { ENVIRONMENT })
}

/// The user asked for something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);
