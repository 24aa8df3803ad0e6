//! Sets of prefixes, wanted by role and seen by digits: what the checks of both tables share.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::verdict::{compare, counted};
use crate::expect::{Resolver, Symbol, Unresolved, WantedFamily, prefix_known_as};

/// Prefixes that symbols stand for at this moment, each with its name.
pub(super) struct Wanted {
    names: BTreeMap<IpNet, String>,
}

impl Wanted {
    /// Those of one family. A symbol that stands for none is an error: nothing would be missing from any table, and
    /// nothing would be too much in it.
    pub(super) fn resolve(
        symbols: &[Symbol],
        family: WantedFamily,
        resolver: &dyn Resolver,
    ) -> Result<Self, Unresolved> {
        let mut names = BTreeMap::new();
        for symbol in symbols {
            for named in family.prefixes(resolver, symbol)? {
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

    /// Takes out the prefixes for which `gone` holds.
    pub(super) fn without(mut self, gone: impl Fn(IpNet) -> bool) -> Self {
        self.names.retain(|prefix, _| !gone(*prefix));
        self
    }
}

/// A number of prefixes of a family.
pub(super) fn number_of(count: usize, family: WantedFamily) -> String {
    let adjective = family.adjective();
    counted(count, &format!("{adjective}prefix"), &format!("{adjective}prefixes"))
}

/// Compares a wanted set with what a table holds: the lines of the difference, and a phrase for what was seen. `unused`
/// says why a prefix that the table has nevertheless is not among the seen.
pub(super) fn difference(
    wanted: &Wanted,
    seen: &BTreeSet<IpNet>,
    exact: bool,
    resolver: &dyn Resolver,
    unused: impl Fn(&IpNet) -> Option<String>,
) -> (Vec<String>, String) {
    let all: BTreeSet<IpNet> = wanted.prefixes().collect();
    let sets = compare(&all, seen);
    let line = |prefix: &&IpNet| match unused(prefix) {
        None => format!("missing: {}", wanted.named(**prefix)),
        Some(why) => format!("there, but not usable: {}: {why}", wanted.named(**prefix)),
    };
    let mut lines: Vec<String> = sets.missing.iter().map(line).collect();
    let mut phrase = format!("{} of {} prefixes", sets.common, wanted.len());
    if exact && !sets.unexpected.is_empty() {
        let too_many = |prefix: &&IpNet| format!("unexpected: {}", prefix_known_as(resolver, **prefix));
        lines.extend(sets.unexpected.iter().map(too_many));
        phrase.push_str(&format!(", and {}", counted(sets.unexpected.len(), "other", "others")));
    }
    (lines, phrase)
}
