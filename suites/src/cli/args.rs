//! The command line: what can be typed, and which command it means.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fabric_harness::found::RouterWay;
use fabric_suites::run;

use super::env::Env;
use super::home::{FoundArgs, HomeArgs};
use super::{
    bench, cilium, collect, diff, discover, doctor, down, enter, exit, graph, history, learn, list, matrix,
    parity, report, status, stress, test, up, upgrade,
};

/// Brings a Cilium BGP fabric up, judges it, and tells what it saw.
#[derive(Debug, Parser)]
#[command(name = "fabric", version, max_term_width = 100, after_help = CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const CODES: &str = "Exit codes: 0 all checks passed; 1 a check failed; 2 wrong usage or a bad lab file; \
3 the environment could not be brought up; 4 nothing was checked; 130 interrupted (and cleaned up).";

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring a lab up and leave it up.
    Up(UpArgs),
    /// Judge a lab: the one that is up, else one brought up for the purpose.
    Test(TestArgs),
    /// Show a fabric that is up: nodes, phase, kubeconfig.
    Status(StatusArgs),
    /// Run a command in a node or pod; its exit code becomes ours.
    Exec(ExecArgs),
    /// Open a shell in a node or pod.
    Shell(ShellArgs),
    /// End a fabric, by what is written down of it, whatever became of the lab's files.
    Down(DownArgs),
    /// Check what this machine has and lacks, and say the line to type.
    Doctor(DoctorArgs),
    /// List the fabrics that are up.
    List(ListArgs),
    /// Draw a fabric: the one that is up, on a page of this machine's, or a lab, as a file.
    Graph(GraphArgs),
    /// Print a run that is over, from its record.
    Report(ReportArgs),
    /// Compare two runs by their records: what differs, what explains it, whether it got worse.
    Diff(diff::DiffArgs),
    /// Run the twin and another environment, and say where they differ.
    Parity(parity::ParityArgs),
    /// Write a lab.yaml from what is true of a live fabric.
    Learn(learn::LearnArgs),
    /// Say what many runs show that one does not: durations that drift, checks that are flaky.
    History(history::HistoryArgs),
    /// Run a lab many times, each on a new fabric, and say how long its checks take and which are flaky.
    Stress(stress::StressArgs),
    /// Put all there is to know of a fabric that is up into one archive: configuration, logs, state, counters, objects.
    Collect(CollectArgs),
    /// Say what others brought up that could be judged, and the flags that select it.
    Discover(DiscoverArgs),
    /// Run a lab several times and print where the time goes.
    Bench(BenchArgs),
    /// Say what an upgrade of Cilium will do, before anything is touched.
    #[command(subcommand)]
    Upgrade(upgrade::Upgrade),
    /// Run a lab on the twin of each of several versions of Cilium, and print one table.
    Matrix(matrix::MatrixArgs),
    /// Find the version of Cilium at which a check turns.
    Bisect(matrix::BisectArgs),
    /// Print what Cilium's own command line prints, from the fabric's speakers.
    #[command(subcommand)]
    Cilium(cilium::Cilium),
}

