//! For tests: a real network namespace, a pretended gobgpd, a pretended API server.

mod api;
mod netns;
mod pretended;

pub(crate) use api::{ADVERTISEMENTS, NODE_CONFIGS, NODES, PEER_CONFIGS, POLICIES, Server};
pub(crate) use netns::Netns;
pub(crate) use pretended::Pretended;

use std::net::IpAddr;

use super::plan::{Exports, Family, Neighbor, VirtualRouter};
use crate::cilium::Promises;

/// A speaker of the first API, with a port and prefixes left out.
pub(crate) fn router(asn: u32, id: [u8; 4], neighbors: Vec<Neighbor>) -> VirtualRouter {
    VirtualRouter {
        instance: None,
        local_asn: asn,
        router_id: id.into(),
        local_port: None,
        export: [].into(),
        rejects_inbound: false,
        withdraws_filtered: true,
        filtered: false,
        neighbors,
    }
}

/// A neighbor with Cilium's defaults.
pub(crate) fn neighbor(address: impl Into<IpAddr>, asn: u32) -> Neighbor {
    Neighbor {
        name: None,
        address: address.into(),
        asn,
        port: 179,
        local_address: None,
        connect_retry: Promises::CONNECT_RETRY,
        hold: Promises::HOLD,
        keepalive: Promises::KEEPALIVE,
        idle_after_reset: None,
        ebgp_ttl: 1,
        graceful_restart: None,
        password: None,
        families: vec![Family::IPV4, Family::IPV6],
        exports: Exports { others: true, ..Exports::default() },
    }
}
