//! Sessions compared: which went away, which came, and what of them is otherwise.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::{Groups, Root};
use super::difference::{Difference, Kind, Weight};
use super::facts::{Cut, SessionFact};
use super::names::holds;
use super::outage::Outage;
use super::peers::{End, Pair, Peers};

/// The sessions that differ, each with what explains the differences that follow from it.
pub(super) type Touched = BTreeMap<End, Root>;

/// Compares the sessions of one phase.
pub(super) fn compare(
    peers: &Peers,
    silent: &BTreeSet<String>,
    cut: &Cut,
    outage: Option<&Outage>,
    groups: &mut Groups,
    phase: &str,
) -> Touched {
    let Peers { old, new, .. } = peers;
    let mut differing: Vec<(End, Difference)> = Vec::new();
    let ends: BTreeSet<&End> = old.sessions.keys().chain(new.sessions.keys()).collect();
    let readable = |facts: &super::facts::Facts, node: &str| {
        facts.read.contains(&(node.to_owned(), "sessions".to_owned()))
    };
    // Who was not asked in one of the runs has nothing to compare.
    for end in ends.into_iter().filter(|end| readable(old, &end.0) && readable(new, &end.0)) {
        for difference in differences(end, old.sessions.get(end), new.sessions.get(end)) {
            differing.push((end.clone(), difference));
        }
    }
    let gone: BTreeSet<Pair> = differing
        .iter()
        .filter(|(_, difference)| difference.weight == Weight::Worse && !difference.about.contains(": "))
        .map(|(end, _)| peers.pair(end))
        .collect();
    let boxes = emptied(peers, &gone, silent);
    let over = |pair: &Pair| {
        let ends = [Some(&pair.0), pair.1.as_ref()];
        ends.into_iter().flatten().find_map(|end| cut_off(peers, end, cut))
    };
    let mut touched = Touched::new();
    for (end, difference) in differing {
        let pair = peers.pair(&end);
        let is_silenced = || {
            let down = difference.weight == Weight::Worse && difference.new.is_some() && gone.contains(&pair);
            down && outage.is_some_and(|outage| outage.is_beyond(peers, &end))
        };
        let root = match (root_of(peers, &end, &pair, &boxes, silent), over(&pair)) {
            // Nobody speaks at the far end, whatever else became of the way there.
            (Root::Session(..) | Root::Box(_), _) if is_silenced() => Root::Outage,
            // A box that lost every session lost more than one link.
            (Root::Session(..), Some(prefix)) => Root::Cut(prefix),
            (root, _) => root,
        };
        touched.insert(end, root.clone());
        // The far end is touched too, though nobody may have asked it.
        for far in [Some(pair.0), pair.1].into_iter().flatten() {
            touched.entry(far).or_insert_with(|| root.clone());
        }
        groups.put(&root, difference, Some(phase));
    }
    touched
}

fn root_of(
    peers: &Peers,
    end: &End,
    pair: &Pair,
    boxes: &BTreeMap<Pair, String>,
    silent: &BTreeSet<String>,
) -> Root {
    if let Some(peer) = peers.peer(end).filter(|peer| silent.contains(peer)) {
        return Root::Silent(peer);
    }
    match boxes.get(pair) {
        Some(node) => Root::Box(node.clone()),
        None => Root::Session(pair.0.clone(), pair.1.clone()),
    }
}

/// The prefix that a session went over and that its router is not connected to any more.
fn cut_off(peers: &Peers, end: &End, cut: &Cut) -> Option<String> {
    let facts = [peers.old.sessions.get(end), peers.new.sessions.get(end)];
    let address = facts.into_iter().flatten().find_map(|session| session.address.as_deref()?.parse().ok());
    let of_router = cut.iter().filter(|(router, _)| *router == end.0);
    let mut over = of_router.filter(|(router, prefix)| {
        let by_interface = peers
            .old
            .fib
            .get(&(router.clone(), prefix.clone()))
            .is_some_and(|fact| fact.devices.contains(&end.1));
        by_interface || address.is_some_and(|address| holds(prefix, address).is_some())
    });
    over.next().map(|(_, prefix)| prefix.clone())
}

