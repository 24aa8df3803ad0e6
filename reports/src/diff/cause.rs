//! What explains a difference: the keys of groups, and the sentences that head them.

use std::collections::BTreeMap;

use super::difference::{Difference, Group, Kind, Weight};
use super::peers::End;

/// What explains a difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Root {
    /// A box does not answer.
    Silent(String),
    /// A box has lost all its sessions.
    Box(String),
    /// A prefix that routers were connected to and are not any more: its link is down, or its address is gone.
    Cut(String),
    /// A session; its ends as [`Peers::pair`](super::peers::Peers::pair) gives them.
    Session(End, Option<End>),
    /// Routes that a router has, or has no more, while the session they come over is what it was; none is the router
    /// itself.
    Routes(String, Option<String>),
    /// A kernel's table that does not follow the BGP table.
    Kernel(String),
    /// A phase that was not reached, with the reason.
    Unreached(String),
    /// Packets of this pod or box, with nothing of the routers' to explain it.
    Packets(String),
    /// A check, with nothing to explain it.
    Check(String),
    /// The checks there are.
    Checks,
    /// How long things took in a phase.
    Time(String),
    /// What took part.
    Versions,
    /// What is known of the nodes that speak no more.
    Outage,
}

/// Differences by what explains them, in the order in which the explanations were found.
#[derive(Debug, Default)]
pub(super) struct Groups {
    order: Vec<Root>,
    groups: BTreeMap<Root, Vec<Difference>>,
    titles: BTreeMap<Root, String>,
}

impl Groups {
    /// Puts a difference that was seen in a phase where it belongs. What was seen before in another phase is not told again.
    pub(super) fn put(&mut self, root: &Root, difference: Difference, phase: Option<&str>) {
        if !self.groups.contains_key(root) {
            self.order.push(root.clone());
        }
        let group = self.groups.entry(root.clone()).or_default();
        let place = group.iter().position(|known| known.same(&difference));
        let place = place.unwrap_or_else(|| {
            group.push(difference);
            group.len() - 1
        });
        if let (Some(phase), Some(known)) = (phase, group.get_mut(place))
            && !known.phases.iter().any(|seen| seen == phase)
        {
            known.phases.push(phase.to_owned());
        }
    }

    /// Heads a group with a sentence of its own.
    pub(super) fn entitle(&mut self, root: Root, title: String) {
        self.titles.insert(root, title);
    }

    /// The groups, the worst first; among equals the one that explains more.
    pub(super) fn finish(mut self, mut expect: impl FnMut(&mut Difference), phases: &[&str]) -> Vec<Group> {
        let mut all = Vec::new();
        for root in self.order {
            let Some(mut differences) = self.groups.remove(&root) else { continue };
            differences.iter_mut().for_each(&mut expect);
            let weight = differences.iter().map(Difference::effective).max().unwrap_or(Weight::Note);
            let title = self.titles.remove(&root).unwrap_or_else(|| title(&root, &differences));
            let seen =
                |phase: &&&str| differences.iter().any(|one| one.phases.iter().any(|seen| seen == **phase));
            let phases = phases.iter().filter(seen).map(|phase| (*phase).to_owned()).collect();
            differences.sort_by_key(|one| one.kind);
            all.push(Group { title, weight, because: None, phases, differences });
        }
        all.sort_by_key(|group| {
            (std::cmp::Reverse(group.weight), std::cmp::Reverse(group.differences.len()))
        });
        all
    }
}

fn told((node, neighbor): &End) -> String {
    format!("{node} {neighbor}")
}

/// A group's explanation, in a sentence.
fn title(root: &Root, differences: &[Difference]) -> String {
    match root {
        Root::Silent(node) => format!("{node} does not answer"),
        Root::Box(node) => format!("{node} has lost all its sessions"),
        Root::Cut(prefix) => cut(prefix, differences),
        Root::Session(one, other) => {
            let ends = match other {
                Some(other) => format!("{} -- {}", told(one), told(other)),
                None => told(one),
            };
            format!("the session {ends} {}", became(differences))
        }
        Root::Routes(node, from) => routes(node, from.as_deref(), differences),
        Root::Kernel(node) => format!("{node}'s kernel routes otherwise than its BGP table explains"),
        Root::Unreached(why) => why.clone(),
        Root::Packets(from) => {
            format!("packets of {from} go otherwise, with every route and session as it was")
        }
        Root::Check(name) => match differences {
            [_] => format!("{name} has another verdict, and nothing else differs that explains it"),
            all => format!(
                "{} checks of {name} have another verdict, and nothing else differs that explains it",
                all.len()
            ),
        },
        Root::Checks => "other checks are made".to_owned(),
        Root::Time(phase) => match differences.iter().map(|one| one.weight).max() {
            Some(Weight::Worse) => format!("{phase} takes longer than timers and machine explain"),
            _ => format!("{phase} takes less time"),
        },
        Root::Versions => "other versions took part".to_owned(),
        Root::Outage => "nodes speak no more".to_owned(),
    }
}

/// Which routers lost which interface's prefix.
fn cut(prefix: &str, differences: &[Difference]) -> String {
    let own =
        differences.iter().filter(|one| one.kind == Kind::Kernel && one.about == prefix && one.new.is_none());
    let ends = own.filter_map(|one| {
        let device = one.old.as_deref()?.strip_prefix("through ")?.strip_suffix(", by kernel")?;
        Some(format!("{}'s {device}", one.node))
    });
    let mut ends: Vec<String> = ends.collect();
    ends.sort();
    ends.dedup();
    match ends.as_slice() {
        [] => format!("{prefix} is not connected any more"),
        ends => format!(
            "{prefix} is not connected any more: {} is down, or has lost its address",
            ends.join(" and ")
        ),
    }
}

/// What a session became, as its gravest difference says it.
fn became(differences: &[Difference]) -> String {
    let of_session = differences.iter().filter(|one| one.kind == Kind::Session);
    let gravest = of_session.max_by_key(|one| one.weight);
    match gravest.map(|one| (one.weight, one.old.as_deref(), one.new.as_deref())) {
        Some((Weight::Worse, Some(_), None)) => "is not configured any more".to_owned(),
        Some((Weight::Worse, _, Some(new))) if new.starts_with("lost") => format!("was {new}"),
        Some((Weight::Worse, ..)) => "is down".to_owned(),
        Some((Weight::Better, ..)) => "came up".to_owned(),
        Some((_, None, Some(_))) => "is new".to_owned(),
        _ => "is otherwise".to_owned(),
    }
}

fn routes(node: &str, from: Option<&str>, differences: &[Difference]) -> String {
    let of_routes: Vec<&Difference> = differences.iter().filter(|one| one.kind == Kind::Route).collect();
    let gone = of_routes.iter().any(|one| one.new.is_none());
    let came = of_routes.iter().any(|one| one.old.is_none());
    let what = match (gone, came) {
        (true, false) => "has routes no more",
        (false, true) => "has routes that it had not",
        _ => "has routes otherwise",
    };
    match from {
        Some(from) => format!("{node} {what} that come from {from}, and the session is what it was"),
        None => format!("{node} {what} that begin there"),
    }
}
