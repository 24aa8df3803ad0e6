//! dpkg's status file (dpkg(1), deb-control(5)): which version of a package is installed, and a copy of the file in
//! which some packages are not installed, for apt to resolve against.
//!
//! What does not live here: apt (`apt`). Nothing here changes the host's own file.

use std::collections::{BTreeMap, BTreeSet};

/// Where dpkg keeps its status, from the host's root.
pub(super) const STATUS: &str = "var/lib/dpkg/status";

/// The installed version of a package, found without parsing the rest of the file.
pub(super) fn version_of<'a>(status: &'a str, package: &str) -> Option<&'a str> {
    let head = format!("Package: {package}\n");
    let mut rest = status;
    loop {
        let at = rest.find(&head)?;
        let starts_a_line = rest[..at].is_empty() || rest[..at].ends_with('\n');
        let stanza = rest[at..].split("\n\n").next().unwrap_or_default();
        if starts_a_line && installed(stanza) {
            return field(stanza, "Version");
        }
        rest = &rest[at + head.len()..];
    }
}

/// The upstream part of a Debian version: no epoch, no Debian revision, no repacking mark.
/// `3:20221126-1+deb12u1` is `20221126`, `8.4.4-1.1~deb12u2` is `8.4.4`.
pub(super) fn upstream(version: &str) -> &str {
    let without_epoch = version.split_once(':').map_or(version, |(_, rest)| rest);
    let without_revision = without_epoch.rsplit_once('-').map_or(without_epoch, |(start, _)| start);
    without_revision.split('+').next().unwrap_or(without_revision)
}

/// The status file with `roots` not installed, and neither whatever was there only for them: the packages in their
/// dependency closure that nothing else installed depends on, unless the distribution counts them as its base
/// (Essential, or Priority required or important).
pub(super) fn without(status: &str, roots: &BTreeSet<&str>) -> String {
    let stanzas: Vec<&str> = status.split("\n\n").filter(|stanza| !stanza.trim().is_empty()).collect();
    let mut installs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for stanza in stanzas.iter().copied().filter(|stanza| installed(stanza)) {
        if let Some(name) = field(stanza, "Package") {
            installs.entry(name).or_default().push(stanza);
        }
    }
    let mut gone: BTreeSet<&str> = roots.iter().copied().collect();
    loop {
        let (mut wanted_by_gone, mut wanted_by_others) = (BTreeSet::new(), BTreeSet::new());
        for (name, stanzas) in &installs {
            let wanted = if gone.contains(name) { &mut wanted_by_gone } else { &mut wanted_by_others };
            wanted.extend(stanzas.iter().flat_map(|stanza| dependencies(stanza)));
        }
        let more: Vec<&str> = installs
            .iter()
            .filter(|(name, stanzas)| {
                !gone.contains(*name)
                    && wanted_by_gone.contains(*name)
                    && stanzas.iter().all(|stanza| {
                        !base(stanza) && names_of(stanza).all(|name| !wanted_by_others.contains(name))
                    })
            })
            .map(|(name, _)| *name)
            .collect();
        if more.is_empty() {
            break;
        }
        gone.extend(more);
    }
    let mut copy = String::with_capacity(status.len());
    for stanza in stanzas {
        if field(stanza, "Package").is_none_or(|name| !gone.contains(name)) {
            copy.push_str(stanza.trim_matches('\n'));
            copy.push_str("\n\n");
        }
    }
    copy
}

fn installed(stanza: &str) -> bool {
    // `Status: want flag state`; only the state says whether the files are there.
    field(stanza, "Status").is_some_and(|status| status.split_whitespace().nth(2) == Some("installed"))
}

fn base(stanza: &str) -> bool {
    field(stanza, "Essential") == Some("yes")
        || matches!(field(stanza, "Priority"), Some("required" | "important"))
}

/// The package's own name and those it provides.
fn names_of(stanza: &str) -> impl Iterator<Item = &str> {
    let provides = field(stanza, "Provides").unwrap_or_default();
    field(stanza, "Package").into_iter().chain(provides.split(',').filter_map(package_name))
}

