//! The definitions Cilium registers at an API server, made from our own types.
//!
//! What lives here: the list by version, and the few places where Cilium's definitions differ from what a derive
//! macro makes. What does not: the types (`peering`, `bgp`, `node`).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceSubresourceStatus, CustomResourceSubresources, JSONSchemaProps,
    JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::bgp;
use super::node::CiliumNode;
use super::peering::CiliumBGPPeeringPolicy;
use super::pool::pool_crd;
use super::promises::{BgpV2, promises};
use super::version::CiliumVersion;

mod fields;
mod rules;

pub use fields::{FieldBeginning, field_beginnings};

/// The name of the definition of CiliumBGPPeeringPolicy.
pub const BGPP_CRD: &str = "ciliumbgppeeringpolicies.cilium.io";

/// The label by which Cilium knows the version of a definition it wrote.
pub const SCHEMA_VERSION_LABEL: &str = "io.cilium.k8s.crd.schema.version";

/// The definitions that `version` registers, as far as a BGP fabric needs them: CiliumNode always,
/// CiliumBGPPeeringPolicy up to 1.18, CiliumLoadBalancerIPPool from 1.13 on, and those of the second BGP API from 1.16 on.
/// Each has the fields of that version.
///
/// A version without a BGP control plane gets CiliumNode alone.
pub fn crds(version: &CiliumVersion) -> Vec<CustomResourceDefinition> {
    let node = Form { required: &["metadata", "spec"], status: Status::Open, versions: &["v2"] };
    let mut definitions = vec![as_cilium_writes(CiliumNode::crd(), &node, version)];
    let Ok(row) = promises(version) else { return definitions };
    if row.peering_policy {
        let form = Form { required: &["metadata"], status: Status::None, versions: &["v2alpha1"] };
        definitions.push(as_cilium_writes(CiliumBGPPeeringPolicy::crd(), &form, version));
    }
    definitions.extend(pool_crd(version));
    let versions: &[&str] = bgp_v2_versions(row.bgp_v2);
    if versions.is_empty() {
        return definitions;
    }
    let conditions = if version.line() >= (1, 17) { Status::Typed } else { Status::None };
    for (definition, status) in [
        (bgp::CiliumBGPAdvertisement::crd(), Status::None),
        (bgp::CiliumBGPClusterConfig::crd(), conditions),
        (bgp::CiliumBGPNodeConfigOverride::crd(), Status::None),
        (bgp::CiliumBGPNodeConfig::crd(), Status::Typed),
        (bgp::CiliumBGPPeerConfig::crd(), conditions),
    ] {
        let form = Form { required: &["metadata", "spec"], status, versions };
        definitions.push(as_cilium_writes(definition, &form, version));
    }
    definitions
}

/// The API versions of the second BGP API that are served, the stored one first.
pub fn bgp_v2_versions(stage: BgpV2) -> &'static [&'static str] {
    match stage {
        BgpV2::Absent => &[],
        BgpV2::V2alpha1 => &["v2alpha1"],
        BgpV2::V2 => &["v2", "v2alpha1"],
    }
}

/// What a definition of Cilium's has that a derive macro does not make.
struct Form {
    required: &'static [&'static str],
    status: Status,
    /// The API versions that are served, the stored one first.
    versions: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    /// No subresource.
    None,
    /// A subresource of the type's own.
    Typed,
    /// A subresource that takes anything.
    Open,
}

/// Cilium's own definitions ask for `metadata`, spell out the three common fields, and switch the status subresource on
/// for some kinds only.
fn as_cilium_writes(
    mut definition: CustomResourceDefinition,
    form: &Form,
    version: &CiliumVersion,
) -> CustomResourceDefinition {
    let line = version.line();
    let labels = definition.metadata.labels.get_or_insert_default();
    // What Cilium 1.12.1 and 1.20-dev write; the versions between count up.
    let written = if line < (1, 20) { "1.25.5" } else { "1.33.0" };
    labels.insert(SCHEMA_VERSION_LABEL.to_owned(), written.to_owned());
    let kind = definition.spec.names.plural.clone();
    if line < (1, 13) {
        // 1.12.1 writes none.
        definition.spec.names.categories = None;
    }
    let Some(made) = definition.spec.versions.pop() else { return definition };
    for (rank, api) in form.versions.iter().enumerate() {
        let mut version = made.clone();
        version.name = (*api).to_owned();
        version.storage = rank == 0;
        version.deprecated = (rank > 0).then_some(true);
        let status =
            (form.status != Status::None).then(|| CustomResourceSubresourceStatus(serde_json::json!({})));
        version.subresources =
            Some(CustomResourceSubresources { status, ..CustomResourceSubresources::default() });
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            fields::cut(schema, &kind, api, line);
            tidy(schema, line);
            root(schema, form);
            rules::lay(schema, &kind, api, line);
        }
        definition.spec.versions.push(version);
    }
    definition
}

