//! Which phases the present state satisfies, and why the others are left out. No fabric here: a pure decision.
//!
//! A phase is what its own actions and those of the phases before it make: objects, labels, and how far the lab is brought
//! up. It is judged when the present state is that. What a phase without Cilium says of routers holds with Cilium too, as
//! long as nothing was applied: only what it says of nodes that are not Ready yet does not.

use std::collections::{BTreeMap, BTreeSet};

use fabric_harness::lab::Step;

use super::present::{Key, LabelKey, Present, key};
use crate::checks::{NodeFact, NodeSpec};
use crate::plan::{Action, CheckSpec, PlannedCheck, PlannedPhase};

/// What is to be judged, and what is not.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The phases to go through, with the checks to run.
    pub(super) plan: Vec<PlannedPhase>,
    /// Phases that are left out, each with the reason, in a sentence.
    pub(super) left_out: Vec<(String, String)>,
    /// Checks that cannot be asked, each with the reason.
    pub(super) skipped: Vec<(PlannedPhase, PlannedCheck, String)>,
}

/// What phases make of a fabric.
#[derive(Debug, Clone, Default)]
struct World {
    objects: BTreeMap<Key, bool>,
    labels: BTreeMap<LabelKey, Option<String>>,
    up: BTreeSet<&'static str>,
    /// Commands that were run in nodes by then.
    ran: Vec<String>,
    /// The version that Cilium was upgraded to by then.
    upgraded: Option<String>,
    /// An upgrade of which the lab does not say how it is done here.
    unsaid: Option<String>,
}

impl World {
    fn after(&mut self, phase: &PlannedPhase) {
        for action in &phase.actions {
            match action {
                Action::Up(step) => {
                    self.up.insert(step.as_str());
                }
                Action::Apply(all) => self.objects.extend(all.iter().map(|one| (key(one), true))),
                Action::Delete(all) => self.objects.extend(all.iter().map(|one| (key(one), false))),
                Action::Label(labels) => {
                    let label = |name: &String| (labels.node.clone(), name.clone());
                    let set = labels.set.iter().map(|(name, value)| (label(name), Some(value.clone())));
                    self.labels.extend(set);
                    self.labels.extend(labels.remove.iter().map(|name| (label(name), None)));
                }
                Action::Upgrade(upgrade) => {
                    self.upgraded = Some(upgrade.to.clone());
                    if upgrade.command.is_none() {
                        self.unsaid = Some(upgrade.to.clone());
                    }
                }
                Action::Run(run) => self.ran.push(format!("`{}` in {}", run.command.text, run.node.value)),
            }
        }
    }

    /// Why the present state is not this one.
    fn differs(&self, present: &Present) -> Option<String> {
        if self.up.contains(Step::Cluster.as_str()) && !present.cluster {
            return Some("no cluster was named to look at: give `--kubeconfig`".to_owned());
        }
        if self.up.contains(Step::Cni.as_str()) && !present.cilium {
            return Some("Cilium is not installed in the cluster".to_owned());
        }
        if let (Some(to), Some(runs)) = (&self.upgraded, &present.cilium_version)
            && to != runs
        {
            return Some(format!("Cilium is {runs}, and {to} in this phase"));
        }
        let named = |(kind, _, name): &Key| format!("{kind}/{name}");
        let (mut missing, mut more) = (Vec::new(), Vec::new());
        for (key, seen) in &present.objects {
            match (self.objects.get(key).copied().unwrap_or(false), seen.is_some()) {
                (true, false) => missing.push(named(key)),
                (false, true) => more.push(named(key)),
                _ => {}
            }
        }
        if !missing.is_empty() {
            return Some(format!("{} not there", are(&missing)));
        }
        if !more.is_empty() {
            return Some(format!("{} there, and not in this phase", are(&more)));
        }
        for ((node, name), wanted) in &self.labels {
            let seen = present.labels.get(&(node.clone(), name.clone())).cloned().flatten();
            if seen != *wanted {
                let told = |value: &Option<String>| match value {
                    Some(value) => format!("the label {name}={value}"),
                    None => format!("no label {name}"),
                };
                return Some(format!("node {node} has {}, and in this phase {}", told(&seen), told(wanted)));
            }
        }
        if let [first, ..] = self.ran.as_slice() {
            return Some(format!("{first} was run by then, and whether it was cannot be seen"));
        }
        None
    }
}

