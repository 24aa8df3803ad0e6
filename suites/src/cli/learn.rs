//! `fabric learn`: from a live fabric to the lab.yaml that says what is true of it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use fabric_reports::Screen;
use fabric_reports::progress::on_stderr;
use fabric_suites::learn::{self, LearnedPhase, Skeleton};
use fabric_suites::run::{self, LearnSettings, Prepared};

use super::args::{LabArg, NameArg};
use super::exit::{self, Usage};
use super::home::HomeArgs;
use super::pick;

#[derive(Debug, Args)]
#[command(
    after_help = "On a fabric that is up, the phase it is in is learned; without one, the lab is brought up for the purpose, \
and every phase is. A folder without a lab.yaml gets a whole one."
)]
pub(super) struct LearnArgs {
    #[command(flatten)]
    lab: LabArg,
    #[command(flatten)]
    home: HomeArgs,
    /// The fabric to learn from, by name [default: the lab's, if it is up].
    #[arg(long)]
    name: Option<String>,
    /// Where to write it; a file that is there is left alone [default: standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Which Cilium, for a folder without a lab.yaml.
    #[arg(long, value_name = "VERSION")]
    cilium: Option<String>,
    /// For how many seconds nothing may have moved before it is looked at [default: what the timers of what is down may take].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(0..=600))]
    quiet: Option<u16>,
}

pub(super) async fn run(args: LearnArgs) -> Result<ExitCode> {
    if let Some(path) = args.output.as_deref().filter(|path| path.exists()) {
        return Err(taken(path).into());
    }
    let named = match (&args.name, &args.lab.lab) {
        (Some(_), None) => Some(pick::state(None, &NameArg { name: args.name.clone() })?),
        _ => None,
    };
    let path = match &named {
        Some(state) => state.spec.lab.clone(),
        None => pick::lab(&args.lab)?,
    };
    let (prepared, skeleton) = prepared(&path, args.cilium.as_deref())?;
    // A lab read beside its own folder is found by that one.
    let mut own = prepared.clone();
    if skeleton.is_some() {
        own.lab.dir = folder(&path)?;
    }
    let up = match named {
        Some(state) => Some(state.spec.id),
        None => run::find(&own, args.name.as_deref())?,
    };
    if let (None, Some(name)) = (&up, &args.name) {
        return Err(Usage(format!(
            "no fabric named {name} is up: leave --name out to bring the lab up for the purpose"
        ))
        .into());
    }
    let settings = LearnSettings {
        up,
        home: args.home.made()?,
        quiet: args.quiet.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let recorder = run::recorder(&prepared, on_stderr(Screen::Ours));
    let seen = run::learn(&prepared, &settings, &recorder).await?;
    let mut phases: Vec<LearnedPhase<'_, _>> =
        prepared.lab.phases.iter().map(|phase| LearnedPhase { phase, seen: None }).collect();
    let last = seen.last().map(|(number, _)| *number);
    for (number, one) in seen {
        if let Some(phase) = phases.get_mut(number) {
            phase.seen = Some(one);
        }
    }
    let present = last.and_then(|number| phases.get(number));
    let text = match (&settings.up, &skeleton, present) {
        (Some(_), None, Some(phase)) => learn::phase(phase),
        _ => learn::lab(&prepared.lab, &phases),
    };
    match &args.output {
        Some(path) => {
            write(path, &text)?;
            eprintln!("    Learned {} lines, written to {}", text.lines().count(), path.display());
        }
        None => say!("{}", text.trim_end()),
    }
    Ok(ExitCode::from(exit::OK))
}

/// The lab with its phases, and, where it had none, what they were made in.
fn prepared(path: &Path, cilium: Option<&str>) -> Result<(Prepared, Option<Skeleton>)> {
    let dir = folder(path)?;
    let has_file =
        path.is_dir() || path.file_name().is_some_and(|name| name == "lab.yaml" || name == "lab.yml");
    if has_file && (dir.join("lab.yaml").is_file() || dir.join("lab.yml").is_file()) {
        return Ok((run::prepare(path)?, None));
    }
    let made = learn::skeleton(path, cilium).map_err(|error| Usage(error.to_string()))?;
    Ok((run::prepare(made.dir.path())?, Some(made)))
}

/// The folder of a lab.
fn folder(path: &Path) -> Result<PathBuf> {
    let real = std::fs::canonicalize(path)
        .map_err(|error| Usage(format!("cannot read the lab {}: {error}", path.display())))?;
    Ok(if real.is_dir() { real } else { real.parent().map(Path::to_path_buf).unwrap_or_default() })
}

fn taken(path: &Path) -> Usage {
    Usage(format!("{} is there already, and is not overwritten: name another file with -o", path.display()))
}

/// Writes a new file; one that is there stays as it is.
fn write(path: &Path, text: &str) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).with_context(|| format!("write {}", path.display())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(taken(path).into()),
        Err(error) => Err(error).with_context(|| format!("write {}", path.display())),
    }
}
