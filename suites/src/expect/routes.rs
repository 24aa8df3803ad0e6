//! `routes:` of lab.yaml: what a router's tables must hold.
//!
//! ```yaml
//! routes:
//!   router0:
//!     count: 8
//!     prefixes:
//!       router0:lo: { from: self, origin: incomplete }
//!       tor0:lo:    { next-hop: tor0:net0, as-path: [65010], origin: incomplete, out: net0 }
//!     fib: contains
//! ```
//!
//! A set of prefixes is judged twice: in the router's BGP table (`rib`) and in its kernel's (`fib`). That packets
//! follow is said by `reach` and `paths`.
//!
//! What stands directly under a router is IPv4; `ipv6:` holds the same keys for IPv6. Symbols stand for their prefixes
//! of that family.

use fabric_harness::lab::yaml::{Diagnostics, Fields, Location, Node, Spanned, Value, choice};

use super::family::{FAMILIES, WantedFamily};
use super::path::WantedPath;
use super::patience::Patience;
use super::read;
use super::symbol::Symbol;

/// What the tables of one router must hold of one family.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterRoutes {
    /// The router, by its name in the topology.
    pub router: Spanned<String>,
    /// The family.
    pub family: WantedFamily,
    /// The number of prefixes in the BGP table.
    pub count: Option<usize>,
    /// All the prefixes of the BGP table.
    pub prefixes: Option<Vec<PrefixExpect>>,
    /// Prefixes that join those of the phase that judged this router before.
    pub adds: Vec<PrefixExpect>,
    /// Prefixes that leave them.
    pub removes: Vec<Spanned<Symbol>>,
    /// Prefixes that must be in neither table.
    pub absent: Vec<Spanned<Symbol>>,
    /// How the kernel's table relates to the prefixes above.
    pub fib: WantedFib,
    /// `within` and `holds` of this router.
    pub patience: Patience,
}

/// A prefix, and what the best path to it must be.
#[derive(Debug, Clone, PartialEq)]
pub struct PrefixExpect {
    /// Where it is written.
    pub at: Location,
    /// The prefix; one symbol may stand for several, and then it holds for each.
    pub prefix: Symbol,
    /// The attributes of the best path.
    pub path: WantedPath,
    /// The interfaces through which the kernel sends to it, each of them.
    pub out: Vec<String>,
    /// `within` and `holds` of this prefix.
    pub patience: Patience,
}

/// How the kernel's table relates to the set of prefixes.
#[derive(Debug, Clone, PartialEq)]
pub enum WantedFib {
    /// It is not judged.
    Unjudged,
    /// Every prefix of the set is in it.
    Contains,
    /// The prefixes of the set, and these besides, are all that is in it.
    Exact {
        /// Prefixes that no BGP path brought: a static default route, say.
        besides: Vec<Symbol>,
    },
}

impl RouterRoutes {
    /// One or two of them: what stands directly under the router, and what its families say.
    fn read_router(router: Spanned<String>, node: &Node, ctx: &mut Diagnostics) -> Option<Vec<Self>> {
        let mut fields = Fields::of(node, format!("`routes` of {}", router.value), ctx)?;
        let patience = Patience::read(&mut fields, ctx);
        let named: Vec<_> =
            FAMILIES.into_iter().filter_map(|(key, family)| Some((fields.node(key)?, key, family))).collect();
        let mut all = Vec::new();
        for (node, key, family) in &named {
            let what = format!("`{key}` of {}", router.value);
            let Some(mut inner) = Fields::of(node, what, ctx) else { continue };
            let inner_patience = Patience::read(&mut inner, ctx).or(patience);
            all.extend(Self::read(router.clone(), *family, inner, inner_patience, ctx));
        }
        let plain = fields.rest().next().is_some();
        if plain && named.iter().any(|(_, _, family)| *family == WantedFamily::Ipv4) {
            ctx.error(&router.at, "what stands directly under a router is IPv4, and `ipv4` is there too")
                .help("write all of it under `ipv4`");
        } else if plain || named.is_empty() {
            all.extend(Self::read(router, WantedFamily::Ipv4, fields, patience, ctx));
        }
        // IPv4 first, wherever it stands.
        all.sort_by_key(|routes| routes.family);
        Some(all)
    }

    fn read(
        router: Spanned<String>,
        family: WantedFamily,
        mut fields: Fields<'_>,
        patience: Patience,
        ctx: &mut Diagnostics,
    ) -> Option<Self> {
        let before = ctx.len();
        let routes = Self {
            count: fields.optional("count", ctx),
            prefixes: fields.node("prefixes").map(|node| read_prefixes(node, family, ctx)),
            adds: fields.node("adds").map(|node| read_prefixes(node, family, ctx)).unwrap_or_default(),
            removes: fields.node("removes").map(|node| read_symbols(node, family, ctx)).unwrap_or_default(),
            absent: fields.node("absent").map(|node| read_symbols(node, family, ctx)).unwrap_or_default(),
            fib: fields
                .node("fib")
                .and_then(|node| WantedFib::read(node, family, ctx))
                .unwrap_or(WantedFib::Contains),
            patience,
            family,
            router,
        };
        fields.finish(ctx);
        let silent = ctx.len() == before && routes.count.is_none() && routes.prefixes.is_none();
        if silent && routes.adds.is_empty() && routes.removes.is_empty() && routes.absent.is_empty() {
            ctx.error(
                &routes.router.at,
                format!("nothing is expected of the {}routes of {}", family.adjective(), routes.router.value),
            )
            .help("write `count`, `prefixes`, `adds`, `removes` or `absent`");
            return None;
        }
        if routes.prefixes.is_some() && !(routes.adds.is_empty() && routes.removes.is_empty()) {
            ctx.error(
                &routes.router.at,
                "`prefixes` is the whole set, and `adds` and `removes` change an earlier one",
            )
            .help("keep `prefixes`, or keep `adds` and `removes`");
            return None;
        }
        Some(routes)
    }
}

