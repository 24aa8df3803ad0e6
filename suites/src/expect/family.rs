//! The two address families, and symbols narrowed to one of them.
//!
//! A symbol stands for everything of its role: a node's pod CIDRs are one of each family on a dual-stack cluster. The
//! place where it is written says which family is meant.

use std::fmt;
use std::net::IpAddr;

use fabric_harness::lab::yaml::{Diagnostics, FromTree, Node, choice};
use ipnet::IpNet;

use super::resolver::{Named, Resolver, Unresolved};
use super::symbol::Symbol;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WantedFamily {
    /// IPv4; IPv4 unicast of a session.
    Ipv4,
    /// IPv6; IPv6 unicast of a session.
    Ipv6,
}

/// The words for families in lab.yaml.
pub(super) const FAMILIES: [(&str, WantedFamily); 2] =
    [("ipv4", WantedFamily::Ipv4), ("ipv6", WantedFamily::Ipv6)];

impl WantedFamily {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// True for a prefix of this family.
    pub fn holds(self, prefix: &IpNet) -> bool {
        Self::of(prefix.addr()) == self
    }

    /// What stands before a noun: nothing for IPv4, the family of everything where nothing else is said.
    pub fn adjective(self) -> &'static str {
        match self {
            Self::Ipv4 => "",
            Self::Ipv6 => "IPv6 ",
        }
    }

    /// The prefixes of this family that a symbol stands for.
    ///
    /// # Errors
    /// When there are none of this family, and whether there may be some later.
    pub fn prefixes(self, resolver: &dyn Resolver, symbol: &Symbol) -> Result<Vec<Named<IpNet>>, Unresolved> {
        let mut all = resolver.prefixes(symbol)?;
        all.retain(|named| self.holds(&named.value));
        if all.is_empty() { Err(self.nothing(symbol, "prefix")) } else { Ok(all) }
    }

    /// The addresses of this family that a symbol stands for.
    ///
    /// # Errors
    /// When there are none of this family, and whether there may be some later.
    pub fn addresses(
        self,
        resolver: &dyn Resolver,
        symbol: &Symbol,
    ) -> Result<Vec<Named<IpAddr>>, Unresolved> {
        let mut all = resolver.addresses(symbol)?;
        all.retain(|named| Self::of(named.value) == self);
        if all.is_empty() { Err(self.nothing(symbol, "address")) } else { Ok(all) }
    }

    fn nothing(self, symbol: &Symbol, what: &str) -> Unresolved {
        let (symbol, why) = (symbol.clone(), format!("it stands for no {self} {what}"));
        match symbol.family() {
            Some(_) => Unresolved::Never { symbol, why },
            None => Unresolved::NotYet { symbol, why },
        }
    }
}

impl FromTree for WantedFamily {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        choice(node, "an address family", &FAMILIES, ctx)
    }
}

impl fmt::Display for WantedFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}
