//! Requests that make no sense: each is answered with a `Status`.

use rstest::rstest;
use serde_json::{Value, json};

use super::{JSON, PODS, ask, raw};
use crate::twin::api::install;
use crate::twin::api::tests::{nettool, policy_crd, served};

#[rstest]
#[case::not_json("POST", PODS, JSON, b"{".to_vec(), 400, "BadRequest")]
#[case::not_text("POST", PODS, JSON, b"\xff\xfe{}".to_vec(), 400, "BadRequest")]
#[case::empty("POST", PODS, JSON, vec![], 400, "BadRequest")]
#[case::a_list("POST", PODS, JSON, b"[]".to_vec(), 400, "BadRequest")]
#[case::deep("POST", PODS, JSON, b"[".repeat(200_000), 400, "BadRequest")]
#[case::deep_yaml("POST", PODS, "Content-Type: application/yaml\r\n", b"- ".repeat(100_000), 400, "BadRequest")]
#[case::huge("POST", PODS, JSON, vec![b' '; 4 << 20], 413, "RequestEntityTooLarge")]
#[case::protobuf("POST", PODS, "Content-Type: application/vnd.kubernetes.protobuf\r\n", b"k8s\0".to_vec(), 415,
    "UnsupportedMediaType")]
#[case::patch_of_what("PATCH", "/api/v1/nodes/worker", JSON, b"{}".to_vec(), 415, "UnsupportedMediaType")]
#[case::strategic_custom("PATCH", "/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies/a",
    "Content-Type: application/strategic-merge-patch+json\r\n", b"{}".to_vec(), 415, "UnsupportedMediaType")]
#[case::protobuf_custom("POST", "/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies",
    "Content-Type: application/vnd.kubernetes.protobuf\r\n", b"k8s\0".to_vec(), 415, "UnsupportedMediaType")]
#[case::no_manager("PATCH", "/api/v1/nodes/worker", "Content-Type: application/apply-patch+yaml\r\n", b"{}".to_vec(), 400,
    "BadRequest")]
#[case::method("PUT", PODS, JSON, b"{}".to_vec(), 405, "MethodNotAllowed")]
#[case::verb("BREW", PODS, "", vec![], 405, "MethodNotAllowed")]
#[case::nothing_there("GET", "/apis/apps/v1/deployments", "", vec![], 404, "NotFound")]
#[case::no_path("GET", "/nowhere", "", vec![], 404, "NotFound")]
#[case::bad_path("GET", "/api/v1/namespaces/%ff/pods", "", vec![], 400, "BadRequest")]
#[case::bad_selector("GET", "/api/v1/pods?labelSelector=a+of+(b)", "", vec![], 400, "BadRequest")]
#[case::bad_revision("GET", "/api/v1/pods?watch=1&resourceVersion=new", "", vec![], 400, "BadRequest")]
#[case::openapi_of_the_future("GET", "/openapi/v4", "", vec![], 404, "NotFound")]
#[case::accepts_none("GET", "/api/v1/pods", "Accept: text/html\r\n", vec![], 406, "NotAcceptable")]
#[case::cluster_scoped("GET", "/api/v1/namespaces/default/nodes", "", vec![], 404, "NotFound")]
#[case::exec_without("GET", "/api/v1/namespaces/default/pods/none/exec?command=ls", "", vec![], 404, "NotFound")]
#[tokio::test]
async fn everything_is_answered_with_a_status(
    #[case] method: &str,
    #[case] path: &str,
    #[case] headers: &str,
    #[case] body: Vec<u8>,
    #[case] code: u16,
    #[case] reason: &str,
) {
    let (_, endpoint) = served().await;
    let (found, status) = ask(&endpoint, method, path, headers, &body).await;
    assert_eq!((found, status["reason"].as_str()), (code, Some(reason)), "{status}");
    assert_eq!((status["kind"].as_str(), status["code"].as_u64()), (Some("Status"), Some(u64::from(code))));
}

