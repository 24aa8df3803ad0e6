//! Which field of a definition came when, and went when.
//!
//! What lives here: the table, and cutting a schema by it. What does not: the fields (`bgp`, `peering`), which are those
//! of the newest version.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};

/// One thing that not every version has.
struct Difference {
    /// The plural of the kind, or `*` for all.
    kind: &'static str,
    /// The API version it is about; `*` for all.
    api: &'static str,
    /// Where: names of properties with dots between, `[]` for the items of a list.
    path: &'static str,
    /// What is not there otherwise.
    what: What,
    /// The first line that has it.
    since: (u32, u32),
    /// The first line without it again.
    until: (u32, u32),
}

enum What {
    /// The property itself.
    Field,
    /// Its default.
    Default,
    /// One of the values it may have.
    Value(&'static str),
}

const EVER: (u32, u32) = (1, 0);
const NEVER: (u32, u32) = (u32::MAX, 0);
const POLICIES: &str = "ciliumbgppeeringpolicies";
const CLUSTERS: &str = "ciliumbgpclusterconfigs";
const PEERS: &str = "ciliumbgppeerconfigs";
const NODES: &str = "ciliumbgpnodeconfigs";
const OVERRIDES: &str = "ciliumbgpnodeconfigoverrides";
const ADVERTS: &str = "ciliumbgpadvertisements";

const fn field(kind: &'static str, path: &'static str, since: (u32, u32)) -> Difference {
    Difference { kind, api: "*", path, what: What::Field, since, until: NEVER }
}

const fn only(api: &'static str, kind: &'static str, path: &'static str, since: (u32, u32)) -> Difference {
    Difference { kind, api, path, what: What::Field, since, until: NEVER }
}

/// Sources: git log of pkg/k8s/apis/cilium.io. Services fd508cb619 (1.13); timers 3c44393bf5, graceful restart 5596464596,
/// multihop 7b0ae2aa26, port 6b8adacb30 (1.14); families 2183c9db97, path attributes 07d3926560, pools 660f2f26f2,
/// passwords f50d292dcd (1.15); kinds of addresses 7e4ad4ace8, 54c01e231b (1.16); conditions, and peers of any AS 34fef5b8f7 (1.17); ports of instances
/// ee59e0bfb7, AS numbers of nodes e478cf7efa, aggregation 9e1e31a9fa, discovery d0f54e5cd9 (1.18); source interface
/// c7ae6e7e57, interfaces 9caf085e9f (1.19). The two API versions: `kubectl get crd` of 1.20-dev.
const TABLE: &[Difference] = &[
    field(POLICIES, "spec.virtualRouters.[].serviceSelector", (1, 13)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].peerPort", (1, 14)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].eBGPMultihopTTL", (1, 14)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].connectRetryTimeSeconds", (1, 14)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].holdTimeSeconds", (1, 14)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].keepAliveTimeSeconds", (1, 14)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].gracefulRestart", (1, 14)),
    Difference {
        kind: POLICIES,
        api: "*",
        path: "spec.virtualRouters.[].exportPodCIDR",
        what: What::Default,
        since: (1, 14),
        until: NEVER,
    },
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].families", (1, 15)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].advertisedPathAttributes", (1, 15)),
    field(POLICIES, "spec.virtualRouters.[].neighbors.[].authSecretRef", (1, 15)),
    field(POLICIES, "spec.virtualRouters.[].podIPPoolSelector", (1, 15)),
    field(POLICIES, "spec.virtualRouters.[].serviceAdvertisements", (1, 16)),
    field(
        POLICIES,
        "spec.virtualRouters.[].neighbors.[].advertisedPathAttributes.[].communities.wellKnown",
        (1, 16),
    ),
    field(CLUSTERS, "status", (1, 17)),
    Difference {
        kind: CLUSTERS,
        api: "*",
        path: "spec.bgpInstances.[].peers.[].peerASN",
        what: What::Default,
        since: (1, 17),
        until: NEVER,
    },
    field(CLUSTERS, "spec.bgpInstances.[].localPort", (1, 18)),
    only("v2", CLUSTERS, "spec.bgpInstances.[].peers.[].autoDiscovery", (1, 18)),
    only("v2alpha1", CLUSTERS, "spec.bgpInstances.[].peers.[].peerConfigRef.group", EVER),
    only("v2alpha1", CLUSTERS, "spec.bgpInstances.[].peers.[].peerConfigRef.kind", EVER),
    field(NODES, "status.conditions", (1, 18)),
    only("v2", NODES, "spec.bgpInstances.[].peers.[].autoDiscovery", (1, 18)),
    only("v2alpha1", NODES, "spec.bgpInstances.[].peers.[].peerConfigRef.group", EVER),
    only("v2alpha1", NODES, "spec.bgpInstances.[].peers.[].peerConfigRef.kind", EVER),
    field(OVERRIDES, "spec.bgpInstances.[].localASN", (1, 18)),
    field(PEERS, "status", (1, 17)),
    only("v2alpha1", PEERS, "spec.transport.localPort", EVER),
    only("v2", PEERS, "spec.transport.sourceInterface", (1, 19)),
    field(ADVERTS, "spec.advertisements.[].service.aggregationLengthIPv4", (1, 18)),
    field(ADVERTS, "spec.advertisements.[].service.aggregationLengthIPv6", (1, 18)),
    only("v2", ADVERTS, "spec.advertisements.[].interface", (1, 19)),
    Difference {
        kind: ADVERTS,
        api: "v2",
        path: "spec.advertisements.[].advertisementType",
        what: What::Value("Interface"),
        since: (1, 19),
        until: NEVER,
    },
];

