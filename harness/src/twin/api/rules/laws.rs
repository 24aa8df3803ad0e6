//! Laws of writing: applying twice is applying once, and what is owned by one manager survives another.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::tests::{resource, rules};
use super::{Part, Rules, Unknown, WriteOptions};
use crate::twin::api::patch::PatchKind;
use crate::twin::store::Key;

/// A point in time that no test runs at.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

fn words(prefix: &'static str) -> impl Strategy<Value = Map<String, Value>> {
    let pair = ("[a-d]", "[a-z]{0,3}");
    prop::collection::vec(pair, 0..4)
        .prop_map(move |pairs| pairs.into_iter().map(|(k, v)| (format!("{prefix}{k}"), json!(v))).collect())
}

fn containers() -> impl Strategy<Value = Value> {
    let variable = ("[A-D]", "[a-z]{0,3}").prop_map(|(name, value)| json!({"name": name, "value": value}));
    let container = (prop::collection::vec(variable, 0..3), prop::option::of(1_u16..1000));
    prop::collection::vec(container, 1..4).prop_map(|containers| {
        let made = containers.into_iter().enumerate().map(|(at, (mut env, port))| {
            env.sort_by_key(|v| v["name"].to_string());
            env.dedup_by_key(|v| v["name"].to_string());
            let ports: Vec<_> = port.into_iter().map(|port| json!({"containerPort": port})).collect();
            json!({"name": format!("c{at}"), "image": "x", "env": env, "ports": ports})
        });
        made.collect()
    })
}

fn metadata(name: &'static str) -> impl Strategy<Value = Value> {
    (words("l"), words("n")).prop_map(
        move |(labels, annotations)| json!({"name": name, "labels": labels, "annotations": annotations}),
    )
}

/// An object of some kind, as a user writes it.
fn object() -> impl Strategy<Value = Value> {
    let pod = (metadata("o"), containers(), words("s")).prop_map(|(metadata, containers, selector)| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"containers": containers, "nodeSelector": selector}})
    });
    let map = (metadata("o"), words("d")).prop_map(|(metadata, data)| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    });
    let taint = ("[a-c]", prop_oneof![Just("NoSchedule"), Just("NoExecute")])
        .prop_map(|(key, effect)| json!({"key": key, "effect": effect}));
    let taints = prop::collection::vec(taint, 0..3).prop_map(|mut taints| {
        taints.sort_by_key(Value::to_string);
        taints.dedup();
        taints
    });
    let node = (metadata("o"), taints, any::<bool>()).prop_map(|(metadata, taints, unschedulable)| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": metadata,
            "spec": {"taints": taints, "unschedulable": unschedulable}})
    });
    let neighbor = (1_u8..9, 1_u32..70_000)
        .prop_map(|(host, asn)| json!({"peerAddress": format!("10.0.0.{host}/32"), "peerASN": asn}));
    let policy = (metadata("o"), prop::collection::vec(neighbor, 1..3), words("m")).prop_map(
        |(metadata, neighbors, labels)| {
            json!({"apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": metadata,
                "spec": {"nodeSelector": {"matchLabels": labels},
                    "virtualRouters": [{"localASN": 65010, "exportPodCIDR": true, "neighbors": neighbors}]}})
        },
    );
    prop_oneof![pod, map, node, policy]
}

fn options(manager: &str) -> WriteOptions {
    WriteOptions { manager: manager.into(), unknown: Unknown::Refuse, force: true, ..WriteOptions::default() }
}

fn apply(rules: &Rules, manager: &str, how: PatchKind, kind: &str, body: &Value) -> Value {
    let resource = resource(rules, kind);
    let done = rules.patch(&resource, "default", "o", Part::Whole, how, body, &options(manager));
    done.unwrap_or_else(|error| panic!("{how:?} of {body}: {error}")).value
}

/// Makes every entry of ownership look old, so that one that is written anew shows.
fn age(rules: &Rules, kind: &str) -> Value {
    let resource = resource(rules, kind);
    let namespace = if resource.namespaced { "default" } else { "" };
    let key: Key = resource.collection.key(namespace, "o");
    let old = rules.store.get(&key).unwrap();
    let mut value = old.value.clone();
    for entry in value["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        entry["time"] = json!(LONG_AGO);
    }
    rules.store.replace(&key, old.revision, value).unwrap().value.clone()
}

