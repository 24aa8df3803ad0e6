//! The definitions Cilium registers at an API server, made from our own types.
//!
//! What lives here: the list by version, and the few places where Cilium's definitions differ from what a derive
//! macro makes. What does not: the types (`peering`, `node`).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceSubresourceStatus, CustomResourceSubresources, JSONSchemaProps,
};
use kube::CustomResourceExt;

use super::node::CiliumNode;
use super::peering::CiliumBGPPeeringPolicy;
use super::promises::promises;
use super::version::CiliumVersion;

/// The name of the definition of CiliumBGPPeeringPolicy.
pub const BGPP_CRD: &str = "ciliumbgppeeringpolicies.cilium.io";

/// The label by which Cilium knows the version of a definition it wrote.
pub const SCHEMA_VERSION_LABEL: &str = "io.cilium.k8s.crd.schema.version";

/// The definitions that `version` registers, as far as a BGP fabric needs them: CiliumNode always, and
/// CiliumBGPPeeringPolicy up to 1.18, and CiliumLoadBalancerIPPool from 1.13 on.
///
/// A version without a BGP control plane gets CiliumNode alone.
pub fn crds(version: &CiliumVersion) -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![as_cilium_writes(CiliumNode::crd(), &["metadata", "spec"], true)];
    if promises(version).is_ok_and(|row| row.peering_policy) {
        definitions.push(as_cilium_writes(CiliumBGPPeeringPolicy::crd(), &["metadata"], false));
    }
    definitions.extend(super::pool::pool_crd(version));
    definitions
}

/// Cilium's own definitions ask for `metadata`, not for `spec`, spell out the three common fields, and switch the
/// status subresource on for some kinds only.
fn as_cilium_writes(
    mut definition: CustomResourceDefinition,
    required: &[&str],
    status: bool,
) -> CustomResourceDefinition {
    let labels = definition.metadata.labels.get_or_insert_default();
    // What Cilium 1.12.1 writes; later versions count on.
    labels.insert(SCHEMA_VERSION_LABEL.to_owned(), "1.25.5".to_owned());
    for version in &mut definition.spec.versions {
        version.subresources = status.then(|| CustomResourceSubresources {
            status: Some(CustomResourceSubresourceStatus(serde_json::json!({}))),
            ..CustomResourceSubresources::default()
        });
        let schema = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            schema.title = None;
            schema.required = Some(required.iter().map(ToString::to_string).collect());
            let properties = schema.properties.get_or_insert_default();
            for (name, kind) in [("apiVersion", "string"), ("kind", "string"), ("metadata", "object")] {
                properties.insert(name.to_owned(), of_type(kind));
            }
            if status {
                let anything = Some(true);
                let open =
                    JSONSchemaProps { x_kubernetes_preserve_unknown_fields: anything, ..of_type("object") };
                properties.insert("status".to_owned(), open);
            }
        }
    }
    definition
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
        include_str!("../../../fixtures/recorded/cilium-1.12.1/crd-ciliumbgppeeringpolicies.json");

    /// What a schema demands, without the words that describe it.
    fn bare(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let kept = map.iter().filter(|(key, value)| !(*key == "description" && value.is_string()));
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
        for key in ["kind", "plural", "singular", "shortNames"] {
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
        assert_eq!(
            names("1.18.3"),
            ["ciliumnodes.cilium.io", BGPP_CRD, "ciliumloadbalancerippools.cilium.io"]
        );
        assert_eq!(names("1.19.0"), ["ciliumnodes.cilium.io", "ciliumloadbalancerippools.cilium.io"]);
        assert_eq!(names("1.11.0"), ["ciliumnodes.cilium.io"]);
    }
}
