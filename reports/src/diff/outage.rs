//! A loss whose cause is known from outside the fabric: nodes that fell silent because of what they run.
//!
//! It excuses nothing. It puts what would be told as a session here and a session there under the one sentence that
//! explains them. Who knows such causes is whoever compares (`Options::outage`).

use std::collections::{BTreeMap, BTreeSet};

use super::cause::{Groups, Root};
use super::difference::{Difference, Kind, Weight};
use super::facts::Facts;
use super::peers::{End, Peers};
use super::routes::Traced;
use super::sessions::Touched;
use crate::text::count;

/// Nodes that are known to speak no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// Their names, as the cluster has them or as the record does.
    pub nodes: BTreeSet<String>,
    /// Why, and what to do about it: a sentence that goes on after what was counted, without its end.
    pub why: String,
}

impl Outage {
    /// Whether the far end of a session is one of the nodes.
    pub(super) fn is_beyond(&self, peers: &Peers, end: &End) -> bool {
        peers.peer(end).is_some_and(|peer| self.nodes.iter().any(|node| peers.is(node, &peer)))
    }
}

/// What routers lost to an outage, as it was seen first.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// How many routes a router had, and has.
    routes: BTreeMap<String, (usize, usize)>,
    /// How many of its sessions were up, and are.
    sessions: BTreeMap<String, (usize, usize)>,
}

/// How many routers a sentence names.
const NAMED: usize = 4;

impl Losses {
    /// Counts what one phase shows.
    pub(super) fn look(&mut self, old: &Facts, new: &Facts, touched: &Touched, traced: &Traced) {
        let of_outage = |root: &Root| *root == Root::Outage;
        let mut routes = BTreeMap::new();
        let gone = |key: &(String, String)| old.rib.contains_key(key) && !new.rib.contains_key(key);
        for (router, _) in
            traced.iter().filter(|(key, root)| of_outage(root) && gone(key)).map(|(key, _)| key)
        {
            let many = |facts: &Facts| facts.rib.keys().filter(|(node, _)| node == router).count();
            routes.insert(router.clone(), (many(old), many(new)));
        }
        let mut sessions = BTreeMap::new();
        let up = |facts: &Facts, end: &End| facts.sessions.get(end).is_some_and(|session| session.up);
        let down = |end: &End| up(old, end) && !up(new, end);
        for (router, _) in
            touched.iter().filter(|(end, root)| of_outage(root) && down(end)).map(|(end, _)| end)
        {
            let many = |facts: &Facts| {
                facts.sessions.iter().filter(|((node, _), session)| node == router && session.up).count()
            };
            sessions.insert(router.clone(), (many(old), many(new)));
        }
        // A later phase goes on with what this one left.
        for (all, seen) in [(&mut self.routes, routes), (&mut self.sessions, sessions)] {
            for (router, counts) in seen {
                all.entry(router).or_insert(counts);
            }
        }
    }

    /// Heads the group of the outage with what was counted. Where no router shows it, it is told all the same: nobody else
    /// would say it.
    pub(super) fn tell(&self, outage: &Outage, groups: &mut Groups) {
        let counted = match (told(&self.routes, "route"), told(&self.sessions, "session")) {
            (Some(routes), _) => routes,
            (None, Some(sessions)) => sessions,
            (None, None) => {
                let nodes = outage.nodes.iter().cloned().collect::<Vec<_>>().join(", ");
                let difference = Difference::new(Kind::Run, Weight::Note, "", nodes);
                let difference = difference.between(Some("spoke".into()), Some("nothing to act on".into()));
                groups.put(&Root::Outage, difference, None);
                "not seen by any router here".to_owned()
            }
        };
        groups.entitle(Root::Outage, format!("{counted}: {}", outage.why));
    }
}

/// `12 routes became 8 on router0, 13 became 9 on tor0`.
fn told(all: &BTreeMap<String, (usize, usize)>, what: &str) -> Option<String> {
    let told = |(number, (router, (was, is))): (usize, (&String, &(usize, usize)))| {
        let had = if number == 0 { count(*was, what) } else { was.to_string() };
        format!("{had} became {is} on {router}")
    };
    let mut parts: Vec<String> = all.iter().enumerate().take(NAMED).map(told).collect();
    if let Some(more) = all.len().checked_sub(NAMED).filter(|more| *more > 0) {
        parts.push(format!("fewer on {}", count(more, "other router")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
