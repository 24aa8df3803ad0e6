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

use std::fmt;

use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Location, Node, Spanned, Value, choice};

use super::patience::Patience;
use super::read;
use super::symbol::Symbol;

/// What the tables of one router must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterRoutes {
    /// The router, by its name in the topology.
    pub router: Spanned<String>,
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
    /// The interface through which the kernel sends to it.
    pub out: Option<String>,
    /// `within` and `holds` of this prefix.
    pub patience: Patience,
}

/// The attributes of a best path; what is not said is not judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WantedPath {
    /// The ORIGIN attribute (RFC 4271, section 5.1.1).
    pub origin: Option<WantedOrigin>,
    /// The next hop, by role.
    pub next_hop: Option<Symbol>,
    /// The AS path, nearest first; an empty list for a path of one's own AS.
    pub as_path: Option<Vec<u32>>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// From whom the path came.
    pub from: Option<WantedSource>,
}

/// An ORIGIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedOrigin {
    /// `i`.
    Igp,
    /// `e`.
    Egp,
    /// `?`.
    Incomplete,
}

/// Whose path it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedSource {
    /// The router's own.
    Myself,
    /// A neighbor's, by the host name it gave.
    Neighbor(String),
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

const ORIGINS: [(&str, WantedOrigin); 3] =
    [("igp", WantedOrigin::Igp), ("egp", WantedOrigin::Egp), ("incomplete", WantedOrigin::Incomplete)];

impl WantedPath {
    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl RouterRoutes {
    fn read(router: Spanned<String>, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let before = ctx.len();
        let mut fields = Fields::of(node, format!("`routes` of {}", router.value), ctx)?;
        let routes = Self {
            count: fields.optional("count", ctx),
            prefixes: fields.node("prefixes").map(|node| read_prefixes(node, ctx)),
            adds: fields.node("adds").map(|node| read_prefixes(node, ctx)).unwrap_or_default(),
            removes: fields.node("removes").map(|node| read_symbols(node, ctx)).unwrap_or_default(),
            absent: fields.node("absent").map(|node| read_symbols(node, ctx)).unwrap_or_default(),
            fib: fields.optional("fib", ctx).unwrap_or(WantedFib::Contains),
            patience: Patience::read(&mut fields, ctx),
            router,
        };
        fields.finish(ctx);
        let silent = ctx.len() == before && routes.count.is_none() && routes.prefixes.is_none();
        if silent && routes.adds.is_empty() && routes.removes.is_empty() && routes.absent.is_empty() {
            ctx.error(
                &routes.router.at,
                format!("nothing is expected of the routes of {}", routes.router.value),
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
fn read_prefixes(node: &Node, ctx: &mut Diagnostics) -> Vec<PrefixExpect> {
    let mut all: Vec<PrefixExpect> = Vec::new();
    match &node.value {
        Value::Sequence(items) => {
            for item in items {
                if let Some(symbol) = read::prefix(item, ctx) {
                    all.push(PrefixExpect::bare(item.at.clone(), symbol));
                }
            }
        }
        Value::Mapping(mapping) => {
            for entry in &mapping.entries {
                let symbol = read::prefix_key(&entry.key, &entry.key_at, ctx);
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

fn read_symbols(node: &Node, ctx: &mut Diagnostics) -> Vec<Spanned<Symbol>> {
    let one = |node: &Node, ctx: &mut Diagnostics| {
        read::prefix(node, ctx).map(|value| Spanned { value, at: node.at.clone() })
    };
    match node.as_sequence() {
        Some(items) => items.iter().filter_map(|item| one(item, ctx)).collect(),
        None => one(node, ctx).into_iter().collect(),
    }
}

impl PrefixExpect {
    /// A prefix of whose path nothing is said.
    pub fn bare(at: Location, prefix: Symbol) -> Self {
        Self { at, prefix, path: WantedPath::default(), out: None, patience: Patience::default() }
    }

    fn read(at: &Location, key: &str, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, format!("the route to {key}"), ctx)?;
        let origin = fields.node("origin").and_then(|node| choice(node, "an origin", &ORIGINS, ctx));
        let path = WantedPath {
            origin,
            next_hop: fields.node("next-hop").and_then(|node| read::address(node, ctx)),
            as_path: fields.optional("as-path", ctx),
            local_pref: fields.optional("local-pref", ctx),
            from: fields.optional("from", ctx),
        };
        let out = fields.optional("out", ctx);
        let patience = Patience::read(&mut fields, ctx);
        fields.finish(ctx);
        // The caller puts the real symbol in.
        Some(Self { at: at.clone(), prefix: Symbol::Default, path, out, patience })
    }
}

impl FromTree for WantedSource {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let name = String::from_tree(node, ctx)?;
        Some(if name == "self" { Self::Myself } else { Self::Neighbor(name) })
    }
}

impl FromTree for WantedFib {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        const WORDS: [(&str, WantedFib); 3] = [
            ("contains", WantedFib::Contains),
            ("exact", WantedFib::Exact { besides: Vec::new() }),
            ("unjudged", WantedFib::Unjudged),
        ];
        if node.as_mapping().is_none() {
            return choice(node, "a way to judge the kernel's table", &WORDS, ctx);
        }
        let mut fields = Fields::of(node, "the kernel's table", ctx)?;
        let besides = fields.node("besides").map(|node| read_symbols(node, ctx)).unwrap_or_default();
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

impl fmt::Display for WantedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "IGP",
            Self::Egp => "EGP",
            Self::Incomplete => "incomplete",
        })
    }
}

impl fmt::Display for WantedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Myself => f.write_str("the router itself"),
            Self::Neighbor(name) => f.write_str(name),
        }
    }
}

/// `routes:` as a whole, with the times of the group put into its routers.
pub(super) fn read_all(node: &Node, ctx: &mut Diagnostics) -> Vec<RouterRoutes> {
    let Some(mut fields) = Fields::of(node, "`routes` of a phase", ctx) else { return Vec::new() };
    let outer = Patience::read(&mut fields, ctx);
    let mut all = read::each(&fields, ctx, RouterRoutes::read);
    for router in &mut all {
        router.patience = router.patience.or(outer);
    }
    all
}
