//! CiliumLoadBalancerIPPool: addresses for Services of type LoadBalancer.
//!
//! What lives here: the type, its definition by version, and what each version calls things. What a pool does to Services
//! is in `twin::services`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::crd::SCHEMA_VERSION_LABEL;
use super::peering::LabelSelector;
use super::version::CiliumVersion;

/// Which addresses to give to which Services.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "cilium.io",
    version = "v2",
    kind = "CiliumLoadBalancerIPPool",
    plural = "ciliumloadbalancerippools",
    singular = "ciliumloadbalancerippool",
    shortname = "ippools",
    shortname = "ippool",
    shortname = "lbippool",
    shortname = "lbippools",
    category = "cilium",
    doc = "Addresses out of which the operator serves Services of type LoadBalancer.",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CiliumLoadBalancerIPPoolSpec {
    /// The Services this pool is for; every one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "LabelSelector")]
    pub service_selector: Option<LabelSelector>,
    /// Whether the first and the last address of each CIDR may be given away. Since 1.15; Yes unless said since 1.16, No before.
    #[serde(rename = "allowFirstLastIPs", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "yes_or_no")]
    pub allow_first_last_ips: Option<String>,
    /// The addresses, since 1.15.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<PoolBlock>,
    /// The addresses, until 1.15.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cidrs: Vec<PoolCidr>,
    /// Whether nothing more is given out of this pool. What is given already stays.
    #[serde(default)]
    pub disabled: bool,
}

/// Addresses of a pool: a CIDR, or from one address to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolBlock {
    /// All addresses of a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "cidr"))]
    pub cidr: Option<String>,
    /// The first address of a range; the only one without `stop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub start: Option<String>,
    /// The last address of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub stop: Option<String>,
}

/// A network of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolCidr {
    /// All its addresses.
    #[schemars(extend("format" = "cidr"))]
    pub cidr: String,
}

fn yes_or_no(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["Yes", "No"] })
}

/// What a version of Cilium calls things when it gives addresses to Services, and what it does when nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LbIpam {
    /// The versions of the resource that are served, the stored one first.
    pub versions: &'static [&'static str],
    /// Which of `cidrs` and `blocks` a pool has.
    pub cidrs: bool,
    /// See `cidrs`.
    pub blocks: bool,
    /// Whether the first and last address of a CIDR are kept back unless the pool says otherwise.
    pub keeps_ends: bool,
    /// Whether Services can share an address.
    pub sharing: bool,
    /// The condition of a pool that overlaps another.
    pub conflict: &'static str,
    /// The condition that counts all addresses of a pool.
    pub total: &'static str,
    /// The condition that counts those left.
    pub available: &'static str,
    /// The condition that counts those given.
    pub used: &'static str,
    /// The condition of a Service.
    pub satisfied: &'static str,
}

/// What `version` does; `None` before 1.13, which has no LB-IPAM.
///
/// Sources: LB-IPAM itself c278055efc (1.13). `blocks`, `allowFirstLastIPs` and sharing with 1.15, `cidrs` gone and ends given
/// away with 1.16 (its upgrade notes). `cilium.io/v2` with 1.18 (cilium/cilium#39090), v2alpha1 deprecated then (#39134), and
/// served still by 1.20-dev (recorded). The names of conditions: of the source of 1.14 and of 1.20.
pub fn lb_ipam(version: &CiliumVersion) -> Option<LbIpam> {
    let v1_13 = LbIpam {
        versions: &["v2alpha1"],
        cidrs: true,
        blocks: false,
        keeps_ends: true,
        sharing: false,
        conflict: "io.cilium/conflict",
        total: "io.cilium/ips-total",
        available: "io.cilium/ips-available",
        used: "io.cilium/ips-used",
        satisfied: "io.cilium/lb-ipam-request-satisfied",
    };
    let v1_15 = LbIpam { blocks: true, sharing: true, ..v1_13 };
    let v1_16 = LbIpam {
        cidrs: false,
        keeps_ends: false,
        conflict: "cilium.io/PoolConflict",
        total: "cilium.io/IPsTotal",
        available: "cilium.io/IPsAvailable",
        used: "cilium.io/IPsUsed",
        satisfied: "cilium.io/IPAMRequestSatisfied",
        ..v1_15
    };
    let v1_18 = LbIpam { versions: &["v2", "v2alpha1"], ..v1_16 };
    match version.line() {
        line if line < (1, 13) => None,
        line if line < (1, 15) => Some(v1_13),
        line if line < (1, 16) => Some(v1_15),
        line if line < (1, 18) => Some(v1_16),
        _ => Some(v1_18),
    }
}

/// The definition that `version` registers, if it has pools.
pub(super) fn pool_crd(version: &CiliumVersion) -> Option<CustomResourceDefinition> {
    let names = lb_ipam(version)?;
    let mut made = serde_json::to_value(CiliumLoadBalancerIPPool::crd()).ok()?;
    made["spec"]["names"]["listKind"] = json!("CiliumLoadBalancerIPPoolList");
    made["metadata"]["labels"] = json!({SCHEMA_VERSION_LABEL: "1.33.0"});
    let template = made["spec"]["versions"][0].take();
    let versions = names.versions.iter().enumerate().map(|(at, name)| {
        let mut version = template.clone();
        complete(&mut version, &names);
        version["name"] = json!(name);
        version["storage"] = json!(at == 0);
        version["served"] = json!(true);
        if at > 0 {
            version["deprecated"] = json!(true);
        }
        version
    });
    made["spec"]["versions"] = Value::Array(versions.collect());
    serde_json::from_value(made).ok()
}