/// A definition whose objects have nothing but what the tests need of the policy's.
fn with_policies() -> Rules {
    let rules = rules();
    super::install(&rules.store, &super::super::tests::policy_crd()).unwrap();
    rules
}

/// The same configuration as each kind of patch would carry it.
fn patches(config: &Value, custom: bool) -> Vec<(PatchKind, Value)> {
    let mut all = vec![(PatchKind::Apply, config.clone()), (PatchKind::Merge, config.clone())];
    if !custom {
        all.push((PatchKind::Strategic, config.clone()));
    }
    let mut operations = Vec::new();
    for field in ["labels", "annotations"] {
        operations.push(
            json!({"op": "add", "path": format!("/metadata/{field}"), "value": config["metadata"][field]}),
        );
    }
    all.push((PatchKind::Json, Value::Array(operations)));
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever kind of patch carries it: the second time nothing is different, not a revision, not a time; and what is
    /// got is what was answered.
    #[test]
    fn applying_twice_is_applying_once(first in object(), labels in words("l")) {
        let kind = first["kind"].as_str().unwrap().to_owned();
        let rules = with_policies();
        let resource = resource(&rules, &kind);
        apply(&rules, "maker", PatchKind::Apply, &kind, &first);
        let mut config = first.clone();
        config["metadata"]["labels"] = Value::Object(labels);
        for (how, body) in patches(&config, resource.custom()) {
            let manager = format!("{how:?}");
            apply(&rules, &manager, how, &kind, &body);
            let aged = age(&rules, &kind);
            let revision = rules.store.revision();
            let again = apply(&rules, &manager, how, &kind, &body);
            prop_assert_eq!(&again, &aged, "{:?}", how);
            prop_assert_eq!(rules.store.revision(), revision, "{:?}: nothing is written", how);
            let namespace = if resource.namespaced { "default" } else { "" };
            let got = rules.get(&resource, namespace, "o").unwrap();
            prop_assert_eq!(&got.value, &again, "{:?}", how);
        }
    }

    /// `kubectl replace` of what was got.
    #[test]
    fn putting_what_was_got_changes_nothing(first in object()) {
        let kind = first["kind"].as_str().unwrap().to_owned();
        let rules = with_policies();
        let resource = resource(&rules, &kind);
        apply(&rules, "maker", PatchKind::Apply, &kind, &first);
        let got = age(&rules, &kind);
        let put = rules.put(&resource, "default", "o", Part::Whole, &got, &options("other")).unwrap();
        prop_assert_eq!(&put.value, &got);
    }

    /// Two managers with fields of their own: each can come, change and go, and the other's are as they were.
    #[test]
    fn disjoint_fields_of_two_managers_both_survive(
        ours in prop::collection::vec(words("a"), 1..4),
        theirs in prop::collection::vec(words("b"), 1..4),
        spec in any::<bool>(),
    ) {
        let rules = with_policies();
        let config = |labels: &Map<String, Value>, unschedulable: Option<bool>| {
            let mut config = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "o", "labels": labels}});
            if let Some(flag) = unschedulable {
                config["spec"] = json!({"unschedulable": flag});
            }
            config
        };
        let unforced = |manager: &str, body: &Value| {
            let options = WriteOptions { force: false, ..options(manager) };
            let nodes = resource(&rules, "Node");
            rules.patch(&nodes, "", "o", Part::Whole, PatchKind::Apply, body, &options).unwrap().value
        };
        let rounds = ours.len().max(theirs.len());
        for round in 0..rounds {
            let (our, their) = (&ours[round.min(ours.len() - 1)], &theirs[round.min(theirs.len() - 1)]);
            unforced("ours", &config(our, spec.then_some(true)));
            let node = unforced("theirs", &config(their, None));
            let mut expected = our.clone();
            expected.extend(their.clone());
            let labels = node["metadata"]["labels"].as_object().cloned().unwrap_or_default();
            prop_assert_eq!(&labels, &expected, "equal whatever the order");
            prop_assert_eq!(node["spec"]["unschedulable"] == json!(true), spec);
        }
    }
}