fn are(names: &[String]) -> String {
    match names {
        [one] => format!("{one} is"),
        [all @ .., last] => format!("{} and {last} are", all.join(", ")),
        [] => String::new(),
    }
}

/// Chooses what the present state satisfies, or what is named, whatever the state.
pub(super) fn by_state(plan: &[PlannedPhase], present: &Present, named: &[String]) -> Choice {
    let mut choice = Choice::default();
    let mut world = World::default();
    for phase in plan {
        world.after(phase);
        let why = if named.is_empty() {
            world.differs(present)
        } else {
            (!named.contains(&phase.name)).then(|| "it was not asked for".to_owned())
        };
        // Who names a phase means all of it.
        let without_cilium = named.is_empty() && present.cilium && !world.up.contains(Step::Cni.as_str());
        choice.take(phase, why, without_cilium);
    }
    choice
}

/// Chooses what can be walked to: everything up to the first command that is run in a node, for that cannot be put back.
pub(super) fn to_walk(plan: &[PlannedPhase], present: &Present, named: &[String]) -> Choice {
    let mut choice = Choice::default();
    let mut world = World::default();
    let last = plan.iter().rposition(|phase| named.is_empty() || named.contains(&phase.name));
    for (number, phase) in plan.iter().enumerate() {
        world.after(phase);
        let why = if Some(number) > last {
            Some("it was not asked for".to_owned())
        } else if let [first, ..] = world.ran.as_slice() {
            Some(format!("{first} would have to be run, and what it does could not be put back"))
        } else if let Some(to) = &world.unsaid {
            Some(format!(
                "nothing says how this cluster's Cilium goes to {to}: write `command: helm upgrade ... --wait` under `upgrade`"
            ))
        } else if world.up.contains(Step::Cni.as_str()) && !present.cilium {
            Some("Cilium is not installed in the cluster".to_owned())
        } else if world.up.contains(Step::Cluster.as_str()) && !present.cluster {
            Some("no cluster was named to look at: give `--kubeconfig`".to_owned())
        } else {
            None
        };
        let without_cilium = present.cilium && !world.up.contains(Step::Cni.as_str());
        choice.take(phase, why, without_cilium);
    }
    choice
}

impl Choice {
    fn take(&mut self, phase: &PlannedPhase, why: Option<String>, without_cilium: bool) {
        if let Some(why) = why {
            let skipped = phase.checks.iter().map(|check| (phase.clone(), check.clone(), why.clone()));
            self.skipped.extend(skipped);
            self.left_out.push((phase.name.clone(), why));
            return;
        }
        let mut checks = Vec::new();
        let mut last = None;
        for check in &phase.checks {
            match unasked(check, without_cilium) {
                None => checks.push(check.clone()),
                Some(why) => {
                    last = Some(why.to_owned());
                    self.skipped.push((phase.clone(), check.clone(), why.to_owned()));
                }
            }
        }
        let acts = phase.actions.iter().any(|action| !matches!(action, Action::Up(_)));
        if checks.is_empty() && !acts {
            let why = last.unwrap_or_else(|| "it expects nothing".to_owned());
            self.left_out.push((phase.name.clone(), why));
            return;
        }
        self.plan.push(PlannedPhase { checks, ..phase.clone() });
    }
}

/// Why a check cannot be asked of a fabric that others brought up.
fn unasked(check: &PlannedCheck, without_cilium: bool) -> Option<&'static str> {
    match &check.spec {
        CheckSpec::Lines(_) => {
            Some("the exec lines were run by whoever brought the lab up: how they ended is not known")
        }
        CheckSpec::Nodes(NodeSpec::AllReady(false) | NodeSpec::Of { fact: NodeFact::Ready(false), .. })
            if without_cilium =>
        {
            Some("Cilium is installed: that nodes are not Ready before it cannot be seen any more")
        }
        _ => None,
    }
}
