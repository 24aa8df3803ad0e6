//! `fabric list`: the fabrics that are up.

use std::process::ExitCode;

use anyhow::Result;
use fabric_harness::runtime::keeper::{State, leftovers, states};
use serde_json::json;

use super::args::{Format, ListArgs};
use super::exit;

pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let (all, dead) = (states()?, leftovers()?);
    match args.format {
        Format::Json => {
            let rows: Vec<_> = all.iter().map(row).collect();
            say!("{}", serde_json::to_string_pretty(&rows)?);
        }
        Format::Text if all.is_empty() => {
            say!("No fabric is up. `fabric up` brings one up.");
            tell(&dead);
        }
        Format::Text => {
            let width = all.iter().map(|state| state.spec.id.len()).max().unwrap_or(4).max(4);
            say!("{:width$}  {:9}  {:>5}  {:20}  LAB", "NAME", "PHASE", "NODES", "STARTED");
            for state in &all {
                let phase = state.phase.as_deref().unwrap_or("-");
                let started = state.started.get(..19).unwrap_or(&state.started).replace('T', " ");
                let lab = state.spec.lab.display();
                say!("{:width$}  {phase:9}  {:>5}  {started:20}  {lab}", state.spec.id, state.nodes.len());
            }
            tell(&dead);
        }
    }
    Ok(ExitCode::from(exit::OK))
}

/// Fabrics that died and may have left containers.
fn tell(dead: &[State]) {
    for state in dead {
        let id = &state.spec.id;
        say!(
            "{id} died (its keeper was killed); its containers may still run: `fabric down --name {id}` removes them."
        );
    }
}

fn row(state: &State) -> serde_json::Value {
    json!({
        "name": state.spec.id, "lab": state.spec.lab, "phase": state.phase, "nodes": state.nodes.len(),
        "started": state.started, "keeper": state.keeper, "ephemeral": state.spec.ephemeral,
    })
}