/// Every package a stanza depends on, each alternative counted.
fn dependencies(stanza: &str) -> impl Iterator<Item = &str> {
    ["Depends", "Pre-Depends"]
        .into_iter()
        .filter_map(|key| field(stanza, key))
        .flat_map(|list| list.split([',', '|']).filter_map(package_name))
}

/// `libc6:any (>= 2.34)` is `libc6`.
fn package_name(relation: &str) -> Option<&str> {
    relation.trim().split([' ', '(', ':', '[']).next().filter(|name| !name.is_empty())
}

/// A field's first line. dpkg writes the fields used here on one line each.
fn field<'a>(stanza: &'a str, key: &str) -> Option<&'a str> {
    stanza
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const FILE: &str = "Package: frr\nStatus: install ok installed\nPriority: optional\nVersion: 8.4.4-1.1~deb12u2\n\
        Depends: iproute2, logrotate (>= 3.2-11), libyang2 (>= 2.0.0~), libshared (>= 1), mta | mail\nDescription: FRR\n Package: frr\n\n\
        Package: iproute2\nStatus: install ok installed\nPriority: important\nVersion: 6.1.0-3\nDepends: libmnl0\n\n\
        Package: libyang2\nStatus: install ok installed\nPriority: optional\nVersion: 2.1.30-2\nDepends: libpcre2-8-0\n\n\
        Package: libpcre2-8-0\nStatus: install ok installed\nPriority: optional\nVersion: 10.42-1\n\n\
        Package: libshared\nStatus: install ok installed\nPriority: optional\nVersion: 1\n\n\
        Package: postfix\nStatus: install ok installed\nPriority: optional\nVersion: 3\nProvides: mail, mta (= 1)\n\n\
        Package: mutt\nStatus: install ok installed\nPriority: optional\nVersion: 2\nDepends: mail, libshared:any\n\n\
        Package: gobgpd\nStatus: deinstall ok config-files\nPriority: optional\nVersion: 3.10.0-1+b4\n";

    #[rstest]
    #[case("frr", Some("8.4.4-1.1~deb12u2"))]
    #[case("iproute2", Some("6.1.0-3"))]
    #[case::only_its_configuration("gobgpd", None)]
    #[case::prefix_of_a_name("libyang", None)]
    #[case::absent("bird2", None)]
    fn finds_a_version(#[case] package: &str, #[case] version: Option<&str>) {
        assert_eq!(version_of(FILE, package), version);
    }

    #[rstest]
    #[case("8.4.4-1.1~deb12u2", "8.4.4")]
    #[case("3.10.0-1+b4", "3.10.0")]
    #[case("3:20221126-1+deb12u1", "20221126")]
    #[case("10.5.1-0~ubuntu24.04.1", "10.5.1")]
    #[case("1.0+dfsg-3", "1.0")]
    #[case("2.1", "2.1")]
    #[case("", "")]
    fn upstream_versions(#[case] debian: &str, #[case] expected: &str) {
        assert_eq!(upstream(debian), expected);
    }

    #[test]
    fn strips_what_only_the_roots_need() {
        let copy = without(FILE, &BTreeSet::from(["frr"]));
        let left: Vec<&str> = copy.split("\n\n").filter_map(|stanza| field(stanza, "Package")).collect();
        // libyang2 and its own library go; the base, what another package needs, and what provides it stay.
        assert_eq!(left, ["iproute2", "libshared", "postfix", "mutt", "gobgpd"]);
    }

    #[test]
    fn strips_nothing_for_nothing() {
        assert_eq!(without(FILE, &BTreeSet::new()).trim(), FILE.trim());
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "(Package: [a-c]\n|Status: install ok installed\n|Depends: [a-c], [a-c] \\| [a-c]\n|\n|\\PC{0,8})*") {
            version_of(&text, "a");
            let copy = without(&text, &BTreeSet::from(["a"]));
            prop_assert!(version_of(&copy, "a").is_none());
        }

        #[test]
        fn an_upstream_version_is_part_of_the_version(version in "[0-9a-z.:+~-]{0,20}") {
            prop_assert!(version.contains(upstream(&version)));
        }
    }
}
