//! The resources of Kubernetes' own that the twin serves. Others are not there, and say so.
//!
//! What lives here: the table, and judging a value by the type `k8s-openapi` generates from the real API. What does not:
//! what a server adds to an object or forbids (`rules`).

use std::sync::{Arc, LazyLock};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, Namespace, Node, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::resource::{Flavor, Resource, Type, VERBS};
use crate::twin::store::Collection;

struct Row {
    path: &'static str,
    kind: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
    all: bool,
    status: bool,
    subresources: &'static [&'static str],
    selectable: &'static [&'static str],
    verbs: &'static [&'static str],
    warning: Option<&'static str>,
    check: Type,
}

const PLAIN: Row = Row {
    path: "",
    kind: "",
    namespaced: true,
    short: &[],
    all: false,
    status: false,
    subresources: &[],
    selectable: &[],
    verbs: VERBS,
    warning: None,
    check: of::<ConfigMap>(),
};

const TABLE: [Row; 17] = [
    Row { path: "/v1/configmaps", kind: "ConfigMap", short: &["cm"], ..PLAIN },
    Row {
        path: "/v1/endpoints",
        kind: "Endpoints",
        short: &["ep"],
        warning: Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"),
        check: of::<Endpoints>(),
        ..PLAIN
    },
    Row {
        path: "/v1/events",
        kind: "Event",
        short: &["ev"],
        selectable: &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        check: of::<Event>(),
        ..PLAIN
    },
    Row {
        path: "/v1/namespaces",
        kind: "Namespace",
        namespaced: false,
        short: &["ns"],
        status: true,
        selectable: &["status.phase"],
        check: of::<Namespace>(),
        ..PLAIN
    },
    Row {
        path: "/v1/nodes",
        kind: "Node",
        namespaced: false,
        short: &["no"],
        status: true,
        selectable: &["spec.unschedulable"],
        check: of::<Node>(),
        ..PLAIN
    },
    Row {
        path: "/v1/pods",
        kind: "Pod",
        short: &["po"],
        all: true,
        status: true,
        subresources: &["attach", "binding", "eviction", "exec", "log", "portforward"],
        selectable: &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        check: of::<Pod>(),
        ..PLAIN
    },
    Row { path: "/v1/secrets", kind: "Secret", selectable: &["type"], check: of::<Secret>(), ..PLAIN },
    Row {
        path: "/v1/serviceaccounts",
        kind: "ServiceAccount",
        short: &["sa"],
        check: of::<ServiceAccount>(),
        ..PLAIN
    },
    Row {
        path: "/v1/services",
        kind: "Service",
        short: &["svc"],
        all: true,
        status: true,
        selectable: &["spec.clusterIP", "spec.type"],
        check: of::<Service>(),
        ..PLAIN
    },
    Row {
        path: "apiextensions.k8s.io/v1/customresourcedefinitions",
        kind: "CustomResourceDefinition",
        namespaced: false,
        short: &["crd", "crds"],
        status: true,
        check: of::<CustomResourceDefinition>(),
        ..PLAIN
    },
    Row {
        path: "authentication.k8s.io/v1/selfsubjectreviews",
        kind: "SelfSubjectReview",
        namespaced: false,
        verbs: &["create"],
        check: of::<SelfSubjectReview>(),
        ..PLAIN
    },
    Row {
        path: "authorization.k8s.io/v1/selfsubjectaccessreviews",
        kind: "SelfSubjectAccessReview",
        namespaced: false,
        verbs: &["create"],
        check: of::<SelfSubjectAccessReview>(),
        ..PLAIN
    },
    Row {
        path: "authorization.k8s.io/v1/selfsubjectrulesreviews",
        kind: "SelfSubjectRulesReview",
        namespaced: false,
        verbs: &["create"],
        check: of::<SelfSubjectRulesReview>(),
        ..PLAIN
    },
    Row {
        path: "authorization.k8s.io/v1/subjectaccessreviews",
        kind: "SubjectAccessReview",
        namespaced: false,
        verbs: &["create"],
        check: of::<SubjectAccessReview>(),
        ..PLAIN
    },
    Row { path: "coordination.k8s.io/v1/leases", kind: "Lease", check: of::<Lease>(), ..PLAIN },
    Row {
        path: "discovery.k8s.io/v1/endpointslices",
        kind: "EndpointSlice",
        check: of::<EndpointSlice>(),
        ..PLAIN
    },
    Row {
        path: "networking.k8s.io/v1/servicecidrs",
        kind: "ServiceCIDR",
        namespaced: false,
        status: true,
        check: of::<ServiceCIDR>(),
        ..PLAIN
    },
];

static RESOURCES: LazyLock<Vec<Arc<Resource>>> = LazyLock::new(|| TABLE.iter().map(resource).collect());

/// Every built-in resource.
pub(super) fn all() -> &'static [Arc<Resource>] {
    &RESOURCES
}

fn resource(row: &Row) -> Arc<Resource> {
    let mut path = row.path.split('/');
    let mut part = || path.next().unwrap_or_default();
    let (group, version, plural) = (part(), part(), part());
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    Arc::new(Resource {
        group: group.into(),
        version: version.into(),
        plural: plural.into(),
        singular: row.kind.to_lowercase(),
        kind: row.kind.into(),
        list_kind: format!("{}List", row.kind),
        short_names: words(row.short),
        categories: if row.all { vec!["all".into()] } else { Vec::new() },
        namespaced: row.namespaced,
        verbs: row.verbs,
        subresources: row.subresources,
        status: row.status,
        selectable: words(row.selectable),
        warning: row.warning.map(str::to_owned),
        collection: Collection::new(group, plural),
        flavor: Flavor::Builtin(row.check),
    })
}

/// A type by what `k8s-openapi` knows of it.
const fn of<T: DeserializeOwned + Serialize + JsonSchema>() -> Type {
    Type { check: check::<T>, describe: |generator| generator.subschema_for::<T>() }
}

/// Reads a value as `T` and writes it again: what does not come back is a field `T` does not have.
pub(super) fn check<T: DeserializeOwned + Serialize>(value: &Value) -> Result<(Vec<String>, Value), String> {
    let typed = T::deserialize(value).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    let mut unknown = Vec::new();
    missing(value, &known, "", &mut unknown);
    Ok((unknown, known))
}

fn missing(given: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (key, value) in given.iter().filter(|(_, value)| !value.is_null()) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    Some(known) => missing(value, known, &path, unknown),
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (at, (given, known)) in given.iter().zip(known).enumerate() {
                missing(given, known, &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_nobody_knows_is_named() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "creationTimestamp": null},
            "spec": {"containers": [{"name": "a", "imagee": "b"}], "nodeSelectr": {}}});
        assert_eq!(check::<Pod>(&pod).unwrap().0, ["spec.containers[0].imagee", "spec.nodeSelectr"]);
        assert!(check::<Pod>(&json!({"spec": {"containers": "a"}})).is_err());
    }

    #[test]
    fn the_table_reads_as_it_should() {
        let crd = all().iter().find(|r| r.kind == "CustomResourceDefinition").unwrap();
        assert_eq!(crd.api_version(), "apiextensions.k8s.io/v1");
        let pod = all().iter().find(|r| r.kind == "Pod").unwrap();
        assert_eq!((pod.api_version().as_str(), pod.singular.as_str(), pod.namespaced), ("v1", "pod", true));
        assert_eq!(pod.described().len(), 8);
    }
}