/// A field of a resource, and the first line that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldBeginning {
    kind: &'static str,
    api: &'static str,
    /// Where: names of properties with dots between, `[]` for the items of a list.
    pub path: &'static str,
    /// The first line that has it.
    pub since: (u32, u32),
}

impl FieldBeginning {
    /// Whether it is about objects of this apiVersion and kind.
    pub fn is_about(&self, api_version: &str, kind: &str) -> bool {
        let api = api_version.strip_prefix("cilium.io/");
        let plural = kind.to_lowercase();
        let named = match plural.strip_suffix('y') {
            Some(stem) => self.kind.strip_suffix("ies") == Some(stem),
            None => self.kind.strip_suffix('s') == Some(plural.as_str()),
        };
        named && api.is_some_and(|api| self.api == "*" || self.api == api)
    }
}

/// The fields that came after their resource did. Statuses are left out: nobody writes them.
pub fn field_beginnings() -> impl Iterator<Item = FieldBeginning> {
    let fields = TABLE.iter().filter(|row| matches!(row.what, What::Field) && row.since != EVER);
    let specs = fields.filter(|row| row.path.starts_with("spec."));
    specs.map(|row| FieldBeginning { kind: row.kind, api: row.api, path: row.path, since: row.since })
}

/// Takes out of a schema what `line` does not have in API version `api`.
pub(super) fn cut(schema: &mut JSONSchemaProps, kind: &str, api: &str, line: (u32, u32)) {
    for difference in TABLE.iter().filter(|difference| difference.kind == kind) {
        let there = (difference.since..difference.until).contains(&line);
        let here = difference.api == "*" || difference.api == api;
        if !(there && here) {
            remove(schema, difference);
        }
    }
}

fn remove(schema: &mut JSONSchemaProps, difference: &Difference) {
    let (parent, name) = difference.path.rsplit_once('.').unwrap_or(("", difference.path));
    let mut at = Some(schema);
    for step in parent.split('.').filter(|step| !step.is_empty()) {
        at = at.and_then(|schema| down(schema, step));
    }
    let Some(properties) = at.and_then(|schema| schema.properties.as_mut()) else { return };
    match (&difference.what, properties.get_mut(name)) {
        (What::Field, _) => drop(properties.remove(name)),
        (What::Default, Some(property)) => property.default = None,
        (What::Value(value), Some(property)) => {
            if let Some(values) = &mut property.enum_ {
                values.retain(|one| one.0.as_str() != Some(value));
            }
        }
        (_, None) => {}
    }
}

pub(super) fn down<'a>(schema: &'a mut JSONSchemaProps, step: &str) -> Option<&'a mut JSONSchemaProps> {
    match (step, &mut schema.items) {
        ("[]", Some(JSONSchemaPropsOrArray::Schema(items))) => Some(items),
        ("[]", _) => None,
        (name, _) => schema.properties.as_mut()?.get_mut(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cilium::crds;

    /// A path that leads nowhere would never cut anything.
    #[test]
    fn every_row_is_about_something() {
        for difference in TABLE {
            let version = if difference.kind == POLICIES { "1.18.0" } else { "1.20.0" };
            let all = crds(&version.parse().unwrap());
            let found = all.iter().find(|crd| crd.spec.names.plural == difference.kind).unwrap();
            let mut versions = found.spec.versions.iter();
            let version = versions.find(|version| difference.api == "*" || version.name == difference.api);
            let mut schema = version.unwrap().schema.clone().unwrap().open_api_v3_schema.unwrap();
            let mut at = Some(&mut schema);
            for step in difference.path.split('.') {
                at = at.and_then(|schema| down(schema, step));
            }
            assert!(at.is_some(), "{} {}", difference.kind, difference.path);
        }
    }
}
