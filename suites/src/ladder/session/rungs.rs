//! The rungs of a session in their order.

use fabric_harness::router::Family;
use fabric_reports::record::RungName;

use super::super::Finding;
use super::facts::SessionFacts;
use super::words::Step;
use super::{ground, speech, wire};

/// The ladder of a session that is to be up, and to carry these families.
pub fn climb(facts: &SessionFacts, wanted: &[Family]) -> Finding {
    if let Some((end, session)) = facts.up() {
        let since = session.uptime.map(|up| format!(" for {} s", up.as_secs())).unwrap_or_default();
        let seen = format!("{} says the session with {} is Established{since}", end.name, session.neighbor);
        return step(Finding::default().holds(RungName::Session, seen), wire::family(facts, wanted));
    }
    let rungs = [
        ground::link,
        ground::address,
        ground::neighbor,
        ground::route,
        speech::policy,
        wire::tcp,
        wire::open,
        wire::session,
    ];
    let mut finding = Finding::default();
    for rung in rungs {
        finding = step(finding, rung(facts));
        if finding.blame.is_some() {
            break;
        }
    }
    finding
}

/// The ladder of a link alone.
pub fn climb_link(facts: &SessionFacts) -> Finding {
    step(Finding::default(), ground::link(facts))
}

/// Why a session was lost that may be up again.
pub fn lost(facts: &SessionFacts) -> Finding {
    match wire::expired(facts) {
        Some(blame) => Finding::default().broken(blame),
        None => Finding::default(),
    }
}

fn step(finding: Finding, step: Step) -> Finding {
    match step {
        Step::Skip => finding,
        Step::Holds(name, seen) => finding.holds(name, seen),
        Step::Unknown(name, seen) => finding.unknown(name, seen),
        Step::Broken(blame) => finding.broken(blame),
    }
}
