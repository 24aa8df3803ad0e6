//! `fabric bisect`: the version at which a check turns. What is written down is asked first, and runs confirm it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use fabric_harness::cilium::CiliumVersion;
use fabric_reports::record::Verdict;
use fabric_suites::upgrade::{self, Severity, forecast};

use super::super::args::LabArg;
use super::super::exit::{self, Usage};
use super::super::home::HomeArgs;
use super::super::pick;
use super::column::{self, Column, Way, column};
use super::table;

/// The version at which a check turns.
#[derive(Debug, Args)]
pub(crate) struct BisectArgs {
    /// The check, or a part of its name that no other has.
    check: String,
    /// A version on which it is one way.
    #[arg(long, value_name = "VERSION")]
    from: CiliumVersion,
    /// A later version on which it is the other.
    #[arg(long, value_name = "VERSION")]
    to: CiliumVersion,
    /// The lab.
    #[arg(long, value_name = "LAB")]
    lab: Option<std::path::PathBuf>,
    /// Rewrite the lab for each version first, as `fabric upgrade check --write` does.
    #[arg(long)]
    migrate: bool,
    #[command(flatten)]
    home: HomeArgs,
}

pub(crate) async fn run(args: BisectArgs) -> Result<ExitCode> {
    let lab = pick::lab(&LabArg { lab: args.lab.clone() })?;
    let versions = column::versions(&format!("{}..{}", args.from, args.to)).map_err(Usage)?;
    if versions.len() < 2 {
        return Err(Usage("there is nothing between --from and --to; say two versions".to_owned()).into());
    }
    let way = Way { lab, migrate: args.migrate, only: vec![args.check.clone()], home: args.home.made()? };
    let suspects = suspects(&way, &versions);
    for (version, what) in &suspects {
        say!("known of {version}: {what}");
    }
    let first = look(&way, versions[0], &args.check).await?;
    let last = look(&way, versions[versions.len() - 1], &args.check).await?;
    if first == last {
        say!(
            "\n`{}` is {} on {} and on {}: it does not turn between them",
            args.check,
            first.words(),
            args.from,
            args.to
        );
        return Ok(ExitCode::from(4));
    }
    let (mut low, mut high) = (0, versions.len() - 1);
    // The step that is suspected is tried first: most often two runs are enough.
    let mut guess = suspects.first().and_then(|(version, _)| versions.iter().position(|one| one == version));
    while high - low > 1 {
        let middle = match guess.take() {
            Some(at) if at > low + 1 && at <= high => at - 1,
            Some(at) if at > low && at < high => at,
            _ => low + (high - low) / 2,
        };
        if look(&way, versions[middle], &args.check).await? == first { low = middle } else { high = middle }
    }
    say!(
        "\n`{}` turns with {}: {} on {}, {} on {}",
        args.check,
        versions[high],
        first.words(),
        versions[low],
        last.words(),
        versions[high]
    );
    Ok(ExitCode::from(exit::OK))
}

/// How a check is on a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turned {
    Passes,
    Fails,
}

impl Turned {
    fn words(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Fails => "fails",
        }
    }
}

async fn look(way: &Way, version: CiliumVersion, check: &str) -> Result<Turned> {
    let column: Column = column(way, version).await?;
    eprintln!("{}", table::line(&column));
    if let Ok(record) = &column.came {
        let named: Vec<&str> = record.checks.iter().map(|one| one.name.as_str()).collect();
        if named.is_empty() {
            let why =
                format!("no check has `{check}` in its name; `{} test --list` shows them", pick::program());
            return Err(Usage(why).into());
        }
        let all = record.checks.iter().all(|one| one.verdict == Verdict::Passed);
        return Ok(if all { Turned::Passes } else { Turned::Fails });
    }
    // What cannot even be installed does not pass.
    Ok(Turned::Fails)
}

/// The versions at which something is known to break, the first first, each with what it is.
fn suspects(way: &Way, versions: &[CiliumVersion]) -> Vec<(CiliumVersion, String)> {
    let [first, .., last] = versions else { return Vec::new() };
    let Ok(asked) = upgrade::of_lab(&way.lab, Some(*first), *last) else { return Vec::new() };
    let answer = forecast(&asked);
    let broken = answer.of(Severity::Breaks).filter(|finding| !(way.migrate && finding.at.is_some()));
    broken
        .filter_map(|finding| {
            let at = versions.iter().find(|version| Some(version.line()) == finding.with)?;
            Some((*at, finding.what.clone()))
        })
        .collect()
}
