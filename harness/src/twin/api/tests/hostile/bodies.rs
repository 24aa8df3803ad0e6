//! Bodies that are small to send and large to hold.

use serde_json::{Value, json};

use super::{JSON, JSON_PATCH, MAPS, PODS, YAML, ask};
use crate::twin::api::Endpoint;
use crate::twin::api::tests::{nettool, served};

/// What it is, the method, the path, the headers, the body, and the status it is answered with.
pub(super) type Bomb = (&'static str, &'static str, String, &'static str, Vec<u8>, u16);

/// Bombs, where they are thrown, and what they are answered.
pub(super) fn bombs() -> Vec<Bomb> {
    let deep = |levels: usize| "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
    let laughs = (1..10).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        let many = vec![format!("*a{}", n - 1); 9].join(",");
        text + &format!("a{n}: &a{n} [{many}]\n")
    });
    let pod = |text: &str| nettool("bomb").to_string().replacen('{', &format!("{{{text},"), 1).into_bytes();
    let map = |text: &str| {
        let head = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"bomb\"},";
        format!("{head}{text}}}").into_bytes()
    };
    let node = "/api/v1/nodes/worker".to_owned();
    let doubling: Vec<Value> = std::iter::once(json!({"op": "add", "path": "/metadata/annotations", "value": {"a": "x".repeat(1000)}}))
        .chain((0..40).map(|n| {
            json!({"op": "copy", "from": "/metadata/annotations", "path": format!("/metadata/annotations/{n}")})
        }))
        .collect();
    let mut digging = vec![json!({"op": "add", "path": "/x", "value": {}})];
    let mut path = "/x".to_owned();
    for _ in 0..5000 {
        path += "/a/a/a/a";
        let four = json!({"a": {"a": {"a": {}}}});
        digging.push(json!({"op": "add", "path": path[..path.len() - 6], "value": four}));
    }
    let many: Vec<_> = (0..10_001).map(|_| json!({"op": "test", "path": "/kind", "value": "Node"})).collect();
    let unknown: String = (0..100_000).map(|n| format!("\"u{n}\":1,")).collect();
    let patch = |operations: Vec<Value>| json!(operations).to_string().into_bytes();
    vec![
        ("deep JSON", "POST", MAPS.into(), JSON, map(&format!("\"x\":{}", deep(10_000))), 400),
        ("open brackets", "POST", PODS.into(), JSON, b"[".repeat(3 << 20), 400),
        ("a billion laughs", "POST", MAPS.into(), YAML, laughs.into_bytes(), 400),
        ("deep flow YAML", "POST", MAPS.into(), YAML, b"{a: ".repeat(100_000), 400),
        ("deep block YAML", "POST", MAPS.into(), YAML, b"? ".repeat(100_000), 400),
        ("a merge key of itself", "POST", MAPS.into(), YAML, b"a: &a\n  <<: *a\n".to_vec(), 400),
        ("twice the same key in YAML", "POST", MAPS.into(), YAML, b"kind: a\nkind: b\n".to_vec(), 400),
        ("not UTF-8 in YAML", "POST", MAPS.into(), YAML, b"kind: \xff\xfe\n".to_vec(), 400),
        (
            "not UTF-8 in a string",
            "POST",
            PODS.into(),
            JSON,
            pod("\"x\":\"").into_iter().chain(*b"\xff").collect(),
            400,
        ),
        ("half a surrogate", "POST", PODS.into(), JSON, pod("\"x\":\"\\ud800\""), 400),
        (
            "an object that is too large",
            "POST",
            MAPS.into(),
            JSON,
            map(&format!("\"data\":{{\"a\":\"{}\"}}", "x".repeat(2 << 20))),
            413,
        ),
        ("zeros", "POST", PODS.into(), JSON, map(&format!("\"x\":[{}0]", "0,".repeat(1 << 20))), 400),
        ("copies of copies", "PATCH", node.clone(), JSON_PATCH, patch(doubling), 413),
        ("ever deeper", "PATCH", node.clone(), JSON_PATCH, patch(digging), 413),
        ("too many operations", "PATCH", node, JSON_PATCH, patch(many), 413),
        (
            "a hundred thousand unknown fields",
            "POST",
            format!("{MAPS}?dryRun=All"),
            JSON,
            map(&format!("{unknown}\"data\":{{}}")),
            201,
        ),
    ]
}

/// What is answered must be a `Status` where it is a refusal, and the endpoint must still be there.
pub(super) async fn throw(endpoint: &Endpoint, bombs: &[Bomb]) {
    for (what, method, path, headers, body, code) in bombs {
        let begun = std::time::Instant::now();
        let (found, status) = ask(endpoint, method, path, headers, body).await;
        println!("{:>9.1?}  {what}", begun.elapsed());
        assert_eq!(found, *code, "{what}: {}", status.to_string().chars().take(300).collect::<String>());
        if *code >= 400 {
            assert_eq!(status["kind"], "Status", "{what}");
            assert!(
                status["message"].as_str().is_some_and(|text| text.len() < 2000),
                "{what}: a long message"
            );
        }
    }
    assert_eq!(ask(endpoint, "GET", "/api/v1/nodes", "", b"").await.0, 200);
}

#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let (store, endpoint) = served().await;
    let revision = store.revision();
    throw(&endpoint, &bombs()).await;
    assert_eq!(store.revision(), revision, "nothing was kept");
}

/// The last of two is taken, as by a Kubernetes server that only warns; what is kept has one.
#[tokio::test]
async fn a_key_that_is_there_twice_is_kept_once() {
    let (_, endpoint) = served().await;
    let body = b"{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"m\"},\"data\":{\"a\":\"1\",\"a\":\"2\"}}";
    let (code, made) = ask(&endpoint, "POST", MAPS, JSON, body).await;
    assert_eq!((code, &made["data"]), (201, &json!({"a": "2"})));
}

/// Fields at the end of long paths are few bytes to send and many to own.
#[tokio::test]
async fn wide_at_the_end_of_deep_is_refused() {
    let (_, endpoint) = served().await;
    let key = "k".repeat(1000);
    let wide: String = (0..50_000).map(|n| format!("\"{n}\":1,")).collect();
    let body = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"m\"}},\"x\":{}{{{wide}\"z\":1}}{}}}",
        format!("{{\"{key}\":").repeat(100),
        "}".repeat(100),
    );
    let (code, status) = ask(&endpoint, "POST", MAPS, JSON, body.as_bytes()).await;
    assert_eq!((code, status["reason"].as_str()), (413, Some("RequestEntityTooLarge")), "{status}");
}
