//! Patches: the laws of each kind, and the words of a conflict.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Lists, Manager, Owners, PatchKind, apply, patched};

fn strategic(object: Value, patch: Value) -> Value {
    patched(PatchKind::Strategic, &object, &patch).unwrap()
}

#[rstest]
#[case::conditions_by_type(
    json!({"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "Disk", "status": "False"}]}}),
    json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "New", "status": "True"}]}}),
    json!({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Disk", "status": "False"},
        {"type": "New", "status": "True"}]}}))]
#[case::containers_by_name(
    json!({"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}]}, {"name": "b"}]}),
    json!({"containers": [{"name": "a", "env": [{"name": "F", "value": "2"}]}, {"name": "b", "$patch": "delete"}]}),
    json!({"containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}, {"name": "F", "value": "2"}]}]}))]
#[case::taints_are_replaced(
    json!({"taints": [{"key": "a"}]}), json!({"taints": [{"key": "b"}]}), json!({"taints": [{"key": "b"}]}))]
#[case::a_set_of_scalars(
    json!({"finalizers": ["a", "b"]}),
    json!({"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}),
    json!({"finalizers": ["b", "c"]}))]
#[case::a_null_removes(json!({"a": 1, "b": {"c": 1}}), json!({"b": {"c": null}, "a": null}), json!({"b": {}}))]
#[case::a_map_replaced(json!({"b": {"c": 1}}), json!({"b": {"$patch": "replace", "d": 2}}), json!({"b": {"d": 2}}))]
#[case::a_map_deleted(json!({"b": {"c": 1}, "a": 1}), json!({"b": {"$patch": "delete"}}), json!({"a": 1}))]
#[case::a_list_replaced(
    json!({"env": [{"name": "a"}]}), json!({"env": [{"$patch": "replace"}, {"name": "b"}]}),
    json!({"env": [{"name": "b"}]}))]
#[case::keys_retained(
    json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
    json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]}),
    json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}))]
#[case::endpoints_are_replaced(
    json!({"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}),
    json!({"subsets": [{"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.3"}], "ports": [{"port": 81}]}]}),
    json!({"subsets": [{"addresses": [{"ip": "10.0.0.2"}, {"ip": "10.0.0.3"}], "ports": [{"port": 81}]}]}))]
#[case::addresses_of_endpoints_have_no_type(
    json!({"addresses": [{"ip": "10.0.0.1"}]}), json!({"addresses": [{"ip": "10.0.0.2"}]}),
    json!({"addresses": [{"ip": "10.0.0.2"}]}))]
#[case::addresses_of_nodes_have(
    json!({"addresses": [{"type": "Hostname", "address": "a"}]}), json!({"addresses": [{"type": "InternalIP", "address": "b"}]}),
    json!({"addresses": [{"type": "Hostname", "address": "a"}, {"type": "InternalIP", "address": "b"}]}))]
#[case::an_order(
    json!({"env": [{"name": "a"}, {"name": "b"}]}),
    json!({"$setElementOrder/env": [{"name": "c"}, {"name": "b"}, {"name": "a"}], "env": [{"name": "c"}]}),
    json!({"env": [{"name": "c"}, {"name": "b"}, {"name": "a"}]}))]
fn a_strategic_merge(#[case] object: Value, #[case] patch: Value, #[case] expected: Value) {
    assert_eq!(strategic(object, patch), expected);
}

#[rstest]
#[case(PatchKind::Strategic, json!([]), 400)]
#[case(PatchKind::Strategic, json!({"containers": [{"image": "x"}]}), 400)]
#[case(PatchKind::Strategic, json!({"a": {"$patch": "explode"}}), 400)]
#[case(PatchKind::Merge, json!("x"), 400)]
#[case(PatchKind::Json, json!({"op": "add"}), 400)]
#[case(PatchKind::Json, json!([{"op": "remove", "path": "/nowhere"}]), 422)]
#[case(PatchKind::Json, json!([{"op": "test", "path": "/a", "value": 2}]), 422)]
fn a_patch_that_does_not_fit_is_refused(#[case] kind: PatchKind, #[case] patch: Value, #[case] code: u16) {
    assert_eq!(patched(kind, &json!({"a": {"b": 1}}), &patch).unwrap_err().code, code);
}

