//! Where the speakers of a record are: which addresses a node has, and which router has an address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fabric_reports::record::Record;
use serde_json::Value;

/// Addresses by the names that records hold of them (`node(worker):net0`, `tor0:lo`).
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, String>);

impl Places {
    pub(super) fn of(records: [&Record; 2]) -> Self {
        let states = records.into_iter().flat_map(|record| &record.states);
        let names =
            states.filter(|state| state.kind == "names").filter_map(|state| state.json.get("addresses"));
        let named = names.filter_map(Value::as_object).flatten();
        Self(named.filter_map(|(address, name)| Some((address.clone(), name.as_str()?.to_owned()))).collect())
    }

    /// The addresses by which routers may know a node of the cluster; link-local ones are nobody's neighbor by themselves.
    pub(super) fn addresses<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a str> {
        let own = move |name: &str| {
            let short = name.strip_prefix("node(").and_then(|rest| rest.split(')').next());
            short.is_some_and(|short| is(node, short))
        };
        let global = |address: &str| match address.parse() {
            Ok(IpAddr::V6(v6)) => !v6.is_unicast_link_local(),
            Ok(IpAddr::V4(_)) => true,
            Err(_) => false,
        };
        self.0
            .iter()
            .filter(move |(address, name)| own(name) && global(address))
            .map(|(address, _)| address.as_str())
    }

    /// The router that has an address, which may be written as a prefix.
    pub(super) fn router(&self, address: &str) -> Option<&str> {
        let bare = address.split('/').next().unwrap_or_default();
        self.0.get(bare)?.split_once(':').map(|(place, _)| place).filter(|place| !place.starts_with("node("))
    }

    /// What a record calls a node of the cluster.
    pub(super) fn short<'a>(&'a self, node: &'a str) -> &'a str {
        let mut names = self.0.values().filter_map(|name| name.strip_prefix("node(")?.split(')').next());
        names.find(|short| is(node, short)).unwrap_or(node)
    }
}

/// Whether kind's name for a node is that of a node that a record calls so.
fn is(node: &str, short: &str) -> bool {
    node.strip_suffix(short).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('-'))
}
