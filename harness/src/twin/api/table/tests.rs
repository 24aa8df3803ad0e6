//! Tables against what a real kubectl printed for the same objects.

use rstest::rstest;
use serde_json::{Value, json};

use super::{Carry, table};
use crate::twin::api::registry::{Registry, Resource};
use crate::twin::api::rules::install;
use crate::twin::api::tests::policy_crd;
use crate::twin::store::Store;

fn resource(kind: &str) -> std::sync::Arc<Resource> {
    let store = Store::new();
    install(&store, &policy_crd()).unwrap();
    Registry::new(store).all().into_iter().find(|r| r.kind == kind).unwrap()
}

fn cells(kind: &str, object: &Value) -> Vec<String> {
    let table = table(&resource(kind), [object].into_iter(), &json!({}), Carry::Metadata, true);
    let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    table["rows"][0]["cells"].as_array().unwrap().iter().map(text).collect()
}

fn headings(kind: &str) -> Vec<String> {
    let table = table(&resource(kind), std::iter::empty(), &json!({}), Carry::Metadata, true);
    let columns = table["columnDefinitions"].as_array().unwrap().iter();
    columns.map(|column| column["name"].as_str().unwrap().to_uppercase()).collect()
}

fn minutes_ago(minutes: i64) -> String {
    crate::twin::api::time::written(chrono::Utc::now() - chrono::TimeDelta::seconds(60 * minutes + 30))
}

#[test]
fn a_node_prints_as_recorded() {
    let node = json!({
        "metadata": {"name": "clab-bgp-cplane-demo-worker", "creationTimestamp": minutes_ago(77)},
        "status": {
            "addresses": [{"type": "InternalIP", "address": "10.0.2.2"}],
            "conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": "True"}],
            "nodeInfo": {"kubeletVersion": "v1.24.12", "osImage": "Debian GNU/Linux 12 (bookworm)",
                "kernelVersion": "6.18.44", "containerRuntimeVersion": "containerd://1.6.20"},
        },
    });
    let recorded = "clab-bgp-cplane-demo-worker Ready <none> 77m v1.24.12 10.0.2.2 <none> Debian GNU/Linux 12 (bookworm) \
        6.18.44 containerd://1.6.20";
    assert_eq!(cells("Node", &node).join(" "), recorded);
    assert_eq!(
        headings("Node").join(" "),
        "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME"
    );
}

#[rstest]
#[case(json!({}), "Unknown <none>")]
#[case(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}), "NotReady <none>")]
#[case(json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}, "spec": {"unschedulable": true},
    "metadata": {"labels": {"node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/a": ""}}}),
    "NotReady,SchedulingDisabled a,control-plane")]
fn a_node_says_how_it_is(#[case] node: Value, #[case] expected: &str) {
    assert_eq!(cells("Node", &node)[1..3].join(" "), expected);
}

fn running(ready: bool) -> Value {
    json!({"ready": ready, "restartCount": 0, "state": {"running": {"startedAt": "2026-11-23T04:56:16Z"}}})
}

#[rstest]
#[case(json!({"status": {"phase": "Pending"}}), "0/1 Pending 0")]
#[case(json!({"status": {"phase": "Running", "containerStatuses": [running(true)]}}), "1/1 Running 0")]
#[case(json!({"status": {"phase": "Running", "containerStatuses": [running(true)]},
    "metadata": {"deletionTimestamp": "2026-11-23T04:56:16Z"}}), "1/1 Terminating 0")]
#[case(json!({"status": {"phase": "Pending", "containerStatuses":
    [{"state": {"waiting": {"reason": "ErrImagePull"}}, "restartCount": 0}]}}), "0/1 ErrImagePull 0")]
#[case(json!({"status": {"phase": "Succeeded", "containerStatuses":
    [{"state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]}}), "0/1 Completed 0")]
#[case(json!({"status": {"phase": "Failed", "containerStatuses":
    [{"state": {"terminated": {"exitCode": 7}}}]}}), "0/1 ExitCode:7 0")]
#[case(json!({"status": {"phase": "Pending", "initContainerStatuses": [{"state": {"running": {}}}]},
    "spec": {"initContainers": [{}], "containers": [{}]}}), "0/1 Init:0/1 0")]
fn a_pod_says_what_it_is_doing(#[case] pod: Value, #[case] expected: &str) {
    let mut whole = json!({"metadata": {"name": "p"}, "spec": {"containers": [{}]}});
    json_patch::merge(&mut whole, &pod);
    assert_eq!(cells("Pod", &whole)[1..4].join(" "), expected);
}

#[test]
fn the_other_tables_have_the_columns_kubectl_prints() {
    assert_eq!(headings("Pod")[..6].join(" "), "NAME READY STATUS RESTARTS AGE IP");
    assert_eq!(headings("CustomResourceDefinition").join(" "), "NAME CREATED AT");
    assert_eq!(headings("CiliumBGPPeeringPolicy").join(" "), "NAME AGE");
    assert_eq!(headings("Event")[..5].join(" "), "LAST SEEN TYPE REASON OBJECT MESSAGE");
    let event = json!({"metadata": {"name": "e"}, "type": "Normal", "reason": "Started", "lastTimestamp": minutes_ago(73),
        "involvedObject": {"kind": "Pod", "name": "nettool-1"}, "message": "Started container nettool-1"});
    assert_eq!(
        cells("Event", &event)[..5].join(" "),
        "73m Normal Started pod/nettool-1 Started container nettool-1"
    );
}
