//! The rules without HTTP: what becomes of objects.

use rstest::rstest;
use serde_json::{Value, json};

use super::{DeleteOptions, Outcome, Part, Rules, Unknown, WriteOptions, install};
use crate::twin::api::ApiError;
use crate::twin::api::patch::PatchKind;
use crate::twin::api::registry::Resource;
use crate::twin::api::tests::policy_crd;
use crate::twin::store::Store;

pub(super) fn rules() -> Rules {
    let store = Store::new();
    install(&store, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}))
        .unwrap();
    Rules::new(store)
}

pub(super) fn resource(rules: &Rules, kind: &str) -> std::sync::Arc<Resource> {
    rules.registry.all().into_iter().find(|r| r.kind == kind).unwrap()
}

fn options(manager: &str) -> WriteOptions {
    WriteOptions { manager: manager.into(), unknown: Unknown::Refuse, ..WriteOptions::default() }
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"run": name}},
        "spec": {"containers": [{"name": "c", "image": "cr7258/nettool:v1"}], "nodeSelector": {"rack": "rack0"}}})
}

fn create(rules: &Rules, kind: &str, value: Value) -> Result<Outcome, ApiError> {
    rules.create(&resource(rules, kind), "default", value, &options("test"))
}

fn patch(rules: &Rules, kind: &str, name: &str, how: PatchKind, body: Value) -> Result<Outcome, ApiError> {
    rules.patch(&resource(rules, kind), "default", name, Part::Whole, how, &body, &options("test"))
}

