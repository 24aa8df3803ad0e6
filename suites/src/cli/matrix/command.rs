//! `fabric matrix`: a lab on every version of a range, side by side, in one table.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use fabric_harness::cilium::CiliumVersion;
use fabric_reports::junit;
use fabric_reports::record::Record;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::super::args::LabArg;
use super::super::exit::{self, Usage};
use super::super::home::HomeArgs;
use super::super::pick;
use super::column::{self, Column, Way, column};
use super::table;

/// A lab on several versions of Cilium.
#[derive(Debug, Args)]
pub(crate) struct MatrixArgs {
    #[command(flatten)]
    lab: LabArg,
    #[command(flatten)]
    home: HomeArgs,
    /// The versions: a range (1.12..1.20) with every line between, or a list (1.12.1,1.20-dev).
    #[arg(long, value_name = "VERSIONS")]
    cilium: String,
    /// Rewrite the lab for each version first, as `fabric upgrade check --write` does.
    #[arg(long)]
    migrate: bool,
    /// Only checks whose name contains one of these.
    #[arg(long = "only", short = 'o', value_name = "TEXT")]
    only: Vec<String>,
    /// How many versions side by side [default: as many as there are CPUs].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Write JUnit, a suite per version, into this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(crate) async fn run(args: MatrixArgs) -> Result<ExitCode> {
    let versions = column::versions(&args.cilium).map_err(|why| Usage(format!("--cilium: {why}")))?;
    let lab = pick::lab(&args.lab)?;
    let way = Way { lab, migrate: args.migrate, only: args.only.clone(), home: args.home.made()? };
    let columns = columns(&way, versions, args.jobs).await?;
    say!("{}", table::render(&columns, !args.only.is_empty()));
    if let Some(file) = &args.junit {
        let runs: Vec<(String, Record)> =
            columns.iter().map(|one| (one.version.to_string(), table::record(one))).collect();
        let named: Vec<(String, &Record)> =
            runs.iter().map(|(name, record)| (name.clone(), record)).collect();
        let xml = junit::render_many(&format!("fabric matrix: {}", way.lab.display()), &named)?;
        fs::write(file, xml).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let checked = columns.iter().any(|one| one.came.as_ref().is_ok_and(|record| !record.checks.is_empty()));
    let good = columns.iter().all(Column::is_good);
    Ok(ExitCode::from(match (checked, good) {
        (_, true) => exit::OK,
        (true, false) => 1,
        // Every version refused the lab.
        (false, false) => 4,
    }))
}

/// The runs, as many side by side as there are CPUs: they wait for protocols most of the time, and compute while they are
/// brought up.
pub(super) async fn columns(
    way: &Way,
    versions: Vec<CiliumVersion>,
    jobs: Option<u16>,
) -> Result<Vec<Column>> {
    let jobs = jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let runs = versions.into_iter().map(|version| async move {
        let column = column(way, version).await?;
        eprintln!("{}", table::line(&column));
        Ok::<_, anyhow::Error>(column)
    });
    stream::iter(runs).buffered(jobs).try_collect().await
}
