//! Where the nodes of a fabric live, or how they are found, as the command line says it.
//!
//! What lives here: `--runtime`, `--image`, and the flags of `--env attach`. What does not: environments (`env`).

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fabric_harness::found::RouterWay;
use fabric_suites::run::Home;

use super::env::{Env, EnvArgs};
use super::exit::Usage;

/// Where nodes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Runtime {
    /// In namespaces: no root, no engine, no images.
    Netns,
    /// In containers of a Docker (or Podman) engine: as root.
    Docker,
}

/// Where nodes are to live.
#[derive(Debug, Clone, Args)]
pub(super) struct HomeArgs {
    /// Where nodes live.
    #[arg(long, value_enum, env = "FABRIC_RUNTIME", default_value_t = Runtime::Netns)]
    runtime: Runtime,
    /// Take an image for another, of every tag if none is said: frrouting/frr=fabric/frr (with --runtime docker).
    #[arg(long = "image", env = "FABRIC_IMAGES", value_name = "NAME=OTHER", value_delimiter = ',')]
    images: Vec<String>,
    #[command(flatten)]
    env: EnvArgs,
}

impl HomeArgs {
    fn said(&self) -> Vec<&str> {
        self.images.iter().map(String::as_str).filter(|image| !image.trim().is_empty()).collect()
    }

    /// Whether the fabric is what somebody else brought up.
    pub(super) fn is_attach(&self) -> bool {
        self.env.env == Env::Attach
    }

    /// Whether clabernetes is to put the routers there first.
    pub(super) fn clabernetes(&self) -> bool {
        self.env.clabernetes()
    }

    /// Where nodes that are to be made will live.
    pub(super) fn made(&self) -> Result<Home, Usage> {
        if self.is_attach() {
            return Err(Usage("`--env attach` makes nothing: it is for `fabric test`".into()));
        }
        self.home()
    }

    /// What that is, if the images are pairs.
    pub(super) fn home(&self) -> Result<Home, Usage> {
        let docker = || // An empty variable says nothing.
        Home::docker(&self.said()).map_err(|why| Usage(format!("--image: {why}")));
        match (self.env.real().map_err(Usage)?, self.runtime) {
            // kind's nodes are containers, and what is wired to them is, too.
            (Some(real), _) => docker()?.real(real).map_err(Usage),
            (None, Runtime::Netns) => Ok(Home::Netns),
            (None, Runtime::Docker) => docker(),
        }
    }
}

/// How to find and treat what somebody else brought up.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "With --env attach")]
pub(super) struct FoundArgs {
    /// The lab folder, as LAB.
    #[arg(long = "lab", value_name = "DIR", conflicts_with = "lab")]
    pub(super) lab_dir: Option<PathBuf>,
    /// How to reach the cluster.
    #[arg(long, env = "FABRIC_KUBECONFIG", value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// How to get into a router: NAME=docker:CONTAINER, NAME=kubectl:NAMESPACE/POD, or NAME=exec:COMMAND that runs its
    /// arguments there [default: by containerlab's and clabernetes' labels].
    #[arg(long = "router", env = "FABRIC_ROUTERS", value_name = "NAME=WAY", value_delimiter = ';')]
    pub(super) routers: Vec<RouterWay>,
    /// Judge this phase, whatever the present state [default: those that it satisfies].
    #[arg(long = "phase", env = "FABRIC_PHASES", value_name = "PHASE", value_delimiter = ';')]
    pub(super) phases: Vec<String>,
    /// Walk through the phases, applying and deleting what lab.yaml says, and put everything back at the end.
    #[arg(long, env = "FABRIC_ALLOW_APPLY", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(super) allow_apply: bool,
}
