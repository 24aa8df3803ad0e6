//! What a symbol stands for on a running fabric: the seam between the language and whoever knows the fabric.
//!
//! What lives here: the trait and its answers. What does not: an implementation, which needs a live fabric (or, in
//! tests, a table).

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::symbol::Symbol;

/// A value and the name by which people know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named<T> {
    /// The prefix or address.
    pub value: T,
    /// The most telling symbol for it: `podCIDR(worker)` rather than `podCIDR(*)`.
    pub name: String,
}

impl<T: fmt::Display> fmt::Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.to_string();
        if value == self.name { f.write_str(&value) } else { write!(f, "{value} = {}", self.name) }
    }
}

/// Why a symbol stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// It may still come to stand for something: the pod is not scheduled, the node has no pod CIDR yet.
    #[error("`{symbol}` stands for nothing yet: {why}")]
    NotYet {
        /// The symbol.
        symbol: Symbol,
        /// What is missing.
        why: String,
    },
    /// It never will: there is no such router, interface or node.
    #[error("`{symbol}` stands for nothing in this lab: {why}")]
    Never {
        /// The symbol.
        symbol: Symbol,
        /// What is wrong with it, and what to write instead.
        why: String,
    },
}

/// Whoever knows what symbols stand for at this moment.
///
/// An answer is a snapshot: a runner takes one per attempt, so that a judgement sees one moment and not two.
pub trait Resolver {
    /// The prefixes a symbol stands for, in the order of the nodes; an interface stands for its connected prefixes.
    ///
    /// # Errors
    /// When there are none, and whether there may be some later.
    fn prefixes(&self, symbol: &Symbol) -> Result<Vec<Named<IpNet>>, Unresolved>;

    /// The addresses a symbol stands for; an interface stands for all of its addresses, link-local ones included.
    ///
    /// # Errors
    /// When there are none, and whether there may be some later.
    fn addresses(&self, symbol: &Symbol) -> Result<Vec<Named<IpAddr>>, Unresolved>;

    /// The name by which a prefix is known, if the fabric knows it.
    fn name_of_prefix(&self, prefix: IpNet) -> Option<String> {
        let _ = prefix;
        None
    }

    /// The name by which an address is known, if the fabric knows it.
    fn name_of_address(&self, address: IpAddr) -> Option<String> {
        let _ = address;
        None
    }
}

/// An address with its name where it has one: `10.0.2.1 (tor0:net2)`.
pub fn known_as(resolver: &dyn Resolver, address: IpAddr) -> String {
    match resolver.name_of_address(address) {
        Some(name) => format!("{address} ({name})"),
        None => format!("{address} (not known to the fabric)"),
    }
}

/// A prefix with its name where it has one: `10.1.2.0/24 = podCIDR(worker)`.
pub fn prefix_known_as(resolver: &dyn Resolver, prefix: IpNet) -> String {
    match resolver.name_of_prefix(prefix) {
        Some(name) => format!("{prefix} = {name}"),
        None => prefix.to_string(),
    }
}
