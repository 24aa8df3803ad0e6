//! Checks of BGP sessions: one per fact.

use super::planned::{CheckSpec, Sheet};
use crate::checks::{SessionFact, SessionSpec};
use crate::expect::{RouterSessions, SessionExpect};

pub(super) fn sessions(sheet: &mut Sheet<'_>, all: &[RouterSessions]) {
    for expect in all {
        let router = expect.router.value.as_str();
        for session in &expect.neighbors {
            for (statement, fact) in facts(session) {
                let spec =
                    SessionSpec::Of { router: router.to_owned(), neighbor: session.neighbor.clone(), fact };
                let statement = format!("{} {statement}", session.neighbor);
                let patience = session.patience.or(expect.patience);
                sheet.about(router, statement, CheckSpec::Session(spec), patience, &session.at);
            }
        }
        if expect.only {
            let neighbors: Vec<_> = expect.neighbors.iter().map(|session| session.neighbor.clone()).collect();
            let statement = match neighbors.len() {
                1 => "has 1 neighbor and no other".to_owned(),
                more => format!("has {more} neighbors and no other"),
            };
            let spec = SessionSpec::Only { router: router.to_owned(), neighbors };
            sheet.about(router, statement, CheckSpec::Session(spec), expect.patience, &expect.router.at);
        }
    }
}

/// The facts of a session, each with its statement without the neighbor.
fn facts(session: &SessionExpect) -> Vec<(String, SessionFact)> {
    let mut facts = Vec::new();
    if session.state.is_some() || session.remote_as.is_some() {
        let fact = SessionFact::State { state: session.state, remote_as: session.remote_as };
        facts.push((format!("is {}", fact.phrase()), fact));
    }
    if let Some(kind) = session.kind {
        facts.push((format!("is {kind}"), SessionFact::Kind(kind)));
    }
    if session.hold.is_some() || session.keepalive.is_some() {
        let fact = SessionFact::Timers { hold: session.hold, keepalive: session.keepalive };
        facts.push((format!("negotiated {}", fact.phrase()), fact));
    }
    if let Some(families) = &session.carries {
        let fact = SessionFact::Families(families.clone());
        facts.push((format!("carries {}", fact.phrase()), fact));
    }
    for family in &session.families {
        let kind = family.family;
        let noun = |count: u64| if count == 1 { "prefix" } else { "prefixes" };
        if let Some(count) = family.received {
            let statement = format!("gives {count} {kind} {}", noun(count));
            facts.push((statement, SessionFact::Received { family: kind, count }));
        }
        if let Some(count) = family.sent {
            let statement = format!("is sent {count} {kind} {}", noun(count));
            facts.push((statement, SessionFact::Sent { family: kind, count }));
        }
    }
    if let Some(name) = &session.hostname {
        facts.push((format!("calls itself {name}"), SessionFact::Hostname(name.clone())));
    }
    if let Some(reason) = &session.last_reset {
        facts.push((format!("was last lost by {reason}"), SessionFact::LastReset(reason.clone())));
    }
    if let Some(drops) = session.drops {
        let fact = SessionFact::Drops(drops);
        facts.push((format!("was {}", fact.phrase()), fact));
    }
    facts
}