#[test]
fn copying_in_circles_is_stopped() {
    let mut operations = vec![json!({"op": "add", "path": "/a", "value": {"x": "y".repeat(1000)}})];
    for n in 0..40 {
        operations.push(json!({"op": "copy", "from": "", "path": format!("/n{n}")}));
    }
    assert_eq!(patched(PatchKind::Json, &json!({}), &json!(operations)).unwrap_err().code, 413);
}

#[test]
fn a_patch_that_digs_ever_deeper_is_stopped() {
    let mut path = String::new();
    let deep = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    let mut operations = Vec::new();
    for _ in 0..1000 {
        path += &"/a".repeat(100);
        operations.push(json!({"op": "add", "path": path, "value": deep(99)}));
    }
    operations[0]["path"] = json!("/a");
    assert_eq!(patched(PatchKind::Json, &json!({}), &json!(operations)).unwrap_err().code, 413);
    let copies: Vec<_> = (0..200).map(|_| json!({"op": "copy", "from": "/a", "path": "/a/a"})).collect();
    assert_eq!(patched(PatchKind::Json, &json!({"a": {}}), &json!(copies)).unwrap_err().code, 413);
}

fn manager(name: &str) -> Manager {
    Manager { name: name.into(), applies: true, subresource: String::new(), api_version: "v1".into() }
}

/// Applies and settles, with nothing in between that fills defaults in.
fn applied(live: &Value, config: &Value, by: &str, force: bool) -> Result<Value, Vec<String>> {
    let manager = manager(by);
    let step = apply(live, config, &manager, Lists::BuiltIn);
    let mut object = step.object.clone();
    let causes =
        |causes: Vec<super::super::Cause>| causes.iter().map(ToString::to_string).collect::<Vec<_>>();
    step.settle(live, &object.clone(), &manager, Lists::BuiltIn, force).map_err(causes)?.write(&mut object);
    Ok(object)
}

#[test]
fn applying_removes_what_is_no_longer_applied_and_nothing_else() {
    let one = json!({"metadata": {"name": "n", "labels": {"rack": "rack0", "tier": "leaf"}}, "spec": {"x": [1, 2]}});
    let live = applied(&json!({"metadata": {"name": "n"}}), &one, "a", false).unwrap();
    let live = applied(&live, &json!({"metadata": {"labels": {"owner": "b"}}}), "b", false).unwrap();
    let less = json!({"metadata": {"name": "n", "labels": {"rack": "rack0"}}});
    let live = applied(&live, &less, "a", false).unwrap();
    assert_eq!(live["metadata"]["labels"], json!({"rack": "rack0", "owner": "b"}));
    assert_eq!(live.get("spec"), None, "the map that only held the removed list is gone");
    assert_eq!(live["metadata"]["managedFields"].as_array().unwrap().len(), 2);
}

