//! A node's addresses and default routes, for what refers to them by interface.
//!
//! What lives here: asking `ip`, and reading its answer. What does not: who wants to know (`plan`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::plan::Addresses;
use crate::node::{Command, NodeRef};

/// Asks the node. What does not answer is left empty: the plan then says what it misses.
pub(super) async fn read(node: &NodeRef) -> Addresses {
    let ask = async |words: &[&str]| {
        let output = node.exec(&Command::new(words.to_vec())).await.ok();
        output.filter(crate::node::Output::success).map(|output| output.stdout).unwrap_or_default()
    };
    let interfaces = interfaces(&ask(&["ip", "-json", "address", "show"]).await);
    let mut found = gateways(&ask(&["ip", "-json", "-4", "route", "show", "default"]).await);
    found.extend(gateways(&ask(&["ip", "-json", "-6", "route", "show", "default"]).await));
    Addresses { interfaces, gateways: found }
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<IpAddr>,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
struct Route {
    gateway: Option<IpAddr>,
    #[serde(default)]
    metric: u32,
}

fn interfaces(json: &[u8]) -> BTreeMap<String, Vec<IpAddr>> {
    let links: Vec<Link> = serde_json::from_slice(json).unwrap_or_default();
    let mut found = BTreeMap::new();
    for link in links {
        // As Cilium counts: an IPv6 address of the link alone does not count, nor do loopback addresses.
        let usable =
            link.addr_info.into_iter().filter(|address| address.scope != "link" && address.scope != "host");
        found.insert(link.ifname, usable.filter_map(|address| address.local).collect());
    }
    found
}

fn gateways(json: &[u8]) -> Vec<IpAddr> {
    let mut routes: Vec<Route> = serde_json::from_slice(json).unwrap_or_default();
    routes.sort_by_key(|route| route.metric);
    routes.into_iter().filter_map(|route| route.gateway).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ip_says() {
        let said = br#"[{"ifname":"lo","addr_info":[{"local":"127.0.0.1","scope":"host"},{"local":"10.0.0.9","scope":"global"}]},
            {"ifname":"net0","addr_info":[{"local":"10.0.2.2","scope":"global"},{"local":"fe80::1","scope":"link"}]}]"#;
        let found = interfaces(said);
        assert_eq!(found["net0"], ["10.0.2.2".parse::<IpAddr>().unwrap()]);
        assert_eq!(found["lo"], ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        let routes = br#"[{"dst":"default","gateway":"10.0.2.1","metric":20},{"dst":"default","gateway":"172.18.0.1"},{"dst":"default","dev":"eth0"}]"#;
        assert_eq!(gateways(routes)[0], "172.18.0.1".parse::<IpAddr>().unwrap());
        assert!(gateways(b"").is_empty() && interfaces(b"{").is_empty());
    }
}