#[tokio::test]
async fn nobody_enters_without_the_token_but_health_is_open() {
    let (_, endpoint) = served().await;
    for token in
        ["", "Authorization: Bearer \r\n", "Authorization: Bearer wrong\r\n", "Authorization: Basic x\r\n"]
    {
        let request =
            format!("GET /api/v1/nodes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\r\n");
        let (code, body) = raw(&endpoint, request.as_bytes()).await;
        assert_eq!((code, body.contains("\"reason\":\"Unauthorized\"")), (401, true), "{body}");
    }
    for path in ["healthz", "readyz", "livez"] {
        let request = format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(raw(&endpoint, request.as_bytes()).await, (200, "ok".into()));
    }
    assert!(!format!("{endpoint:?}").contains(&endpoint.token));
}

#[tokio::test]
async fn old_kubectls_are_told_what_to_use() {
    let (store, endpoint) = served().await;
    let mut pod = nettool("p");
    pod["spec"]["nodeName"] = json!("worker");
    install(&store, &pod).unwrap();
    let headers = "Upgrade: SPDY/3.1\r\n";
    let path = format!("{PODS}/p/exec?command=ls&stdout=true");
    let (code, status) = ask(&endpoint, "POST", &path, headers, b"").await;
    assert_eq!(code, 400);
    assert!(status["message"].as_str().unwrap().contains("use kubectl 1.30 or later"), "{status}");
}

/// As deep as JSON may be: every rule that walks an object must stand it.
#[tokio::test]
async fn a_deep_object_is_judged_like_any_other() {
    let (_, endpoint) = served().await;
    let deep = |levels: usize, step: &str, end: &str| step.repeat(levels) + end + &"}".repeat(levels);
    let map = |deep: &str| {
        format!(
            "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"m\"}},\"x\":{deep}}}"
        )
    };
    let maps = "/api/v1/namespaces/default/configmaps";
    let body = map(&deep(120, "{\"a\":", "1"));
    assert_eq!(ask(&endpoint, "POST", maps, JSON, body.as_bytes()).await.0, 201);
    for media_type in ["merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"] {
        let headers = format!("Content-Type: application/{media_type}\r\n");
        let path = format!("{maps}/m?fieldManager=a&force=true");
        assert_eq!(ask(&endpoint, "PATCH", &path, &headers, body.as_bytes()).await.0, 200, "{media_type}");
    }
    let mut crd = policy_crd();
    let schema =
        deep(55, "{\"type\":\"object\",\"properties\":{\"a\":", "{\"type\":\"object\"}") + &"}".repeat(55);
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["deep"] =
        serde_json::from_str(&schema).unwrap();
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ciliumbgppeeringpolicies.cilium.io";
    let headers = "Content-Type: application/merge-patch+json\r\n";
    let (code, status) = ask(&endpoint, "PATCH", path, headers, crd.to_string().as_bytes()).await;
    assert_eq!(code, 200, "{status}");
    let policies = "/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies";
    let body = json!({"apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": {"name": "d"},
        "spec": {"virtualRouters": [{"localASN": 1, "neighbors": [{"peerASN": 1, "peerAddress": "10.0.0.1/32"}]}]}});
    let body = body.to_string().replacen('{', &format!("{{\"deep\":{},", deep(100, "{\"a\":", "{}")), 1);
    assert_eq!(ask(&endpoint, "POST", policies, JSON, body.as_bytes()).await.0, 201);
}

#[tokio::test]
async fn unknown_fields_are_warned_of_or_refused() {
    let (_, endpoint) = served().await;
    let mut pod = nettool("p");
    pod["spec"]["nodeSelectr"] = json!({});
    let body = pod.to_string();
    let (code, status) =
        ask(&endpoint, "POST", &format!("{PODS}?fieldValidation=Strict"), JSON, body.as_bytes()).await;
    assert_eq!(code, 400);
    assert!(status["message"].as_str().unwrap().ends_with("unknown field \"spec.nodeSelectr\""), "{status}");
    let (code, made) = ask(&endpoint, "POST", PODS, JSON, body.as_bytes()).await;
    assert_eq!((code, &made["spec"]["nodeSelectr"]), (201, &Value::Null));
}