#[test]
fn a_field_of_another_manager_is_a_conflict_until_forced() {
    let config = |rack: &str| json!({"metadata": {"name": "n", "labels": {"rack": rack}}});
    let live = applied(&json!({"metadata": {"name": "n"}}), &config("rack0"), "a", false).unwrap();
    let error = applied(&live, &config("rack1"), "b", false).unwrap_err();
    assert_eq!(error, [".metadata.labels.rack: conflict with \"a\""]);
    let same = applied(&live, &config("rack0"), "b", false).unwrap();
    assert_eq!(Owners::read(&same).0.len(), 2, "agreeing is sharing");
    let forced = applied(&live, &config("rack1"), "b", true).unwrap();
    assert_eq!(forced["metadata"]["labels"]["rack"], "rack1");
    let owners = Owners::read(&forced);
    assert_eq!(owners.0.iter().map(|o| o.manager.name.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_leaf_in_place_of_a_map_takes_the_map_from_its_owner() {
    let live = applied(&json!({"metadata": {}}), &json!({"spec": {"a": {"b": 1}}}), "a", false).unwrap();
    let error = applied(&live, &json!({"spec": {"a": [1]}}), "b", false).unwrap_err();
    assert_eq!(error, [".spec.a.b: conflict with \"a\""]);
}

#[test]
fn items_of_a_list_with_keys_are_owned_one_by_one() {
    let pod = |containers: Value| json!({"metadata": {"name": "p"}, "spec": {"containers": containers}});
    let live = applied(&pod(json!([])), &pod(json!([{"name": "a", "image": "x"}])), "a", false).unwrap();
    let both = applied(&live, &pod(json!([{"name": "b", "image": "y"}])), "b", false).unwrap();
    let containers = &both["spec"]["containers"];
    assert_eq!(*containers, json!([{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]));
    let fields = &both["metadata"]["managedFields"][1]["fieldsV1"]["f:spec"]["f:containers"];
    assert_eq!(*fields, json!({r#"k:{"name":"b"}"#: {".": {}, "f:image": {}, "f:name": {}}}));
    let error = applied(&both, &pod(json!([{"name": "a", "image": "z"}])), "b", false).unwrap_err();
    assert_eq!(error, [r#".spec.containers[name="a"].image: conflict with "a""#]);
    let gone = applied(&both, &json!({"metadata": {"name": "p"}}), "a", false).unwrap();
    assert_eq!(gone["spec"]["containers"], json!([{"name": "b", "image": "y"}]));
}

#[test]
fn ports_are_told_apart_by_number_and_protocol() {
    let service = |ports: Value| json!({"metadata": {"name": "s"}, "spec": {"ports": ports}});
    let live = service(json!([{"port": 53, "protocol": "TCP"}]));
    let end = applied(
        &live,
        &service(json!([{"port": 53, "name": "dns"}, {"port": 53, "protocol": "UDP"}])),
        "a",
        false,
    );
    let ports = json!([{"port": 53, "protocol": "TCP", "name": "dns"}, {"port": 53, "protocol": "UDP"}]);
    assert_eq!(end.unwrap()["spec"]["ports"], ports);
}

#[test]
fn what_a_real_server_wrote_of_owners_is_kept() {
    let fields = json!({"f:metadata": {"f:finalizers": {".": {}, "v:\"a\"": {}}},
        "f:status": {"f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}, "f:type": {}}}}});
    let object = json!({"metadata": {"managedFields": [
        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "fieldsV1": fields}]}});
    let mut again = json!({"metadata": {}});
    Owners::read(&object).write(&mut again);
    let mut expected = fields;
    expected["f:metadata"]["f:finalizers"].as_object_mut().unwrap().shift_remove(".");
    assert_eq!(again["metadata"]["managedFields"][0]["fieldsV1"], expected);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        "[a-z]{0,4}".prop_map(Value::from),
    ];
    let key = prop_oneof![Just("containers".to_owned()), Just("name".into()), Just("$patch".into()), "[a-c]"];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4).prop_map(|m| m.into_iter().collect::<Value>()),
        ]
    })
}

fn any_map() -> impl Strategy<Value = Value> {
    prop::collection::vec(("[a-d]", any_value()), 0..5).prop_map(|m| m.into_iter().collect::<Value>())
}

proptest! {
    /// RFC 7386: an object without nulls, as a patch of nothing, is itself; a patch applied twice is the patch applied once.
    #[test]
    fn a_merge_patch_keeps_its_laws(object in any_map(), patch in any_map()) {
        let once = patched(PatchKind::Merge, &object, &patch).unwrap();
        let twice = patched(PatchKind::Merge, &once, &patch).unwrap();
        prop_assert_eq!(&once, &twice);
        for (key, value) in patch.as_object().unwrap() {
            if value.is_null() {
                prop_assert!(once.get(key).is_none());
            } else if !value.is_object() {
                prop_assert_eq!(&once[key], value);
            }
        }
        for (key, value) in object.as_object().unwrap() {
            if patch.get(key).is_none() {
                prop_assert_eq!(&once[key], value);
            }
        }
    }

    #[test]
    fn no_patch_makes_a_panic(object in any_map(), patch in any_value()) {
        for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::Strategic] {
            let _ = patched(kind, &object, &patch);
        }
    }

    #[test]
    fn applying_twice_changes_nothing(live in any_map(), config in any_map()) {
        let mut live = live;
        live["metadata"] = json!({"name": "n"});
        let once = applied(&live, &config, "a", true).unwrap();
        prop_assert_eq!(&applied(&once, &config, "a", false).unwrap(), &once);
    }

    #[test]
    fn what_is_owned_survives_writing_and_reading(live in any_map()) {
        let mut object = json!({"metadata": {}});
        let mut owners = Owners::default();
        owners.give(manager("a"), super::fields::FieldSet::of(&live, Lists::BuiltIn).0);
        owners.write(&mut object);
        let again = Owners::read(&object);
        prop_assert_eq!(again.0.first().map(|o| &o.fields), owners.0.first().map(|o| &o.fields));
    }
}