#[test]
fn a_new_pod_is_completed_as_a_real_server_completes_it() {
    let made = create(&rules(), "Pod", pod("nettool-1")).unwrap().value;
    // As recorded from Kubernetes 1.24, less the node and the token volume that a controller adds.
    let expected = json!({
        "containers": [{"image": "cr7258/nettool:v1", "imagePullPolicy": "IfNotPresent", "name": "c", "resources": {},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
        "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "nodeSelector": {"rack": "rack0"},
        "preemptionPolicy": "PreemptLowerPriority", "priority": 0, "restartPolicy": "Always",
        "schedulerName": "default-scheduler", "securityContext": {}, "serviceAccount": "default",
        "serviceAccountName": "default", "terminationGracePeriodSeconds": 30,
        "tolerations": [
            {"effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300},
            {"effect": "NoExecute", "key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300},
        ],
    });
    assert_eq!(made["spec"], expected);
    assert_eq!(made["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    assert_eq!(made["metadata"]["namespace"], "default");
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "test");
}

#[rstest]
#[case::no_containers(json!({"spec": {"containers": []}}), 422, "Pod \"p\" is invalid: spec.containers: Required value")]
#[case::bad_name(json!({"metadata": {"name": "P"}}), 422, "metadata.name: Invalid value: \"P\": a lowercase RFC 1123 subdomain")]
#[case::bad_policy(json!({"spec": {"restartPolicy": "Sometimes"}}), 422,
    "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\"")]
#[case::unknown(json!({"spec": {"nodeSelectr": {}}}), 400,
    "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.nodeSelectr\"")]
#[case::wrong_type(json!({"spec": {"containers": "c"}}), 400, "Pod in version \"v1\" cannot be handled as a Pod: ")]
#[case::wrong_kind(json!({"kind": "Node"}), 400, "the kind in the data (Node) does not match the expected kind (Pod)")]
#[case::labels(json!({"metadata": {"labels": {"a": 1}}}), 400, "cannot be handled as a Pod: metadata:")]
#[case::elsewhere(json!({"metadata": {"namespace": "other"}}), 400, "the namespace of the provided object does not match")]
fn a_pod_that_is_none_is_refused(#[case] merge: Value, #[case] code: u16, #[case] words: &str) {
    let mut value = pod("p");
    json_patch::merge(&mut value, &merge);
    let error = create(&rules(), "Pod", value).unwrap_err();
    assert_eq!(error.code, code, "{error}");
    assert!(error.message.contains(words), "{error}");
}

#[test]
fn writing_the_same_again_changes_nothing() {
    let rules = rules();
    let made = create(&rules, "Pod", pod("p")).unwrap().value;
    let again =
        patch(&rules, "Pod", "p", PatchKind::Merge, json!({"metadata": {"labels": {"run": "p"}}})).unwrap();
    assert_eq!(again.value, made);
    let pods = resource(&rules, "Pod");
    let again = rules.put(&pods, "default", "p", Part::Whole, &made, &options("test")).unwrap();
    assert_eq!(again.value["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

#[test]
fn a_stale_write_is_a_conflict_and_a_pod_keeps_its_spec() {
    let rules = rules();
    let made = create(&rules, "Pod", pod("p")).unwrap().value;
    patch(&rules, "Pod", "p", PatchKind::Merge, json!({"metadata": {"labels": {"a": "b"}}})).unwrap();
    let pods = resource(&rules, "Pod");
    let error = rules.put(&pods, "default", "p", Part::Whole, &made, &options("test")).unwrap_err();
    assert_eq!((error.code, error.reason), (409, "Conflict"));
    assert!(
        error
            .message
            .starts_with("Operation cannot be fulfilled on pods \"p\": the object has been modified")
    );
    let moved = patch(&rules, "Pod", "p", PatchKind::Merge, json!({"spec": {"nodeName": "w"}})).unwrap_err();
    assert_eq!(moved.code, 422);
    assert!(moved.message.contains("spec: Forbidden: pod updates may not change fields other than"));
}

#[test]
fn status_has_a_door_of_its_own() {
    let rules = rules();
    create(&rules, "Pod", pod("p")).unwrap();
    let body = json!({"status": {"phase": "Running"}, "metadata": {"labels": {"x": "y"}}});
    let whole = patch(&rules, "Pod", "p", PatchKind::Merge, body.clone()).unwrap().value;
    assert_eq!(
        (&whole["status"]["phase"], &whole["metadata"]["labels"]["x"]),
        (&json!("Pending"), &json!("y"))
    );
    let pods = resource(&rules, "Pod");
    let body = json!({"status": {"phase": "Running"}, "spec": {"nodeName": "w"}});
    let done =
        rules.patch(&pods, "default", "p", Part::Status, PatchKind::Strategic, &body, &options("kubelet"));
    let status = done.unwrap().value;
    assert_eq!((&status["status"]["phase"], &status["spec"]["nodeName"]), (&json!("Running"), &Value::Null));
    let entries = status["metadata"]["managedFields"].as_array().unwrap();
    assert!(entries.iter().any(|e| e["manager"] == "kubelet" && e["subresource"] == "status"));
}

#[test]
fn a_pod_on_a_node_goes_with_grace_and_one_without_goes_at_once() {
    let rules = rules();
    let pods = resource(&rules, "Pod");
    create(&rules, "Pod", pod("free")).unwrap();
    assert!(rules.delete(&pods, "default", "free", &DeleteOptions::default()).unwrap().gone);
    create(&rules, "Pod", pod("bound")).unwrap();
    let target = json!({"target": {"kind": "Node", "name": "w"}});
    rules.bind(&pods, "default", "bound", &target, &options("scheduler")).unwrap();
    assert_eq!(rules.bind(&pods, "default", "bound", &target, &options("scheduler")).unwrap_err().code, 409);
    let deleted = rules.delete(&pods, "default", "bound", &DeleteOptions::default()).unwrap();
    assert!(!deleted.gone);
    assert_eq!(deleted.value["metadata"]["deletionGracePeriodSeconds"], 30);
    let again = rules.delete(&pods, "default", "bound", &DeleteOptions::default()).unwrap();
    assert_eq!(again.value, deleted.value);
    let now = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
    assert!(rules.delete(&pods, "default", "bound", &now).unwrap().gone);
    assert_eq!(rules.delete(&pods, "default", "bound", &now).unwrap_err().code, 404);
}

#[test]
fn a_finalizer_keeps_an_object_until_it_is_taken_away() {
    let rules = rules();
    let maps = resource(&rules, "ConfigMap");
    let map =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "finalizers": ["a.b/c"]}});
    create(&rules, "ConfigMap", map).unwrap();
    assert!(!rules.delete(&maps, "default", "m", &DeleteOptions::default()).unwrap().gone);
    patch(&rules, "ConfigMap", "m", PatchKind::Merge, json!({"metadata": {"finalizers": null}})).unwrap();
    assert_eq!(rules.get(&maps, "default", "m").unwrap_err().code, 404);
}

#[test]
fn a_namespace_takes_its_objects_with_it_and_waits_for_graceful_ones() {
    let rules = rules();
    let namespaces = resource(&rules, "Namespace");
    let pods = resource(&rules, "Pod");
    install(&rules.store, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}}))
        .unwrap();
    rules.create(&pods, "lab", pod("p"), &options("test")).unwrap();
    rules.bind(&pods, "lab", "p", &json!({"target": {"name": "w"}}), &options("test")).unwrap();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}});
    rules.create(&resource(&rules, "ConfigMap"), "lab", map.clone(), &options("test")).unwrap();
    let deleted = rules.delete(&namespaces, "", "lab", &DeleteOptions::default()).unwrap();
    assert_eq!(deleted.value["status"]["phase"], "Terminating");
    assert_eq!(
        rules.create(&resource(&rules, "ConfigMap"), "lab", map, &options("t")).unwrap_err().code,
        403
    );
    assert!(rules.get(&namespaces, "", "lab").is_ok(), "a pod still has its grace");
    let now = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
    rules.delete(&pods, "lab", "p", &now).unwrap();
    assert_eq!(rules.get(&namespaces, "", "lab").unwrap_err().code, 404);
    assert_eq!(rules.delete(&namespaces, "", "default", &now).unwrap_err().code, 403);
}

