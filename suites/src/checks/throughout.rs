//! Judging what broke while a phase did its work, against a budget.
//!
//! What lives here: adding up, and what is over. What does not: watching (`run::vigil`), and what an outage's cause was.

use std::time::Duration;

use serde::Serialize;

use super::verdict::{Outcome, Verdict};
use crate::expect::{Symbol, WantedFamily};

/// What one check wants of the time in which a phase did its work.
#[derive(Debug, Clone, PartialEq)]
pub struct ThroughoutSpec {
    /// What is watched.
    pub fact: ThroughoutFact,
    /// For how long in all each flow, prefix or session may be away.
    pub budget: Duration,
}

/// What is watched.
#[derive(Debug, Clone, PartialEq)]
pub enum ThroughoutFact {
    /// A flow, by echo requests 10 ms apart.
    Loss {
        /// Who sends.
        from: Symbol,
        /// Who answers.
        to: Symbol,
        /// In which family; that of the first address of `to` when not said.
        family: Option<WantedFamily>,
    },
    /// Every prefix of a router's BGP table.
    Absent {
        /// The router.
        router: String,
    },
    /// Every session of a router.
    Down {
        /// The router.
        router: String,
    },
}

/// A time in which something was away.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outage {
    /// What was away: a prefix, a neighbor, a flow.
    pub what: String,
    /// When it went, in milliseconds from the beginning of the phase's actions.
    pub began_ms: f64,
    /// How long it was away, in milliseconds; to the end of the watch, where it did not come back.
    pub lasted_ms: f64,
    /// Whether it came back.
    pub back: bool,
    /// How many requests were lost; none for what sends none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<u64>,
    /// Which event was the cause, as far as one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// What was seen while a phase did its work.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Watched {
    /// How long the watch was, in milliseconds.
    pub watched_ms: f64,
    /// How exactly a gap between answers is known, in milliseconds; none for what sends no requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<f64>,
    /// How many things of this kind were watched.
    pub things: usize,
    /// What was away, and when.
    pub outages: Vec<Outage>,
    /// Why nothing can be said; none where it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
}

/// Judges one budget.
pub fn judge_throughout(spec: &ThroughoutSpec, seen: &Watched) -> Verdict {
    let (subject, thing, away) = match &spec.fact {
        ThroughoutFact::Loss { from, to, .. } => {
            (format!("{} to {}", from.short(), to.short()), "flow", "without answers")
        }
        ThroughoutFact::Absent { router } => (router.clone(), "prefix", "absent"),
        ThroughoutFact::Down { router } => (router.clone(), "session", "down"),
    };
    let budget = length(spec.budget.as_secs_f64() * 1e3);
    let expected = match spec.budget {
        Duration::ZERO => format!("no {thing} {away} for a moment"),
        _ => format!("no {thing} {away} for more than {budget} in all"),
    };
    let mut lines = Vec::new();
    let mut longest: Option<(f64, &str)> = None;
    for what in names(seen) {
        let all: Vec<&Outage> = seen.outages.iter().filter(|outage| outage.what == what).collect();
        let total: f64 = all.iter().map(|outage| outage.lasted_ms).sum();
        if longest.is_none_or(|(most, _)| total > most) {
            longest = Some((total, what));
        }
        if total > spec.budget.as_secs_f64() * 1e3 || (all.iter().any(|outage| !outage.back)) {
            lines.extend(all.iter().map(|outage| line(outage, away)));
        }
    }
    let phrase = match longest {
        _ if seen.blind.is_some() => seen.blind.clone().unwrap_or_default(),
        None => format!("never, in {}", length(seen.watched_ms)),
        Some((total, what)) if seen.things > 1 => format!("{} at most: {what}", length(total)),
        Some((total, _)) => length(total),
    };
    lines.extend(seen.blind.clone());
    if seen.things == 0 && seen.blind.is_none() {
        lines.push(format!("there was no {thing} to watch when the phase began"));
    }
    let verdict = Verdict::of(&subject, expected, format!("{away}: {phrase}"), lines).detail(seen);
    let outcome = if verdict.outcome == Outcome::NotYet { Outcome::Failed } else { verdict.outcome };
    Verdict { outcome, ..verdict }
}

