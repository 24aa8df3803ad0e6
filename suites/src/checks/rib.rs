//! Judging a router's BGP table: which prefixes it holds, and by which path.

use std::collections::BTreeSet;
use std::net::IpAddr;

use fabric_harness::router::{Origin, Path, Rib};
use ipnet::IpNet;
use serde_json::json;

use super::prefixes::{Wanted, difference, in_family};
use super::verdict::{Verdict, counted, listed};
use crate::expect::{
    Resolver, Symbol, Unresolved, WantedOrigin, WantedPath, WantedSource, known_as, prefix_known_as,
};

/// What one check wants of a router's BGP table.
#[derive(Debug, Clone, PartialEq)]
pub struct RibSpec {
    /// The router.
    pub router: String,
    /// The fact.
    pub fact: RibFact,
}

/// One fact of a BGP table. Only prefixes with a best path count.
#[derive(Debug, Clone, PartialEq)]
pub enum RibFact {
    /// These prefixes and no others of their families.
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
    /// So many IPv4 prefixes, whichever they are.
    Count(usize),
    /// The best path to each prefix of a symbol.
    Path {
        /// The prefixes.
        prefix: Symbol,
        /// The path.
        path: WantedPath,
    },
}

/// Judges one fact.
pub fn judge_rib(spec: &RibSpec, seen: &Rib, resolver: &dyn Resolver) -> Verdict {
    let router = spec.router.as_str();
    let best: BTreeSet<IpNet> = seen.best_prefixes(false).chain(seen.best_prefixes(true)).copied().collect();
    let judged = match &spec.fact {
        RibFact::Exactly { prefixes, count } => exactly(router, prefixes, *count, &best, resolver),
        RibFact::Contains(prefixes) => Wanted::resolve(prefixes, resolver).map(|wanted| {
            let (lines, phrase) = difference(&wanted, &best, false, resolver);
            Verdict::of(router, counted(wanted.len(), "prefix", "prefixes"), phrase, lines)
        }),
        RibFact::Lacks(prefixes) => lacks(router, prefixes, &best, resolver),
        RibFact::Count(count) => {
            let there: Vec<_> = seen.best_prefixes(false).collect();
            let mut lines = Vec::new();
            if there.len() != *count {
                lines.push(format!("the table has {}:", counted(there.len(), "prefix", "prefixes")));
                lines.extend(there.iter().map(|prefix| prefix_known_as(resolver, **prefix)));
            }
            let phrase = format!("{} of {count} prefixes", there.len());
            Ok(Verdict::of(router, counted(*count, "prefix", "prefixes"), phrase, lines))
        }
        RibFact::Path { prefix, path } => by_path(router, prefix, path, seen, resolver),
    };
    let detail = match &spec.fact {
        RibFact::Path { prefix, .. } => {
            let prefixes = resolver.prefixes(prefix).unwrap_or_default();
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
    router: &str,
    prefixes: &[Symbol],
    count: Option<usize>,
    best: &BTreeSet<IpNet>,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let wanted = Wanted::resolve(prefixes, resolver)?;
    let families = wanted.families();
    let seen: BTreeSet<IpNet> = best.iter().filter(|prefix| in_family(prefix, families)).copied().collect();
    let (mut lines, phrase) = difference(&wanted, &seen, true, resolver);
    if let Some(count) = count.filter(|count| *count != wanted.len()) {
        lines.push(format!(
            "the expectation stands for {} prefixes on this fabric, not {count}",
            wanted.len()
        ));
    }
    let expected = format!("exactly {}", counted(count.unwrap_or(wanted.len()), "prefix", "prefixes"));
    Ok(Verdict::of(router, expected, phrase, lines))
}

fn lacks(
    router: &str,
    prefixes: &[Symbol],
    best: &BTreeSet<IpNet>,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let wanted = Wanted::resolve(prefixes, resolver)?;
    let there: Vec<IpNet> = wanted.prefixes().filter(|prefix| best.contains(prefix)).collect();
    let lines: Vec<_> =
        there.iter().map(|prefix| format!("still there: {}", wanted.named(*prefix))).collect();
    let expected = format!("none of {}", counted(wanted.len(), "prefix", "prefixes"));
    Ok(Verdict::of(router, expected, format!("{} of {} still there", there.len(), wanted.len()), lines))
}

fn by_path(
    router: &str,
    prefix: &Symbol,
    wanted: &WantedPath,
    seen: &Rib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let prefixes = resolver.prefixes(prefix)?;
    let next_hops = match &wanted.next_hop {
        Some(symbol) => Some((symbol, resolver.addresses(symbol)?)),
        None => None,
    };
    let next_hops = next_hops.map(|(symbol, named)| {
        (symbol.to_string(), named.into_iter().map(|named| named.value).collect::<Vec<_>>())
    });
    let mut lines = Vec::new();
    let mut right = 0;
    for named in &prefixes {
        let before = lines.len();
        match seen.best(&named.value) {
            Some(path) => path_difference(wanted, next_hops.as_ref(), path, resolver, &mut |line| {
                lines.push(format!("{named}: {line}"));
            }),
            None => lines.push(format!("{named}: the table has no best path to it")),
        }
        right += usize::from(lines.len() == before);
    }
    if prefixes.is_empty() {
        lines.push(format!("`{prefix}` stands for no prefix"));
    }
    let phrase = format!("{right} of {} by that path", counted(prefixes.len(), "prefix", "prefixes"));
    Ok(Verdict::of(router, wanted.phrase(), phrase, lines))
}

fn path_difference(
    wanted: &WantedPath,
    next_hops: Option<&(String, Vec<IpAddr>)>,
    path: &Path,
    resolver: &dyn Resolver,
    note: &mut dyn FnMut(String),
) {
    if let Some(origin) = wanted.origin.filter(|origin| *origin != wanted_origin(path.origin)) {
        note(format!("origin is {}, not {origin}", path.origin));
    }
    if let Some(as_path) = wanted.as_path.as_ref().filter(|as_path| **as_path != path.as_path) {
        note(format!("{} is there, not {}", as_path_text(&path.as_path), as_path_text(as_path)));
    }
    if let Some(wanted) = wanted.local_pref.filter(|pref| Some(*pref) != path.local_pref) {
        let seen = path.local_pref.map_or_else(|| "not set".to_owned(), |pref| pref.to_string());
        note(format!("local preference is {seen}, not {wanted}"));
    }
    if let Some((symbol, addresses)) = next_hops {
        let hop = path.next_hop();
        if !hop.is_some_and(|hop| addresses.contains(&hop.ip)) {
            let seen = hop.map_or_else(|| "nowhere".to_owned(), |hop| known_as(resolver, hop.ip));
            let wanted = listed(addresses.iter().map(IpAddr::to_string));
            note(format!("next hop is {seen}, not {symbol} ({wanted})"));
        }
    }
    match &wanted.from {
        Some(WantedSource::Myself) if !path.from_self() => {
            note(format!("it came from {}, not from the router itself", path.peer));
        }
        Some(WantedSource::Neighbor(name))
            if path.from_self()
                || !path.peer.hostname.as_deref().is_some_and(|seen| super::same_node(seen, name)) =>
        {
            note(format!("it came from {}, not from {name}", path.peer));
        }
        _ => {}
    }
}

fn wanted_origin(origin: Origin) -> WantedOrigin {
    match origin {
        Origin::Igp => WantedOrigin::Igp,
        Origin::Egp => WantedOrigin::Egp,
        Origin::Incomplete => WantedOrigin::Incomplete,
    }
}

/// `AS path 65000 65010`, or `an empty AS path`.
fn as_path_text(path: &[u32]) -> String {
    if path.is_empty() {
        return "an empty AS path".to_owned();
    }
    format!("AS path {}", path.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))
}

impl WantedPath {
    /// The path as a phrase: `from tor0 with next hop tor0:net0, AS path 65010 and origin IGP`.
    pub fn phrase(&self) -> String {
        let from = self.from.as_ref().map(|from| format!("from {from}"));
        let with = [
            self.next_hop.as_ref().map(|symbol| format!("next hop {symbol}")),
            self.as_path.as_deref().map(as_path_text),
            self.local_pref.map(|pref| format!("local preference {pref}")),
            self.origin.map(|origin| format!("origin {origin}")),
        ];
        let with: Vec<String> = with.into_iter().flatten().collect();
        match (from, with.is_empty()) {
            (Some(from), true) => from,
            (Some(from), false) => format!("{from} with {}", listed(with)),
            (None, _) => format!("with {}", listed(with)),
        }
    }
}

impl RibFact {
    fn phrase(&self) -> String {
        match self {
            Self::Exactly { prefixes, .. } => {
                format!("exactly {}", listed(prefixes.iter().map(Symbol::to_string)))
            }
            Self::Contains(prefixes) => listed(prefixes.iter().map(Symbol::to_string)),
            Self::Lacks(prefixes) => format!("none of {}", listed(prefixes.iter().map(Symbol::to_string))),
            Self::Count(count) => counted(*count, "prefix", "prefixes"),
            Self::Path { prefix, path } => format!("{prefix} {}", path.phrase()),
        }
    }
}
