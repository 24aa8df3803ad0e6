//! Making things without a file, much of which kubectl sends as protobuf, and emptying nodes.

use serde_json::{Value, json};

use super::super::nettool;
use super::run::{Kubectl, each};

async fn object(kubectl: &Kubectl, what: &str) -> Value {
    serde_json::from_str(&kubectl.good(&format!("get {what} -o json")).await).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_created_by_command_is_what_a_file_would_have_made() {
    for (kubectl, minor, _) in each().await {
        for (command, answer) in [
            ("ns lab", "namespace/lab created"),
            ("configmap m --from-literal=a=b", "configmap/m created"),
            ("secret generic s --from-literal=a=b", "secret/s created"),
            ("serviceaccount sa", "serviceaccount/sa created"),
            ("service clusterip c --tcp=80:8080", "service/c created"),
            ("service loadbalancer l --tcp=443", "service/l created"),
            ("service nodeport n --tcp=80", "service/n created"),
        ] {
            let dry = kubectl.good(&format!("create {command} --dry-run=server")).await;
            assert_eq!(dry, format!("{answer} (server dry run)"), "kubectl 1.{minor}");
            assert_eq!(kubectl.good(&format!("create {command}")).await, answer, "kubectl 1.{minor}");
        }
        assert_eq!(object(&kubectl, "cm m").await["data"], json!({"a": "b"}));
        let secret = object(&kubectl, "secret s").await;
        assert_eq!((&secret["data"], &secret["type"]), (&json!({"a": "Yg=="}), &json!("Opaque")));
        let service = object(&kubectl, "service c").await;
        assert_eq!(service["spec"]["ports"][0]["targetPort"], 8080, "kubectl 1.{minor}: {service}");
        assert_eq!(service["spec"]["selector"], json!({"app": "c"}));
        assert_eq!(service["metadata"].get("selfLink"), None, "an empty text of protobuf is no text");
        let again = kubectl.bad("create ns lab").await;
        assert_eq!(again.trim(), "Error from server (AlreadyExists): namespaces \"lab\" already exists");
        let none = kubectl.bad("create deployment d --image=x").await;
        assert!(none.contains("the server could not find the requested resource"), "{none}");

        kubectl.good("run p --image=x --port=80 --labels=app=p --env=A=b -- sleep 1").await;
        let pod = object(&kubectl, "pod p").await;
        assert_eq!(pod["spec"]["containers"][0]["args"], json!(["sleep", "1"]));
        assert_eq!(kubectl.good("expose pod p --port=80").await, "service/p exposed");
        let all = kubectl.good("get all -o name").await;
        assert!(all.starts_with("pod/p\n") && all.contains("service/l"), "{all}");
        assert!(kubectl.good("delete svc,cm,secret --all").await.contains("configmap \"m\" deleted"));
        assert!(kubectl.good("delete ns lab --timeout=10s").await.starts_with("namespace \"lab\" deleted"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_drained_by_evictions() {
    for (kubectl, minor, store) in each().await {
        let mut pod = nettool("p");
        pod["spec"]["nodeName"] = json!("worker");
        super::super::install(&store, &pod).unwrap();
        let drained = kubectl.good("drain worker --force --grace-period=0 --timeout=20s").await;
        // kubectl 1.20 knows no eviction of policy/v1, and deletes.
        let evicts = drained.contains("evicting pod default/p") && drained.contains("pod/p evicted");
        assert!(evicts || (minor < 22 && drained.contains("pod/p deleted")), "kubectl 1.{minor}: {drained}");
        let last = if minor < 22 { "node/worker deleted" } else { "node/worker drained" };
        assert!(drained.ends_with(last), "kubectl 1.{minor}: {drained}");
        assert!(kubectl.good("get nodes").await.contains("worker Ready,SchedulingDisabled"));
        assert_eq!(kubectl.good("uncordon worker").await, "node/worker uncordoned");
        assert_eq!(kubectl.run("get pods").await.err.trim(), "No resources found in default namespace.");
    }
}
