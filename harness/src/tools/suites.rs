//! Which suite of a distribution has which GoBGP, and how to ask that suite alone.
//!
//! What lives here: the suites as data, and a line for apt out of the host's own mirror. What does not: asking (`apt`),
//! and which GoBGP is wanted (`speaker`).

use crate::cilium::Generation;

/// Suites that have had a gobgpd of the generation, best first. What one really has is looked at when it is asked, so
/// a suite that has moved on costs a look and no more.
///
/// Debian: 3.10 in 12 (bookworm), 3.36 in 13 (trixie), 4.8 in trixie-backports. Ubuntu: 3.23 in 24.04 (noble), 3.36 in
/// 26.04 (resolute) and 25.10 (questing), 4.8 in 26.10 (stonking) and what follows it. All of them seen in November 2026.
pub(super) fn suites(ubuntu: bool, generation: Generation) -> &'static [&'static str] {
    match (ubuntu, generation) {
        (false, Generation::V3) => &["bookworm"],
        (false, Generation::V3_35) => &["trixie"],
        (false, Generation::V4) => &["trixie-backports", "forky"],
        (true, Generation::V3) => &["noble"],
        (true, Generation::V3_35) => &["resolute", "questing"],
        (true, Generation::V4) => &["stonking", "devel"],
    }
}

/// Where a distribution keeps the keys of all its suites.
pub(super) fn keyring(ubuntu: bool) -> &'static str {
    if ubuntu {
        "usr/share/keyrings/ubuntu-archive-keyring.gpg"
    } else {
        "usr/share/keyrings/debian-archive-keyring.gpg"
    }
}

/// The component of the archive that has gobgpd.
fn component(ubuntu: bool) -> &'static str {
    if ubuntu { "universe" } else { "main" }
}

/// A line of sources.list(5) for one suite of `mirror`; without a keyring, the keys that apt trusts count.
pub(super) fn source(ubuntu: bool, mirror: &str, suite: &str, keyring: Option<&str>) -> String {
    let signed = keyring.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
    format!("deb {signed}{mirror} {suite} {}\n", component(ubuntu))
}

/// How `apt-get indextargets` is to print a source: what [`mirror`] reads.
pub(super) const FORMAT: &str = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)";

/// The host's mirror, out of what `apt-get indextargets --format` prints: the first that has the release itself
/// (`bookworm`), not its updates or security fixes, nor a vendor's archive.
pub(super) fn mirror(ubuntu: bool, targets: &str) -> Option<String> {
    let releases: &[&str] = if ubuntu {
        &[
            "bionic", "focal", "jammy", "noble", "oracular", "plucky", "questing", "resolute", "stonking",
            "devel",
        ]
    } else {
        &["bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"]
    };
    targets.lines().find_map(|line| {
        let mut words = line.split('|');
        let (uri, release, component) = (words.next()?, words.next()?, words.next()?);
        let safe = !uri.is_empty() && !uri.contains(char::is_whitespace) && !uri.contains(['[', ']']);
        (safe && component == "main" && releases.contains(&release)).then(|| uri.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TARGETS: &str = "https://packages.example.org/apt/|stable-tools|main\n\
         http://mirror.example.org/debian/|bookworm-updates|main\n\
         http://mirror.example.org/debian/|bookworm|contrib\n\
         http://mirror.example.org/debian/|bookworm|main\n\
         http://mirror.example.org/debian-security/|bookworm-security|main\n";

    #[test]
    fn the_hosts_mirror_is_found_among_its_sources() {
        assert_eq!(mirror(false, TARGETS).as_deref(), Some("http://mirror.example.org/debian/"));
        assert_eq!(mirror(true, TARGETS), None);
        assert_eq!(mirror(true, "http://m/ubuntu/|noble|main").as_deref(), Some("http://m/ubuntu/"));
    }

    #[test]
    fn a_source_names_one_suite_and_its_keys() {
        assert_eq!(
            source(false, "http://m/debian/", "trixie", Some("/usr/share/keyrings/k.gpg")),
            "deb [signed-by=/usr/share/keyrings/k.gpg] http://m/debian/ trixie main\n"
        );
        assert_eq!(source(true, "http://m/ubuntu/", "noble", None), "deb http://m/ubuntu/ noble universe\n");
    }

    #[test]
    fn every_generation_has_a_suite() {
        for generation in Generation::ALL {
            assert!(!suites(false, generation).is_empty() && !suites(true, generation).is_empty());
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read(text in "\\PC*") {
            let found = mirror(false, &text);
            prop_assert!(found.is_none_or(|uri| !uri.contains(char::is_whitespace)));
        }
    }
}
