//! Judging a router's kernel table: the rung between "BGP knows the way" and "packets take it".

use std::collections::BTreeSet;

use fabric_harness::router::{Fib, FibRoute, RouteKind};
use ipnet::IpNet;
use serde_json::json;

use super::prefixes::{Wanted, difference};
use super::verdict::{Verdict, counted, listed};
use crate::expect::{Place, Resolver, Symbol, Unresolved, WantedFamily};

/// What one check wants of a router's kernel table.
#[derive(Debug, Clone, PartialEq)]
pub struct FibSpec {
    /// The router.
    pub router: String,
    /// Of which family the prefixes are.
    pub family: WantedFamily,
    /// The fact.
    pub fact: FibFact,
}

/// One fact of a kernel's main table. A router's own host addresses (its loopback, say) are in the kernel's table of
/// local addresses instead, so they are neither missed nor unexpected here.
#[derive(Debug, Clone, PartialEq)]
pub enum FibFact {
    /// Routes to all of these.
    Contains(Vec<Symbol>),
    /// Routes to all of these, and to nothing else of their family.
    Exactly(Vec<Symbol>),
    /// Routes to none of these.
    Lacks(Vec<Symbol>),
    /// Each prefix of a symbol leaves through these interfaces, through each of them (ECMP) and no other.
    Leaves {
        /// The prefixes.
        prefix: Symbol,
        /// The interfaces.
        out: Vec<String>,
    },
}

/// Judges one fact.
pub fn judge_fib(spec: &FibSpec, seen: &Fib, resolver: &dyn Resolver) -> Verdict {
    let judged = match &spec.fact {
        FibFact::Contains(prefixes) => set(spec, prefixes, false, seen, resolver),
        FibFact::Exactly(prefixes) => set(spec, prefixes, true, seen, resolver),
        FibFact::Lacks(prefixes) => lacks(spec, prefixes, seen, resolver),
        FibFact::Leaves { prefix, out } => leaves(spec, prefix, out, seen, resolver),
    };
    judged.unwrap_or_else(|why| Verdict::unresolved(&spec.router, spec.fact.phrase(), &why))
}

/// Multicast and link-local prefixes are the kernel's own affair, on every interface alike.
fn is_plumbing(prefix: &IpNet) -> bool {
    match prefix {
        IpNet::V4(net) => net.addr().is_multicast() || net.addr().is_link_local(),
        IpNet::V6(net) => net.addr().is_multicast() || net.addr().is_unicast_link_local(),
    }
}

fn set(
    spec: &FibSpec,
    prefixes: &[Symbol],
    exact: bool,
    seen: &Fib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let (router, family) = (spec.router.as_str(), spec.family);
    let own = own_addresses(router, prefixes, family, resolver)?;
    let local = own.len();
    let wanted = Wanted::resolve(prefixes, family, resolver)?.without(|prefix| own.contains(&prefix));
    let there: BTreeSet<IpNet> = seen
        .routes
        .keys()
        .filter(|prefix| family.holds(prefix) && !is_plumbing(prefix) && !own.contains(prefix))
        .copied()
        .collect();
    let (lines, phrase) = difference(&wanted, &there, exact, resolver, |_| None);
    let exactly = if exact { "exactly " } else { "" };
    let mut expected = format!("{exactly}{}", number_of_routes(wanted.len(), family));
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
    family: WantedFamily,
    resolver: &dyn Resolver,
) -> Result<BTreeSet<IpNet>, Unresolved> {
    let mut own = BTreeSet::new();
    for symbol in prefixes {
        if let Symbol::Interface { place: Place::Device(device), .. } = symbol
            && device == router
        {
            let all = family.prefixes(resolver, symbol)?.into_iter().map(|named| named.value);
            own.extend(all.filter(|prefix| prefix.prefix_len() == prefix.max_prefix_len()));
        }
        // The same written out: the fabric knows whose it is.
        if let Symbol::Prefix(prefix) = symbol
            && prefix.prefix_len() == prefix.max_prefix_len()
            && resolver.name_of_address(prefix.addr()).is_some_and(|name| is_of(router, &name))
        {
            own.insert(*prefix);
        }
    }
    Ok(own)
}

/// Whether a name such as `router0:lo` is of an interface of this router.
fn is_of(router: &str, name: &str) -> bool {
    name.split_once(':').is_some_and(|(device, _)| device == router)
}

fn number_of_routes(count: usize, family: WantedFamily) -> String {
    let adjective = family.adjective();
    counted(count, &format!("{adjective}route"), &format!("{adjective}routes"))
}

fn lacks(
    spec: &FibSpec,
    prefixes: &[Symbol],
    seen: &Fib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let wanted = Wanted::resolve(prefixes, spec.family, resolver)?;
    let there: Vec<_> = wanted.prefixes().filter_map(|prefix| Some((prefix, seen.route(&prefix)?))).collect();
    let line = |(prefix, route): &(IpNet, &FibRoute)| {
        format!("still there: {} ({})", wanted.named(*prefix), way(route))
    };
    let lines = there.iter().map(line).collect();
    let expected = format!("none of {}", number_of_routes(wanted.len(), spec.family));
    let phrase = format!("{} of {} still there", there.len(), wanted.len());
    Ok(Verdict::of(&spec.router, expected, phrase, lines).detail(&json!(there)))
}

fn leaves(
    spec: &FibSpec,
    prefix: &Symbol,
    out: &[String],
    seen: &Fib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let prefixes = spec.family.prefixes(resolver, prefix)?;
    let wanted: BTreeSet<&str> = out.iter().map(String::as_str).collect();
    let through = listed(out);
    let mut lines = Vec::new();
    for named in &prefixes {
        match seen.route(&named.value) {
            None => lines.push(format!("{named}: the kernel has no route to exactly this prefix")),
            Some(route) => {
                let devices: BTreeSet<&str> =
                    route.next_hops.iter().map(|hop| hop.dev.as_deref().unwrap_or_default()).collect();
                if route.kind != RouteKind::Unicast || devices != wanted {
                    lines.push(format!("{named}: {}, not through {through}", way(route)));
                }
            }
        }
    }
    let right = prefixes.len().saturating_sub(lines.len());
    let phrase = format!("{right} of {} through {through}", number_of_routes(prefixes.len(), spec.family));
    let detail: Vec<_> = prefixes.iter().map(|named| (named.value, seen.route(&named.value))).collect();
    let expected = format!("{prefix} through {through}");
    Ok(Verdict::of(&spec.router, expected, phrase, lines).detail(&detail))
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
            Self::Leaves { prefix, out } => format!("{prefix} through {}", listed(out)),
        }
    }
}
