//! A CiliumBGPPeeringPolicy as objects of the second API: the same neighbors, the same routes.
//!
//! What lives here: what becomes of each field. What does not: where comments are (`comments`), whole files (`lab`).

use std::collections::BTreeMap;

use fabric_harness::cilium::{CiliumBGPPeeringPolicySpec, Neighbor, VirtualRouter};
use fabric_harness::lab::Manifest;
use serde_json::{Value as Json, json};

use super::super::effect::spec;
use super::comments::{Around, Comments, scalar};
use super::emit::Emit;

/// The label by which peer configurations select what is advertised.
const LABEL: &str = "advertise";

/// Objects that the policies of one file share, and names that are taken.
#[derive(Debug, Default)]
pub(super) struct Shared {
    api: &'static str,
    /// Peer configurations, by content: the name.
    peers: BTreeMap<String, (String, Json)>,
    /// Advertisements, by content: the label's value, which is the name.
    adverts: BTreeMap<String, (String, Json)>,
    /// What could not be carried over, a sentence each.
    pub(super) lost: Vec<String>,
}

impl Shared {
    /// For objects of this apiVersion.
    pub(super) fn new(api: &'static str) -> Self {
        Self { api, ..Self::default() }
    }

    /// The policy as a CiliumBGPClusterConfig; none where it selects no node.
    pub(super) fn cluster(&mut self, policy: &Manifest, comments: &Comments) -> Option<String> {
        let spec: CiliumBGPPeeringPolicySpec = spec(policy)?;
        let name = &policy.name;
        if spec.node_selector.is_none() {
            // In the second API the absence of a selector means every node.
            self.lost.push(format!(
                "{policy} has no nodeSelector, and so selects no node: nothing is written for it"
            ));
            return None;
        }
        let around =
            |path: &str| policy.places.nearest(path).map(|at| comments.around(at)).unwrap_or_default();
        let mut emit = Emit::default();
        emit.line(0, &format!("apiVersion: {}", self.api), &around("apiVersion"));
        emit.line(0, "kind: CiliumBGPClusterConfig", &around("kind"));
        emit.line(0, "metadata:", &around("metadata"));
        emit.line(1, &format!("name: {}", scalar(name)), &around("metadata.name"));
        if let Some(labels) = policy.object.pointer("/metadata/labels") {
            emit.value(1, "labels", labels);
        }
        emit.line(0, "spec:", &around("spec"));
        emit.line(1, "nodeSelector:", &around("spec.nodeSelector"));
        let selector = policy.object.pointer("/spec/nodeSelector").cloned().unwrap_or_default();
        carry(&mut emit, 2, &selector, "spec.nodeSelector", &around);
        emit.line(1, "bgpInstances:", &around("spec.virtualRouters"));
        for (index, router) in spec.virtual_routers.iter().enumerate() {
            let path = format!("spec.virtualRouters[{index}]");
            let advert = self.advertise(policy, router);
            emit.line(
                1,
                &format!("- name: as{}", router.local_asn),
                &Around { behind: None, ..around(&path) },
            );
            emit.line(
                2,
                &format!("localASN: {}", router.local_asn),
                &only_behind(around(&format!("{path}.localASN"))),
            );
            for gone in ["exportPodCIDR", "serviceSelector", "podIPPoolSelector"] {
                // What it said is said by the advertisements; its comment would be lost with it.
                if let Some(comment) =
                    around(&format!("{path}.{gone}")).behind.filter(|_| has(policy, &path, gone))
                {
                    emit.plain(2, &format!("# {gone}: {}", comment.trim_start_matches(['#', ' '])));
                }
            }
            emit.line(2, "peers:", &around(&format!("{path}.neighbors")));
            for (number, neighbor) in router.neighbors.iter().enumerate() {
                let at = format!("{path}.neighbors[{number}]");
                let config = self.configure(policy, neighbor, advert.as_deref());
                let address = neighbor.peer_address.split('/').next().unwrap_or_default();
                emit.line(
                    2,
                    &format!("- name: {}", scalar(&format!("peer-{address}"))),
                    &Around { behind: None, ..around(&at) },
                );
                emit.line(3, &format!("peerASN: {}", neighbor.peer_asn), &around(&format!("{at}.peerASN")));
                emit.line(
                    3,
                    &format!("peerAddress: {}", scalar(address)),
                    &only_behind(around(&format!("{at}.peerAddress"))),
                );
                emit.plain(3, "peerConfigRef:");
                emit.plain(4, &format!("name: {}", scalar(&config)));
            }
        }
        Some(emit.finish())
    }

    /// What a virtual router advertises, as the value of the label that selects it; none for one that is silent.
    fn advertise(&mut self, policy: &Manifest, router: &VirtualRouter) -> Option<String> {
        let attributes = |kind: &str| self_attributes(router, kind);
        let mut all: Vec<Json> = Vec::new();
        let mut add = |mut advert: Json, kind: &str| {
            if let Some(attributes) = attributes(kind) {
                advert["attributes"] = attributes;
            }
            all.push(advert);
        };
        if router.export_pod_cidr == Some(true) {
            add(json!({"advertisementType": "PodCIDR"}), "PodCIDR");
        }
        if let Some(selector) = &router.service_selector {
            let addresses = if router.service_advertisements.is_empty() {
                json!(["LoadBalancerIP"])
            } else {
                json!(router.service_advertisements)
            };
            let advert = json!({"advertisementType": "Service", "service": {"addresses": addresses}, "selector": selector});
            add(advert, "CiliumLoadBalancerIPPool");
        }
        if let Some(selector) = &router.pod_ip_pool_selector {
            add(json!({"advertisementType": "CiliumPodIPPool", "selector": selector}), "CiliumPodIPPool");
        }
        for neighbor in &router.neighbors {
            for said in neighbor.advertised_path_attributes.iter().filter(|said| said.selector.is_some()) {
                self.lost.push(format!(
                    "{policy}: advertisedPathAttributes of {} for {} by a selector: the attributes are written for all of its kind",
                    neighbor.peer_address, said.selector_type
                ));
            }
        }
        if all.is_empty() {
            return None;
        }
        let content = Json::from(all);
        let next = if self.adverts.is_empty() { "bgp".to_owned() } else { format!("bgp-{}", policy.name) };
        let known = self.adverts.entry(content.to_string()).or_insert((next, content));
        Some(known.0.clone())
    }

