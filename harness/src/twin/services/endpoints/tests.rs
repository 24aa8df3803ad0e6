//! Pods behind Services, decided.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn service(spec: Value) -> Service {
    let metadata = json!({"name": "web", "namespace": "default", "uid": "u", "labels": {"team": "a"}});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn pod(name: &str, more: Value) -> Pod {
    let mut pod = json!({
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"nodeName": "worker", "containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.1.1.7"}, {"ip": "fd00::7"}],
            "conditions": [{"type": "Ready", "status": "True"}]},
    });
    json_patch::merge(&mut pod, &more);
    serde_json::from_value(pod).unwrap()
}

fn web() -> Value {
    json!({"selector": {"app": "web"}, "ipFamilies": ["IPv4"], "ports": [{"port": 80, "targetPort": "http"}]})
}

#[rstest]
#[case::ready(json!({}), Some((true, true, false)))]
#[case::not_ready(json!({"status": {"conditions": []}}), Some((false, false, false)))]
#[case::going(json!({"metadata": {"deletionTimestamp": "2024-01-01T00:00:00Z"}}), Some((false, true, true)))]
#[case::over(json!({"status": {"phase": "Succeeded"}}), None)]
#[case::no_address(json!({"status": {"podIPs": null}}), None)]
fn a_pod_is_an_endpoint_as_far_as_it_is_ready(
    #[case] more: Value,
    #[case] expected: Option<(bool, bool, bool)>,
) {
    let made = slices(&service(web()), [pod("p", more)].iter());
    assert_eq!(made.len(), 1);
    let seen = made[0].endpoints.first().map(|endpoint| {
        let conditions = endpoint.conditions.clone().unwrap();
        (conditions.ready.unwrap(), conditions.serving.unwrap(), conditions.terminating.unwrap())
    });
    assert_eq!(seen, expected);
    if expected.is_some() {
        assert_eq!(made[0].ports.as_ref().unwrap()[0].port, Some(8080));
    }
}

#[test]
fn each_family_and_each_set_of_ports_has_slices_of_its_own() {
    let mut spec = web();
    spec["ipFamilies"] = json!(["IPv4", "IPv6"]);
    let other =
        json!({"spec": {"containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 9090}]}]}});
    let mut pods: Vec<Pod> = (0..101).map(|n| pod(&format!("p{n}"), json!({}))).collect();
    pods.push(pod("other", other));
    let made = slices(&service(spec), pods.iter());
    let sizes: Vec<_> = made.iter().map(|s| (s.address_type.as_str(), s.endpoints.len())).collect();
    assert_eq!(sizes, [("IPv4", 100), ("IPv4", 1), ("IPv4", 1), ("IPv6", 100), ("IPv6", 1), ("IPv6", 1)]);
    assert_eq!(made[3].endpoints[0].addresses, ["fd00::7"]);
    let labels = made[0].metadata.labels.as_ref().unwrap();
    assert_eq!(labels[SERVICE_NAME], "web");
    assert_eq!(labels["team"], "a");
}

#[test]
fn unready_pods_are_published_on_request() {
    let mut spec = web();
    spec["publishNotReadyAddresses"] = json!(true);
    let pods = [pod("p", json!({"status": {"conditions": []}}))];
    let made = slices(&service(spec.clone()), pods.iter());
    assert_eq!(made[0].endpoints[0].conditions.as_ref().unwrap().ready, Some(true));
    let old = endpoints(&service(spec), pods.iter());
    assert_eq!(old.subsets.unwrap()[0].addresses.as_ref().unwrap().len(), 1);
}

#[test]
fn a_service_without_a_selector_selects_nothing() {
    assert!(!selects(&service(json!({"ports": []})), &pod("p", json!({}))));
    assert!(!selects(&service(json!({"selector": {}})), &pod("p", json!({}))));
    assert!(selects(&service(web()), &pod("p", json!({}))));
}
