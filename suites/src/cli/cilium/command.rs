//! What can be typed, and asking the speakers of every node.
//!
//! What lives here: the options, as Cilium's command line has them, and which fabric is meant. What does not: how the
//! answers are printed (`peers`, `routes`).

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use fabric_harness::cilium::CiliumVersion;
use fabric_harness::fabric::Fabric;
use fabric_harness::runtime::keeper::{NodeInfo, State};
use fabric_harness::speakers::{Speaker, SpeakersError, ask};
use serde::Serialize;

use super::super::args::NameArg;
use super::super::exit::{self, Usage};
use super::super::pick;
use super::{peers, routes};

/// Cilium's command line, as far as it is here.
#[derive(Debug, Subcommand)]
pub(crate) enum Cilium {
    /// Look at the BGP control plane.
    #[command(subcommand)]
    Bgp(Bgp),
}

/// `cilium bgp`.
#[derive(Debug, Subcommand)]
pub(crate) enum Bgp {
    /// Show the BGP peers of all nodes.
    #[command(visible_alias = "neighbors")]
    Peers(PeersArgs),
    /// Show the BGP routes of all nodes.
    Routes(RoutesArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    /// The lab whose fabric is meant [default: the only fabric that is up].
    lab: Option<std::path::PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct RoutesArgs {
    /// `available` or `advertised`, AFI, SAFI, [vrouter ASN] [peer ADDRESS] [default: available ipv4 unicast].
    words: Vec<String>,
    /// The lab whose fabric is meant [default: the only fabric that is up].
    #[arg(long)]
    lab: Option<std::path::PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    name: NameArg,
    /// Only this node, by its name or what kind puts behind the cluster's (`worker2`).
    #[arg(long)]
    node: Option<String>,
    /// How to show it.
    #[arg(long, short, value_enum, default_value_t = Output::Summary)]
    output: Output,
}

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table.
    Summary,
    /// JSON: the nodes, and for each a list.
    Json,
}

/// Cilium's command line as it is since a version.
struct Since {
    command: &'static str,
    minor: (u32, u32),
}

pub(in crate::cli) async fn run(command: Cilium) -> Result<ExitCode> {
    let Cilium::Bgp(command) = command;
    match command {
        Bgp::Peers(PeersArgs { lab, common }) => {
            let since = Since { command: "cilium bgp peers", minor: (1, 14) };
            let asked = Asked::begin(lab.as_deref(), &common, &since).await?;
            let all = asked.each(async |speaker| speaker.peers().await).await?;
            show(common.output, &all, peers::table)
        }
        Bgp::Routes(RoutesArgs { words, lab, common }) => {
            let (wanted, note) = routes::wanted(&words).map_err(Usage)?;
            if let (Some(note), Output::Summary) = (note, common.output) {
                say!("{note}\n");
            }
            let since = Since { command: "cilium bgp routes", minor: (1, 15) };
            let asked = Asked::begin(lab.as_deref(), &common, &since).await?;
            let wanted = &wanted;
            let all = asked
                .each(async |speaker| {
                    if wanted.router.is_some_and(|asn| asn != speaker.asn) {
                        return Ok(Vec::new());
                    }
                    speaker.routes(wanted.which, &wanted.family).await
                })
                .await?;
            show(common.output, &all, |all| routes::table(all, wanted.which))
        }
    }
}

/// Nodes, and what each says.
pub(super) type ByNode<T> = BTreeMap<String, Vec<T>>;

fn show<T: Serialize>(
    output: Output,
    all: &ByNode<T>,
    table: impl FnOnce(&ByNode<T>) -> String,
) -> Result<ExitCode> {
    match output {
        Output::Summary => print(&table(all)),
        Output::Json => {
            // One space, as Cilium's.
            let mut bytes = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
            all.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))?;
            bytes.push(b'\n');
            print(&String::from_utf8_lossy(&bytes));
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn print(text: &str) {
    use std::io::Write;
    if write!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// The nodes that are asked.
struct Asked {
    fabric: Fabric,
    nodes: Vec<NodeInfo>,
}

impl Asked {
    async fn begin(lab: Option<&std::path::Path>, common: &Common, since: &Since) -> Result<Self> {
        let state = pick::state(lab, &common.name)?;
        let Some(version) = state.spec.cilium.clone() else {
            let id = &state.spec.id;
            return Err(Usage(format!("{id} has no Cilium: its lab.yaml names no version")).into());
        };
        warn_of_age(&version, since);
        let fabric = Fabric::attach(&state.spec.id)?;
        let mut nodes = fabric.nodes().await?;
        nodes.retain(|node| node.role == "cluster");
        if let Some(wanted) = &common.node {
            let known: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
            nodes.retain(|node| node.name == *wanted || node.name.ends_with(&format!("-{wanted}")));
            if nodes.len() > 1 {
                // `worker` is also what others end in, on a cluster called `my-worker`.
                let full = full_name(&state, wanted);
                nodes.retain(|node| node.name == full);
            }
            if nodes.is_empty() {
                return Err(
                    Usage(format!("there is no node {wanted}; the nodes are {}", known.join(", "))).into()
                );
            }
        }
        Ok(Self { fabric, nodes })
    }

    /// Asks the speakers of every node, all nodes at once.
    async fn each<T>(
        &self,
        question: impl AsyncFn(&Speaker) -> Result<Vec<T>, SpeakersError>,
    ) -> Result<ByNode<T>> {
        let one = async |node: &NodeInfo| {
            let handle = self.fabric.node(&node.name).await?;
            let mut all = Vec::new();
            for speaker in ask(&handle).await? {
                all.extend(question(&speaker).await?);
            }
            Ok::<_, anyhow::Error>((node.name.clone(), all))
        };
        futures::future::try_join_all(self.nodes.iter().map(one)).await.map(|all| all.into_iter().collect())
    }
}

fn full_name(state: &State, wanted: &str) -> String {
    let cluster = state.spec.cluster.as_ref().map(|cluster| cluster.name.as_str()).unwrap_or_default();
    format!("{cluster}-{wanted}")
}

/// A Cilium that has no such command is shown all the same: the state is there. Who expects the command is told.
fn warn_of_age(version: &str, since: &Since) {
    let (major, minor) = since.minor;
    let old = version.parse::<CiliumVersion>().is_ok_and(|version| version.line() < since.minor);
    if old {
        eprintln!("warning: Cilium {version} has no `{}`: it came with {major}.{minor}", since.command);
    }
}