    /// The peer configuration of a neighbor, by its name.
    fn configure(&mut self, policy: &Manifest, neighbor: &Neighbor, advert: Option<&str>) -> String {
        let mut spec = serde_json::Map::new();
        let mut put = |key: &str, value: Json| {
            if !value.is_null() {
                spec.insert(key.to_owned(), value);
            }
        };
        put("authSecretRef", json!(neighbor.auth_secret_ref));
        put("ebgpMultihop", json!(neighbor.ebgp_multihop_ttl));
        put("gracefulRestart", json!(neighbor.graceful_restart));
        put("transport", neighbor.peer_port.map_or(Json::Null, |port| json!({"peerPort": port})));
        let timers: serde_json::Map<String, Json> = [
            ("connectRetryTimeSeconds", neighbor.connect_retry_time_seconds),
            ("holdTimeSeconds", neighbor.hold_time_seconds),
            ("keepAliveTimeSeconds", neighbor.keep_alive_time_seconds),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), json!(value?))))
        .collect();
        put("timers", if timers.is_empty() { Json::Null } else { Json::Object(timers) });
        let both = || json!([{"afi": "ipv4", "safi": "unicast"}, {"afi": "ipv6", "safi": "unicast"}]);
        let mut families = if neighbor.families.is_empty() { both() } else { json!(neighbor.families) };
        for family in families.as_array_mut().into_iter().flatten() {
            if let Some(label) = advert {
                family["advertisements"] = json!({"matchLabels": {LABEL: label}});
            }
        }
        put("families", families);
        let content = Json::Object(spec);
        let next = if self.peers.is_empty() {
            "bgp".to_owned()
        } else {
            format!("bgp-{}-{}", policy.name, self.peers.len())
        };
        self.peers.entry(content.to_string()).or_insert((next, content)).0.clone()
    }

    /// The documents that all policies of the file share.
    pub(super) fn documents(&self) -> Vec<String> {
        let object = |kind: &str, name: &str, labelled: bool| {
            let mut emit = Emit::default();
            emit.plain(0, &format!("apiVersion: {}", self.api));
            emit.plain(0, &format!("kind: {kind}"));
            emit.plain(0, "metadata:");
            emit.plain(1, &format!("name: {}", scalar(name)));
            if labelled {
                emit.plain(1, "labels:");
                emit.plain(2, &format!("{LABEL}: {}", scalar(name)));
            }
            emit.plain(0, "spec:");
            emit
        };
        let named = |all: &BTreeMap<String, (String, Json)>| {
            let mut all: Vec<(String, Json)> = all.values().cloned().collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        };
        let peers = named(&self.peers).into_iter().map(|(name, spec)| {
            let mut emit = object("CiliumBGPPeerConfig", &name, false);
            for (key, value) in spec.as_object().into_iter().flatten() {
                emit.value(1, key, value);
            }
            emit.finish()
        });
        let adverts = named(&self.adverts).into_iter().map(|(name, list)| {
            let mut emit = object("CiliumBGPAdvertisement", &name, true);
            emit.value(1, "advertisements", &list);
            emit.finish()
        });
        peers.chain(adverts).collect()
    }
}

/// The attributes that a router's neighbors all give to routes of one kind: attributes are the advertisement's in the
/// second API, and the neighbor's in the first.
fn self_attributes(router: &VirtualRouter, kind: &str) -> Option<Json> {
    let said = router.neighbors.iter().flat_map(|neighbor| &neighbor.advertised_path_attributes);
    let said = said.into_iter().find(|said| said.selector_type == kind)?;
    let mut attributes = serde_json::Map::new();
    if let Some(communities) = &said.communities {
        attributes.insert("communities".to_owned(), json!(communities));
    }
    if let Some(preference) = said.local_preference {
        attributes.insert("localPreference".to_owned(), json!(preference));
    }
    (!attributes.is_empty()).then_some(Json::Object(attributes))
}

fn has(policy: &Manifest, path: &str, key: &str) -> bool {
    let pointer = format!("/{}/{key}", path.replace(['.', '['], "/").replace(']', ""));
    policy.object.pointer(&pointer).is_some()
}

fn only_behind(around: Around) -> Around {
    Around { above: Vec::new(), ..around }
}

/// A value as it was, with its comments.
fn carry(emit: &mut Emit, depth: usize, value: &Json, path: &str, around: &dyn Fn(&str) -> Around) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        if value.is_object() {
            emit.line(depth, &format!("{}:", scalar(key)), &around(&path));
            carry(emit, depth + 1, value, &path, around);
        } else if let Some(text) = value.as_str() {
            emit.line(depth, &format!("{}: {}", scalar(key), scalar(text)), &around(&path));
        } else {
            emit.value(depth, &scalar(key), value);
        }
    }
}