fn policy() -> Value {
    json!({"apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": {"name": "rack0"},
        "spec": {"virtualRouters": [{"localASN": 65010, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 65010}]}]}})
}

#[test]
fn a_definition_serves_and_unserves_its_resource() {
    let rules = rules();
    let no = install(&rules.store, &policy()).unwrap_err();
    assert!(no.message.starts_with("no matches for kind \"CiliumBGPPeeringPolicy\""), "{no}");
    install(&rules.store, &policy_crd()).unwrap();
    install(&rules.store, &policy_crd()).unwrap();
    let made = create(&rules, "CiliumBGPPeeringPolicy", policy()).unwrap().value;
    assert_eq!(made["metadata"]["generation"], 1);
    let asn = json!({"spec": {"virtualRouters": [{"localASN": 1, "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 1}]}]}});
    let next = patch(&rules, "CiliumBGPPeeringPolicy", "rack0", PatchKind::Merge, asn).unwrap().value;
    assert_eq!(next["metadata"]["generation"], 2);
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    let next = patch(&rules, "CiliumBGPPeeringPolicy", "rack0", PatchKind::Merge, labelled).unwrap().value;
    assert_eq!(next["metadata"]["generation"], 2);
    let wrong = json!({"spec": {"virtualRouters": null}});
    let error = patch(&rules, "CiliumBGPPeeringPolicy", "rack0", PatchKind::Merge, wrong).unwrap_err();
    assert_eq!(
        error.message,
        "CiliumBGPPeeringPolicy.cilium.io \"rack0\" is invalid: spec.virtualRouters: Required value"
    );
    let crds = resource(&rules, "CustomResourceDefinition");
    let policies = resource(&rules, "CiliumBGPPeeringPolicy");
    rules.delete(&crds, "", "ciliumbgppeeringpolicies.cilium.io", &DeleteOptions::default()).unwrap();
    assert_eq!(rules.get(&policies, "", "rack0").unwrap_err().code, 404);
    assert!(rules.registry.find("cilium.io", "v2alpha1", "ciliumbgppeeringpolicies").is_none());
}

#[test]
fn applying_what_the_server_completed_is_no_conflict_and_no_change() {
    let rules = rules();
    let mut config = pod("p");
    config["metadata"]["namespace"] = json!("default");
    let first = patch(&rules, "Pod", "p", PatchKind::Apply, config.clone()).unwrap();
    assert!(first.created);
    let second = patch(&rules, "Pod", "p", PatchKind::Apply, config.clone()).unwrap();
    assert_eq!(second.value, first.value);
    let pods = resource(&rules, "Pod");
    let other = rules
        .patch(&pods, "default", "p", Part::Whole, PatchKind::Apply, &config, &options("other"))
        .unwrap();
    assert_eq!(other.value["spec"], first.value["spec"]);
    config["spec"]["containers"][0]["image"] = json!("other:v2");
    let error = rules.patch(&pods, "default", "p", Part::Whole, PatchKind::Apply, &config, &options("third"));
    let error = error.unwrap_err();
    assert_eq!((error.code, error.details.causes.len()), (409, 2), "{error}");
    assert!(error.message.starts_with("Apply failed with 2 conflicts: conflicts with \""), "{error}");
    assert!(error.message.contains("\"test\":\n- .spec.containers[name=\"c\"].image"), "{error}");
}

#[test]
fn a_dry_run_keeps_nothing() {
    let rules = rules();
    let dry = WriteOptions { dry_run: true, ..options("test") };
    let pods = resource(&rules, "Pod");
    assert!(rules.create(&pods, "default", pod("p"), &dry).unwrap().created);
    assert_eq!(rules.get(&pods, "default", "p").unwrap_err().code, 404);
}

#[test]
fn a_name_can_be_generated() {
    let mut value = pod("");
    value["metadata"] = json!({"generateName": "probe-"});
    let made = create(&rules(), "Pod", value).unwrap().value;
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("probe-") && name.len() == 11, "{name}");
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_field() {
    let rules = rules();
    let mut wrong = pod("p");
    wrong["spec"]["containers"][0]["image"] = json!(true);
    let error = create(&rules, "Pod", wrong.clone()).unwrap_err();
    assert_eq!(error.code, 400);
    assert!(
        error.message.contains("spec.containers[0].image: invalid type: boolean `true`"),
        "{}",
        error.message
    );
    wrong["spec"]["containers"][0]["image"] = json!("x");
    wrong["metadata"]["annotations"] = json!({"large": "x".repeat(70_000)});
    wrong["spec"]["hostNetwork"] = json!("yes");
    let error = create(&rules, "Pod", wrong).unwrap_err();
    assert!(
        error.message.ends_with("as a Pod: invalid type: string \"yes\", expected a boolean"),
        "{}",
        error.message
    );
}
