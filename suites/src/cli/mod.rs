//! The commands of the `fabric` binary, one file each.

/// Prints a line. Nobody left to read it (`fabric list | head -1`) is no failure: the command ends as if all were read.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        if writeln!(std::io::stdout(), $($text)*).is_err() {
            std::process::exit(0);
        }
    }};
}

mod args;
mod bench;
mod cilium;
mod discover;
mod doctor;
mod down;
mod enter;
mod env;
mod exit;
mod graph;
mod list;
mod pick;
mod report;
mod status;
mod test;
mod up;

pub(crate) use args::main;
