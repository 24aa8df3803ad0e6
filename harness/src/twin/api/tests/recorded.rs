//! Objects of a real API server, put into the twin's: they must come out as they went in.

use rstest::rstest;
use serde_json::{Value, json};

use crate::twin::api::install;
use crate::twin::store::Store;

const NODES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/recorded/1.12.1/kubectl-get-nodes.json"));
const PODS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/recorded/1.12.1/kubectl-get-pods.json"));

#[rstest]
#[case::nodes(NODES, 4, &["metadata", "spec", "status"])]
// A pod begins with a status of its own, whatever a client sends.
#[case::pods(PODS, 2, &["metadata", "spec"])]
fn what_a_real_server_kept_is_kept(#[case] recorded: &str, #[case] count: usize, #[case] same: &[&str]) {
    let store = Store::new();
    install(&store, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}))
        .unwrap();
    let list: Value = serde_json::from_str(recorded).unwrap();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), count);
    for item in items {
        let anonymous = |object: &Value| {
            let mut object = object.clone();
            for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
                object["metadata"].as_object_mut().unwrap().shift_remove(field);
            }
            object
        };
        let given = anonymous(item);
        let kept = anonymous(&install(&store, &given).unwrap());
        for part in same {
            assert_eq!(kept[part], given[part], "{part} of {}", given["metadata"]["name"]);
        }
    }
}
