//! Judging a router's kernel table: the rung between "BGP knows the way" and "packets take it".

use std::collections::BTreeSet;

use fabric_harness::router::{Fib, FibRoute, RouteKind};
use ipnet::IpNet;
use serde_json::json;

use super::prefixes::{Wanted, difference, in_family};
use super::verdict::{Verdict, counted, listed};
use crate::expect::{Place, Resolver, Symbol, Unresolved};

/// What one check wants of a router's kernel table.
#[derive(Debug, Clone, PartialEq)]
pub struct FibSpec {
    /// The router.
    pub router: String,
    /// The fact.
    pub fact: FibFact,
}

/// One fact of a kernel's main table. A router's own host addresses (its loopback, say) are in the kernel's table of
/// local addresses instead, so they are neither missed nor unexpected here.
#[derive(Debug, Clone, PartialEq)]
pub enum FibFact {
    /// Routes to all of these.
    Contains(Vec<Symbol>),
    /// Routes to all of these, and to nothing else of their families.
    Exactly(Vec<Symbol>),
    /// Routes to none of these.
    Lacks(Vec<Symbol>),
    /// Each prefix of a symbol leaves through an interface.
    Leaves {
        /// The prefixes.
        prefix: Symbol,
        /// The interface.
        out: String,
    },
}

/// Judges one fact.
pub fn judge_fib(spec: &FibSpec, seen: &Fib, resolver: &dyn Resolver) -> Verdict {
    let router = spec.router.as_str();
    let judged = match &spec.fact {
        FibFact::Contains(prefixes) => set(router, prefixes, false, seen, resolver),
        FibFact::Exactly(prefixes) => set(router, prefixes, true, seen, resolver),
        FibFact::Lacks(prefixes) => lacks(router, prefixes, seen, resolver),
        FibFact::Leaves { prefix, out } => leaves(router, prefix, out, seen, resolver),
    };
    judged.unwrap_or_else(|why| Verdict::unresolved(router, spec.fact.phrase(), &why))
}

/// Multicast and link-local prefixes are the kernel's own affair, on every interface alike.
fn is_plumbing(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(net) => net.addr().is_multicast() || net.addr().is_link_local(),
        IpNet::V6(net) => net.addr().is_multicast() || net.addr().is_unicast_link_local(),
    }
}

fn set(
    router: &str,
    prefixes: &[Symbol],
    exact: bool,
    seen: &Fib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let own = own_addresses(router, prefixes, resolver)?;
    let local = own.len();
    let wanted = Wanted::resolve(prefixes, resolver)?.without(|prefix| own.contains(&prefix));
    let families = wanted.families();
    let there: BTreeSet<IpNet> = seen
        .routes
        .keys()
        .filter(|prefix| in_family(prefix, families) && !is_plumbing(prefix) && !own.contains(prefix))
        .copied()
        .collect();
    let (lines, phrase) = difference(&wanted, &there, exact, resolver);
    let exactly = if exact { "exactly " } else { "" };
    let mut expected = format!("{exactly}{}", counted(wanted.len(), "route", "routes"));
    if local > 0 {
        expected.push_str(&format!(" besides {} of its own", counted(local, "address", "addresses")));
    }
    let detail = if exact { json!(there) } else { json!(seen.routes.keys().collect::<Vec<_>>()) };
    Ok(Verdict::of(router, expected, phrase.replace("prefixes", "routes"), lines).detail(&detail))
}

/// The host prefixes of the router's own interfaces, as far as the symbols speak of them.
fn own_addresses(
    router: &str,
    prefixes: &[Symbol],
    resolver: &dyn Resolver,
) -> Result<BTreeSet<IpNet>, Unresolved> {
    let mut own = BTreeSet::new();
    for symbol in prefixes {
        if let Symbol::Interface { place: Place::Device(device), .. } = symbol
            && device == router
        {
            let all = resolver.prefixes(symbol)?.into_iter().map(|named| named.value);
            own.extend(all.filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len()));
        }
    }
    Ok(own)
}

fn lacks(
    router: &str,
    prefixes: &[Symbol],
    seen: &Fib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let wanted = Wanted::resolve(prefixes, resolver)?;
    let there: Vec<_> = wanted.prefixes().filter_map(|prefix| Some((prefix, seen.route(&prefix)?))).collect();
    let line = |(prefix, route): &(IpNet, &FibRoute)| {
        format!("still there: {} ({})", wanted.named(*prefix), way(route))
    };
    let lines = there.iter().map(line).collect();
    let expected = format!("none of {}", counted(wanted.len(), "route", "routes"));
    let phrase = format!("{} of {} still there", there.len(), wanted.len());
    Ok(Verdict::of(router, expected, phrase, lines).detail(&json!(there)))
}

fn leaves(
    router: &str,
    prefix: &Symbol,
    out: &str,
    seen: &Fib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let prefixes = resolver.prefixes(prefix)?;
    let mut lines = Vec::new();
    for named in &prefixes {
        match seen.route(&named.value) {
            None => lines.push(format!("{named}: the kernel has no route to exactly this prefix")),
            Some(route) => {
                let through = |dev: &Option<String>| dev.as_deref() == Some(out);
                let right = route.kind == RouteKind::Unicast
                    && !route.next_hops.is_empty()
                    && route.next_hops.iter().all(|hop| through(&hop.dev));
                if !right {
                    lines.push(format!("{named}: {}, not through {out}", way(route)));
                }
            }
        }
    }
    if prefixes.is_empty() {
        lines.push(format!("`{prefix}` stands for no prefix"));
    }
    let right = prefixes.len().saturating_sub(lines.len());
    let phrase = format!("{right} of {} through {out}", counted(prefixes.len(), "route", "routes"));
    let detail: Vec<_> = prefixes.iter().map(|named| (named.value, seen.route(&named.value))).collect();
    Ok(Verdict::of(router, format!("{prefix} through {out}"), phrase, lines).detail(&detail))
}

/// What a route does, in a few words.
fn way(route: &FibRoute) -> String {
    match route.kind {
        RouteKind::Unicast => {
            format!("{} by {}", listed(route.next_hops.iter().map(ToString::to_string)), route.protocol)
        }
        RouteKind::Blackhole => "dropped (blackhole)".to_owned(),
        RouteKind::Unreachable => "refused (unreachable)".to_owned(),
        RouteKind::Prohibit => "refused (prohibit)".to_owned(),
        RouteKind::Other => "of another kind".to_owned(),
    }
}

impl FibFact {
    fn phrase(&self) -> String {
        let all = |prefixes: &[Symbol]| listed(prefixes.iter().map(Symbol::to_string));
        match self {
            Self::Contains(prefixes) => all(prefixes),
            Self::Exactly(prefixes) => format!("exactly {}", all(prefixes)),
            Self::Lacks(prefixes) => format!("none of {}", all(prefixes)),
            Self::Leaves { prefix, out } => format!("{prefix} through {out}"),
        }
    }
}
