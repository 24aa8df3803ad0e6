//! What the paths to a prefix must be: the part of `routes:` that speaks of attributes.
//!
//! ```yaml
//! podCIDR(worker): { from: tor0, next-hop: tor0:net0, as-path: [65010], origin: igp, communities: ["65010:100"] }
//! service/web:     { paths: 2, from: [tor0, tor1], as-path: [[65010], [65011]] }
//! ```

use std::fmt;

use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Node, choice};

use super::read;
use super::symbol::Symbol;

/// Attributes of paths; what is not said is not judged.
///
/// As long as nothing is a list they are the best path's. With a list, or a number of paths, they are those of all
/// paths in use (the best one and those chosen beside it): a list is all there is among them, a single value is what
/// each of them has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WantedPath {
    /// How many paths are in use.
    pub paths: Option<usize>,
    /// From whom the path came.
    pub from: Option<OneOrEach<WantedSource>>,
    /// The next hop, by role.
    pub next_hop: Option<OneOrEach<Symbol>>,
    /// The AS path, nearest first; an empty one for a path of one's own AS.
    pub as_path: Option<OneOrEach<Vec<u32>>>,
    /// The ORIGIN attribute (RFC 4271, section 5.1.1).
    pub origin: Option<WantedOrigin>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// The communities it carries (RFC 1997), all of them: `65010:100`, `no-export`.
    pub communities: Option<Vec<String>>,
    /// The large communities it carries (RFC 8092), all of them: `65010:1:2`.
    pub large_communities: Option<Vec<String>>,
}

/// One value, or one for each path in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOrEach<T> {
    /// What the best path has, or each path in use.
    One(T),
    /// What the paths in use have between them, and nothing else.
    Each(Vec<T>),
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
    /// A neighbor's: by the host name it gave, or, as under `sessions`, by its address or the interface it is behind. BIRD
    /// gives no host name unless it is told to.
    Neighbor(String),
}

const ORIGINS: [(&str, WantedOrigin); 3] =
    [("igp", WantedOrigin::Igp), ("egp", WantedOrigin::Egp), ("incomplete", WantedOrigin::Incomplete)];

impl WantedPath {
    /// Takes the keys of a path out of a mapping.
    pub(super) fn read(fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Self {
        let origin = fields.node("origin").and_then(|node| choice(node, "an origin", &ORIGINS, ctx));
        Self {
            origin,
            paths: fields.node("paths").and_then(|node| paths(node, ctx)),
            from: fields.node("from").and_then(|node| OneOrEach::read(node, ctx, FromTree::from_tree)),
            next_hop: fields.node("next-hop").and_then(|node| OneOrEach::read(node, ctx, read::address)),
            as_path: fields.node("as-path").and_then(|node| as_path(node, ctx)),
            local_pref: fields.optional("local-pref", ctx),
            med: fields.optional("med", ctx),
            communities: communities(fields.node("communities"), 2, ctx),
            large_communities: communities(fields.node("large-communities"), 3, ctx),
        }
    }

    /// True when nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True when all paths in use are meant, not the best alone.
    pub fn of_all(&self) -> bool {
        self.paths.is_some()
            || matches!(self.from, Some(OneOrEach::Each(_)))
            || matches!(self.next_hop, Some(OneOrEach::Each(_)))
            || matches!(self.as_path, Some(OneOrEach::Each(_)))
    }
}

impl<T> OneOrEach<T> {
    fn read(
        node: &Node,
        ctx: &mut Diagnostics,
        one: impl Fn(&Node, &mut Diagnostics) -> Option<T>,
    ) -> Option<Self> {
        let Some(items) = node.as_sequence() else { return one(node, ctx).map(Self::One) };
        if items.is_empty() {
            ctx.error(&node.at, "an empty list stands for no path")
                .help("write at least one, or leave it out");
            return None;
        }
        let all: Option<Vec<T>> = items.iter().map(|item| one(item, ctx)).collect();
        all.map(Self::Each)
    }

    /// All of its values.
    pub fn values(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Each(all) => all,
        }
    }
}

fn paths(node: &Node, ctx: &mut Diagnostics) -> Option<usize> {
    let count = usize::from_tree(node, ctx)?;
    if count == 0 {
        ctx.error(&node.at, "a route without a path is no route").help("write the prefix under `absent`");
        return None;
    }
    Some(count)
}

/// `[65010]` is one path; `[[65010], [65011]]` are those of several.
fn as_path(node: &Node, ctx: &mut Diagnostics) -> Option<OneOrEach<Vec<u32>>> {
    let several =
        node.as_sequence().is_some_and(|items| items.iter().any(|item| item.as_sequence().is_some()));
    if several {
        return OneOrEach::read(node, ctx, FromTree::from_tree);
    }
    Vec::from_tree(node, ctx).map(OneOrEach::One)
}

/// Communities of so many numbers each; a name (`no-export`) stands for a well-known one.
fn communities(node: Option<&Node>, parts: usize, ctx: &mut Diagnostics) -> Option<Vec<String>> {
    let node = node?;
    let all: Vec<String> = read::one_or_more(node, ctx)?;
    for text in &all {
        let limit = if parts == 2 { u64::from(u16::MAX) } else { u64::from(u32::MAX) };
        let numbers: Vec<&str> = text.split(':').collect();
        let fits = |part: &&str| part.parse::<u64>().is_ok_and(|number| number <= limit);
        let name = parts == 2 && !text.contains(':') && text.starts_with(|c: char| c.is_ascii_alphabetic());
        if !name && (numbers.len() != parts || !numbers.iter().all(fits)) {
            let (kind, help) = if parts == 2 {
                (
                    "community",
                    "write \"65010:100\" (two numbers of 0 to 65535, in quotes) or a name: no-export",
                )
            } else {
                ("large community", "write \"65010:1:2\": three numbers, in quotes")
            };
            ctx.error(&node.at, format!("{text:?} is no {kind}")).help(help);
            return None;
        }
    }
    Some(all)
}

impl FromTree for WantedSource {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let name = String::from_tree(node, ctx)?;
        Some(if name == "self" { Self::Myself } else { Self::Neighbor(name) })
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