/// What was away, each once, in the order in which it went first.
fn names(seen: &Watched) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for outage in &seen.outages {
        if !names.contains(&outage.what.as_str()) {
            names.push(&outage.what);
        }
    }
    names
}

fn line(outage: &Outage, away: &str) -> String {
    let Outage { what, began_ms, lasted_ms, back, lost, cause } = outage;
    let (began, lasted) = (length(*began_ms), length(*lasted_ms));
    let until = if *back { format!("for {lasted}") } else { format!("for {lasted}, and did not come back") };
    let lost = lost.map(|lost| format!(" ({lost} requests lost)")).unwrap_or_default();
    let cause = cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{what}: {away} {until}{lost}, from {began} after the phase began{cause}")
}

/// A length of time, given in milliseconds: `40 ms`, `1.2 s`.
fn length(ms: f64) -> String {
    if ms < 1e3 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn outage(what: &str, began_ms: f64, lasted_ms: f64, back: bool) -> Outage {
        let cause = Some("worker: the agent of Cilium 1.12.1 is ended".to_owned());
        Outage { what: what.to_owned(), began_ms, lasted_ms, back, lost: None, cause }
    }

    fn absent(budget: Duration, outages: Vec<Outage>) -> Verdict {
        let fact = ThroughoutFact::Absent { router: "router0".to_owned() };
        let seen = Watched { watched_ms: 20_000.0, things: 12, outages, ..Watched::default() };
        judge_throughout(&ThroughoutSpec { fact, budget }, &seen)
    }

    #[rstest]
    #[case::nothing_went(3, vec![], Outcome::Passed)]
    #[case::within(3, vec![outage("10.1.0.0/24", 10.0, 2_900.0, true)], Outcome::Passed)]
    #[case::too_long(3, vec![outage("10.1.0.0/24", 10.0, 3_100.0, true)], Outcome::Failed)]
    #[case::in_all(3, vec![
        outage("10.1.0.0/24", 10.0, 2_000.0, true), outage("10.1.0.0/24", 9_000.0, 2_000.0, true),
    ], Outcome::Failed)]
    #[case::each_by_itself(3, vec![
        outage("10.1.0.0/24", 10.0, 2_000.0, true), outage("10.1.1.0/24", 9_000.0, 2_000.0, true),
    ], Outcome::Passed)]
    #[case::gone_for_good(3, vec![outage("10.1.0.0/24", 19_000.0, 1_000.0, false)], Outcome::Failed)]
    fn budgets(#[case] seconds: u64, #[case] outages: Vec<Outage>, #[case] expected: Outcome) {
        let verdict = absent(Duration::from_secs(seconds), outages);
        assert_eq!(verdict.outcome, expected, "{verdict:?}");
    }

    #[test]
    fn a_line_says_what_when_how_long_and_why() {
        let verdict = absent(Duration::ZERO, vec![outage("10.1.0.0/24", 1_240.0, 380.0, true)]);
        assert_eq!(
            verdict.difference,
            [
                "10.1.0.0/24: absent for 380 ms, from 1.2 s after the phase began: worker: the agent of Cilium 1.12.1 is ended"
            ]
        );
        assert_eq!(verdict.seen, "absent: 380 ms at most: 10.1.0.0/24");
    }

    #[test]
    fn nothing_to_watch_is_no_pass() {
        let fact = ThroughoutFact::Absent { router: "router0".to_owned() };
        let seen = Watched { watched_ms: 1.0, ..Watched::default() };
        let verdict = judge_throughout(&ThroughoutSpec { fact: fact.clone(), budget: Duration::ZERO }, &seen);
        assert_eq!(verdict.outcome, Outcome::Failed);
        let blind = Watched { blind: Some("no socket is to be had in it".to_owned()), things: 1, ..seen };
        let verdict = judge_throughout(&ThroughoutSpec { fact, budget: Duration::ZERO }, &blind);
        assert_eq!((verdict.outcome, verdict.difference.len()), (Outcome::Failed, 1));
    }
}