/// A list of symbols, or a mapping of symbols to what their paths must be.
fn read_prefixes(node: &Node, family: WantedFamily, ctx: &mut Diagnostics) -> Vec<PrefixExpect> {
    let mut all: Vec<PrefixExpect> = Vec::new();
    match &node.value {
        Value::Sequence(items) => {
            for item in items {
                let symbol = read::prefix(item, ctx);
                if let Some(symbol) = symbol.and_then(|one| of_family(one, family, &item.at, ctx)) {
                    all.push(PrefixExpect::bare(item.at.clone(), symbol));
                }
            }
        }
        Value::Mapping(mapping) => {
            for entry in &mapping.entries {
                let symbol = read::prefix_key(&entry.key, &entry.key_at, ctx)
                    .and_then(|one| of_family(one, family, &entry.key_at, ctx));
                let read = PrefixExpect::read(&entry.key_at, &entry.key, &entry.value, ctx);
                if let (Some(symbol), Some(expect)) = (symbol, read) {
                    all.push(PrefixExpect { prefix: symbol, ..expect });
                }
            }
        }
        Value::Scalar(_) => {
            ctx.error(&node.at, format!("expected prefixes, found {}", node.describe()))
                .help("write a list, [router0:lo, mgmt], or a mapping, { tor0:lo: { as-path: [65010] } }");
        }
    }
    all
}

/// A prefix written out must be of the family it stands under.
fn of_family(symbol: Symbol, family: WantedFamily, at: &Location, ctx: &mut Diagnostics) -> Option<Symbol> {
    let Some(other) = symbol.family().filter(|other| *other != family) else { return Some(symbol) };
    let help = match family {
        WantedFamily::Ipv4 => "write it under `ipv6:` of the router",
        WantedFamily::Ipv6 => "write it directly under the router, or under `ipv4:`",
    };
    ctx.error(at, format!("`{symbol}` is {other}, and these are {family} routes")).help(help);
    None
}

fn read_symbols(node: &Node, family: WantedFamily, ctx: &mut Diagnostics) -> Vec<Spanned<Symbol>> {
    let one = |node: &Node, ctx: &mut Diagnostics| {
        let symbol = of_family(read::prefix(node, ctx)?, family, &node.at, ctx)?;
        Some(Spanned { value: symbol, at: node.at.clone() })
    };
    match node.as_sequence() {
        Some(items) => items.iter().filter_map(|item| one(item, ctx)).collect(),
        None => one(node, ctx).into_iter().collect(),
    }
}

impl PrefixExpect {
    /// A prefix of whose path nothing is said.
    pub fn bare(at: Location, prefix: Symbol) -> Self {
        Self { at, prefix, path: WantedPath::default(), out: Vec::new(), patience: Patience::default() }
    }

    fn read(at: &Location, key: &str, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, format!("the route to {key}"), ctx)?;
        let path = WantedPath::read(&mut fields, ctx);
        let out = fields.node("out").and_then(|node| read::one_or_more(node, ctx)).unwrap_or_default();
        let patience = Patience::read(&mut fields, ctx);
        fields.finish(ctx);
        // The caller puts the real symbol in.
        Some(Self { at: at.clone(), prefix: Symbol::Default, path, out, patience })
    }
}

impl WantedFib {
    fn read(node: &Node, family: WantedFamily, ctx: &mut Diagnostics) -> Option<Self> {
        const WORDS: [(&str, WantedFib); 3] = [
            ("contains", WantedFib::Contains),
            ("exact", WantedFib::Exact { besides: Vec::new() }),
            ("unjudged", WantedFib::Unjudged),
        ];
        if node.as_mapping().is_none() {
            return choice(node, "a way to judge the kernel's table", &WORDS, ctx);
        }
        let mut fields = Fields::of(node, "the kernel's table", ctx)?;
        let besides = fields.node("besides").map(|node| read_symbols(node, family, ctx)).unwrap_or_default();
        let word = fields.node("match").and_then(|node| choice(node, "a way to judge", &WORDS[..2], ctx));
        fields.finish(ctx);
        match word {
            Some(Self::Contains) if !besides.is_empty() => {
                ctx.error(&node.at, "`besides` says what else an exact table holds")
                    .help("write `match: exact`");
                None
            }
            Some(Self::Contains) => Some(Self::Contains),
            _ => Some(Self::Exact { besides: besides.into_iter().map(|spanned| spanned.value).collect() }),
        }
    }
}

/// `routes:` as a whole, with the times of the group put into its routers.
pub(super) fn read_all(node: &Node, ctx: &mut Diagnostics) -> Vec<RouterRoutes> {
    let Some(mut fields) = Fields::of(node, "`routes` of a phase", ctx) else { return Vec::new() };
    let outer = Patience::read(&mut fields, ctx);
    let mut all: Vec<RouterRoutes> =
        read::each(&fields, ctx, RouterRoutes::read_router).into_iter().flatten().collect();
    for router in &mut all {
        router.patience = router.patience.or(outer);
    }
    all
}
