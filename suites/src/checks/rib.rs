//! Judging a router's BGP table: which prefixes it holds. By which paths is judged in `attributes`.

use std::collections::BTreeSet;

use fabric_harness::router::Rib;
use ipnet::IpNet;
use serde_json::json;

use super::attributes::{by_path, unused};
use super::prefixes::{Wanted, difference, number_of};
use super::verdict::{Verdict, listed};
use crate::expect::{Resolver, Symbol, Unresolved, WantedFamily, WantedPath, prefix_known_as};

/// What one check wants of a router's BGP table.
#[derive(Debug, Clone, PartialEq)]
pub struct RibSpec {
    /// The router.
    pub router: String,
    /// Of which family the prefixes are.
    pub family: WantedFamily,
    /// The fact.
    pub fact: RibFact,
}

/// One fact of a BGP table. Only prefixes with a best path count.
#[derive(Debug, Clone, PartialEq)]
pub enum RibFact {
    /// These prefixes and no others of their family.
    Exactly {
        /// The prefixes.
        prefixes: Vec<Symbol>,
        /// How many they must be: guards against a symbol that stands for less than it should.
        count: Option<usize>,
    },
    /// These prefixes, whatever else.
    Contains(Vec<Symbol>),
    /// None of these.
    Lacks(Vec<Symbol>),
    /// So many prefixes, whichever they are.
    Count(usize),
    /// The best path, or all paths in use, to each prefix of a symbol.
    Path {
        /// The prefixes.
        prefix: Symbol,
        /// The path.
        path: Box<WantedPath>,
    },
}

/// Judges one fact.
pub fn judge_rib(spec: &RibSpec, seen: &Rib, resolver: &dyn Resolver) -> Verdict {
    let (router, family) = (spec.router.as_str(), spec.family);
    let best: BTreeSet<IpNet> = seen.best_prefixes(family == WantedFamily::Ipv6).copied().collect();
    let judged = match &spec.fact {
        RibFact::Exactly { prefixes, count } => exactly(spec, prefixes, *count, &best, seen, resolver),
        RibFact::Contains(prefixes) => Wanted::resolve(prefixes, family, resolver).map(|wanted| {
            let (lines, phrase) =
                difference(&wanted, &best, false, resolver, |prefix| unused(seen, prefix, resolver));
            Verdict::of(router, number_of(wanted.len(), family), phrase, lines)
        }),
        RibFact::Lacks(prefixes) => lacks(spec, prefixes, &best, resolver),
        RibFact::Count(count) => {
            let mut lines = Vec::new();
            if best.len() != *count {
                lines.push(format!("the table has {}:", number_of(best.len(), family)));
                lines.extend(best.iter().map(|prefix| prefix_known_as(resolver, *prefix)));
            }
            let phrase = format!("{} of {}", best.len(), number_of(*count, family));
            Ok(Verdict::of(router, number_of(*count, family), phrase, lines))
        }
        RibFact::Path { prefix, path } => by_path(spec, prefix, path, seen, resolver),
    };
    let detail = match &spec.fact {
        RibFact::Path { prefix, .. } => {
            let prefixes = family.prefixes(resolver, prefix).unwrap_or_default();
            let paths: Vec<_> = prefixes
                .iter()
                .map(|named| json!({ "prefix": named.value, "name": named.name, "paths": seen.routes.get(&named.value) }))
                .collect();
            json!(paths)
        }
        _ => json!(best),
    };
    judged.unwrap_or_else(|why| Verdict::unresolved(router, spec.fact.phrase(), &why)).detail(&detail)
}

fn exactly(
    spec: &RibSpec,
    prefixes: &[Symbol],
    count: Option<usize>,
    best: &BTreeSet<IpNet>,
    seen: &Rib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let wanted = Wanted::resolve(prefixes, spec.family, resolver)?;
    let (mut lines, mut phrase) =
        difference(&wanted, best, true, resolver, |prefix| unused(seen, prefix, resolver));
    if let Some(count) = count.filter(|count| *count != wanted.len()) {
        lines.push(format!(
            "the expectation stands for {} prefixes on this fabric, not {count}",
            wanted.len()
        ));
        phrase.push_str(&format!(", where {count} are expected"));
    }
    let expected = format!("exactly {}", number_of(count.unwrap_or(wanted.len()), spec.family));
    Ok(Verdict::of(&spec.router, expected, phrase, lines))
}

fn lacks(
    spec: &RibSpec,
    prefixes: &[Symbol],
    best: &BTreeSet<IpNet>,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let wanted = Wanted::resolve(prefixes, spec.family, resolver)?;
    let there: Vec<IpNet> = wanted.prefixes().filter(|prefix| best.contains(prefix)).collect();
    let lines: Vec<_> =
        there.iter().map(|prefix| format!("still there: {}", wanted.named(*prefix))).collect();
    let expected = format!("none of {}", number_of(wanted.len(), spec.family));
    Ok(Verdict::of(&spec.router, expected, format!("{} of {} still there", there.len(), wanted.len()), lines))
}

impl RibFact {
    fn phrase(&self) -> String {
        match self {
            Self::Exactly { prefixes, .. } => {
                format!("exactly {}", listed(prefixes.iter().map(Symbol::to_string)))
            }
            Self::Contains(prefixes) => listed(prefixes.iter().map(Symbol::to_string)),
            Self::Lacks(prefixes) => format!("none of {}", listed(prefixes.iter().map(Symbol::to_string))),
            Self::Count(count) => number_of(*count, WantedFamily::Ipv4),
            Self::Path { prefix, path } => format!("{prefix} {}", path.phrase()),
        }
    }
}
