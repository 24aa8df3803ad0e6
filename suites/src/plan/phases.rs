//! From a lab to its plan: phases in their order, each with its actions and its checks.

use fabric_harness::lab::yaml::Location;
use fabric_harness::lab::{Lab, LoadedPhase, Manifest, NodeCommand, NodeLabels, Step, Upgrade};

use super::planned::{PlannedCheck, Sheet};
use super::routes::Known;
use super::throughout::Flows;
use super::{fabric, packets, routes, sessions, throughout};
use crate::checks::NodeSpec;
use crate::expect::{Expect, Patience};
use crate::plan::CheckSpec;

/// A phase: what is done, then what must be true.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedPhase {
    /// Its name: the first part of its checks' names.
    pub name: String,
    /// What is done, in this order.
    pub actions: Vec<Action>,
    /// What is judged then. Checks of one phase do not depend on each other.
    pub checks: Vec<PlannedCheck>,
    /// Where it is written.
    pub at: Location,
}

/// Something a phase does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Brings up a part of the lab.
    Up(Step),
    /// Applies objects to the cluster.
    Apply(Vec<Manifest>),
    /// Deletes objects from the cluster.
    Delete(Vec<Manifest>),
    /// Sets or removes labels of a node.
    Label(NodeLabels),
    /// Runs a command in a node.
    Run(NodeCommand),
    /// Goes to another version of Cilium.
    Upgrade(Box<Upgrade>),
}

/// Makes the plan of a lab. Needs nothing but its files: listing works where nothing can run.
pub fn plan(lab: &Lab<Expect>) -> Vec<PlannedPhase> {
    let mut known = Known::new();
    let mut flows = Flows::default();
    lab.phases
        .iter()
        .map(|phase| PlannedPhase {
            name: phase.name.clone(),
            actions: actions(phase),
            checks: checks(lab, phase, &mut known, &mut flows),
            at: phase.at.clone(),
        })
        .collect()
}

fn actions(phase: &LoadedPhase<Expect>) -> Vec<Action> {
    let mut actions: Vec<Action> = phase.up.map(Action::Up).into_iter().collect();
    if !phase.apply.is_empty() {
        actions.push(Action::Apply(phase.apply.clone()));
    }
    if !phase.delete.is_empty() {
        actions.push(Action::Delete(phase.delete.clone()));
    }
    actions.extend(phase.label.iter().cloned().map(Action::Label));
    actions.extend(phase.run.iter().cloned().map(Action::Run));
    actions.extend(phase.upgrade.iter().cloned().map(Box::new).map(Action::Upgrade));
    actions
}

fn checks(
    lab: &Lab<Expect>,
    phase: &LoadedPhase<Expect>,
    known: &mut Known,
    flows: &mut Flows,
) -> Vec<PlannedCheck> {
    let expect = &phase.expect;
    let mut sheet = Sheet::new(&phase.name, expect.patience);
    match phase.up {
        Some(Step::Underlay) => {
            for node in &lab.topology.nodes {
                let lines: Vec<String> = node.lines().map(|line| line.text.clone()).collect();
                fabric::lines(&mut sheet, &node.name, &lines, &node.at);
            }
        }
        // A cluster without the nodes its file names is no cluster: said without being asked.
        Some(Step::Cluster) if expect.nodes.as_ref().is_none_or(|nodes| nodes.count.is_none()) => {
            if let Some(cluster) = &lab.cluster {
                let count = cluster.nodes.len();
                let spec = CheckSpec::Nodes(NodeSpec::Count(count));
                let statement = format!("there are {count}");
                sheet.plain("cluster", statement, spec, Patience::default(), &cluster.at);
            }
        }
        _ => {}
    }
    fabric::interfaces(&mut sheet, &expect.interfaces);
    if let Some(nodes) = &expect.nodes {
        fabric::nodes(&mut sheet, nodes);
    }
    sessions::sessions(&mut sheet, &expect.sessions);
    routes::routes(&mut sheet, &expect.routes, known);
    fabric::pods(&mut sheet, &expect.pods);
    packets::reach(&mut sheet, &expect.reach);
    packets::paths(&mut sheet, &expect.paths);
    flows.learn(&expect.reach);
    if let Some(budgets) = &expect.throughout {
        throughout::throughout(&mut sheet, budgets, flows, &lab.topology);
    }
    sheet.checks
}
