//! `fabric status`: one fabric, its nodes, its phase, and the way to its API.

use std::process::ExitCode;

use anyhow::Result;
use fabric_harness::fabric::Fabric;
use fabric_harness::runtime::keeper::{NodeInfo, State};
use serde_json::json;

use super::args::{Format, StatusArgs};
use super::{exit, pick};

pub(super) async fn run(args: StatusArgs) -> Result<ExitCode> {
    let state = pick::state(args.lab.lab.as_deref(), &args.name)?;
    let nodes = Fabric::attach(&state.spec.id)?.nodes().await?;
    match args.format {
        Format::Json => say!("{}", serde_json::to_string_pretty(&as_json(&state, &nodes))?),
        Format::Text => print(&state, &nodes),
    }
    Ok(ExitCode::from(exit::OK))
}

fn as_json(state: &State, nodes: &[NodeInfo]) -> serde_json::Value {
    let phases = state.spec.phases.clone();
    json!({
        "name": state.spec.id, "lab": state.spec.lab, "state": "up", "phase": state.phase, "phases": phases,
        "keeper": state.keeper, "rootless": state.userns, "started": state.started, "cilium": state.spec.cilium,
        "api": state.api, "kubeconfig": state.kubeconfig, "nodes": nodes,
    })
}

fn print(state: &State, nodes: &[NodeInfo]) {
    let phase = state.phase.as_deref().unwrap_or("not brought up yet");
    say!("{}: up, phase {phase}", state.spec.id);
    say!("  lab         {}", state.spec.lab.display());
    if let Some(kubeconfig) = &state.kubeconfig {
        say!("  kubeconfig  {}", kubeconfig.display());
    }
    if let Some(api) = &state.api {
        say!("  API         {api}");
    }
    say!("  keeper      pid {}{}", state.keeper, if state.userns { ", rootless" } else { "" });
    say!("");
    let width = nodes.iter().map(|node| node.name.len()).max().unwrap_or(4).max(4);
    say!("  {:width$}  {:8}  {:15}  INIT", "NODE", "ROLE", "MANAGEMENT");
    for node in nodes {
        let mgmt = node.mgmt.as_deref().unwrap_or("-");
        say!("  {:width$}  {:8}  {mgmt:15}  {}", node.name, node.role, node.init);
    }
}
