//! Judging a path by several flows: each must fit the pattern, and together they must use every member of its sets.
//!
//! What lives here: what several traces say together. What does not: one trace (`path`).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Deref;

use fabric_harness::probe::{Hop as HopSeen, TraceReport};

use super::path::{PathSpec, judge_path};
use super::verdict::{Verdict, counted};
use crate::expect::{Hop, Resolver, WantedFamily};

/// Judges the traces of several flows; of one, it is [`judge_path`].
pub fn judge_flows<T: Deref<Target = TraceReport>>(
    spec: &PathSpec,
    seen: &[T],
    resolver: &dyn Resolver,
) -> Verdict {
    let verdicts: Vec<Verdict> = seen.iter().map(|trace| judge_path(spec, trace, resolver)).collect();
    // One that does not fit says more than what all of them leave out.
    let Some(worst) = verdicts.iter().find(|verdict| !verdict.passed()).or(verdicts.first()) else {
        let subject = format!("{} to {}", spec.from.short(), spec.to.short());
        return Verdict::of(&subject, "a trace", "no trace", vec!["nothing was traced".to_owned()]);
    };
    if !worst.passed() || seen.len() < 2 {
        return worst.clone();
    }
    let mut lines = Vec::new();
    for hop in &spec.hops {
        let Hop::Responder(symbols) = hop else { continue };
        if symbols.len() < 2 {
            continue;
        }
        for symbol in symbols {
            let addresses = resolver.addresses(symbol).unwrap_or_default();
            let answered = |trace: &TraceReport| {
                let of =
                    |hop: &HopSeen| addresses.iter().any(|named| hop.responders().contains(&named.value));
                trace.hops.iter().any(of)
            };
            if !seen.iter().any(|trace| answered(trace)) {
                lines.push(format!("none of {} flows went through {symbol}, which {hop} names", seen.len()));
            }
        }
    }
    let ways: BTreeSet<Vec<IpAddr>> =
        seen.iter().map(|trace| trace.hops.iter().flat_map(HopSeen::responders).collect()).collect();
    let phrase = format!("{} flows by {}", seen.len(), counted(ways.len(), "way", "ways"));
    let expected = format!("{}, all of them used", worst.expected);
    let detail: Vec<&TraceReport> = seen.iter().map(Deref::deref).collect();
    Verdict::of(&worst.subject, expected, phrase, lines).detail(&detail)
}

/// Several traces as one: everybody who answered at each distance, for comparing with another program's trace.
pub(super) fn together<T: Deref<Target = TraceReport>>(seen: &[T]) -> Option<TraceReport> {
    let (first, others) = seen.split_first()?;
    let mut all = first.deref().clone();
    for other in others {
        for hop in &other.hops {
            match all.hops.iter_mut().find(|known| known.ttl == hop.ttl) {
                None => all.hops.push(hop.clone()),
                Some(known) => {
                    let first = hop.responder.map(|responder| fabric_harness::probe::Answer {
                        responder,
                        rtt: hop.rtt,
                        kind: hop.kind.clone(),
                    });
                    if known.responder.is_none() {
                        known.clone_from(hop);
                    } else {
                        known.also.extend(first.into_iter().chain(hop.also.iter().cloned()));
                    }
                }
            }
        }
    }
    all.reached = seen.iter().all(|trace| trace.reached);
    Some(all)
}

/// ` over IPv6` where a family is said that is not the one everything else is in.
pub(crate) fn over(family: Option<WantedFamily>) -> &'static str {
    match family {
        Some(WantedFamily::Ipv6) => " over IPv6",
        _ => "",
    }
}

#[cfg(test)]
#[path = "flows_tests.rs"]
mod tests;