fn root(schema: &mut JSONSchemaProps, form: &Form) {
    schema.required = Some(form.required.iter().map(ToString::to_string).collect());
    let properties = schema.properties.get_or_insert_default();
    for (name, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
        properties.insert(name.to_owned(), of_type(kind));
    }
    match form.status {
        Status::None => drop(properties.remove("status")),
        Status::Typed => {}
        Status::Open => {
            let open =
                JSONSchemaProps { x_kubernetes_preserve_unknown_fields: Some(true), ..of_type("object") };
            properties.insert("status".to_owned(), open);
        }
    }
}

/// What holds for every schema in a definition: Cilium's types know no null, and since 1.13 selectors are whole values
/// for those who merge (their lists since 1.16).
fn tidy(schema: &mut JSONSchemaProps, line: (u32, u32)) {
    schema.title = None;
    schema.nullable = None;
    let properties = schema.properties.get_or_insert_default();
    let selector = properties.contains_key("matchExpressions") && properties.contains_key("matchLabels");
    if selector && line >= (1, 13) {
        schema.x_kubernetes_map_type = Some("atomic".to_owned());
    }
    let values = properties.contains_key("operator") && properties.contains_key("values");
    for (name, property) in properties.iter_mut() {
        tidy(property, line);
        let whole = selector && name == "matchExpressions" || values && name == "values";
        if whole && line >= (1, 16) {
            property.x_kubernetes_list_type = Some("atomic".to_owned());
        }
    }
    if properties.is_empty() {
        schema.properties = None;
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items, line);
    }
}

