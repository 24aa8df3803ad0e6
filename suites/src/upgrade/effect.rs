//! What will become of a fabric's announcements if nothing is done: which nodes speak before, and which after.

use std::collections::BTreeSet;

use fabric_harness::cilium::bgp::CiliumBGPClusterConfigSpec;
use fabric_harness::cilium::{BgpV2, CiliumBGPPeeringPolicySpec, CiliumVersion, promises};
use fabric_harness::lab::Manifest;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Asked;

/// Who announces, before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// The nodes with a BGP speaker now, by name.
    pub speak_before: Vec<String>,
    /// The nodes with one after the upgrade, if nothing is changed.
    pub speak_after: Vec<String>,
    /// The objects that nobody acts on after the upgrade.
    pub left_behind: Vec<String>,
}

impl Effect {
    /// The nodes that fall silent.
    pub fn silenced(&self) -> Vec<&str> {
        let after: BTreeSet<&String> = self.speak_after.iter().collect();
        self.speak_before.iter().filter(|node| !after.contains(node)).map(String::as_str).collect()
    }
}

/// What comes of what is written. Where nodes are not known, only the objects can be told.
pub(super) fn of(asked: &Asked) -> Effect {
    let named = |nodes: BTreeSet<&str>| nodes.into_iter().map(str::to_owned).collect();
    let acted_on = |object: &&Manifest| !serves(&asked.to, object) && serves(&asked.from, object);
    Effect {
        speak_before: named(speakers(asked, &asked.from)),
        speak_after: named(speakers(asked, &asked.to)),
        left_behind: asked.objects.iter().filter(acted_on).map(ToString::to_string).collect(),
    }
}

/// Whether a version serves an object of Cilium's BGP, and so acts on it.
fn serves(version: &CiliumVersion, object: &Manifest) -> bool {
    let Ok(row) = promises(version) else { return false };
    match (object.kind.as_str(), object.api_version.as_str()) {
        ("CiliumBGPPeeringPolicy", _) => row.peering_policy,
        (kind, "cilium.io/v2alpha1") if kind.starts_with("CiliumBGP") => row.bgp_v2 != BgpV2::Absent,
        (kind, "cilium.io/v2") if kind.starts_with("CiliumBGP") => row.bgp_v2 == BgpV2::V2,
        _ => false,
    }
}

fn speakers<'a>(asked: &'a Asked, version: &CiliumVersion) -> BTreeSet<&'a str> {
    let mut nodes = BTreeSet::new();
    for object in asked.objects.iter().filter(|object| serves(version, object)) {
        match object.kind.as_str() {
            "CiliumBGPPeeringPolicy" => {
                let spec = spec::<CiliumBGPPeeringPolicySpec>(object);
                let selector = spec.as_ref().and_then(|spec| spec.node_selector.as_ref());
                nodes.extend(asked.selected(selector, false));
            }
            "CiliumBGPClusterConfig" => {
                let Some(spec) = spec::<CiliumBGPClusterConfigSpec>(object) else { continue };
                nodes.extend(asked.selected(spec.node_selector.as_ref(), true));
            }
            _ => {}
        }
    }
    nodes
}

/// The spec of an object, if it is one of its kind.
pub(super) fn spec<T: DeserializeOwned>(object: &Manifest) -> Option<T> {
    serde_json::from_value(object.object.get("spec")?.clone()).ok()
}
