//! Judging which way packets took: a pattern of hops held against what traceroute saw.
//!
//! A `*?` may or may not use up a hop, so there can be several ways to hold the pattern against the hops: all of them
//! are followed side by side, and a difference is told at the hop that the best of them did not get past.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fabric_harness::probe::{Hop as HopSeen, HopKind, TraceReport};

use super::verdict::{Verdict, listed};
use crate::expect::{Hop, Prober, Resolver, Symbol, Unresolved, WantedFamily, known_as};

/// What one check wants of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathSpec {
    /// Who sends.
    pub from: Symbol,
    /// Where to.
    pub to: Symbol,
    /// In which family; that of the first address of `to` when not said.
    pub family: Option<WantedFamily>,
    /// How many flows are traced.
    pub flows: u16,
    /// Who probes.
    pub prober: Prober,
    /// The hops, in order.
    pub hops: Vec<Hop>,
}

/// One step of the pattern with its addresses.
enum Step<'h> {
    Silent,
    MaybeSilent,
    Responder { hop: &'h Hop, addresses: Vec<IpAddr> },
}

impl Step<'_> {
    fn accepts(&self, seen: &HopSeen) -> bool {
        let responders = seen.responders();
        match self {
            Self::Silent | Self::MaybeSilent => responders.is_empty(),
            // Several may answer at one distance where the path is spread: each of them must be meant.
            Self::Responder { addresses, .. } => {
                !responders.is_empty() && responders.iter().all(|address| addresses.contains(address))
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Silent => "a silent hop".to_owned(),
            Self::MaybeSilent => "perhaps a silent hop".to_owned(),
            Self::Responder { hop, addresses } => {
                let all: BTreeSet<String> = addresses.iter().map(IpAddr::to_string).collect();
                format!("{hop} ({})", listed(all))
            }
        }
    }
}

/// Judges a path.
pub fn judge_path(spec: &PathSpec, seen: &TraceReport, resolver: &dyn Resolver) -> Verdict {
    let subject = format!("{} to {}", spec.from.short(), spec.to.short());
    let expected = listed(spec.hops.iter().map(Hop::to_string)).replace(" and ", ", ");
    let steps = match steps(&spec.hops, WantedFamily::of(seen.to), resolver) {
        Ok(steps) => steps,
        Err(why) => return Verdict::unresolved(&subject, expected, &why).detail(seen),
    };
    let mut lines = match mismatch(&steps, &seen.hops) {
        None => Vec::new(),
        Some(Mismatch { at, wanted }) => {
            let wanted = listed(wanted.iter().map(|step| step.text())).replace(" and ", " or ");
            vec![match seen.hops.get(at) {
                Some(hop) => {
                    let wanted = if wanted == "none" { "the end of the path".to_owned() } else { wanted };
                    format!("TTL {}: expected {wanted}, saw {}", hop.ttl, hop_text(hop, resolver))
                }
                None => format!("after TTL {at} the path ends; expected {wanted}"),
            }]
        }
    };
    if !lines.is_empty() {
        lines.extend(seen.hops.iter().map(|hop| format!("seen {:>2}  {}", hop.ttl, hop_text(hop, resolver))));
    }
    if let Some(why) = &seen.refused {
        lines.push(format!("the sender's own kernel would not send: {why}"));
    }
    if !seen.reached {
        lines.push(format!("{} never answered", spec.to));
    }
    let phrase = if seen.hops.is_empty() {
        "no hop at all".to_owned()
    } else {
        let name =
            |address: &IpAddr| resolver.name_of_address(*address).unwrap_or_else(|| address.to_string());
        let hop = |hop: &HopSeen| match hop.responders().as_slice() {
            [] => "*".to_owned(),
            several => several.iter().map(name).collect::<Vec<_>>().join("|"),
        };
        seen.hops.iter().map(hop).collect::<Vec<_>>().join(", ")
    };
    Verdict::of(&subject, expected, phrase, lines).detail(seen)
}

fn hop_text(hop: &HopSeen, resolver: &dyn Resolver) -> String {
    let responders = hop.responders();
    if responders.is_empty() {
        return "no answer".to_owned();
    }
    let text = listed(responders.iter().map(|address| known_as(resolver, *address)));
    match &hop.kind {
        HopKind::Unreachable(error) => format!("{text}, which says: {error}"),
        _ => text,
    }
}

fn steps<'h>(
    hops: &'h [Hop],
    family: WantedFamily,
    resolver: &dyn Resolver,
) -> Result<Vec<Step<'h>>, Unresolved> {
    hops.iter()
        .map(|hop| {
            Ok(match hop {
                Hop::Silent => Step::Silent,
                Hop::MaybeSilent => Step::MaybeSilent,
                Hop::Responder(symbols) => {
                    let mut addresses = Vec::new();
                    for symbol in symbols {
                        let all = family.addresses(resolver, symbol)?;
                        addresses.extend(all.into_iter().map(|named| named.value));
                    }
                    Step::Responder { hop, addresses }
                }
            })
        })
        .collect()
}

/// Where the pattern and the hops part.
struct Mismatch<'s, 'h> {
    /// The first hop (its index) that no way of holding the pattern explains.
    at: usize,
    /// What the pattern would have taken there; nothing when the pattern was at its end.
    wanted: Vec<&'s Step<'h>>,
}

/// Follows every way to hold the pattern against the hops; `None` when one of them fits to the end.
fn mismatch<'s, 'h>(steps: &'s [Step<'h>], hops: &[HopSeen]) -> Option<Mismatch<'s, 'h>> {
    // The positions in the pattern at which we may stand before each hop.
    let mut standing = skipping(steps, BTreeSet::from([0]));
    for (at, hop) in hops.iter().enumerate() {
        let accepting = |position: &&usize| steps.get(**position).is_some_and(|step| step.accepts(hop));
        let next: BTreeSet<usize> = standing.iter().filter(accepting).map(|position| position + 1).collect();
        if next.is_empty() {
            return Some(Mismatch { at, wanted: wanted(steps, &standing) });
        }
        standing = skipping(steps, next);
    }
    if standing.contains(&steps.len()) {
        return None;
    }
    Some(Mismatch { at: hops.len(), wanted: wanted(steps, &standing) })
}

/// Adds the positions behind every `*?` that need not be there.
fn skipping(steps: &[Step<'_>], mut standing: BTreeSet<usize>) -> BTreeSet<usize> {
    for position in 0..steps.len() {
        if standing.contains(&position) && matches!(steps.get(position), Some(Step::MaybeSilent)) {
            standing.insert(position + 1);
        }
    }
    standing
}

/// What the pattern takes at these positions; a `*?` is named only where nothing else could stand.
fn wanted<'s, 'h>(steps: &'s [Step<'h>], standing: &BTreeSet<usize>) -> Vec<&'s Step<'h>> {
    let all: Vec<_> = standing.iter().filter_map(|position| steps.get(*position)).collect();
    let firm: Vec<_> = all.iter().copied().filter(|step| !matches!(step, Step::MaybeSilent)).collect();
    if firm.is_empty() { all } else { firm }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
