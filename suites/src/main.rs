//! The `fabric` binary: the commands, and the hats it wears when it runs itself again.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    fabric_harness::runtime::hats::wear().unwrap_or_else(cli::main)
}
