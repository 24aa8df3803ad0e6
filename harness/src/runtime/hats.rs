//! One executable, two hats: client and keeper. (A node's first process is a fork of the keeper's zygote.)
//!
//! What lives here: deciding, at the very top of `main` and before any thread exists, which hat this process
//! wears. What does not: what the hats do (`keeper`, `netns::init`).
//!
//! A hat is chosen by `argv[0]`: a user can hardly set it by accident, and `ps` shows what each process is for.

use std::path::PathBuf;
use std::process::ExitCode;

/// `argv[0]` of a keeper.
pub(crate) const KEEPER: &str = "fabric-keeper";

/// Puts on the hat this process was started for, if it is not the client's.
///
/// Call it first in `main` of every executable that brings fabrics up: the keeper is the same executable run again. `None` means that this process is the client and `main` goes on.
pub fn wear() -> Option<ExitCode> {
    let mut args = std::env::args();
    (args.next().as_deref() == Some(KEEPER)).then(super::keeper::main)
}

/// The executable to run again: still the right file when it was replaced on disk after we were started.
pub(crate) fn executable() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}
