//! Findings and rows of the table, as changes that a comparison will see.
//!
//! Few rules say something that a router shows on two fabrics at rest, and these alone are here. What they say is taken to
//! the letter: a session or route that is lost, a check that fails, is nobody's prediction, whatever rule might explain it
//! (`withdrawn-from-one`, `local-port-ignored`).

use std::collections::BTreeSet;

use fabric_harness::cilium::{AgentStop, promises};
use fabric_reports::diff::{Expectation, Kind, Predicted, Weight};

use super::super::finding::line;
use super::super::forecast::forecast;
use super::super::{Asked, Finding};
use super::fields;
use super::places::Places;

/// Everything that is predicted. `in_place` says that one fabric lived through the upgrade.
pub(super) fn of(asked: &Asked, places: &Places, in_place: bool) -> Vec<Expectation> {
    let mut all: Vec<Expectation> = Vec::new();
    let mut told: BTreeSet<(&str, Option<(u32, u32)>)> = BTreeSet::new();
    let steps = asked.to.line().1.saturating_sub(asked.from.line().1);
    for finding in forecast(asked).findings {
        // A rule finds a thing wherever it is written; what it predicts is made of all of these at once.
        if !told.insert((finding.rule, finding.with)) {
            continue;
        }
        let changes = match finding.rule {
            "field-takes-effect" => {
                finding.with.map(|since| fields::of(asked, since, places)).unwrap_or_default()
            }
            "first-connect" | "retry-range" => vec![sooner()],
            "stop-word" => stop(asked, places),
            "origin" => origin(),
            "agents-restart" if in_place => restarts(asked, places, steps),
            _ => Vec::new(),
        };
        all.extend(changes.into_iter().map(|change| expected(change, said(&finding))));
    }
    all
}

/// The speaker inside.
pub(super) fn speaker(asked: &Asked) -> Option<Expectation> {
    let (from, to) = (promises(&asked.from).ok()?, promises(&asked.to).ok()?);
    let change = Predicted { kind: Some(Kind::Version), about: Some("GoBGP".into()), ..Predicted::default() };
    let source = format!("Cilium {} embeds GoBGP {}: go.mod", line(to.line), to.gobgp);
    (from.generation != to.generation).then(|| expected(change, source))
}

/// Every prediction may come about and need not: none of them is missed.
fn expected(change: Predicted, source: String) -> Expectation {
    Expectation { change, source, must: false }
}

/// Who says so: the line, the rule, and where the rule has it from.
fn said(finding: &Finding) -> String {
    let with = finding.with.map(|with| format!("Cilium {}", line(with)));
    format!("{}, {}: {}", with.unwrap_or_else(|| "any upgrade".into()), finding.rule, finding.source)
}

/// A change of a session with a node, as its router shows it; `what` is empty for whether it is up.
pub(super) fn of_session(address: &str, router: Option<&str>, what: &str) -> Predicted {
    let about = if what.is_empty() { address.to_owned() } else { format!("{address}: {what}") };
    Predicted {
        kind: Some(Kind::Session),
        node: router.map(str::to_owned),
        about: Some(about),
        ..Predicted::default()
    }
}

/// Checks that wait for a speaker to dial are done sooner; none is late for it.
fn sooner() -> Predicted {
    Predicted { kind: Some(Kind::Duration), weight: Some(Weight::Better), ..Predicted::default() }
}

/// Sessions that an agent took with it in both runs, with another last word.
fn stop(asked: &Asked, places: &Places) -> Vec<Predicted> {
    let Ok(row) = promises(&asked.to) else { return Vec::new() };
    // FRR: "Peer closed the session"; BIRD: "Connection closed".
    let (cease, close) = ("down: *Cease/Peer De-configured*", "down: *closed*");
    let (old, new) = match row.stop {
        AgentStop::Close => (cease, close),
        AgentStop::Cease => (close, cease),
    };
    let nodes = asked.nodes.iter().flat_map(|node| places.addresses(&node.name));
    nodes
        .map(|address| Predicted {
            old: Some(old.to_owned()),
            new: Some(new.to_owned()),
            ..of_session(address, None, "")
        })
        .collect()
}

/// Addresses of load balancers from another speaker of the same Cilium, and nothing else of their paths.
fn origin() -> Vec<Predicted> {
    let about = ["service/*", "*/32", "*/128"];
    let swap = vec![["origin incomplete".to_owned(), "origin igp".to_owned()]];
    about
        .map(|about| Predicted {
            kind: Some(Kind::Route),
            about: Some(about.to_owned()),
            swap: swap.clone(),
            ..Predicted::default()
        })
        .into()
}

/// Each agent is replaced, once a step, and its sessions end with it.
fn restarts(asked: &Asked, places: &Places, steps: u32) -> Vec<Predicted> {
    let new = if steps > 1 { "lost *" } else { "lost once" };
    let nodes = asked.nodes.iter().flat_map(|node| places.addresses(&node.name));
    nodes
        .map(|address| Predicted {
            old: Some("never lost".to_owned()),
            new: Some(new.to_owned()),
            ..of_session(address, None, "stability")
        })
        .collect()
}
