//! `fabric graph`: a lab's drawing as a file, or a fabric that is up, drawn as it is now.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use fabric_harness::fabric::Fabric;
use fabric_harness::found::FoundSpec;
use fabric_reports::drawing::{Drawing, Scene, Svg, dot, drawio, mermaid};
use fabric_suites::plan::drawn;
use fabric_suites::run::{self, Ended};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{GraphArgs, GraphFormat, LabArg, NameArg};
use super::env::Env;
use super::exit::{self, Usage};
use super::pick;

pub(super) async fn run(args: GraphArgs) -> Result<ExitCode> {
    match args.format {
        Some(format) => file(&args, format),
        None => live(args).await,
    }
}

/// The lab alone, nothing running.
fn file(args: &GraphArgs, format: GraphFormat) -> Result<ExitCode> {
    if args.name.name.is_some() {
        let why = "with `--format` the lab's files are drawn, and nothing that is up: name a lab instead of a fabric";
        return Err(Usage(why.into()).into());
    }
    let prepared = run::prepare(&pick::lab(&args.lab)?)?;
    let topology = drawn(&prepared.lab.topology, prepared.lab.cluster.as_ref());
    let drawing = Drawing::of(&Scene::of(&topology));
    let name = prepared.lab.name.as_str();
    let text = match format {
        GraphFormat::Svg => Svg { title: name, style: true, ..Svg::default() }.render(&drawing),
        GraphFormat::Mermaid => mermaid(&drawing, name),
        GraphFormat::Dot => dot(&drawing, name),
        GraphFormat::Drawio => drawio(&drawing, name),
    };
    match &args.output {
        Some(path) => write(path, &text)?,
        // Nobody left to read it is no failure.
        None => drop(std::io::stdout().write_all(text.as_bytes())),
    }
    Ok(ExitCode::from(exit::OK))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let wrong = |error: std::io::Error| Usage(format!("cannot write {}: {error}", path.display()));
    std::fs::write(path, text).map_err(wrong)?;
    eprintln!("{} is written", path.display());
    Ok(())
}

async fn live(args: GraphArgs) -> Result<ExitCode> {
    if args.output.is_some() {
        return Err(Usage("`-o` needs a format: `--format svg`, `mermaid`, `dot` or `drawio`".into()).into());
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (fabric, name) = fabric(&args).await?;
    let address = SocketAddr::new(args.bind, args.port);
    let listener = run::listen(address).await?;
    let bound = listener.local_addr().context("ask for the port")?;
    if !bound.ip().is_loopback() {
        eprintln!(
            "warning: everyone who reaches {bound} can see this fabric: there is no password. Leave `--bind` out to serve this \
             machine alone"
        );
    }
    let ready = || {
        let host = if bound.ip().is_loopback() && bound.is_ipv4() {
            "localhost".to_owned()
        } else {
            shown(bound.ip())
        };
        eprintln!("{name} is drawn on http://{host}:{}/ until Ctrl-C", bound.port());
    };
    let until = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    match run::serve(fabric, &name, listener, ready, until).await? {
        Ended::Asked => {}
        Ended::Gone(_) => {
            eprintln!("{name} has ended, and its drawing with it: `{} up` brings one up", pick::program())
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// An address as a URL has it.
fn shown(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The fabric that is meant: one of ours that is up, or one that others brought up.
async fn fabric(args: &GraphArgs) -> Result<(Arc<Fabric>, String)> {
    if args.env != Env::Attach {
        if args.kubeconfig.is_some() || !args.routers.is_empty() {
            let why =
                "--kubeconfig and --router are for what somebody else brought up: say `--env attach`, too";
            return Err(Usage(why.into()).into());
        }
        let named = NameArg { name: args.name.name.clone() };
        let state = pick::state(args.lab.lab.as_deref(), &named)?;
        return Ok((Arc::new(Fabric::attach(&state.spec.id)?), state.spec.id));
    }
    if args.name.name.is_some() {
        return Err(Usage(
            "`--name` is for fabrics of this program's, and `--env attach` for those of others".into(),
        )
        .into());
    }
    let lab = run::prepare(&pick::lab(&LabArg { lab: args.lab.lab.clone() })?)?.lab;
    if args.kubeconfig.is_none() && lab.cluster.is_some() {
        let why = "the lab has a cluster: say how to reach it, as `--kubeconfig ~/.kube/config`";
        return Err(Usage(why.into()).into());
    }
    let spec = FoundSpec {
        name: lab.name.clone(),
        topology: lab.topology,
        cluster: lab.cluster,
        kubeconfig: args.kubeconfig.clone(),
        ways: args.routers.clone(),
    };
    Ok((Arc::new(Fabric::find(spec).await?), lab.name))
}