fn complete(version: &mut Value, names: &LbIpam) {
    let of = |condition: &str, field: &str| format!(".status.conditions[?(@.type==\"{condition}\")].{field}");
    version["additionalPrinterColumns"] = json!([
        {"jsonPath": ".spec.disabled", "name": "Disabled", "type": "boolean"},
        {"jsonPath": of(names.conflict, "status"), "name": "Conflicting", "type": "string"},
        {"jsonPath": of(names.available, "message"), "name": "IPs Available", "type": "string"},
        {"jsonPath": ".metadata.creationTimestamp", "name": "Age", "type": "date"},
    ]);
    version["subresources"] = json!({"status": {}});
    let schema = &mut version["schema"]["openAPIV3Schema"];
    if let Some(map) = schema.as_object_mut() {
        map.remove("title");
    }
    schema["required"] = json!(["metadata", "spec"]);
    let properties = &mut schema["properties"];
    for (name, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
        properties[name] = json!({"type": kind});
    }
    properties["status"] = status();
    let spec = &mut properties["spec"];
    if let Some(map) = spec.as_object_mut() {
        map.remove("required");
    }
    let fields = &mut spec["properties"];
    fields["disabled"]["default"] = json!(false);
    fields["serviceSelector"]["x-kubernetes-map-type"] = json!("atomic");
    let expressions = &mut fields["serviceSelector"]["properties"]["matchExpressions"];
    expressions["x-kubernetes-list-type"] = json!("atomic");
    expressions["items"]["properties"]["values"]["x-kubernetes-list-type"] = json!("atomic");
    for (have, gone) in [(names.blocks, &["blocks", "allowFirstLastIPs"][..]), (names.cidrs, &["cidrs"][..])]
    {
        for field in gone.iter().filter(|_| !have) {
            if let Some(map) = fields.as_object_mut() {
                map.remove(*field);
            }
        }
    }
    if names.cidrs && !names.blocks {
        fields["cidrs"]["minItems"] = json!(1);
        spec["required"] = json!(["cidrs"]);
    }
}

/// Conditions as Kubernetes itself defines them.
fn status() -> Value {
    let kind = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$";
    json!({"type": "object", "properties": {"conditions": {
        "type": "array", "x-kubernetes-list-map-keys": ["type"], "x-kubernetes-list-type": "map",
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "message": {"type": "string", "maxLength": 32768},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                "reason": {"type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "type": {"type": "string", "maxLength": 316, "pattern": kind},
            },
        },
    }}})
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const RECORDED: &str =
        include_str!("../../../fixtures/recorded/cilium-1.20-dev/crd-ciliumloadbalancerippools.json");

    fn definition(version: &str) -> Value {
        serde_json::to_value(pool_crd(&version.parse().unwrap()).unwrap()).unwrap()
    }

    /// Without words that describe, and with lists that are sets in one order.
    fn bare(value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(key, value)| !(*key == "description" && value.is_string()))
                .map(|(key, value)| match (key.as_str(), value) {
                    ("required" | "enum" | "shortNames", Value::Array(list)) => {
                        let mut names: Vec<String> = list.iter().map(ToString::to_string).collect();
                        names.sort();
                        (key.clone(), json!(names))
                    }
                    ("minimum" | "maximum", bound) => (key.clone(), json!(bound.as_f64())),
                    _ => (key.clone(), bare(value)),
                })
                .collect(),
            Value::Array(list) => list.iter().map(bare).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn a_pool_is_defined_as_cilium_1_20_defines_it() {
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let ours = definition("1.20-dev");
        let versions = |definition: &Value| definition["spec"]["versions"].as_array().unwrap().clone();
        assert_eq!(versions(&ours).len(), versions(&recorded).len());
        for (theirs, mine) in versions(&recorded).iter().zip(versions(&ours)) {
            assert_eq!(bare(&mine["schema"]), bare(&theirs["schema"]));
            for field in ["additionalPrinterColumns", "name", "served", "storage", "deprecated"] {
                assert_eq!(mine[field], theirs[field], "{field} of {}", theirs["name"]);
            }
        }
        assert_eq!(bare(&ours["spec"]["names"]), bare(&recorded["spec"]["names"]));
        assert_eq!(ours["spec"]["scope"], recorded["spec"]["scope"]);
    }

    #[rstest]
    #[case("1.13.0", &["v2alpha1"], &["cidrs", "disabled", "serviceSelector"])]
    #[case("1.15.3", &["v2alpha1"], &["allowFirstLastIPs", "blocks", "cidrs", "disabled", "serviceSelector"])]
    #[case("1.16.0", &["v2alpha1"], &["allowFirstLastIPs", "blocks", "disabled", "serviceSelector"])]
    #[case("1.19.1", &["v2", "v2alpha1"], &["allowFirstLastIPs", "blocks", "disabled", "serviceSelector"])]
    fn fields_and_versions_come_and_go(
        #[case] version: &str,
        #[case] served: &[&str],
        #[case] fields: &[&str],
    ) {
        let made = definition(version);
        let versions = made["spec"]["versions"].as_array().unwrap();
        assert_eq!(versions.iter().map(|v| v["name"].as_str().unwrap()).collect::<Vec<_>>(), served);
        let spec = &versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        let mut names: Vec<_> = spec.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, fields);
    }

    #[test]
    fn there_are_none_before_1_13() {
        assert!(pool_crd(&CiliumVersion::new(1, 12, 19)).is_none());
    }
}
