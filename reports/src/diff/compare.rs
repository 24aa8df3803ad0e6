//! The comparison from its two records to its groups: phases in order, in each first what explains, then what follows.

use std::collections::BTreeSet;

use super::cause::{Groups, Root};
use super::checks::{self, Known};
use super::difference::{Diff, Difference, Group, Kind, Side, Weight};
use super::expected::Expectations;
use super::facts::{Facts, by_phase, cut};
use super::outage::{Losses, Outage};
use super::peers::Peers;
use super::{durations, routes, sessions};
use crate::record::Record;

/// How to compare.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the two runs are called in sentences.
    pub called: [String; 2],
    /// Changes that are predicted.
    pub expected: Expectations,
    /// Whether durations are compared.
    pub durations: bool,
    /// Whether phases and checks that one of the runs alone has are told.
    pub missing: bool,
    /// Whether what happened to a session before counts: how often it was lost, and why. It does not where one of the
    /// fabrics has lived before its run.
    pub past: bool,
    /// Whether hops that say nothing count. They do not where packets are forwarded by other means: Cilium's eBPF takes a hop
    /// off at a pod's own end without a word.
    pub silent_hops: bool,
    /// Nodes that are known to speak no more. What they take with them is no less a loss for it.
    pub outage: Option<Outage>,
}

impl Options {
    /// How a prediction is compared with what it predicts, another environment: what only one of them can know, and how long
    /// anything took, is left out.
    pub fn parity(twin: &str, other: &str) -> Self {
        Self {
            called: [twin.to_owned(), other.to_owned()],
            durations: false,
            missing: false,
            past: false,
            silent_hops: false,
            ..Self::default()
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            called: ["old".into(), "new".into()],
            expected: Expectations::default(),
            durations: true,
            missing: true,
            past: true,
            silent_hops: true,
            outage: None,
        }
    }
}

/// Compares two records.
pub fn diff(old: &Record, new: &Record, options: &Options) -> Diff {
    let mut groups = Groups::default();
    of_runs(old, new, options, &mut groups);
    let (before, after) = (by_phase(old), by_phase(new));
    let none = Facts::default();
    let topology = new.topology.as_ref().or(old.topology.as_ref());
    let mut losses = Losses::default();
    for phase in phases(old, new) {
        let of = |all: &'_ [(String, Facts)]| all.iter().position(|(name, _)| name == phase);
        let facts = |all: &'_ [(String, Facts)], at: Option<usize>| {
            at.map_or_else(|| none.clone(), |at| all[at].1.clone())
        };
        let (mut was, mut is) = (facts(&before, of(&before)), facts(&after, of(&after)));
        for facts in [&mut was, &mut is] {
            facts.forget(options.past, options.silent_hops);
        }
        let silent = silent(&was, &is, &mut groups, phase);
        let peers = Peers { topology, old: &was, new: &is };
        let cut = cut(&was, &is);
        let touched = sessions::compare(&peers, &silent, &cut, options.outage.as_ref(), &mut groups, phase);
        let traced = routes::compare(&peers, &touched, &silent, &cut, &mut groups, phase);
        losses.look(&was, &is, &touched, &traced);
        let known = Known { phase, old: &was, new: &is, touched: &touched, traced: &traced };
        checks::compare(&known, old, new, options.missing, &mut groups);
        if options.durations {
            durations::compare(old, new, phase, &mut groups);
        }
    }
    if let Some(outage) = &options.outage {
        losses.tell(outage, &mut groups);
    }
    let mut met = BTreeSet::new();
    let expect = |difference: &mut Difference| met.extend(options.expected.mark(difference));
    let mut groups = groups.finish(expect, &phases(old, new));
    for group in &mut groups {
        group.because = because(group, new);
    }
    let unmet = options.expected.0.iter().enumerate();
    let unmet = unmet.filter(|(number, one)| one.must && !met.contains(number));
    Diff {
        regressed: groups.iter().any(|group| group.weight.regresses()),
        old: side(old, &options.called[0]),
        new: side(new, &options.called[1]),
        groups,
        unmet: unmet.map(|(_, one)| one.line()).collect(),
    }
}

/// What the new run says is the cause of the checks of a group that failed, if that is one thing.
fn because(group: &Group, new: &Record) -> Option<String> {
    let of_checks = group.differences.iter().filter(|one| one.kind == Kind::Check);
    let names: BTreeSet<&str> = of_checks.map(|one| one.about.as_str()).collect();
    let failed = new.checks.iter().filter(|check| names.contains(check.name.as_str()));
    let causes: BTreeSet<&str> = failed.filter_map(|check| check.cause.as_deref()).collect();
    let mut causes = causes.into_iter();
    let (Some(id), None) = (causes.next(), causes.next()) else { return None };
    new.causes.iter().find(|cause| cause.id == id).map(|cause| cause.title.clone())
}

fn side(record: &Record, called: &str) -> Side {
    Side {
        called: called.to_owned(),
        lab: record.lab.name.clone(),
        run_id: record.run_id.clone(),
        outcome: record.outcome,
    }
}

/// The phases of both, in the new run's order, then those that the old one alone has.
fn phases<'a>(old: &'a Record, new: &'a Record) -> Vec<&'a str> {
    let mut all = new.phase_names();
    for name in old.phase_names() {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}

/// What is to be said of the runs as such: bringing up, versions, phases.
fn of_runs(old: &Record, new: &Record, options: &Options, groups: &mut Groups) {
    if let (None, Some(error)) = (&old.error, &new.error) {
        let why = error.text.lines().next().unwrap_or_default();
        let root = Root::Unreached(format!("the run ended in {}: {why}", error.phase));
        let difference = Difference::new(Kind::Run, Weight::Worse, "", "bringing up");
        groups.put(&root, difference.between(Some("worked".into()), Some("failed".into())), None);
    }
    let (was, is) = (&old.environment.versions, &new.environment.versions);
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    for name in names.into_iter().filter(|name| was.get(*name) != is.get(*name)) {
        let difference = Difference::new(Kind::Version, Weight::Note, "", name.clone());
        groups.put(&Root::Versions, difference.between(was.get(name).cloned(), is.get(name).cloned()), None);
    }
    if !options.missing {
        return;
    }
    for phase in old.phases.iter().filter(|phase| phase.reached) {
        let is = new.phases.iter().find(|other| other.name == phase.name);
        let why = match is {
            Some(is) if !is.reached => is.unreached_reason.clone().unwrap_or_default(),
            _ => continue,
        };
        let root = Root::Unreached(format!(
            "the phase {} was not reached: {}",
            phase.name,
            why.lines().next().unwrap_or_default()
        ));
        let difference = Difference::new(Kind::Run, Weight::Worse, "", phase.name.clone());
        let difference = difference.between(Some("reached".into()), Some("not reached".into()));
        groups.put(&root, difference, Some(&phase.name));
    }
}

/// The routers that answered in the old run and do not in the new one.
fn silent(old: &Facts, new: &Facts, groups: &mut Groups, phase: &str) -> BTreeSet<String> {
    let mut silent = BTreeSet::new();
    for ((node, kind), why) in &new.unreadable {
        if old.read.contains(&(node.clone(), kind.clone())) && silent.insert(node.clone()) {
            let difference = Difference::new(Kind::Run, Weight::Worse, node, "");
            let difference = difference.between(Some("answers".into()), Some(format!("does not: {why}")));
            groups.put(&Root::Silent(node.clone()), difference, Some(phase));
        }
    }
    silent
}
