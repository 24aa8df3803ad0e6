//! Fields of a policy that the old version dropped and the new one acts on, as changes that routers show.
//!
//! What lives here: fields whose effect a session or route says exactly. Ports, TTLs, passwords and graceful restart make
//! a session come up or not; that it came up is no regression, and that it did not is one.

use std::collections::BTreeSet;

use fabric_harness::cilium::{CiliumBGPPeeringPolicySpec, field_beginnings};
use fabric_harness::lab::Manifest;
use fabric_reports::diff::{Kind, Predicted};
use serde_json::Value;

use super::super::Asked;
use super::super::effect::spec;
use super::super::look::fields;
use super::places::Places;
use super::predict::of_session;

/// What the fields that begin to count with a line change.
pub(super) fn of(asked: &Asked, since: (u32, u32), places: &Places) -> Vec<Predicted> {
    let mut all = Vec::new();
    for object in asked.of_kind("CiliumBGPPeeringPolicy") {
        let Some(spec) = spec::<CiliumBGPPeeringPolicySpec>(object) else { continue };
        let nodes = asked.selected(spec.node_selector.as_ref(), false);
        let beginnings = field_beginnings().filter(|beginning| beginning.since == since);
        for beginning in beginnings.filter(|one| one.is_about(&object.api_version, &object.kind)) {
            let name = beginning.path.rsplit('.').next().unwrap_or_default();
            for (path, value) in fields(&object.object, beginning.path) {
                let peer = neighbor(object, &path);
                let router = peer.and_then(|peer| places.router(peer));
                all.extend(of_sessions(name, value, &nodes, router, places));
                all.extend(of_routes(asked, name, value, &nodes, places));
            }
        }
    }
    all
}

/// The address of the neighbor that a field belongs to.
fn neighbor<'o>(object: &'o Manifest, path: &str) -> Option<&'o str> {
    let all = fields(&object.object, "spec.virtualRouters.[].neighbors.[]");
    let (_, own) = all.into_iter().find(|(own, _)| path.starts_with(&format!("{own}.")))?;
    own.get("peerAddress")?.as_str()
}

/// What the far ends of the nodes' sessions have otherwise.
fn of_sessions(
    name: &str,
    value: &Value,
    nodes: &[&str],
    router: Option<&str>,
    places: &Places,
) -> Vec<Predicted> {
    let seconds = || value.as_u64().map(|seconds| format!("{seconds} s"));
    let changes: Vec<(&str, Option<String>)> = match name {
        // The keepalive interval is a third of the hold time where nobody wants less.
        "holdTimeSeconds" => vec![("hold time", seconds()), ("keepalive", None)],
        "keepAliveTimeSeconds" => vec![("keepalive", None)],
        "families" => vec![("families", None)],
        _ => return Vec::new(),
    };
    let addresses = nodes.iter().flat_map(|node| places.addresses(node));
    let each = addresses.flat_map(|address| changes.iter().map(move |change| (address, change)));
    each.map(|(address, (what, new))| Predicted { new: new.clone(), ..of_session(address, router, what) })
        .collect()
}

/// What routes are told with besides, and which are told that were not.
fn of_routes(asked: &Asked, name: &str, value: &Value, nodes: &[&str], places: &Places) -> Vec<Predicted> {
    match name {
        "advertisedPathAttributes" => {
            let all = value.as_array().into_iter().flatten();
            all.flat_map(|one| attributes(asked, one, nodes, places)).collect()
        }
        "serviceSelector" => new("service/*"),
        "serviceAdvertisements" => {
            let words = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            let about = words.filter_map(|word| match word {
                "ClusterIP" => Some("clusterIP(*"),
                "ExternalIP" => Some("externalIP(*"),
                _ => None,
            });
            about.flat_map(new).collect()
        }
        _ => Vec::new(),
    }
}

/// Routes that were not there, in tables of either sort.
fn new(about: &str) -> Vec<Predicted> {
    let of = |kind| Predicted {
        kind: Some(kind),
        about: Some(about.to_owned()),
        // Nothing is what stands where nothing is.
        old: Some(String::new()),
        ..Predicted::default()
    };
    vec![of(Kind::Route), of(Kind::Kernel)]
}

/// Communities go wherever the route goes; local preference as far as the neighbors in the same AS.
fn attributes(asked: &Asked, one: &Value, nodes: &[&str], places: &Places) -> Vec<Predicted> {
    let about: Vec<String> = match one.get("selectorType").and_then(Value::as_str) {
        Some("PodCIDR") => nodes.iter().map(|node| format!("podCIDR({})", places.short(node))).collect(),
        Some("CiliumLoadBalancerIPPool") => vec!["service/*".to_owned()],
        _ => return Vec::new(),
    };
    let mut kinds = vec!["standard", "large"];
    if asked.to.line() >= WELL_KNOWN {
        kinds.push("wellKnown");
    }
    let said = kinds.into_iter().filter_map(|kind| one.get("communities")?.get(kind)?.as_array());
    let communities: BTreeSet<&str> = said.flatten().filter_map(Value::as_str).collect();
    let communities = communities.into_iter().collect::<Vec<_>>().join(" ");
    let added = (!communities.is_empty()).then(|| [String::new(), format!(", communities {communities}")]);
    let preference = one.get("localPreference").and_then(Value::as_i64);
    // RFC 4271 leaves the default open; every speaker here has 100.
    let preferred =
        preference.map(|value| ["local preference 100".to_owned(), format!("local preference {value}")]);
    let both = added.clone().into_iter().chain(preferred.clone()).collect::<Vec<_>>();
    let mut swaps = vec![both, added.into_iter().collect(), preferred.into_iter().collect()];
    swaps.retain(|swap: &Vec<[String; 2]>| !swap.is_empty());
    swaps.dedup();
    let each = about.iter().flat_map(|about| swaps.iter().map(move |swap| (about, swap)));
    each.map(|(about, swap)| Predicted {
        kind: Some(Kind::Route),
        about: Some(about.clone()),
        swap: swap.clone(),
        ..Predicted::default()
    })
    .collect()
}

/// The line with which communities have names (`communities.wellKnown`).
const WELL_KNOWN: (u32, u32) = (1, 16);
