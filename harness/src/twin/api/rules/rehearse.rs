//! Trying objects on the rules before there is a server: a mistake in a lab's manifests is found while the lab is read.
//!
//! What lives here: an API server's judgement without its network, its nodes and its memory. What does not: rules that need
//! other objects (a namespace that is not there, an address that is taken), which only the real thing can judge; and the
//! places of fields in files, which the reader of the files knows.

use schemars::SchemaGenerator;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Rules, WriteOptions, check, defaults, install};
use crate::twin::api::registry::{Flavor, Resource};
use crate::twin::api::{ApiError, Cause};
use crate::twin::store::Store;

/// One thing that is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The path of the field (`spec.virtualRouters[0].localASN`); empty for the object as a whole.
    pub field: String,
    /// What is wrong with it, in the server's words.
    pub message: String,
    /// The names that can stand where an unknown one stands.
    pub instead: Vec<String>,
}

/// The rules of a server that serves the built-in kinds and some definitions.
#[derive(Debug)]
pub struct Rehearsal {
    rules: Rules,
}

impl Rehearsal {
    /// A server with these definitions (CustomResourceDefinition objects).
    ///
    /// # Errors
    /// The refusal of a definition.
    pub fn new<D: Serialize>(definitions: &[D]) -> Result<Self, ApiError> {
        let store = Store::new();
        for definition in definitions {
            install(&store, definition)?;
        }
        Ok(Self { rules: Rules::new(store) })
    }

    /// Everything that is wrong with an object that is to be applied. A definition that is sound is served from then on.
    pub fn apply(&self, object: &Value) -> Vec<Wrong> {
        let resource = match self.resource(object) {
            Ok(resource) => resource,
            Err(wrong) => return vec![wrong],
        };
        let mut value = object.clone();
        let mut wrong: Vec<Wrong> = Vec::new();
        if let Flavor::Custom { schema, .. } = &resource.flavor {
            wrong.extend(schema.prune(&mut value).into_iter().map(|field| unknown(&resource, field)));
        }
        match Rules::conform(&resource, &mut value, None, &WriteOptions::default()) {
            Ok(warnings) => {
                let fields = warnings.iter().filter_map(|warning| warning.split('"').nth(1));
                wrong.extend(fields.map(|field| unknown(&resource, field.to_owned())));
            }
            Err(error) => {
                // A required field that is missing beside one nobody knows is that one, misspelt.
                let misspelt = !wrong.is_empty();
                let causes = refused(&error).into_iter();
                wrong.extend(
                    causes.filter(|cause| !(misspelt && cause.message.starts_with("Required value"))),
                );
                return wrong;
            }
        }
        let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        defaults::fresh(&resource, &mut value);
        defaults::fill(&resource, &mut value);
        wrong.extend(check::object(&resource, &value).into_iter().map(|cause| Wrong {
            field: cause.field,
            message: cause.message,
            instead: Vec::new(),
        }));
        if wrong.is_empty() && resource.is("apiextensions.k8s.io", "customresourcedefinitions") {
            // One that was applied before stays as it was: to know a kind, that is enough.
            wrong.extend(install(&self.rules.store, object).err().iter().flat_map(refused));
        }
        tracing::trace!(kind = resource.kind, name, wrong = wrong.len(), "rehearsed");
        wrong
    }

    /// The resource an object says it is of.
    fn resource(&self, object: &Value) -> Result<std::sync::Arc<Resource>, Wrong> {
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.rules.registry.of_kind(group, version, kind).ok_or_else(|| {
            let all = self.rules.registry.all();
            let served: Vec<String> =
                all.iter().filter(|one| one.kind == kind).map(|one| one.api_version()).collect();
            if served.is_empty() {
                let mut instead: Vec<String> = all.iter().map(|one| one.kind.clone()).collect();
                instead.dedup();
                let message = format!("no kind `{kind}` is served in `{api_version}`");
                Wrong { field: "kind".into(), message, instead }
            } else {
                let message = format!("`{kind}` is not served in `{api_version}`");
                Wrong { field: "apiVersion".into(), message, instead: served }
            }
        })
    }
}

/// The remark about a field that the resource does not have.
fn unknown(resource: &Resource, field: String) -> Wrong {
    let (parent, _) = field.rsplit_once('.').unwrap_or(("", &field));
    let instead = match &resource.flavor {
        Flavor::Custom { schema, .. } => schema.names_at(parent),
        Flavor::Builtin(of) => {
            let mut generator = SchemaGenerator::default();
            let whole = (of.describe)(&mut generator).to_value();
            fields_at(&whole, &generator.take_definitions(true), parent)
        }
    };
    let message = format!("{} has no field `{field}`", resource.kind);
    Wrong { field, message, instead }
}