/// Which lab.
#[derive(Debug, Clone, Args)]
pub(super) struct LabArg {
    /// A lab folder, or a containerlab topology file [default: this folder if it has a lab.yaml, else fixtures/cilium-bgp].
    pub(super) lab: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct UpArgs {
    #[command(flatten)]
    pub(super) lab: LabArg,
    #[command(flatten)]
    pub(super) home: HomeArgs,
    /// Name of the fabric, to have several of one lab side by side.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Go on through this phase of lab.yaml [default: the last one that brings something up].
    #[arg(long, value_name = "PHASE")]
    pub(super) to: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    pub(super) lab: LabArg,
    #[command(flatten)]
    pub(super) home: HomeArgs,
    /// Only checks whose name contains one of these.
    #[arg(long = "only", short = 'o', value_name = "TEXT")]
    pub(super) only: Vec<String>,
    /// No checks whose name contains one of these.
    #[arg(long, value_name = "TEXT")]
    pub(super) skip: Vec<String>,
    /// The fabric to judge, by name.
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Bring up a new fabric even when one of this lab is up.
    #[arg(long)]
    pub(super) fresh: bool,
    /// Leave the fabric up when a check fails.
    #[arg(long)]
    pub(super) keep: bool,
    /// Only list the checks.
    #[arg(long)]
    pub(super) list: bool,
    /// Where the reports go [default: target/fabric/latest].
    #[arg(long, env = "FABRIC_REPORT_DIR", value_name = "DIR")]
    pub(super) report_dir: Option<PathBuf>,
    /// How to show it: for people on standard error, or each event as a line of JSON on standard output, as it happens
    /// (reports/schema/event-1.json).
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) found: FoundArgs,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Which fabric.
#[derive(Debug, Clone, Args)]
pub(super) struct NameArg {
    /// The fabric's name [default: the only one that is up].
    #[arg(long)]
    pub(super) name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    pub(super) lab: LabArg,
    #[command(flatten)]
    pub(super) name: NameArg,
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ExecArgs {
    #[command(flatten)]
    pub(super) name: NameArg,
    /// A node of the topology (router0), of the cluster (worker), or a pod (default/nettool-1).
    pub(super) node: String,
    /// The command; no shell is involved.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ShellArgs {
    #[command(flatten)]
    pub(super) name: NameArg,
    /// A node or pod, as for `exec`.
    pub(super) node: String,
}

#[derive(Debug, Args)]
pub(super) struct DownArgs {
    #[command(flatten)]
    pub(super) lab: LabArg,
    #[command(flatten)]
    pub(super) name: NameArg,
    /// End every fabric of this user.
    #[arg(long, conflicts_with_all = ["lab", "name"])]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// What a drawing is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// A picture for browsers and documents, light and dark.
    Svg,
    /// A Mermaid flowchart, for Markdown.
    Mermaid,
    /// Graphviz's language.
    Dot,
    /// A file of draw.io's (diagrams.net), to be edited.
    Drawio,
}

#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    #[command(flatten)]
    pub(super) lab: LabArg,
    /// Draw the lab's files, with nothing running, in this format [default: serve the fabric that is up].
    #[arg(long, value_enum)]
    pub(super) format: Option<GraphFormat>,
    /// The file to write [default: standard output].
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) name: NameArg,
    /// The port of the page.
    #[arg(long, default_value_t = 50080)]
    pub(super) port: u16,
    /// The address of the page; others than this machine's own can be reached by everyone.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(super) bind: IpAddr,
    /// Whose fabric: with `attach`, the one that somebody else brought up; else one of this program's.
    #[arg(long, value_enum, env = "FABRIC_ENV", default_value_t = Env::Twin)]
    pub(super) env: Env,
    /// How to reach the cluster (with --env attach).
    #[arg(long, env = "FABRIC_KUBECONFIG", value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// How to get into a router, as for `fabric test` (with --env attach).
    #[arg(long = "router", env = "FABRIC_ROUTERS", value_name = "NAME=WAY", value_delimiter = ';')]
    pub(super) routers: Vec<RouterWay>,
}

/// What a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Page {
    /// Markdown, for a job's summary or a comment.
    Md,
    /// JUnit XML.
    Junit,
    /// TAP 14, with why as YAML.
    Tap,
    /// The summary that the run ended with.
    Text,
    /// One HTML page that works from disk.
    Html,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The run's record.json, or the folder it is in [default: target/fabric/latest].
    pub(super) record: Option<PathBuf>,
    /// What to write.
    #[arg(long, value_enum, default_value_t = Page::Md)]
    pub(super) format: Page,
    /// Write it into this file [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CollectArgs {
    #[command(flatten)]
    pub(super) lab: LabArg,
    #[command(flatten)]
    pub(super) name: NameArg,
    /// Where the archive goes [default: fabric-diagnostics.tar].
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// `attach`: what somebody else brought up, found by --kubeconfig and --router; nothing is changed.
    #[arg(long, value_enum, env = "FABRIC_ENV", default_value_t = Env::Twin)]
    pub(super) env: Env,
    /// How to reach the cluster (with --env attach).
    #[arg(long, env = "FABRIC_KUBECONFIG", value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// How to get into a router, as for `fabric test` (with --env attach).
    #[arg(long = "router", env = "FABRIC_ROUTERS", value_name = "NAME=WAY", value_delimiter = ';')]
    pub(super) routers: Vec<RouterWay>,
}

#[derive(Debug, Args)]
pub(super) struct DiscoverArgs {
    /// The cluster to look at [default: what kubectl would use].
    #[arg(long, env = "FABRIC_KUBECONFIG", value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// How to show it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    pub(super) lab: LabArg,
    #[command(flatten)]
    pub(super) home: HomeArgs,
    /// How many runs.
    #[arg(long, short = 'n', default_value_t = 3)]
    pub(super) runs: u32,
}

/// Everything after the hats.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            // Nobody to read it is no failure of ours.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = match run::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return exit::code_of(&error.into()),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Up(args) => up::run(args).await,
            Command::Test(args) => test::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Exec(args) => enter::exec(args).await,
            Command::Shell(args) => enter::shell(args).await,
            Command::Down(args) => down::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::List(args) => list::run(&args),
            Command::Graph(args) => graph::run(args).await,
            Command::Report(args) => report::run(&args),
            Command::Diff(args) => diff::run(&args),
            Command::Parity(args) => parity::run(args).await,
            Command::Learn(args) => learn::run(args).await,
            Command::History(args) => history::run(&args),
            Command::Stress(args) => stress::run(args).await,
            Command::Collect(args) => collect::run(args).await,
            Command::Discover(args) => discover::run(args).await,
            Command::Bench(args) => bench::run(args).await,
            Command::Upgrade(command) => upgrade::run(command).await,
            Command::Matrix(args) => matrix::run(args).await,
            Command::Bisect(args) => matrix::bisect(args).await,
            Command::Cilium(command) => cilium::run(command).await,
        }
    });
    runtime.shutdown_background();
    done.unwrap_or_else(|error| exit::code_of(&error))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
