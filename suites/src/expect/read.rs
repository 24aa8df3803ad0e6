//! Symbols and hops out of the tree, and the small readers that several parts of the language share.

use fabric_harness::lab::yaml::{Diagnostics, FromTree, Location, Node, Spanned, Style, Value};

use super::hop::Hop;
use super::symbol::{Symbol, SymbolError};

/// Notes what is wrong with a symbol at its own column of the file.
pub(super) fn note(error: &SymbolError, text: &str, at: &Location, quoted: bool, ctx: &mut Diagnostics) {
    // A multi-line or escaped scalar has no such column; these are neither.
    let before = error.column.saturating_sub(1) + usize::from(quoted);
    let width = text.chars().count().saturating_sub(error.column.saturating_sub(1)).max(1);
    let at = at.shifted(small(before), small(width));
    ctx.error(&at, error.what.clone()).help(error.help.clone());
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn parsed<T>(
    node: &Node,
    what: &str,
    parse: impl Fn(&str) -> Result<T, SymbolError>,
    ctx: &mut Diagnostics,
) -> Option<T> {
    let Some(scalar) = node.as_scalar().filter(|scalar| !scalar.is_null()) else {
        ctx.error(&node.at, format!("expected {what}, found {}", node.describe()))
            .help("write for example `router0:lo`; what begins with `*` or `{` needs quotes");
        return None;
    };
    match parse(&scalar.text) {
        Ok(value) => Some(value),
        Err(error) => {
            note(&error, &scalar.text, &node.at, scalar.style == Style::Quoted, ctx);
            None
        }
    }
}

impl FromTree for Symbol {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        parsed(node, "a symbol", Self::parse, ctx)
    }
}

impl FromTree for Hop {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        parsed(node, "a hop", Self::parse, ctx)
    }
}

/// A symbol that must stand for prefixes.
pub(super) fn prefix(node: &Node, ctx: &mut Diagnostics) -> Option<Symbol> {
    let symbol = Symbol::from_tree(node, ctx)?;
    a_prefix(symbol, &node.at, ctx)
}

/// The same, when the symbol is the key of a mapping.
pub(super) fn prefix_key(text: &str, at: &Location, ctx: &mut Diagnostics) -> Option<Symbol> {
    match Symbol::parse(text) {
        Ok(symbol) => a_prefix(symbol, at, ctx),
        Err(error) => {
            // A key covers its quotes: it is wider than its text when it has them.
            note(&error, text, at, at.width as usize > text.chars().count(), ctx);
            None
        }
    }
}

fn a_prefix(symbol: Symbol, at: &Location, ctx: &mut Diagnostics) -> Option<Symbol> {
    if symbol.names_a_prefix() {
        return Some(symbol);
    }
    ctx.error(at, format!("`{symbol}` is an address, and a route has a prefix"))
        .help("write router0:lo, tor0:net1, podCIDR(*), mgmt, default, or a prefix with its length");
    None
}

/// A symbol that must stand for addresses.
pub(super) fn address(node: &Node, ctx: &mut Diagnostics) -> Option<Symbol> {
    let symbol = Symbol::from_tree(node, ctx)?;
    if symbol.names_an_address() {
        return Some(symbol);
    }
    ctx.error(&node.at, format!("`{symbol}` is a prefix, and here an address is wanted"))
        .help("write router0:lo, pod/nettool-1, node/worker, gateway(nettool-1) or an address");
    None
}

/// A value that may be written alone or as a list.
pub(super) fn one_or_more<T: FromTree>(node: &Node, ctx: &mut Diagnostics) -> Option<Vec<T>> {
    match &node.value {
        Value::Sequence(_) => Vec::from_tree(node, ctx),
        _ => T::from_tree(node, ctx).map(|one| vec![one]),
    }
}

/// The key of an entry with its place.
pub(super) fn key(entry: &fabric_harness::lab::yaml::Entry) -> Spanned<String> {
    Spanned { value: entry.key.clone(), at: entry.key_at.clone() }
}

/// Reads every free entry of a mapping; those that are wrong are noted and left out.
pub(super) fn each<T>(
    fields: &fabric_harness::lab::yaml::Fields<'_>,
    ctx: &mut Diagnostics,
    mut read: impl FnMut(Spanned<String>, &Node, &mut Diagnostics) -> Option<T>,
) -> Vec<T> {
    fields.rest().filter_map(|entry| read(key(entry), &entry.value, ctx)).collect()
}
