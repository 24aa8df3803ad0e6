//! From a node of the tree to a typed value: the trait, and its implementation for the plain types.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value as Json;

use super::diagnostic::Diagnostics;
use super::fields::nearest;
use super::location::Location;
use super::tree::{Node, Value};

/// A type that can be read from a node of the tree.
///
/// The contract: `Some` is a value that can be used; `None` means that an error was noted in `ctx`, with its place and
/// with what to write instead. An implementation goes on after the first mistake, so that the user sees all of them.
///
/// ```
/// use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Node, parse};
///
/// #[derive(Debug, PartialEq)]
/// struct Ping { from: String, to: String, count: u32 }
///
/// impl FromTree for Ping {
///     fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
///         let mut fields = Fields::of(node, "a ping", ctx)?;
///         let from = fields.required("from", ctx);
///         let to = fields.required("to", ctx);
///         let count = fields.optional("count", ctx);
///         fields.finish(ctx); // a key that was not asked for is an error, with the nearest one that was
///         Some(Ping { from: from?, to: to?, count: count.unwrap_or(1) })
///     }
/// }
///
/// let mut ctx = Diagnostics::new();
/// let node = parse("lab.yaml".as_ref(), "from: a\nto: b\n", &mut ctx).unwrap();
/// assert_eq!(Ping::from_tree(&node, &mut ctx), Some(Ping { from: "a".into(), to: "b".into(), count: 1 }));
///
/// let node = parse("lab.yaml".as_ref(), "from: a\ntoo: b\n", &mut ctx).unwrap();
/// assert_eq!(Ping::from_tree(&node, &mut ctx), None);
/// assert!(ctx.iter().any(|noted| noted.to_string().contains("lab.yaml:2:1")));
/// ```
pub trait FromTree: Sized {
    /// Reads the value, or notes in `ctx` why it cannot be read.
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self>;
}

/// A value and where it was written.
///
/// Two are equal when their values are: the place does not count.
#[derive(Debug, Clone)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub at: Location,
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: FromTree> FromTree for Spanned<T> {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        Some(Self { value: T::from_tree(node, ctx)?, at: node.at.clone() })
    }
}

/// Reads one word of a fixed set; any other is an error that names the set and the nearest word of it.
///
/// `what` is the thing chosen, with its article: `a session state`.
pub fn choice<T: Clone>(node: &Node, what: &str, words: &[(&str, T)], ctx: &mut Diagnostics) -> Option<T> {
    let known = || words.iter().map(|(word, _)| *word);
    if let Some(text) = node.as_text() {
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value.clone());
        }
        let all = known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let help = match nearest(text, known()) {
            Some(near) => format!("did you mean `{near}`? It is one of {all}"),
            None => format!("write one of {all}"),
        };
        ctx.error(&node.at, format!("{} is not {what}", node.describe())).help(help);
        return None;
    }
    let all = known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    ctx.error(&node.at, format!("expected {what}, found {}", node.describe()))
        .help(format!("write one of {all}"));
    None
}

fn expected<T>(node: &Node, what: &str, example: &str, ctx: &mut Diagnostics) -> Option<T> {
    ctx.error(&node.at, format!("expected {what}, found {}", node.describe()))
        .help(format!("write for example `{example}`"));
    None
}

/// Nothing is asked of the node: whatever stands there is accepted and forgotten.
impl FromTree for () {
    fn from_tree(_: &Node, _: &mut Diagnostics) -> Option<Self> {
        Some(())
    }
}

impl FromTree for Node {
    fn from_tree(node: &Node, _: &mut Diagnostics) -> Option<Self> {
        Some(node.clone())
    }
}

/// Types guessed as Kubernetes' own YAML reader does.
impl FromTree for Json {
    fn from_tree(node: &Node, _: &mut Diagnostics) -> Option<Self> {
        Some(node.to_json())
    }
}

/// Any scalar, as it was written; a list, a mapping or nothing is an error.
impl FromTree for String {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        match node.as_scalar() {
            Some(scalar) if !scalar.is_null() => Some(scalar.text.clone()),
            _ => expected(node, "text", "some text", ctx),
        }
    }
}

impl FromTree for PathBuf {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        match node.as_scalar() {
            Some(scalar) if !scalar.text.is_empty() => Some(PathBuf::from(&scalar.text)),
            _ => expected(node, "the path of a file", "topo.yaml", ctx),
        }
    }
}

impl FromTree for bool {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        match node.as_scalar().and_then(super::scalar::Scalar::as_bool) {
            Some(truth) => Some(truth),
            None => expected(node, "`true` or `false`", "true", ctx),
        }
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl FromTree for $number {
            fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
                match node.as_scalar().and_then(super::scalar::Scalar::as_i128) {
                    Some(whole) => match <$number>::try_from(whole) {
                        Ok(value) => Some(value),
                        Err(_) => {
                            ctx.error(&node.at, format!("{whole} is out of range")).help(format!(
                                "write a whole number from {} to {}", <$number>::MIN, <$number>::MAX
                            ));
                            None
                        }
                    },
                    None => expected(node, "a whole number", "1", ctx),
                }
            }
        }
    )*};
}
whole_numbers!(u8, u16, u32, u64, usize, i64);

macro_rules! parsed {
    ($($type:ty: $what:literal, $example:literal;)*) => {$(
        impl FromTree for $type {
            fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
                match node.as_text().and_then(|text| text.parse().ok()) {
                    Some(value) => Some(value),
                    None => expected(node, $what, $example, ctx),
                }
            }
        }
    )*};
}
parsed! {
    IpAddr: "an IP address", "10.0.0.1";
    Ipv4Addr: "an IPv4 address", "10.0.0.1";
    Ipv6Addr: "an IPv6 address", "2001:db8::1";
    IpNet: "a prefix with its length", "10.1.0.0/16";
    Ipv4Net: "an IPv4 prefix with its length", "172.20.20.0/24";
    Ipv6Net: "an IPv6 prefix with its length", "2001:db8::/64";
}

/// A number with its unit (`2s`, `500ms`, `1m30s`, `1h`), or a whole number of seconds.
impl FromTree for Duration {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        match node.as_text().and_then(parse_duration) {
            Some(value) => Some(value),
            None => expected(node, "a duration", "2s", ctx),
        }
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    if !text.is_ascii() || text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| at + digits);
        let seconds = match &rest[digits..unit_end] {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &rest[unit_end..];
    }
    Some(total)
}

/// A list. One that holds a wrong item is wrong, but all its items are looked at. Nothing (`key:`) is an empty list.
impl<T: FromTree> FromTree for Vec<T> {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Sequence(items) => {
                let read: Vec<Option<T>> = items.iter().map(|item| T::from_tree(item, ctx)).collect();
                read.into_iter().collect()
            }
            Value::Scalar(scalar) if scalar.is_null() => Some(Vec::new()),
            _ => expected(node, "a list", "[a, b]", ctx),
        }
    }
}

/// A mapping with free keys. One that holds a wrong value is wrong, but all are looked at. Nothing is an empty one.
impl<T: FromTree> FromTree for BTreeMap<String, T> {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        match &node.value {
            Value::Mapping(mapping) => {
                let read: Vec<Option<(String, T)>> = mapping
                    .entries
                    .iter()
                    .map(|entry| Some((entry.key.clone(), T::from_tree(&entry.value, ctx)?)))
                    .collect();
                read.into_iter().collect()
            }
            Value::Scalar(scalar) if scalar.is_null() => Some(BTreeMap::new()),
            _ => expected(node, "a mapping", "{ key: value }", ctx),
        }
    }
}
