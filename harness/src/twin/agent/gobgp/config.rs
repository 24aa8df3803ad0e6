//! gobgpd's configuration file, as JSON.

use serde_json::{Value, json};

use crate::twin::agent::plan::{Neighbor, VirtualRouter};

/// The configuration of one speaker.
///
/// Gives the OPEN of Cilium 1.12: IPv4 and IPv6 unicast, no graceful restart, and no listener (`port: -1`) unless a
/// port was asked for. Route refresh, the host name, four-octet AS numbers and the extended next hop GoBGP offers by
/// itself. Routes are not part of it: they are added once gobgpd runs.
pub fn config(router: &VirtualRouter) -> Value {
    let global = json!({
        "config": {
            "as": router.local_asn,
            "router-id": router.router_id.to_string(),
            "port": router.local_port.map_or(-1, i32::from),
        },
    });
    json!({ "global": global, "neighbors": router.neighbors.iter().map(neighbor).collect::<Vec<_>>() })
}

fn neighbor(neighbor: &Neighbor) -> Value {
    let family = |name: &str| json!({ "config": { "afi-safi-name": name } });
    json!({
        "config": { "neighbor-address": neighbor.address.to_string(), "peer-as": neighbor.asn },
        "timers": {
            "config": {
                "connect-retry": neighbor.connect_retry.as_secs(),
                "hold-time": neighbor.hold.as_secs(),
                "keepalive-interval": neighbor.keepalive.as_secs(),
            },
        },
        "afi-safis": [family("ipv4-unicast"), family("ipv6-unicast")],
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn without_a_port_it_does_not_listen() {
        let mut router = VirtualRouter {
            local_asn: 4_200_000_000,
            router_id: [10, 0, 2, 2].into(),
            local_port: None,
            export: ["10.1.1.0/24".parse().unwrap()].into(),
            neighbors: vec![Neighbor {
                address: "10.0.0.1".parse().unwrap(),
                asn: 65010,
                connect_retry: Duration::from_secs(120),
                hold: Duration::from_secs(90),
                keepalive: Duration::from_secs(30),
            }],
        };
        let made = config(&router);
        let global = json!({ "as": 4_200_000_000_u32, "router-id": "10.0.2.2", "port": -1 });
        assert_eq!(made["global"]["config"], global);
        let timers = json!({ "connect-retry": 120, "hold-time": 90, "keepalive-interval": 30 });
        assert_eq!(made["neighbors"][0]["timers"]["config"], timers);
        assert!(made["neighbors"][0].get("graceful-restart").is_none());
        router.local_port = Some(179);
        assert_eq!(config(&router)["global"]["config"]["port"], json!(179));
    }
}
