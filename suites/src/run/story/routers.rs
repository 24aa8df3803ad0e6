//! What happened on a router, in the record's words.

use fabric_harness::router::What;
use fabric_reports::record::{Happening, RouteChange, Table};

use super::super::atlas::Atlas;

/// The same for programs.
pub(super) fn happening(atlas: &Atlas, router: &str, what: &What) -> Option<Happening> {
    let route = |table, prefix: &ipnet::IpNet, change, from: Option<&String>| {
        let from = from.map(|from| source(atlas, router, from));
        Happening::Route { table, prefix: prefix.to_string(), change, from }
    };
    let came = |present| if present { RouteChange::Came } else { RouteChange::Went };
    Some(match what {
        What::Session { neighbor, from, to, reason } => Happening::Session {
            neighbor: neighbor.clone(),
            peer: atlas.peer_of(router, neighbor, None).map(str::to_owned),
            from: from.map(|state| state.to_string()),
            to: to.map(|state| state.to_string()),
            reason: reason.clone(),
        },
        What::Rib { prefix, present, from } => route(Table::Rib, prefix, came(*present), from.as_ref()),
        What::RibPaths { prefix, from } => route(Table::Rib, prefix, RouteChange::Changed, from.as_ref()),
        What::Fib { prefix, present } => route(Table::Fib, prefix, came(*present), None),
        What::FibRoute { prefix } => route(Table::Fib, prefix, RouteChange::Changed, None),
        What::Lost { .. } => Happening::Router { answers: false },
        What::Answers => Happening::Router { answers: true },
        _ => return None,
    })
}

/// The box a path is from. The observer says the session's key, and behind it the name that the peer gave.
fn source(atlas: &Atlas, router: &str, from: &str) -> String {
    let key = from.split(' ').next().unwrap_or(from);
    if key == "self" {
        return router.to_owned();
    }
    atlas.peer_of(router, key, None).unwrap_or(from).to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fabric_harness::lab::load;
    use rstest::rstest;

    use super::*;
    use crate::expect::Expect;

    #[rstest]
    #[case("router0", "net0 (tor0)", "tor0")]
    #[case("tor1", "net0", "router0")]
    // An address that no box has been seen with stays what the router calls it.
    #[case("tor0", "10.0.1.2 (a-node)", "10.0.1.2 (a-node)")]
    #[case("tor0", "self", "tor0")]
    fn a_path_is_from_a_box(#[case] router: &str, #[case] from: &str, #[case] expected: &str) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
        let lab = load::<Expect>(&dir).unwrap_or_else(|error| panic!("{error}"));
        let atlas = Atlas::before(&lab.topology, lab.cluster.as_ref());
        let what = What::RibPaths { prefix: "10.1.0.0/24".parse().unwrap(), from: Some(from.to_owned()) };
        let Some(Happening::Route { from, .. }) = happening(&atlas, router, &what) else {
            panic!("no route")
        };
        assert_eq!(from.as_deref(), Some(expected));
    }
}