fn of_type(kind: &str) -> JSONSchemaProps {
    JSONSchemaProps { type_: Some(kind.to_owned()), ..JSONSchemaProps::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// `kubectl get crd ciliumbgppeeringpolicies.cilium.io -o json` of a cluster with Cilium 1.12.1, descriptions left out.
    const RECORDED: &str =
        include_str!("../../../../fixtures/recorded/cilium-1.12.1/crd-ciliumbgppeeringpolicies.json");

    /// What a schema demands, without the words that describe it.
    fn bare(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let kept = map.iter().filter(|(key, value)| {
                    // The recorded server was too old for rules, and dropped them.
                    !(*key == "description" && value.is_string()) && *key != "x-kubernetes-validations"
                });
                let kept = kept.map(|(key, value)| match (key.as_str(), value) {
                    ("required" | "enum", Value::Array(list)) => {
                        let mut names: Vec<String> = list.iter().map(ToString::to_string).collect();
                        names.sort();
                        (key.clone(), json!(names))
                    }
                    // 0 and 0.0 are the same bound.
                    ("minimum" | "maximum", bound) => (key.clone(), json!(bound.as_f64())),
                    _ => (key.clone(), bare(value)),
                });
                Value::Object(kept.collect())
            }
            Value::Array(list) => Value::Array(list.iter().map(bare).collect()),
            other => other.clone(),
        }
    }

    fn ours(version: &str, name: &str) -> Value {
        let all = crds(&version.parse().unwrap());
        let found = all.iter().find(|crd| crd.metadata.name.as_deref() == Some(name)).unwrap();
        serde_json::to_value(found).unwrap()
    }

    #[test]
    fn the_peering_policy_is_defined_as_cilium_1_12_1_defines_it() {
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let ours = ours("1.12.1", BGPP_CRD);
        let theirs = &recorded["spec"]["versions"][0];
        let mine = &ours["spec"]["versions"][0];
        assert_eq!(bare(&mine["schema"]), bare(&theirs["schema"]));
        assert_eq!(mine["additionalPrinterColumns"], theirs["additionalPrinterColumns"]);
        assert_eq!(mine["name"], theirs["name"]);
        assert_eq!(ours["spec"]["scope"], recorded["spec"]["scope"]);
        for key in ["kind", "plural", "singular", "shortNames", "categories"] {
            assert_eq!(ours["spec"]["names"][key], recorded["spec"]["names"][key], "{key}");
        }
        assert_eq!(ours["metadata"]["name"], recorded["metadata"]["name"]);
        assert_eq!(ours["metadata"]["labels"], recorded["metadata"]["labels"]);
    }

    #[test]
    fn the_node_keeps_what_it_does_not_know() {
        let node = ours("1.12.1", "ciliumnodes.cilium.io");
        let version = &node["spec"]["versions"][0];
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
        assert_eq!(spec["x-kubernetes-preserve-unknown-fields"], json!(true));
        assert_eq!(version["subresources"]["status"], json!({}));
        assert_eq!(node["spec"]["names"]["shortNames"], json!(["cn", "ciliumn"]));
        assert_eq!(node["spec"]["scope"], json!("Cluster"));
    }

    #[test]
    fn the_peering_policy_goes_with_1_19() {
        let names = |version: &str| -> Vec<String> {
            crds(&version.parse().unwrap()).into_iter().filter_map(|crd| crd.metadata.name).collect()
        };
        assert!(names("1.18.3").contains(&BGPP_CRD.to_owned()));
        assert!(!names("1.19.0").contains(&BGPP_CRD.to_owned()));
        let pools = "ciliumloadbalancerippools.cilium.io";
        assert_eq!(names("1.15.0"), ["ciliumnodes.cilium.io", BGPP_CRD, pools]);
        assert_eq!(names("1.12.0"), ["ciliumnodes.cilium.io", BGPP_CRD]);
        assert_eq!(names("1.11.0"), ["ciliumnodes.cilium.io"]);
    }

    /// `kubectl get crd` of a cluster with Cilium 1.20-dev: those with `bgp` in their names, descriptions left out.
    const RECORDED_1_20: &str = include_str!("../../../../fixtures/recorded/cilium-1.20-dev/crds-bgp.json");

    #[test]
    fn the_second_api_is_defined_as_cilium_1_20_defines_it() {
        let recorded: Value = serde_json::from_str(RECORDED_1_20).unwrap();
        for theirs in recorded["items"].as_array().unwrap() {
            let name = theirs["metadata"]["name"].as_str().unwrap();
            let ours = ours("1.20.0", name);
            for (mine, theirs) in ours["spec"]["versions"]
                .as_array()
                .unwrap()
                .iter()
                .zip(theirs["spec"]["versions"].as_array().unwrap())
            {
                let what = format!("{name} {}", mine["name"]);
                assert_eq!(bare(&mine["schema"]), bare(&theirs["schema"]), "{what}");
                for key in
                    ["name", "served", "storage", "deprecated", "subresources", "additionalPrinterColumns"]
                {
                    assert_eq!(mine[key], theirs[key], "{what} {key}");
                }
            }
            for key in ["kind", "plural", "singular", "shortNames", "categories"] {
                assert_eq!(ours["spec"]["names"][key], theirs["spec"]["names"][key], "{key}");
            }
            assert_eq!(ours["spec"]["scope"], theirs["spec"]["scope"]);
            assert_eq!(ours["metadata"]["labels"], theirs["metadata"]["labels"]);
        }
    }

    #[rstest::rstest]
    #[case("1.15.0", "", "")]
    #[case("1.16.0", "v2alpha1", "v2alpha1")]
    #[case("1.18.0", "v2,v2alpha1", "v2")]
    #[case("1.20.0", "v2,v2alpha1", "v2")]
    fn serves_the_second_api(#[case] version: &str, #[case] served: &str, #[case] stored: &str) {
        let all = crds(&version.parse().unwrap());
        let found = all.iter().find(|crd| crd.spec.names.kind == "CiliumBGPClusterConfig");
        let versions = found.map(|crd| crd.spec.versions.clone()).unwrap_or_default();
        let names: Vec<&str> = versions.iter().map(|version| version.name.as_str()).collect();
        assert_eq!(names.join(","), served);
        let storage = versions.iter().find(|version| version.storage).map(|version| version.name.as_str());
        assert_eq!(storage.unwrap_or_default(), stored);
    }

    #[rstest::rstest]
    #[case("1.13.0", "serviceSelector", true)]
    #[case("1.12.4", "serviceSelector", false)]
    #[case("1.14.0", "podIPPoolSelector", false)]
    #[case("1.15.0", "podIPPoolSelector", true)]
    #[case("1.15.0", "serviceAdvertisements", false)]
    #[case("1.16.0", "serviceAdvertisements", true)]
    fn a_policy_has_the_fields_of_its_version(
        #[case] version: &str,
        #[case] field: &str,
        #[case] there: bool,
    ) {
        let ours = ours(version, BGPP_CRD);
        let schema = &ours["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let router = &schema["properties"]["spec"]["properties"]["virtualRouters"]["items"]["properties"];
        assert_eq!(!router[field].is_null(), there);
    }
}