/// The names of the fields at a path of a described type; none where the path leads nowhere.
fn fields_at(whole: &Value, definitions: &Map<String, Value>, path: &str) -> Vec<String> {
    let resolve = |schema: &Value| -> Option<Value> {
        // A field of a type of its own refers to it, alone or beside a description or null.
        let beside = ["allOf", "anyOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
        let referred = std::iter::once(schema).chain(beside).find_map(|schema| schema["$ref"].as_str());
        match referred {
            Some(name) => definitions.get(name.rsplit('/').next()?).cloned(),
            None => Some(schema.clone()),
        }
    };
    let step = |schema: Value, step: &str| -> Option<Value> {
        let (name, indexes) =
            step.split_once('[').map_or((step, 0), |(name, rest)| (name, rest.matches(']').count()));
        let field = resolve(&schema["properties"][name])?;
        (0..indexes).try_fold(field, |schema, _| resolve(&schema["items"]))
    };
    let found = path
        .split('.')
        .filter(|name| !name.is_empty())
        .try_fold(resolve(whole), |schema, name| schema.map(|schema| step(schema, name)));
    let properties = found.flatten().and_then(|schema| schema["properties"].as_object().cloned());
    properties.map(|all| all.keys().cloned().collect()).unwrap_or_default()
}

fn refused(error: &ApiError) -> Vec<Wrong> {
    if error.details.causes.is_empty() {
        // `Pod in version "v1" cannot be handled as a Pod: spec.x: invalid type`: the field leads the last part.
        let said = error.message.split_once(": ").map_or(error.message.as_str(), |(_, said)| said);
        let field = said.split_once(": ").map_or("", |(field, _)| field);
        let is_path = !field.is_empty() && !field.contains(' ');
        let field = if is_path { field.to_owned() } else { String::new() };
        return vec![Wrong { field, message: said.to_owned(), instead: Vec::new() }];
    }
    // That rules were not asked says nothing of the file.
    let causes = error.details.causes.iter().filter(|cause| **cause != Cause::unchecked());
    causes
        .map(|cause| Wrong {
            field: cause.field.clone(),
            message: cause.message.clone(),
            instead: Vec::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::cilium::crds;

    fn said(object: &Value) -> Vec<(String, String)> {
        let rehearsal = Rehearsal::new(&crds(&"1.12.1".parse().unwrap())).unwrap();
        rehearsal.apply(object).into_iter().map(|wrong| (wrong.field, wrong.message)).collect()
    }

    fn policy(router: Value) -> Value {
        json!({"apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": {"name": "a"},
            "spec": {"virtualRouters": [router]}})
    }

    #[rstest]
    #[case(json!({"localASN": 1, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 2}]}), "", "")]
    #[case(json!({"localASN": "many", "neighbors": []}), "spec.virtualRouters[0].localASN", "must be of type integer")]
    #[case(json!({"localASN": 1, "localAsn": 1, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 2}]}),
        "spec.virtualRouters[0].localAsn", "has no field")]
    #[case(json!({"localASN": 1, "neighbors": [{"peerAddress": "10.0.0.1", "peerASN": 2}]}),
        "spec.virtualRouters[0].neighbors[0].peerAddress", "must be of type cidr")]
    fn a_policy_is_judged_by_its_definition(#[case] router: Value, #[case] field: &str, #[case] words: &str) {
        let said = said(&policy(router));
        match said.first() {
            None => assert_eq!(field, ""),
            Some((at, message)) => {
                assert_eq!(at, field, "{message}");
                assert!(message.contains(words), "{message}");
            }
        }
    }

    #[test]
    fn a_kind_or_a_version_nobody_has_is_named_with_those_there_are() {
        let rehearsal = Rehearsal::new(&crds(&"1.12.1".parse().unwrap())).unwrap();
        let of = |api: &str, kind: &str| {
            rehearsal.apply(&json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}})).remove(0)
        };
        let misspelt = of("v1", "Pdo");
        assert!(misspelt.field == "kind" && misspelt.instead.contains(&"Pod".to_owned()), "{misspelt:?}");
        let elsewhere = of("cilium.io/v2", "CiliumBGPPeeringPolicy");
        assert_eq!(
            (elsewhere.field.as_str(), elsewhere.instead),
            ("apiVersion", vec!["cilium.io/v2alpha1".to_owned()])
        );
    }

    #[test]
    fn a_built_in_kind_is_judged_by_its_type() {
        let pod =
            |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec});
        let containers = json!([{"name": "a", "image": "b"}]);
        assert_eq!(said(&pod(json!({"containers": containers}))), Vec::new());
        let misspelt = said(&pod(json!({"containers": containers, "nodeSelektor": {}})));
        assert_eq!(misspelt[0].0, "spec.nodeSelektor");
        let rehearsal = Rehearsal::new::<Value>(&[]).unwrap();
        let instead = |spec: Value| rehearsal.apply(&pod(spec)).remove(0).instead;
        assert!(
            instead(json!({"containers": containers, "nodeSelektor": {}}))
                .contains(&"nodeSelector".to_owned())
        );
        let deeper = json!({"containers": [{"name": "a", "securityContext": {"capabilitys": {}}}]});
        assert!(instead(deeper).contains(&"capabilities".to_owned()));
        let wrong = said(&pod(json!({"containers": containers, "hostNetwork": "maybe"})));
        assert_eq!(wrong[0].0, "spec.hostNetwork", "{wrong:?}");
    }

    #[test]
    fn a_definition_that_is_applied_is_served() {
        let rehearsal = Rehearsal::new::<Value>(&[]).unwrap();
        let object = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}});
        assert_eq!(rehearsal.apply(&object).len(), 1);
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.com"},
            "spec": {"group": "example.com", "scope": "Cluster", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
        assert_eq!(rehearsal.apply(&definition), Vec::new());
        assert_eq!(rehearsal.apply(&object), Vec::new());
    }
}
