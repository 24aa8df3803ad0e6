//! Verdicts and hops compared, each put with what explains it: a session, the routes of a router, the routes to where
//! packets go.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cause::{Groups, Root};
use super::difference::{Difference, Kind, Weight};
use super::facts::{Facts, ends};
use super::routes::Traced;
use super::sessions::Touched;
use crate::record::{Check, Record, Verdict};

/// What is known of one phase when its checks are compared.
pub(super) struct Known<'a> {
    pub(super) phase: &'a str,
    pub(super) old: &'a Facts,
    pub(super) new: &'a Facts,
    pub(super) touched: &'a Touched,
    pub(super) traced: &'a Traced,
}

impl Known<'_> {
    /// What explains that a check ended otherwise.
    fn root(&self, check: &Check) -> Root {
        let node = check.node.clone().unwrap_or_default();
        let own = || Root::Check(format!("{}::{node}", check.kind));
        match check.kind.as_str() {
            "sessions" | "interfaces" => {
                let about = self.about(check);
                let touched = about.and_then(|about| self.touched.get(&(node.clone(), about)));
                touched.cloned().or_else(|| self.of_router(&node)).unwrap_or_else(own)
            }
            "routes" => self.of_router(&node).unwrap_or_else(own),
            "reach" | "paths" => self.of_packets(check).unwrap_or_else(|| match check.kind.as_str() {
                "paths" => Root::Packets(node.clone()),
                _ => own(),
            }),
            _ => own(),
        }
    }

    /// The neighbor or interface that a check is about: as it was seen, else the first word of what it says.
    fn about(&self, check: &Check) -> Option<String> {
        let seen = check.seen.pointer("/detail/neighbor").and_then(Value::as_str).map(str::to_owned);
        let word = || check.name.splitn(4, "::").nth(3)?.split(' ').next().map(str::to_owned);
        seen.or_else(word)
    }

    /// What explains most of what differs on a router.
    fn of_router(&self, node: &str) -> Option<Root> {
        let routes = self.traced.iter().filter(|((router, _), _)| router == node).map(|(_, root)| root);
        let sessions = self.touched.iter().filter(|((router, _), _)| router == node).map(|(_, root)| root);
        most(routes).or_else(|| most(sessions))
    }

    /// What explains that packets do not arrive, or go another way: the routes to where they go, those back, or the only
    /// thing that differs.
    fn of_packets(&self, check: &Check) -> Option<Root> {
        let mut towards: Vec<String> = Vec::new();
        for facts in [self.old, self.new] {
            let to = check.seen.pointer("/detail/to").and_then(Value::as_str);
            towards.extend(to.and_then(|to| facts.names.holder(to)));
            let (from, to) = ends(check).unwrap_or_default();
            towards.extend([to, from].iter().filter_map(|end| facts.names.holder_of_pod(end)));
        }
        let of = |prefix: &String| {
            most(self.traced.iter().filter(|((_, seen), _)| seen == prefix).map(|(_, root)| root))
        };
        let all = self.traced.values().chain(self.touched.values());
        towards.iter().find_map(of).or_else(|| most(all))
    }
}

fn most<'a>(roots: impl Iterator<Item = &'a Root>) -> Option<Root> {
    let mut counted: BTreeMap<&Root, usize> = BTreeMap::new();
    roots.for_each(|root| *counted.entry(root).or_default() += 1);
    counted.into_iter().max_by_key(|(_, number)| *number).map(|(root, _)| root.clone())
}

/// Compares the checks of a phase that both runs have; of those that one alone has, `missing` says whether that is told.
pub(super) fn compare(known: &Known, old: &Record, new: &Record, missing: bool, groups: &mut Groups) {
    let by_name = |record: &'_ Record| -> BTreeMap<String, Check> {
        record.checks_of(known.phase).map(|check| (check.name.clone(), check.clone())).collect()
    };
    let (old, new) = (by_name(old), by_name(new));
    for (name, is) in &new {
        match old.get(name) {
            Some(was) => of_both(known, was, is, missing, groups),
            None if missing => {
                let weight = match is.verdict {
                    Verdict::Passed | Verdict::Skipped => Weight::Note,
                    Verdict::Failed | Verdict::NotRun => Weight::Worse,
                };
                let root = if weight == Weight::Worse { known.root(is) } else { Root::Checks };
                let difference =
                    Difference::new(Kind::Check, weight, node(is), name).between(None, Some(word(is)));
                groups.put(&root, difference, Some(known.phase));
            }
            None => {}
        }
    }
    for (name, was) in old.iter().filter(|(name, _)| missing && !new.contains_key(*name)) {
        let weight = if was.verdict == Verdict::Passed { Weight::Changed } else { Weight::Note };
        let difference = Difference::new(Kind::Check, weight, node(was), name).between(Some(word(was)), None);
        groups.put(&Root::Checks, difference, Some(known.phase));
    }
}

fn of_both(known: &Known, was: &Check, is: &Check, told: bool, groups: &mut Groups) {
    use Verdict::{Failed, NotRun, Passed, Skipped};
    let weight = match (was.verdict, is.verdict) {
        (a, b) if a == b => None,
        (Skipped, Passed | NotRun) | (Passed | NotRun | Failed, Skipped) => told.then_some(Weight::Note),
        (_, Passed) => Some(Weight::Better),
        (Failed, NotRun) => Some(Weight::Changed),
        _ => Some(Weight::Worse),
    };
    if let Some(weight) = weight {
        let root = match (is.verdict, &is.reason) {
            (NotRun, Some(reason)) => Root::Unreached(first_line(reason)),
            (Skipped, _) => Root::Checks,
            _ => known.root(is),
        };
        let difference = Difference::new(Kind::Check, weight, node(is), is.name.clone());
        groups.put(&root, difference.between(Some(word(was)), Some(word(is))), Some(known.phase));
    }
    let hops = |facts: &Facts| facts.paths.get(&is.name).cloned();
    if let (Some(before), Some(after)) = (hops(known.old), hops(known.new))
        && before != after
    {
        let root = known.of_packets(is).unwrap_or_else(|| Root::Packets(node(is).to_owned()));
        let about = match ends(is) {
            Some((_, to)) => format!("to {to}"),
            None => is.name.clone(),
        };
        let difference = Difference::new(Kind::Path, Weight::Changed, node(is), about);
        let difference = difference.between(Some(before.join(", ")), Some(after.join(", ")));
        groups.put(&root, difference, Some(known.phase));
    }
}

fn node(check: &Check) -> &str {
    check.node.as_deref().unwrap_or_default()
}

/// A verdict, and why it is none that is good.
fn word(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Skipped => "skipped",
        Verdict::NotRun => "not run",
    };
    verdict.to_owned()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
