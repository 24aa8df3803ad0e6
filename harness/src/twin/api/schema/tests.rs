//! Schemas against objects: the words of the refusals, pruning and defaults.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::Schema;
use crate::twin::api::tests::policy_crd;

fn policy_schema() -> Schema {
    let crd = policy_crd();
    Schema::read(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "schema").unwrap()
}

fn policy(router: Value) -> Value {
    json!({
        "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": {"name": "rack0"},
        "spec": {"nodeSelector": {"matchLabels": {"rack": "rack0"}}, "virtualRouters": [router]},
    })
}

#[test]
fn the_articles_policy_is_fine() {
    let router = json!({
        "localASN": 65010, "exportPodCIDR": true,
        "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 65010}],
    });
    assert_eq!(policy_schema().check(&policy(router)), []);
}

#[rstest]
#[case(json!({"neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 1}]}),
    "spec.virtualRouters[0].localASN: Required value")]
#[case(json!({"localASN": "65010", "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 1}]}),
    "spec.virtualRouters[0].localASN: Invalid value: \"string\": spec.virtualRouters[0].localASN in body must be of \
     type integer: \"string\"")]
#[case(json!({"localASN": 4_294_967_296_u64, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 1}]}),
    "spec.virtualRouters[0].localASN: Invalid value: 4294967296: spec.virtualRouters[0].localASN in body should be \
     less than or equal to 4.294967295e+09")]
#[case(json!({"localASN": -1, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 1}]}),
    "spec.virtualRouters[0].localASN: Invalid value: -1: spec.virtualRouters[0].localASN in body should be greater \
     than or equal to 0")]
#[case(json!({"localASN": 1, "neighbors": []}),
    "spec.virtualRouters[0].neighbors: Invalid value: 0: spec.virtualRouters[0].neighbors in body should have at \
     least 1 items")]
#[case(json!({"localASN": 1, "neighbors": [{"peerAddress": "10.0.0.1", "peerASN": 1}]}),
    "spec.virtualRouters[0].neighbors[0].peerAddress: Invalid value: \"10.0.0.1\": \
     spec.virtualRouters[0].neighbors[0].peerAddress in body must be of type cidr: \"10.0.0.1\"")]
fn what_is_wrong_is_said_as_a_real_server_says_it(#[case] router: Value, #[case] expected: &str) {
    let causes = policy_schema().check(&policy(router));
    assert_eq!(causes.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn an_operator_is_one_of_four() {
    let mut object =
        policy(json!({"localASN": 1, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 1}]}));
    object["spec"]["nodeSelector"]["matchExpressions"] = json!([{"key": "rack", "operator": "Is"}]);
    let causes = policy_schema().check(&object);
    assert_eq!(
        causes[0].message,
        "Unsupported value: \"Is\": supported values: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\""
    );
}

#[test]
fn unknown_fields_are_pruned_and_named() {
    let mut object = policy(json!({"localASN": 1, "localAsn": 2, "neighbors": [{"peerASN": 1, "x": {}}]}));
    object["status"] = json!({});
    let dropped = policy_schema().prune(&mut object);
    assert_eq!(
        dropped,
        ["status", "spec.virtualRouters[0].localAsn", "spec.virtualRouters[0].neighbors[0].x"]
    );
    assert_eq!(object["spec"]["virtualRouters"], json!([{"localASN": 1, "neighbors": [{"peerASN": 1}]}]));
    assert_eq!(object["spec"]["nodeSelector"]["matchLabels"]["rack"], "rack0");
}

#[test]
fn defaults_are_filled_in_where_nothing_is_said() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "port": {"type": "integer", "default": 179},
        "timers": {"type": "object", "default": {}, "properties": {"hold": {"type": "integer", "default": 90}}},
        "peers": {"type": "array", "items": {"type": "object", "properties": {"ttl": {"type": "integer", "default": 1}}}},
        "any": {"x-kubernetes-preserve-unknown-fields": true},
        "target": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}}}}});
    let schema = Schema::read(&schema, "schema").unwrap();
    let mut object =
        json!({"spec": {"peers": [{}, {"ttl": 5}], "any": {"a": 1}, "port": null, "target": "80%"}});
    assert_eq!(schema.prune(&mut object), Vec::<String>::new());
    schema.fill(&mut object);
    let expected = json!({"spec": {"peers": [{"ttl": 1}, {"ttl": 5}], "any": {"a": 1}, "port": 179,
        "target": "80%", "timers": {"hold": 90}}});
    assert_eq!(object, expected);
    assert_eq!(schema.check(&object), []);
    object["spec"]["target"] = json!(true);
    assert_eq!(schema.check(&object).len(), 1);
}

#[test]
fn keys_of_a_list_are_unique() {
    let schema = json!({"properties": {"peers": {"type": "array", "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object"}}}});
    let schema = Schema::read(&schema, "schema").unwrap();
    let causes = schema.check(&json!({"peers": [{"name": "a"}, {"name": "b"}, {"name": "a", "x": 1}]}));
    assert_eq!(causes[0].to_string(), "peers[2]: Duplicate value: {\"name\":\"a\"}");
}

#[test]
fn a_schema_that_cannot_be_used_is_refused_by_field() {
    let cause = Schema::read(&json!({"properties": {"a": {"pattern": "("}}}), "schema").unwrap_err();
    assert_eq!(cause.field, "schema.properties[a].pattern");
    assert!(Schema::read(&json!({"type": "int"}), "schema").is_err());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9./]{0,8}".prop_map(Value::from),
    ];
    let key =
        prop_oneof![Just("type".to_owned()), Just("properties".into()), Just("items".into()), "[a-z]{1,6}"];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|m| m.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_schema_and_no_object_makes_a_panic(schema in any_value(), mut object in any_value()) {
        if let Ok(schema) = Schema::read(&schema, "schema") {
            schema.prune(&mut object);
            schema.fill(&mut object);
            let _ = schema.check(&object);
        }
    }

    #[test]
    fn pruning_twice_is_pruning_once(mut spec in any_value()) {
        let schema = policy_schema();
        spec = json!({"spec": spec});
        schema.prune(&mut spec);
        prop_assert_eq!(schema.prune(&mut spec), Vec::<String>::new());
    }
}
