//! gobgpd's configuration file, as JSON.
//!
//! What lives here: neighbors and the frame around them. Which routes go out with what is in `filters`.

use serde_json::{Map, Value, json};

use super::filters;
use crate::twin::agent::plan::{Neighbor, VirtualRouter};

/// The configuration of one speaker.
///
/// Without more in the plan it gives the OPEN of Cilium 1.12: IPv4 and IPv6 unicast, no graceful restart, and no listener
/// (`port: -1`) unless a port was asked for. Route refresh, the host name, four-octet AS numbers and the extended next
/// hop GoBGP offers by itself. Routes are not part of it: they are added once gobgpd runs.
pub fn config(router: &VirtualRouter) -> Value {
    let mut global = json!({
        "config": {
            "as": router.local_asn,
            "router-id": router.router_id.to_string(),
            "port": router.local_port.map_or(-1, i32::from),
        },
    });
    let mut config = filters::of(router, &mut global);
    config.insert("global".to_owned(), global);
    let neighbors = router.neighbors.iter().map(|one| neighbor(router, one)).collect::<Vec<_>>();
    config.insert("neighbors".to_owned(), json!(neighbors));
    Value::Object(config)
}

fn neighbor(router: &VirtualRouter, neighbor: &Neighbor) -> Value {
    let mut config = json!({ "neighbor-address": neighbor.address.to_string(), "peer-as": neighbor.asn });
    if let Some(password) = &neighbor.password {
        config["auth-password"] = json!(password.0);
    }
    let mut timers = json!({
        "connect-retry": neighbor.connect_retry.as_secs(),
        "hold-time": neighbor.hold.as_secs(),
        "keepalive-interval": neighbor.keepalive.as_secs(),
    });
    if let Some(idle) = neighbor.idle_after_reset {
        timers["idle-hold-time-after-reset"] = json!(idle.as_secs());
    }
    let families: Vec<Value> = neighbor
        .families
        .iter()
        .map(|family| {
            let mut made = json!({ "config": { "afi-safi-name": family.gobgp } });
            if neighbor.graceful_restart.is_some() {
                made["mp-graceful-restart"] = json!({ "config": { "enabled": true } });
            }
            made
        })
        .collect();
    let mut made = json!({ "config": config, "timers": { "config": timers }, "afi-safis": families });
    let mut transport = Map::new();
    if neighbor.port != 179 {
        transport.insert("remote-port".to_owned(), json!(neighbor.port));
    }
    if let Some(address) = neighbor.local_address {
        transport.insert("local-address".to_owned(), json!(address.to_string()));
    }
    if !transport.is_empty() {
        made["transport"] = json!({ "config": transport });
    }
    // The TTL of iBGP sessions is the kernel's, as far as it goes.
    if neighbor.ebgp_ttl > 1 && neighbor.asn != router.local_asn {
        made["ebgp-multihop"] = json!({ "config": { "enabled": true, "multihop-ttl": neighbor.ebgp_ttl } });
    }
    if let Some(time) = neighbor.graceful_restart {
        let on = json!({ "enabled": true, "restart-time": time.as_secs(), "notification-enabled": true });
        // As Cilium does: every OPEN says that the speaker comes back, so that a neighbor keeps the routes it has. (The
        // switch `--graceful-restart` says it only to neighbors that are there at the start.)
        made["graceful-restart"] = json!({ "config": on, "state": { "local-restarting": true } });
    }
    made
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::twin::agent::plan::{Attributes, Family, Password};
    use crate::twin::agent::testing::{neighbor, router};

    #[test]
    fn without_a_port_it_does_not_listen() {
        let mut router = router(4_200_000_000, [10, 0, 2, 2], vec![neighbor([10, 0, 0, 1], 65010)]);
        let made = config(&router);
        let global = json!({ "as": 4_200_000_000_u32, "router-id": "10.0.2.2", "port": -1 });
        assert_eq!(made["global"], json!({ "config": global }));
        let timers = json!({ "connect-retry": 120, "hold-time": 90, "keepalive-interval": 30 });
        assert_eq!(made["neighbors"][0]["timers"]["config"], timers);
        assert_eq!(
            made["neighbors"][0]["config"],
            json!({ "neighbor-address": "10.0.0.1", "peer-as": 65010 })
        );
        assert_eq!(made["neighbors"][0]["afi-safis"][1]["config"]["afi-safi-name"], json!("ipv6-unicast"));
        assert_eq!(made.as_object().unwrap().len(), 2);
        router.local_port = Some(179);
        assert_eq!(config(&router)["global"]["config"]["port"], json!(179));
    }

    #[test]
    fn everything_a_peer_configuration_can_say() {
        let mut one = neighbor([10, 0, 0, 1], 65011);
        one.port = 1790;
        one.local_address = Some([10, 0, 2, 2].into());
        one.ebgp_ttl = 4;
        one.graceful_restart = Some(Duration::from_secs(60));
        one.password = Some(Password("secret".to_owned()));
        one.idle_after_reset = Some(Duration::from_secs(5));
        one.families = vec![Family::IPV4];
        let said = format!("{one:?}");
        assert!(!said.contains("secret"), "{said}");
        let made = config(&router(65010, [10, 0, 2, 2], vec![one]))["neighbors"][0].clone();
        assert_eq!(made["transport"]["config"], json!({ "remote-port": 1790, "local-address": "10.0.2.2" }));
        assert_eq!(made["ebgp-multihop"]["config"], json!({ "enabled": true, "multihop-ttl": 4 }));
        assert_eq!(made["config"]["auth-password"], json!("secret"));
        assert_eq!(made["timers"]["config"]["idle-hold-time-after-reset"], json!(5));
        assert_eq!(made["graceful-restart"]["config"]["restart-time"], json!(60));
        assert_eq!(made["afi-safis"].as_array().unwrap().len(), 1);
        assert_eq!(made["afi-safis"][0]["mp-graceful-restart"]["config"], json!({ "enabled": true }));
    }

    #[test]
    fn an_ibgp_neighbor_has_no_multihop() {
        let mut one = neighbor([10, 0, 0, 1], 65010);
        one.ebgp_ttl = 4;
        assert!(config(&router(65010, [10, 0, 2, 2], vec![one]))["neighbors"][0]["ebgp-multihop"].is_null());
    }

    #[test]
    fn what_goes_out_is_listed_by_neighbor_family_and_attributes() {
        let mut one = neighbor([10, 0, 0, 1], 65010);
        let said = Attributes {
            communities: ["65010:7".to_owned(), "no-export".to_owned()].into(),
            large_communities: ["65010:1:2".to_owned()].into(),
            local_preference: Some(150),
        };
        one.exports.others = false;
        one.exports.prefixes.insert("10.1.1.0/24".parse().unwrap(), said);
        one.exports.prefixes.insert("10.1.9.0/24".parse().unwrap(), Attributes::default());
        one.exports.prefixes.insert("fd00:1::/64".parse().unwrap(), Attributes::default());
        let mut router = router(65010, [10, 0, 2, 2], vec![one]);
        (router.filtered, router.rejects_inbound, router.instance) = (true, true, Some("rack0".to_owned()));
        let made = config(&router);
        let applied = &made["global"]["apply-policy"]["config"];
        assert_eq!(applied["default-export-policy"], json!("reject-route"));
        assert_eq!(applied["default-import-policy"], json!("reject-route"));
        let policies = made["policy-definitions"].as_array().unwrap();
        let export = policies.iter().find(|policy| policy["name"] == "export").unwrap();
        let statements = export["statements"].as_array().unwrap();
        // Three sets, and what becomes of the rest.
        assert_eq!(statements.len(), 4);
        let with = statements.iter().find(|one| !one["actions"]["bgp-actions"].is_null()).unwrap();
        assert_eq!(with["actions"]["bgp-actions"]["set-local-pref"], json!(150));
        let set = &with["conditions"]["match-prefix-set"]["prefix-set"];
        let sets = made["defined-sets"]["prefix-sets"].as_array().unwrap();
        let set = sets.iter().find(|one| one["prefix-set-name"] == *set).unwrap();
        assert_eq!(set["prefix-list"], json!([{ "ip-prefix": "10.1.1.0/24", "masklength-range": "24..24" }]));
        let neighbors = &made["defined-sets"]["neighbor-sets"][0]["neighbor-info-list"];
        assert_eq!(*neighbors, json!(["10.0.0.1/32"]));
    }
}
