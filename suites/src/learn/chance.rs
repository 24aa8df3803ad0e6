//! What of a BGP table is so by chance, and would be otherwise after another start.
//!
//! What lives here: which choices fall to whoever was heard first, and what follows from them further on. What does not: what is
//! written of it (`routes`, `sessions`).

use std::collections::BTreeSet;

use fabric_harness::router::{Path, PathSource, Rib};
use fabric_reports::record::shape::is_last_reason;
use ipnet::IpNet;

use super::seen::Seen;
use super::sessions::short;

/// Whether which path a router chose for a prefix was chance. Where all equal paths are in use, which of them is called the
/// best does not matter.
pub(super) fn chosen(rib: &Rib, prefix: &IpNet) -> bool {
    let paths: Vec<&Path> = rib.in_use(prefix).collect();
    let [path] = paths.as_slice() else { return false };
    path.source == PathSource::External && path.why_best.as_deref().is_some_and(is_last_reason)
}

/// Whether a path came by way of a router that chose it by chance: its AS path would have been another one.
pub(super) fn handed_on(seen: &Seen, path: &Path, prefix: &IpNet) -> bool {
    came(seen, path, prefix, &mut BTreeSet::new())
}

fn came(seen: &Seen, path: &Path, prefix: &IpNet, been: &mut BTreeSet<String>) -> bool {
    let Some(neighbor) = path.peer.hostname.as_deref().map(|name| short(seen, name)) else { return false };
    let Some(rib) = seen.routers.get(neighbor).and_then(|router| router.rib.as_ref()) else { return false };
    been.insert(neighbor.to_owned())
        && (chosen(rib, prefix) || rib.in_use(prefix).any(|path| came(seen, path, prefix, been)))
}

/// Whether anything that a router tells its neighbors is so by chance: which of it they take (none with their own AS in it),
/// and so how much, is then chance, too.
pub(super) fn tells(seen: &Seen, router: &str) -> bool {
    let Some(rib) = seen.routers.get(router).and_then(|router| router.rib.as_ref()) else { return false };
    let by_chance =
        |prefix: &IpNet| chosen(rib, prefix) || rib.in_use(prefix).any(|path| handed_on(seen, path, prefix));
    rib.routes.keys().any(by_chance)
}
