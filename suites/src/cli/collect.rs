//! `fabric collect`: the diagnostics of a fabric that is up, in one archive.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use fabric_harness::fabric::Fabric;
use fabric_harness::found::FoundSpec;
use fabric_suites::bundle::{Captured, NAME, Sources, collect};
use fabric_suites::run;

use super::args::{CollectArgs, LabArg};
use super::env::Env;
use super::{exit, pick};

/// Why there are no captures.
const NOT_LISTENED: &str = "links are listened to during a run (`fabric test`) only; the run that failed has them in its own archive";

pub(super) async fn run(args: CollectArgs) -> Result<ExitCode> {
    let path = args.output.clone().unwrap_or_else(|| PathBuf::from(NAME));
    let sources = if args.env == Env::Attach { found(&args).await? } else { ours(&args)? };
    let name = sources.name.clone();
    eprintln!("Collecting the diagnostics of {name} ...");
    let collected = collect(sources).await;
    let made = tokio::task::spawn_blocking(move || collected.write(&path)).await??;
    let missing =
        if made.missing == 0 { String::new() } else { format!(", {} could not be had", made.missing) };
    say!(
        "{}: {} files, {} KiB{missing}; begin with INDEX.md",
        made.path.display(),
        made.files,
        made.bytes / 1024
    );
    Ok(ExitCode::from(exit::OK))
}

fn ours(args: &CollectArgs) -> Result<Sources> {
    let state = pick::state(args.lab.lab.as_deref(), &args.name)?;
    Ok(Sources {
        name: state.spec.id.clone(),
        why: "it was asked for".to_owned(),
        fabric: Some(Arc::new(Fabric::attach(&state.spec.id)?)),
        lab: Some(state.spec.lab),
        keeper: Some(state.spec.dir),
        captures: Captured::Nothing(NOT_LISTENED),
    })
}

/// A fabric that others brought up; nothing is changed.
async fn found(args: &CollectArgs) -> Result<Sources> {
    let prepared = run::prepare(&pick::lab(&LabArg { lab: args.lab.lab.clone() })?)?;
    let lab = prepared.lab;
    let spec = FoundSpec {
        name: lab.name.clone(),
        topology: lab.topology.clone(),
        cluster: lab.cluster.clone(),
        kubeconfig: args.kubeconfig.clone(),
        ways: args.routers.clone(),
    };
    Ok(Sources {
        name: lab.name,
        why: "it was asked for".to_owned(),
        fabric: Some(Arc::new(Fabric::find(spec).await?)),
        lab: Some(lab.dir),
        keeper: None,
        captures: Captured::Nothing(NOT_LISTENED),
    })
}
