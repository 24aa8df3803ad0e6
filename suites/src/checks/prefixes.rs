//! Sets of prefixes, wanted by role and seen by digits: what the checks of both tables share.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::verdict::{compare, counted};
use crate::expect::{Resolver, Symbol, Unresolved, prefix_known_as};

/// Prefixes that symbols stand for at this moment, each with its name.
pub(super) struct Wanted {
    names: BTreeMap<IpNet, String>,
}

impl Wanted {
    pub(super) fn resolve(symbols: &[Symbol], resolver: &dyn Resolver) -> Result<Self, Unresolved> {
        let mut names = BTreeMap::new();
        for symbol in symbols {
            let all = resolver.prefixes(symbol)?;
            if all.is_empty() {
                // Nothing would be missing from any table, and nothing would be too much in it.
                let why = "it stands for no prefix at this moment".to_owned();
                return Err(Unresolved::NotYet { symbol: symbol.clone(), why });
            }
            for named in all {
                names.entry(named.value).or_insert(named.name);
            }
        }
        Ok(Self { names })
    }

    pub(super) fn prefixes(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.names.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn named(&self, prefix: IpNet) -> String {
        match self.names.get(&prefix) {
            Some(name) if *name != prefix.to_string() => format!("{prefix} = {name}"),
            _ => prefix.to_string(),
        }
    }

    /// The families that are wanted: a set of IPv4 prefixes says nothing of a router's IPv6 routes.
    pub(super) fn families(&self) -> (bool, bool) {
        let v6 = |prefix: &IpNet| matches!(prefix, IpNet::V6(_));
        (self.names.keys().any(|prefix| !v6(prefix)), self.names.keys().any(v6))
    }

    /// Takes out the prefixes for which `gone` holds.
    pub(super) fn without(mut self, gone: impl Fn(IpNet) -> bool) -> Self {
        self.names.retain(|prefix, _| !gone(*prefix));
        self
    }
}

/// Compares a wanted set with what a table holds: the lines of the difference, and a phrase for what was seen.
pub(super) fn difference(
    wanted: &Wanted,
    seen: &BTreeSet<IpNet>,
    exact: bool,
    resolver: &dyn Resolver,
) -> (Vec<String>, String) {
    let all: BTreeSet<IpNet> = wanted.prefixes().collect();
    let sets = compare(&all, seen);
    let mut lines: Vec<String> =
        sets.missing.iter().map(|prefix| format!("missing: {}", wanted.named(**prefix))).collect();
    let mut phrase = format!("{} of {} prefixes", sets.common, wanted.len());
    if exact && !sets.unexpected.is_empty() {
        let too_many = |prefix: &&IpNet| format!("unexpected: {}", prefix_known_as(resolver, **prefix));
        lines.extend(sets.unexpected.iter().map(too_many));
        phrase.push_str(&format!(", and {}", counted(sets.unexpected.len(), "other", "others")));
    }
    (lines, phrase)
}

/// True for the two families of a prefix that was seen, as far as the wanted set speaks of them.
pub(super) fn in_family(prefix: &IpNet, (v4, v6): (bool, bool)) -> bool {
    match prefix {
        // A set that resolves to nothing is about IPv4, the family of every table here.
        IpNet::V4(_) => v4 || !v6,
        IpNet::V6(_) => v6,
    }
}
