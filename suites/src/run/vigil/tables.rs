//! When prefixes and sessions were away, out of what a router was seen to change. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use fabric_harness::router::{RouterChanges, SessionState, What};
use ipnet::IpNet;

/// A time in which something was away; without an end it did not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Away<T> {
    pub(super) what: T,
    pub(super) from: Instant,
    pub(super) until: Option<Instant>,
    /// The router's own words for it, where it has some.
    pub(super) reason: Option<String>,
}

/// What is there and what is away, as changes are gone through.
struct Book<T> {
    there: BTreeSet<T>,
    away: Vec<Away<T>>,
}

impl<T: Ord + Clone> Book<T> {
    fn new(there: BTreeSet<T>) -> Self {
        Self { there, away: Vec::new() }
    }

    fn goes(&mut self, what: &T, at: Instant, reason: Option<&String>) {
        if self.there.remove(what) {
            self.away.push(Away { what: what.clone(), from: at, until: None, reason: reason.cloned() });
        }
    }

    fn comes(&mut self, what: &T, at: Instant) {
        if self.there.insert(what.clone())
            && let Some(away) =
                self.away.iter_mut().rev().find(|away| away.what == *what && away.until.is_none())
        {
            away.until = Some(at);
        }
    }

    /// The router answers no more: nothing is known to be there.
    fn all_go(&mut self, at: Instant, why: &String) {
        for what in self.there.clone() {
            self.goes(&what, at, Some(why));
        }
    }
}

/// The prefixes of a BGP table that were away; `there` are those it had at the beginning.
pub(super) fn prefixes(there: BTreeSet<IpNet>, changes: &[RouterChanges]) -> Vec<Away<IpNet>> {
    let mut book = Book::new(there);
    for (at, what) in flat(changes) {
        match what {
            What::Rib { prefix, present: true, .. } => book.comes(prefix, at),
            What::Rib { prefix, present: false, .. } => book.goes(prefix, at, None),
            What::Lost { why } => book.all_go(at, why),
            _ => {}
        }
    }
    book.away
}

/// The sessions that were down; `there` are those that were up at the beginning.
pub(super) fn sessions(there: BTreeSet<String>, changes: &[RouterChanges]) -> Vec<Away<String>> {
    let mut book = Book::new(there);
    for (at, what) in flat(changes) {
        match what {
            What::Session { neighbor, to: Some(SessionState::Established), .. } => book.comes(neighbor, at),
            What::Session { neighbor, reason, .. } => book.goes(neighbor, at, reason.as_ref()),
            What::Lost { why } => book.all_go(at, why),
            _ => {}
        }
    }
    book.away
}

/// The changes of one router, each with its moment.
fn flat(changes: &[RouterChanges]) -> impl Iterator<Item = (Instant, &What)> {
    changes.iter().flat_map(|changes| changes.what.iter().map(|what| (changes.at, what)))
}

/// The changes by router.
pub(super) fn by_router(all: Vec<RouterChanges>) -> BTreeMap<String, Vec<RouterChanges>> {
    let mut routers: BTreeMap<String, Vec<RouterChanges>> = BTreeMap::new();
    for changes in all {
        routers.entry(changes.router.clone()).or_default().push(changes);
    }
    routers
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn changes(begun: Instant, all: Vec<(u64, What)>) -> Vec<RouterChanges> {
        let one = |(ms, what)| RouterChanges {
            router: "router0".to_owned(),
            at: begun + Duration::from_millis(ms),
            what: vec![what],
        };
        all.into_iter().map(one).collect()
    }

    fn rib(prefix: &str, present: bool) -> What {
        What::Rib { prefix: prefix.parse().unwrap(), present, from: None }
    }

    #[test]
    fn a_prefix_is_away_from_its_leaving_to_its_coming_back() {
        let begun = Instant::now();
        let there = BTreeSet::from(["10.1.0.0/24".parse().unwrap()]);
        let seen = changes(
            begun,
            vec![
                (100, rib("10.1.0.0/24", false)),
                (150, rib("10.9.0.0/24", true)),
                (400, rib("10.1.0.0/24", true)),
                (900, rib("10.9.0.0/24", false)),
            ],
        );
        let away = prefixes(there, &seen);
        assert_eq!(away.len(), 2);
        assert_eq!(away[0].until.unwrap() - away[0].from, Duration::from_millis(300));
        assert_eq!((away[1].what.to_string().as_str(), away[1].until), ("10.9.0.0/24", None));
    }

    #[test]
    fn a_router_that_does_not_answer_has_nothing() {
        let begun = Instant::now();
        let there = BTreeSet::from(["10.1.0.0/24".parse().unwrap(), "10.1.1.0/24".parse().unwrap()]);
        let lost = What::Lost { why: "bgpd does not run".to_owned() };
        let seen = changes(begun, vec![(100, lost), (300, What::Answers), (300, rib("10.1.0.0/24", true))]);
        let away = prefixes(there, &seen);
        assert_eq!(away.iter().filter(|away| away.until.is_some()).count(), 1);
        assert_eq!(away.len(), 2);
        assert_eq!(away[0].reason.as_deref(), Some("bgpd does not run"));
    }

    #[test]
    fn a_session_that_goes_through_its_states_is_down_once() {
        let begun = Instant::now();
        let state = |from, to, reason: Option<&str>| What::Session {
            neighbor: "10.0.1.2".to_owned(),
            from: Some(from),
            to: Some(to),
            reason: reason.map(str::to_owned),
        };
        use SessionState::{Active, Established, Idle, OpenSent};
        let seen = changes(
            begun,
            vec![
                (100, state(Established, Idle, Some("Peer closed the session"))),
                (200, state(Idle, Active, None)),
                (900, state(Active, OpenSent, None)),
                (950, state(OpenSent, Established, None)),
            ],
        );
        let away = sessions(BTreeSet::from(["10.0.1.2".to_owned()]), &seen);
        assert_eq!(away.len(), 1);
        assert_eq!(away[0].until.unwrap() - away[0].from, Duration::from_millis(850));
        assert_eq!(away[0].reason.as_deref(), Some("Peer closed the session"));
    }
}
