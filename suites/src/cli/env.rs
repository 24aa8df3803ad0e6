//! Which environment a lab is brought up in, as the command line says it.
//!
//! What lives here: `--env` and what belongs to one environment only. What does not: making sure of what it needs (`run::home`).

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fabric_harness::outside::{Chart, Deployer};
use fabric_suites::run::RealLab;

/// What a lab's cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Env {
    /// The cluster of our own: namespaces or containers, real BGP, no Kubernetes to install.
    Twin,
    /// A real one: kind, helm and Cilium, through their own command lines.
    Lab,
    /// What somebody else brought up: nothing is changed (for `fabric test`).
    Attach,
}

/// Who makes routers and links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DeployedBy {
    /// This program, through the container engine.
    Fabric,
    /// `containerlab deploy`; its containers are taken over.
    Containerlab,
    /// clabernetes, into the cluster that is attached to: each router a pod (with --env attach).
    Clabernetes,
}

/// The environment.
#[derive(Debug, Clone, Args)]
pub(super) struct EnvArgs {
    /// What the lab's cluster is.
    #[arg(long, value_enum, env = "FABRIC_ENV", default_value_t = Env::Twin)]
    pub(super) env: Env,
    /// Who makes routers and links: fabric or containerlab with --env lab, clabernetes with --env attach.
    #[arg(long, value_enum, env = "FABRIC_DEPLOYER", default_value_t = DeployedBy::Fabric)]
    deployer: DeployedBy,
    /// Take kind's cluster of the lab's name if there is one; it is not deleted at the end (with --env lab).
    #[arg(long)]
    reuse: bool,
    /// The image of kind's nodes, instead of kind's own (with --env lab).
    #[arg(long, env = "FABRIC_KIND_IMAGE", value_name = "IMAGE")]
    kind_image: Option<String>,
    /// Cilium's chart: a folder or an archive, instead of Cilium's repository (with --env lab).
    #[arg(long, env = "FABRIC_CHART", value_name = "PATH")]
    chart: Option<PathBuf>,
}

impl EnvArgs {
    /// The real lab that is meant, if one is.
    ///
    /// # Errors
    /// When something is said that belongs to a real lab, and none is meant; when there is no such chart.
    pub(super) fn real(&self) -> Result<Option<RealLab>, String> {
        if self.deployer == DeployedBy::Clabernetes && self.env != Env::Attach {
            let why = "--deployer clabernetes puts the routers into a cluster that is there: say `--env attach --kubeconfig FILE` too";
            return Err(why.to_owned());
        }
        if self.env != Env::Lab {
            return match self.foreign() {
                Some(word) => Err(format!("{word} is for a real lab: say `--env lab` too")),
                None => Ok(None),
            };
        }
        let chart = match &self.chart {
            None => Chart::default(),
            // helm runs in the lab's folder, and the path is meant from here.
            Some(path) => Chart::Local(
                std::fs::canonicalize(path)
                    .map_err(|error| format!("--chart {}: {error}", path.display()))?,
            ),
        };
        let deployer = match self.deployer {
            DeployedBy::Containerlab => Deployer::Containerlab,
            DeployedBy::Fabric | DeployedBy::Clabernetes => Deployer::Fabric,
        };
        Ok(Some(RealLab { deployer, reuse: self.reuse, kind_image: self.kind_image.clone(), chart }))
    }

    /// Whether clabernetes is to put the routers into the cluster that is attached to.
    pub(super) fn clabernetes(&self) -> bool {
        self.env == Env::Attach && self.deployer == DeployedBy::Clabernetes
    }

    fn foreign(&self) -> Option<&'static str> {
        let said = [
            (self.reuse, "--reuse"),
            (self.kind_image.is_some(), "--kind-image"),
            (self.chart.is_some(), "--chart"),
            (self.deployer == DeployedBy::Containerlab, "--deployer containerlab"),
        ];
        said.into_iter().find_map(|(said, word)| said.then_some(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use rstest::rstest;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        env: EnvArgs,
    }

    #[rstest]
    #[case(&["--reuse"], "--reuse is for a real lab")]
    #[case(&["--deployer", "containerlab"], "--deployer containerlab is for a real lab")]
    #[case(&["--deployer", "clabernetes"], "--deployer clabernetes puts the routers into a cluster that is there")]
    #[case(&["--env", "lab", "--deployer", "clabernetes"], "--deployer clabernetes puts the routers into a cluster")]
    #[case(&["--env", "attach", "--deployer", "containerlab"], "--deployer containerlab is for a real lab")]
    #[case(&["--env", "lab", "--chart", "/no/such/chart"], "--chart /no/such/chart: ")]
    fn what_does_not_go_together_is_refused(#[case] line: &[&str], #[case] said: &str) {
        let line = Line::parse_from(["fabric"].iter().chain(line));
        let error = line.env.real().unwrap_err();
        assert!(error.starts_with(said), "{error}");
    }

    #[test]
    fn a_real_lab_is_what_is_said_of_it() {
        let line =
            Line::parse_from(["fabric", "--env", "lab", "--reuse", "--kind-image", "kindest/node:v1.25.3"]);
        let real = line.env.real().unwrap().unwrap();
        assert!(real.reuse && real.kind_image.as_deref() == Some("kindest/node:v1.25.3"));
        assert_eq!((real.chart, real.deployer), (Chart::default(), Deployer::Fabric));
    }
}
