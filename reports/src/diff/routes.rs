//! Routes compared, in the BGP tables and in the kernels', each traced back to what explains it.
//!
//! A route differs because the session it came over does, or because the router it came from has it otherwise itself, and
//! so on upstream. Where that ends, it is a cause of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::{Groups, Root};
use super::difference::{Difference, Kind, Weight};
use super::facts::{Cut, Facts, KernelFact, RouteFact};
use super::peers::{End, Peers};
use super::sessions::Touched;

/// What explains each route that differs, by router and prefix.
pub(super) type Traced = BTreeMap<(String, String), Root>;

/// Compares the routes of one phase.
pub(super) fn compare(
    peers: &Peers,
    touched: &Touched,
    silent: &BTreeSet<String>,
    cut: &Cut,
    groups: &mut Groups,
    phase: &str,
) -> Traced {
    let Peers { old, new, .. } = peers;
    let both = |node: &str, kind: &str| {
        let key = (node.to_owned(), kind.to_owned());
        old.read.contains(&key) && new.read.contains(&key)
    };
    let trace = Trace { peers, touched, silent, cut };
    let mut traced = Traced::new();
    let keys: BTreeSet<&(String, String)> = old.rib.keys().chain(new.rib.keys()).collect();
    for key in keys.into_iter().filter(|key| both(&key.0, "rib")) {
        let (was, is) = (old.rib.get(key), new.rib.get(key));
        if was == is || both_by_age(was, is) {
            continue;
        }
        let root = trace.root(key, &mut BTreeSet::new());
        let difference =
            Difference::new(Kind::Route, weight(was.is_some(), is.is_some()), &key.0, key.1.clone());
        let told = |fact: &RouteFact| {
            let paths = fact.paths.iter().cloned().collect::<Vec<_>>().join("; ");
            if fact.by_age && fact.paths.len() > 1 { format!("the oldest of {paths}") } else { paths }
        };
        groups.put(&root, difference.between(was.map(told), is.map(told)), Some(phase));
        traced.insert(key.clone(), root);
    }
    let keys: BTreeSet<&(String, String)> = old.fib.keys().chain(new.fib.keys()).collect();
    for key in keys.into_iter().filter(|key| both(&key.0, "fib")) {
        let (was, is) = (old.fib.get(key), new.fib.get(key));
        let chance = was.is_some() && is.is_some() && by_age(old, new, key);
        if was == is || chance {
            continue;
        }
        let root = match traced.get(key) {
            Some(root) => root.clone(),
            None if cut.contains(key) => Root::Cut(key.1.clone()),
            None => of_kernel(key, was, is, touched),
        };
        let difference =
            Difference::new(Kind::Kernel, weight(was.is_some(), is.is_some()), &key.0, key.1.clone());
        let told = |fact: &KernelFact| fact.ways.iter().cloned().collect::<Vec<_>>().join("; ");
        groups.put(&root, difference.between(was.map(told), is.map(told)), Some(phase));
        traced.entry(key.clone()).or_insert(root);
    }
    traced
}

fn weight(was: bool, is: bool) -> Weight {
    if was && !is { Weight::Worse } else { Weight::Changed }
}

/// Both runs left the choice among the same number of equal paths to their age.
fn both_by_age(was: Option<&RouteFact>, is: Option<&RouteFact>) -> bool {
    matches!((was, is), (Some(was), Some(is)) if was.by_age && is.by_age && was.from == is.from)
}

fn by_age(old: &Facts, new: &Facts, key: &(String, String)) -> bool {
    let of = |facts: &Facts| facts.rib.get(key).is_some_and(|fact| fact.by_age);
    of(old) && of(new)
}

/// A kernel's route that the BGP table does not explain: of an interface whose session is touched, else of its own.
fn of_kernel(
    key: &(String, String),
    was: Option<&KernelFact>,
    is: Option<&KernelFact>,
    touched: &Touched,
) -> Root {
    let devices = was.into_iter().chain(is).flat_map(|fact| &fact.devices);
    let roots = devices.filter_map(|device| touched.get(&(key.0.clone(), device.clone())));
    roots.into_iter().next().cloned().unwrap_or_else(|| Root::Kernel(key.0.clone()))
}

struct Trace<'a> {
    peers: &'a Peers<'a>,
    touched: &'a Touched,
    silent: &'a BTreeSet<String>,
    cut: &'a Cut,
}

impl Trace<'_> {
    /// What explains that this route differs on this router.
    fn root(&self, key: &(String, String), seen: &mut BTreeSet<(String, String)>) -> Root {
        seen.insert(key.clone());
        let Peers { old, new, .. } = self.peers;
        let from = |facts: &Facts| facts.rib.get(key).map(|fact| fact.from.clone()).unwrap_or_default();
        let (was, is) = (from(old), from(new));
        // What went says more than what came in its place, and both more than what stayed.
        let went = was.difference(&is);
        let order: Vec<&Option<String>> =
            went.chain(is.difference(&was)).chain(is.intersection(&was)).collect();
        let ends: Vec<End> =
            order.iter().filter_map(|from| Some((key.0.clone(), from.as_ref()?.clone()))).collect();
        if let Some(root) = ends.iter().find_map(|end| self.touched.get(end)) {
            return root.clone();
        }
        for peer in ends.iter().filter_map(|end| self.peers.peer(end)) {
            if self.silent.contains(&peer) {
                return Root::Silent(peer);
            }
            let upstream = (peer, key.1.clone());
            if self.differs(&upstream) && !seen.contains(&upstream) {
                return self.root(&upstream, seen);
            }
        }
        if self.cut.contains(key) {
            return Root::Cut(key.1.clone());
        }
        let own = order.first().and_then(|from| from.as_ref());
        match own {
            Some(neighbor) => {
                let peer = self.peers.peer(&(key.0.clone(), neighbor.clone()));
                Root::Routes(key.0.clone(), Some(peer.unwrap_or_else(|| neighbor.clone())))
            }
            None => self.link(key).unwrap_or_else(|| Root::Routes(key.0.clone(), None)),
        }
    }

    /// A connected route of an interface whose session is touched.
    fn link(&self, key: &(String, String)) -> Option<Root> {
        let Peers { old, new, .. } = self.peers;
        let facts = [old.fib.get(key), new.fib.get(key)];
        let devices = facts.into_iter().flatten().flat_map(|fact| &fact.devices);
        devices.into_iter().find_map(|device| self.touched.get(&(key.0.clone(), device.clone()))).cloned()
    }

    fn differs(&self, key: &(String, String)) -> bool {
        let Peers { old, new, .. } = self.peers;
        let (was, is) = (old.rib.get(key), new.rib.get(key));
        was != is && !both_by_age(was, is)
    }
}
