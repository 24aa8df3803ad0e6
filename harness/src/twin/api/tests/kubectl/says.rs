//! What the server tells of itself: types, rights, versions, and that something is not there.

use serde_json::json;

use super::super::{nettool, policy_crd};
use super::run::each;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_are_explained() {
    for (kubectl, minor, _) in each().await {
        let pod = kubectl.good("explain pod.spec.nodeSelector").await;
        assert!(pod.starts_with("KIND: Pod\nVERSION: v1\n"), "kubectl 1.{minor}: {pod}");
        assert!(pod.contains("must be true for the pod to fit on a node"), "{pod}");
        let policy = kubectl.good("explain ciliumbgppeeringpolicies.spec --recursive").await;
        // Before 1.27 kubectl reads version 2 of the document, and has a page of its own for it.
        let (head, required) = if minor < 27 {
            ("KIND: CiliumBGPPeeringPolicy\nVERSION: cilium.io/v2alpha1\n", "")
        } else {
            ("GROUP: cilium.io\nKIND: CiliumBGPPeeringPolicy\nVERSION: v2alpha1\n", " -required-")
        };
        assert!(policy.starts_with(head), "kubectl 1.{minor}: {policy}");
        assert!(policy.contains(&format!("peerAddress <string>{required}")), "{policy}");
        for kind in
            ["node", "svc.spec.ports", "crd.spec.versions", "leases", "ep", "events", "bgpp.metadata.labels"]
        {
            kubectl.good(&format!("explain {kind}")).await;
        }
        let wrong = kubectl.bad("explain pod.spec.nowhere").await;
        assert!(wrong.contains("field \"nowhere\" does not exist"), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_and_names_are_told() {
    for (kubectl, minor, _) in each().await {
        assert_eq!(kubectl.good("auth can-i create pods").await, "yes", "kubectl 1.{minor}");
        assert!(kubectl.good("auth can-i --list").await.contains("*.* [] [] [*]"));
        if minor >= 28 {
            assert!(kubectl.good("auth whoami").await.contains("Username kubernetes-admin"));
        }
        assert!(kubectl.good("version -o json").await.contains("\"gitVersion\": \"v1.33"));
        assert!(kubectl.good("cluster-info").await.contains("control plane"));
        let versions = kubectl.good("api-versions").await;
        assert!(versions.lines().any(|line| line == "cilium.io/v2alpha1"), "{versions}");
        assert!(versions.lines().any(|line| line == "v1"), "{versions}");
        for absent in ["rollout status deployment/x", "get deployments", "top nodes", "get networkpolicies"] {
            let said = kubectl.bad(absent).await;
            let known = ["doesn't have a resource type", "Metrics API not available"];
            assert!(known.iter().any(|words| said.contains(words)), "kubectl {absent}: {said}");
        }
        let said = kubectl.bad("port-forward pod/nobody 80").await;
        assert!(said.contains("pods \"nobody\" not found"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_pod_cannot_do_here_is_said_with_what_to_do() {
    for (kubectl, minor, store) in each().await {
        let mut pod = nettool("p");
        pod["spec"]["nodeName"] = json!("worker");
        super::super::install(&store, &pod).unwrap();
        let running = json!({"status": {"phase": "Running"}});
        super::super::patch_status(&store, "p", &running);
        let said = kubectl.bad("port-forward p 8080:80").await;
        assert!(said.contains("fabric exec default/p"), "kubectl 1.{minor}: {said}");
        if minor < 30 {
            let said = kubectl.bad("exec p -- true").await;
            assert!(said.contains("use kubectl 1.30 or later, or `fabric exec"), "kubectl 1.{minor}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deprecated_says_what_to_use_instead() {
    for (kubectl, minor, _) in each().await {
        let mut crd = policy_crd();
        let mut newer = crd["spec"]["versions"][0].clone();
        newer["name"] = json!("v2");
        newer["storage"] = json!(false);
        crd["spec"]["versions"][0]["deprecated"] = json!(true);
        crd["spec"]["versions"].as_array_mut().unwrap().push(newer);
        let file = kubectl.file("crd.yaml", &[crd]);
        kubectl.good(&format!("replace -f {file}")).await;
        let said = kubectl.run("get ciliumbgppeeringpolicies.v2alpha1.cilium.io").await;
        let words = "Warning: cilium.io/v2alpha1 CiliumBGPPeeringPolicy is deprecated; use cilium.io/v2 CiliumBGPPeeringPolicy";
        assert!(said.code == 0 && said.err.contains(words), "kubectl 1.{minor}: {}", said.err);
        let said = kubectl.run("get ciliumbgppeeringpolicies.v2.cilium.io").await;
        assert!(said.code == 0 && !said.err.contains("deprecated"), "kubectl 1.{minor}: {}", said.err);
        let said = kubectl.run("get endpoints kubernetes").await;
        assert!(
            said.err.contains("Warning: v1 Endpoints is deprecated in v1.33+"),
            "kubectl 1.{minor}: {}",
            said.err
        );
    }
}
