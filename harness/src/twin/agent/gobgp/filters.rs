//! GoBGP's policies: which routes go out to whom with which attributes, and which come in.
//!
//! What lives here: sets and statements. What does not: deciding them (`plan`).
//!
//! The names of the two policies never change, because gobgpd binds them once: a reload changes what is in them.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::twin::agent::plan::{Attributes, Family, Neighbor, VirtualRouter};

/// The sets and policies of a speaker; binds them in `global`.
pub(super) fn of(router: &VirtualRouter, global: &mut Value) -> Map<String, Value> {
    let mut made = Map::new();
    let mut policies = Vec::new();
    let mut applied = Map::new();
    if router.filtered {
        let mut sets = Sets::default();
        let mut statements: Vec<Value> =
            router.neighbors.iter().flat_map(|neighbor| sets.statements(neighbor)).collect();
        // The first API sends what is in the table; the second nothing but what was selected.
        let rest = if router.instance.is_none() { "accept-route" } else { "reject-route" };
        statements.push(json!({ "name": "export-rest", "actions": { "route-disposition": rest } }));
        policies.push(json!({ "name": "export", "statements": statements }));
        applied.insert("export-policy-list".to_owned(), json!(["export"]));
        applied.insert("default-export-policy".to_owned(), json!(rest));
        let sets = json!({ "prefix-sets": sets.prefixes, "neighbor-sets": sets.neighbors });
        made.insert("defined-sets".to_owned(), sets);
    }
    if router.rejects_inbound {
        let own = json!({ "bgp-conditions": { "route-type": "local" } });
        let own = json!({ "name": "import-own", "conditions": own, "actions": { "route-disposition": "accept-route" } });
        policies.push(json!({ "name": "import", "statements": [own] }));
        applied.insert("import-policy-list".to_owned(), json!(["import"]));
        applied.insert("default-import-policy".to_owned(), json!("reject-route"));
    }
    if !policies.is_empty() {
        made.insert("policy-definitions".to_owned(), json!(policies));
        global["apply-policy"] = json!({ "config": applied });
    }
    made
}

#[derive(Default)]
struct Sets {
    prefixes: Vec<Value>,
    neighbors: Vec<Value>,
}

impl Sets {
    /// One statement for each family and each set of attributes: a set of prefixes cannot mix families.
    fn statements(&mut self, neighbor: &Neighbor) -> Vec<Value> {
        let mut groups: BTreeMap<(Family, &Attributes), Vec<&IpNet>> = BTreeMap::new();
        for (prefix, attributes) in &neighbor.exports.prefixes {
            groups.entry((Family::of(prefix), attributes)).or_default().push(prefix);
        }
        if groups.is_empty() {
            return Vec::new();
        }
        let whole = if neighbor.address.is_ipv4() { 32 } else { 128 };
        let peer = neighbor.address.to_string();
        let listed = json!([format!("{peer}/{whole}")]);
        self.neighbors.push(json!({ "neighbor-set-name": peer, "neighbor-info-list": listed }));
        let mut statements = Vec::new();
        for (index, ((_, attributes), prefixes)) in groups.into_iter().enumerate() {
            let name = format!("{peer}-{index}");
            let exactly = |prefix: &&IpNet| {
                let length = prefix.prefix_len();
                json!({ "ip-prefix": prefix.to_string(), "masklength-range": format!("{length}..{length}") })
            };
            let listed: Vec<Value> = prefixes.iter().map(exactly).collect();
            self.prefixes.push(json!({ "prefix-set-name": name, "prefix-list": listed }));
            let conditions = json!({
                "match-prefix-set": { "prefix-set": name, "match-set-options": "any" },
                "match-neighbor-set": { "neighbor-set": peer, "match-set-options": "any" },
            });
            statements
                .push(json!({ "name": name, "conditions": conditions, "actions": actions(attributes) }));
        }
        statements
    }
}

fn actions(attributes: &Attributes) -> Value {
    let mut actions = json!({ "route-disposition": "accept-route" });
    let mut said = Map::new();
    if !attributes.communities.is_empty() {
        let method = json!({ "communities-list": attributes.communities });
        said.insert("set-community".to_owned(), json!({ "options": "add", "set-community-method": method }));
    }
    if !attributes.large_communities.is_empty() {
        let method = json!({ "communities-list": attributes.large_communities });
        let add = json!({ "options": "add", "set-large-community-method": method });
        said.insert("set-large-community".to_owned(), add);
    }
    if let Some(preference) = attributes.local_preference {
        said.insert("set-local-pref".to_owned(), json!(preference));
    }
    if !said.is_empty() {
        actions["bgp-actions"] = Value::Object(said);
    }
    actions
}
