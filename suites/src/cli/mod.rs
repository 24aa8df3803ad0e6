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
mod collect;
mod diff;
mod discover;
mod doctor;
mod down;
mod enter;
mod env;
mod exit;
mod graph;
mod history;
mod home;
mod learn;
mod list;
mod matrix;
mod parity;
mod pick;
mod report;
mod status;
mod stress;
mod test;
mod up;
mod upgrade;

pub(crate) use args::main;
