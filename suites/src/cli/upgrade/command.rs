//! `fabric upgrade check`: its options, and going from them to an answer.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use fabric_harness::cilium::CiliumVersion;
use fabric_suites::upgrade::{self, AskError, Asked, Files, MigrateError, Migrated, forecast, migrate};

use super::super::args::LabArg;
use super::super::exit::{self, Usage};
use super::super::pick;
use super::{markdown, text};

/// Say what an upgrade of Cilium will do.
#[derive(Debug, Subcommand)]
pub(crate) enum Upgrade {
    /// Read values, manifests and objects against what is known of each version on the way; touch nothing.
    Check(CheckArgs),
}

/// What to look at, and how to say it.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    lab: LabArg,
    /// The version to upgrade to.
    #[arg(long, value_name = "VERSION")]
    to: CiliumVersion,
    /// The version that runs [default: the lab's, or the cluster's].
    #[arg(long, value_name = "VERSION")]
    from: Option<CiliumVersion>,
    /// The chart's values, of a cluster that has no lab.
    #[arg(long, value_name = "FILE", conflicts_with = "lab")]
    values: Option<PathBuf>,
    /// Manifests, of a cluster that has no lab.
    #[arg(long = "manifest", value_name = "FILE", conflicts_with = "lab")]
    manifests: Vec<PathBuf>,
    /// A live cluster: its objects, nodes, and the values that helm keeps there.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["lab", "values", "manifests"])]
    kubeconfig: Option<PathBuf>,
    /// Write everything for the new version into this folder, comments kept.
    #[arg(long, value_name = "DIR", conflicts_with = "kubeconfig")]
    write: Option<PathBuf>,
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    format: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// Markdown, for a pull request.
    Md,
}

pub(crate) async fn run(command: Upgrade) -> Result<ExitCode> {
    let Upgrade::Check(args) = command;
    let (asked, about, lab) = ask(&args).await?;
    let answer = forecast(&asked);
    match args.format {
        Shape::Json => say!("{}", serde_json::to_string_pretty(&answer)?),
        Shape::Md => say!("{}", markdown::render(&about, &answer)),
        Shape::Text => text::print(&about, &answer),
    }
    if let Some(dir) = &args.write {
        write(&args, &asked, lab.as_deref(), dir)?;
    } else if args.format == Shape::Text && answer.breaks() && args.kubeconfig.is_none() {
        say!("");
        say!("Write it for {}: {}", asked.to, again(&args, lab.as_deref()));
    }
    Ok(ExitCode::from(if answer.breaks() { BROKEN } else { exit::OK }))
}

/// Something breaks: as a failed check.
const BROKEN: u8 = 1;

/// The question, what it is about in words, and the lab's folder where it is a lab.
async fn ask(args: &CheckArgs) -> Result<(Asked, String, Option<PathBuf>)> {
    if let Some(kubeconfig) = &args.kubeconfig {
        let asked = upgrade::of_cluster(kubeconfig, args.from, args.to).await.map_err(usage)?;
        return Ok((asked, format!("the cluster of {}", kubeconfig.display()), None));
    }
    if args.values.is_some() || !args.manifests.is_empty() {
        let files =
            Files { values: args.values.clone(), manifests: args.manifests.clone(), nodes: Vec::new() };
        let asked = upgrade::of_files(&files, args.from, args.to).map_err(usage)?;
        let all = args.values.iter().chain(&args.manifests);
        let named: Vec<String> = all.map(|file| file.display().to_string()).collect();
        return Ok((asked, named.join(", "), None));
    }
    let lab = pick::lab(&args.lab)?;
    let asked = upgrade::of_lab(&lab, args.from, args.to).map_err(usage)?;
    Ok((asked, lab.display().to_string(), Some(lab)))
}

/// What the user can mend is wrong usage; a bad lab keeps its own words.
fn usage(error: AskError) -> anyhow::Error {
    match error {
        AskError::Lab(error) => error.into(),
        AskError::Cluster { .. } => error.into(),
        other => Usage(other.to_string()).into(),
    }
}

fn write(args: &CheckArgs, asked: &Asked, lab: Option<&Path>, dir: &Path) -> Result<()> {
    let at = match lab {
        Some(lab) => upgrade::version_at(lab).map_err(usage)?,
        None => None,
    };
    let migrated = migrate(asked, at.as_ref()).map_err(refused)?;
    let root = lab.map_or_else(PathBuf::new, Path::to_path_buf);
    let root = if root.is_file() { root.parent().map(Path::to_path_buf).unwrap_or_default() } else { root };
    if lab.is_some() {
        migrated.write(&root, dir).map_err(refused)?;
    } else {
        migrated.write(Path::new("/nonexistent"), dir).map_err(refused)?;
    }
    if args.format == Shape::Text {
        tell(&migrated, asked, dir, lab.is_some());
    }
    Ok(())
}

fn refused(error: MigrateError) -> anyhow::Error {
    Usage(error.to_string()).into()
}

fn tell(migrated: &Migrated, asked: &Asked, dir: &Path, is_lab: bool) {
    say!("");
    if migrated.changed.is_empty() {
        say!("Nothing had to be rewritten for {}; {} is a copy.", asked.to, dir.display());
    }
    for (path, before, after) in &migrated.changed {
        say!("{}", text::difference(path, before, after));
    }
    for lost in &migrated.lost {
        say!("Not carried over: {lost}");
    }
    say!("Written to {}.", dir.display());
    if is_lab {
        say!("Try next: {} test {} --fresh", pick::program(), dir.display());
    }
}

/// The same command, writing.
fn again(args: &CheckArgs, lab: Option<&Path>) -> String {
    let mut words = vec![pick::program().to_owned(), "upgrade check".to_owned()];
    words.extend(lab.map(|lab| lab.display().to_string()));
    words.extend(args.from.map(|from| format!("--from {from}")));
    words.extend(args.values.iter().map(|file| format!("--values {}", file.display())));
    words.extend(args.manifests.iter().map(|file| format!("--manifest {}", file.display())));
    words.push(format!("--to {} --write DIR", args.to));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        upgrade: Upgrade,
    }

    #[test]
    fn a_version_that_is_none_is_refused_with_an_example() {
        let error = Cli::try_parse_from(["x", "check", "--to", "newest"]).unwrap_err().to_string();
        assert!(error.contains("write it as 1.12.1"), "{error}");
    }

    #[test]
    fn a_lab_and_files_are_two_questions() {
        assert!(Cli::try_parse_from(["x", "check", "lab", "--to", "1.20", "--values", "v.yaml"]).is_err());
    }
}
