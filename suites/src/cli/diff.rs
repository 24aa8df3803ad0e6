//! `fabric diff`: two runs compared by meaning, from their records alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use fabric_reports::Record;
use fabric_reports::diff::{self, Diff, Expectations, Options};
use fabric_suites::upgrade::{Between, between};

use super::exit::Usage;

/// What a comparison is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DiffFormat {
    /// For people, at a terminal.
    Text,
    /// For programs.
    Json,
    /// Markdown, for a pull request.
    Md,
}

/// Exit code 0: the same or better; 1: something regressed; 2: no records.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the same or better; 1 something is worse, or otherwise and not expected; 2 bad input."
)]
pub(super) struct DiffArgs {
    /// The run to compare against: its record.json, or the folder it is in.
    old: PathBuf,
    /// The run to compare.
    new: PathBuf,
    /// What to write.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    format: DiffFormat,
    /// Changes that are expected, each with its source: a file of JSON.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Between two versions of Cilium, expect nothing of what is known of them.
    #[arg(long)]
    no_expected: bool,
    /// Leave out how long checks took.
    #[arg(long)]
    no_durations: bool,
}

pub(super) fn run(args: &DiffArgs) -> Result<ExitCode> {
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let mut expected = match &args.expect {
        Some(path) => Expectations::read(path).map_err(|error| Usage(error.to_string()))?,
        None => Expectations::default(),
    };
    let Between { expected: known, outage } = between(&old, &new);
    if !args.no_expected {
        // What the user says of a change goes before what is known of it.
        expected.0.extend(known.0);
    }
    let options = Options { expected, outage, durations: !args.no_durations, ..Options::default() };
    let seen = diff::diff(&old, &new, &options);
    print(&seen, args.format);
    Ok(ExitCode::from(seen.exit_code()))
}

/// A record, by its file or its folder.
pub(super) fn read(path: &Path) -> Result<Record> {
    let file = if path.is_dir() { path.join("record.json") } else { path.to_path_buf() };
    // What is not there, or is no record, is wrong usage: nothing was to be brought up.
    Ok(Record::read(file).map_err(|error| Usage(error.to_string()))?)
}

/// Prints a comparison.
pub(super) fn print(seen: &Diff, format: DiffFormat) {
    let page = match format {
        DiffFormat::Text => diff::text(seen, colors()),
        DiffFormat::Json => seen.to_json(),
        DiffFormat::Md => diff::markdown(seen),
    };
    say!("{}", page.trim_end());
}

/// Whether standard output shows colours, as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM say.
pub(super) fn colors() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}