/// The boxes that had several sessions and have lost them all, by each of these sessions.
fn emptied(peers: &Peers, gone: &BTreeSet<Pair>, silent: &BTreeSet<String>) -> BTreeMap<Pair, String> {
    let mut of_box: BTreeMap<String, BTreeSet<Pair>> = BTreeMap::new();
    for end in peers.old.sessions.iter().filter(|(_, session)| session.up).map(|(end, _)| end) {
        let pair = peers.pair(end);
        of_box.entry(end.0.clone()).or_default().insert(pair.clone());
        if let Some(peer) = peers.peer(end) {
            of_box.entry(peer).or_default().insert(pair);
        }
    }
    let mut emptied: Vec<(String, BTreeSet<Pair>)> = of_box
        .into_iter()
        .filter(|(node, all)| !silent.contains(node) && all.len() > 1 && all.is_subset(gone))
        .collect();
    emptied.sort_by_key(|(_, all)| std::cmp::Reverse(all.len()));
    let mut by_session = BTreeMap::new();
    for (node, all) in emptied {
        // Where a larger box explains one of them, the smaller box did not lose all by itself.
        if all.iter().all(|session| !by_session.contains_key(session)) {
            by_session.extend(all.into_iter().map(|session| (session, node.clone())));
        }
    }
    by_session
}

/// What differs between two views of one session.
fn differences(end: &End, old: Option<&SessionFact>, new: Option<&SessionFact>) -> Vec<Difference> {
    let of = |weight, about: String| Difference::new(Kind::Session, weight, &end.0, about);
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (Some(old), None) => {
            let weight = if old.up { Weight::Worse } else { Weight::Changed };
            return vec![of(weight, end.1.clone()).between(Some(state(old)), None)];
        }
        (None, Some(new)) => {
            return vec![of(Weight::Changed, end.1.clone()).between(None, Some(state(new)))];
        }
        (None, None) => return Vec::new(),
    };
    let mut all = Vec::new();
    match (old.up, new.up) {
        (true, false) => {
            all.push(of(Weight::Worse, end.1.clone()).between(Some(state(old)), Some(state(new))));
        }
        (false, true) => {
            all.push(of(Weight::Better, end.1.clone()).between(Some(state(old)), Some(state(new))));
        }
        (false, false) => {
            // Why a session that never was up is down changes with every timer that runs out.
            let why = |fact: &SessionFact| fact.reset.clone().filter(|_| fact.drops > 0);
            if old.shutdown != new.shutdown || (old.drops > 0 && new.drops > 0 && why(old) != why(new)) {
                all.push(of(Weight::Changed, end.1.clone()).between(Some(state(old)), Some(state(new))));
            }
        }
        (true, true) => {}
    }
    // Losses that the other run had as well are what the lab does.
    if new.drops != old.drops && old.up && new.up {
        let weight = if new.drops > old.drops { Weight::Worse } else { Weight::Better };
        let times = |drops: u64| match drops {
            0 => "never lost".to_owned(),
            1 => "lost once".to_owned(),
            times => format!("lost {times} times"),
        };
        all.push(
            of(weight, format!("{}: stability", end.1))
                .between(Some(times(old.drops)), Some(times(new.drops))),
        );
    }
    let names: BTreeSet<&str> = old.attributes.keys().chain(new.attributes.keys()).copied().collect();
    for name in names {
        let (was, is) = (old.attributes.get(name), new.attributes.get(name));
        // What is negotiated has no value while the session is down: that it is down is told already.
        if was != is && (old.up == new.up || (was.is_some() && is.is_some())) {
            all.push(of(Weight::Changed, format!("{}: {name}", end.1)).between(was.cloned(), is.cloned()));
        }
    }
    all
}

fn state(fact: &SessionFact) -> String {
    let with = fact.attributes.get("AS").map(|number| format!(" with AS {number}")).unwrap_or_default();
    if fact.up {
        return format!("established{with}");
    }
    if fact.shutdown {
        return "shut down".to_owned();
    }
    match fact.reset.as_deref().filter(|_| fact.drops > 0) {
        Some(reason) => format!("down: {reason}"),
        None => "down".to_owned(),
    }
}
