//! `show bgp ipv4 unicast json`, plain or `detail`: the BGP table of one family.
//!
//! The two forms name the same things differently (`path` or `aspath.string`, `peerId` or `peer.peerId`), and FRR 9 wraps
//! the paths of a prefix in an object where FRR 8 has an array whose first element describes the prefix. All are read.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::lenient::{self, Object};
use crate::router::rib::{NextHop, Origin, Path, PathPeer, PathSource, Rib};

/// Reads the answer for one family. Prefixes that are not prefixes are passed over.
pub(in crate::router) fn table(answer: &Value) -> Rib {
    let mut rib = Rib::default();
    let Some(fields) = answer.as_object() else { return rib };
    rib.local_as = lenient::asn(fields.get("localAS")).unwrap_or_default();
    rib.router_id = match lenient::address(fields.get("routerId")) {
        Some(IpAddr::V4(id)) => Some(id),
        _ => None,
    };
    rib.routes = lenient::object(fields, "routes")
        .into_iter()
        .flatten()
        .filter_map(|(prefix, value)| Some((prefix.parse::<IpNet>().ok()?, paths(value))))
        .fold(BTreeMap::new(), |mut routes, (prefix, paths)| {
            routes.entry(prefix).or_insert_with(Vec::new).extend(paths);
            routes
        });
    rib
}

/// The prefixes in the answer to `show bgp ipv4 unicast neighbors PEER advertised-routes json`.
pub(in crate::router) fn advertised(answer: &Value) -> BTreeSet<IpNet> {
    let routes = answer.get("advertisedRoutes").and_then(Value::as_object);
    routes.into_iter().flatten().filter_map(|(prefix, _)| prefix.parse().ok()).collect()
}

fn paths(value: &Value) -> Vec<Path> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        Value::Object(fields) => {
            fields.get("paths").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
        }
        _ => &[],
    };
    // Without an origin it is not a path but the description of the prefix.
    list.iter().filter_map(Value::as_object).filter_map(path).collect()
}

fn path(fields: &Object) -> Option<Path> {
    let origin = match lenient::text(fields, "origin")?.to_ascii_lowercase().as_str() {
        "igp" => Origin::Igp,
        "egp" => Origin::Egp,
        _ => Origin::Incomplete,
    };
    let chosen = lenient::object(fields, "bestpath");
    let peer = lenient::object(fields, "peer");
    let address = lenient::address(fields.get("peerId").or_else(|| peer.and_then(|peer| peer.get("peerId"))));
    let next_hops: Vec<NextHop> = fields
        .get("nexthops")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .filter_map(next_hop)
        .collect();
    Some(Path {
        best: chosen.map_or_else(|| lenient::flag(fields, "bestpath"), |best| lenient::flag(best, "overall")),
        valid: lenient::flag(fields, "valid"),
        multipath: lenient::flag(fields, "multipath"),
        origin: Some(origin),
        as_path: as_path(fields),
        local_pref: lenient::number32(fields.get("locPrf").or_else(|| fields.get("localPref"))),
        med: lenient::number32(fields.get("metric").or_else(|| fields.get("med"))),
        weight: lenient::number32(fields.get("weight")).unwrap_or_default(),
        source: source(fields, peer, address),
        peer: PathPeer {
            address,
            neighbor: peer.and_then(|peer| lenient::string(peer, "interface")),
            hostname: address.and_then(|address| hostname(fields, peer, address)),
        },
        next_hops,
        communities: communities(fields),
        why_best: lenient::string(fields, "selectionReason")
            .or_else(|| lenient::string(chosen?, "selectionReason")),
    })
}

fn as_path(fields: &Object) -> Vec<u32> {
    let written = lenient::object(fields, "aspath").and_then(|aspath| lenient::text(aspath, "string"));
    lenient::as_path(written.or_else(|| lenient::text(fields, "path")).unwrap_or_default())
}

/// `pathFrom` says `external` also for paths sourced here: only the missing peer gives those away.
fn source(fields: &Object, peer: Option<&Object>, address: Option<IpAddr>) -> PathSource {
    let word = lenient::text(fields, "pathFrom").or_else(|| lenient::text(peer?, "type"));
    match (address, word) {
        (None, _) => PathSource::Local,
        (Some(_), Some("internal" | "confed-internal")) => PathSource::Internal,
        (Some(_), _) => PathSource::External,
    }
}

fn next_hop(fields: &Object) -> Option<NextHop> {
    Some(NextHop {
        ip: lenient::text(fields, "ip")?.parse().ok()?,
        interface: lenient::string(fields, "interface").or_else(|| lenient::string(fields, "interfaceName")),
        used: lenient::flag(fields, "used"),
        accessible: fields.get("accessible").and_then(Value::as_bool),
    })
}

/// The plain form has the name only beside the next hop; there it is the name of the peer when the address is the peer's
/// own. A route reflector hands on other next hops: then no name is better than a wrong one.
fn hostname(fields: &Object, peer: Option<&Object>, address: IpAddr) -> Option<String> {
    peer.and_then(|peer| lenient::string(peer, "hostname")).or_else(|| {
        let hops = fields.get("nexthops")?.as_array()?;
        hops.iter()
            .filter_map(Value::as_object)
            .find(|hop| lenient::address(hop.get("ip")) == Some(address))
            .and_then(|hop| lenient::string(hop, "hostname"))
    })
}

fn communities(fields: &Object) -> Vec<String> {
    ["community", "largeCommunity"]
        .into_iter()
        .filter_map(|key| fields.get(key))
        .flat_map(|value| match value {
            Value::String(text) => words(text),
            Value::Object(both) => match both.get("list").and_then(Value::as_array) {
                Some(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                None => words(lenient::text(both, "string").unwrap_or_default()),
            },
            _ => Vec::new(),
        })
        .collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
