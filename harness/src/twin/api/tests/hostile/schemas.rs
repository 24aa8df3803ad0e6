//! Definitions that are bombs, and selectors and numbers that are out of measure.

use rstest::rstest;
use serde_json::{Value, json};

use super::{JSON, MAPS, PODS, ask};
use crate::twin::api::install;
use crate::twin::api::tests::{nettool, policy_crd, served};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// A definition of bombs whose spec is as given.
pub(super) fn definition(spec: Value) -> Value {
    let mut crd = policy_crd();
    crd["metadata"]["name"] = json!("bombs.example.org");
    crd["spec"]["group"] = json!("example.org");
    crd["spec"]["names"] = json!({"kind": "Bomb", "plural": "bombs"});
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = spec;
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["required"] = json!([]);
    crd
}

#[rstest]
#[case::cannot_be_read("(", "unclosed group")]
#[case::repeats_of_repeats("((a{100}){100}){100}", "takes more than 1048576 bytes when compiled")]
#[case::every_letter("\\pL{1000}{1000}", "takes more than 1048576 bytes when compiled")]
#[tokio::test]
async fn a_pattern_that_cannot_be_used_is_refused_at_the_door(#[case] pattern: &str, #[case] words: &str) {
    let (_, endpoint) = served().await;
    let crd =
        definition(json!({"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}));
    let (code, status) = ask(&endpoint, "POST", DEFINITIONS, JSON, crd.to_string().as_bytes()).await;
    assert_eq!((code, status["reason"].as_str()), (422, Some("Invalid")));
    let cause = &status["details"]["causes"][0];
    assert_eq!(
        cause["field"],
        "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[a].pattern"
    );
    assert!(cause["message"].as_str().unwrap().contains(words), "{cause}");
}

#[tokio::test]
async fn patterns_have_room_together_and_the_same_one_counts_once() {
    let (_, endpoint) = served().await;
    let with = |pattern: &dyn Fn(usize) -> String| {
        let field = |n: usize| (format!("f{n}"), json!({"type": "string", "pattern": pattern(n)}));
        let fields: Value = (0..5000).map(field).collect();
        definition(json!({"type": "object", "properties": fields})).to_string()
    };
    let different = with(&|n| format!("^a{{{}}}[a-z]{{400}}$", n % 999));
    let (code, status) = ask(&endpoint, "POST", DEFINITIONS, JSON, different.as_bytes()).await;
    let message = status["message"].as_str().unwrap_or_default();
    assert!(
        code == 422 && message.contains("the patterns of this schema are too large together"),
        "{message}"
    );
    let same = with(&|_| "^[a-z]{400}$".to_owned());
    let (code, status) = ask(&endpoint, "POST", DEFINITIONS, JSON, same.as_bytes()).await;
    assert_eq!(code, 201, "{}", status["message"]);
    // A pattern whose search runs back and forth in other engines.
    let bomb = json!({"apiVersion": "example.org/v2alpha1", "kind": "Bomb", "metadata": {"name": "b"},
        "spec": {"f0": "a".repeat(100_000)}});
    let (code, _) =
        ask(&endpoint, "POST", "/apis/example.org/v2alpha1/bombs", JSON, bomb.to_string().as_bytes()).await;
    assert_eq!(code, 422);
}

#[tokio::test]
async fn defaults_of_a_long_list_are_not_filled_in_for_ever() {
    let (_, endpoint) = served().await;
    let item =
        json!({"type": "object", "properties": {"a": {"type": "string", "default": "x".repeat(100_000)}}});
    let crd = definition(json!({"type": "array", "items": item}));
    assert_eq!(ask(&endpoint, "POST", DEFINITIONS, JSON, crd.to_string().as_bytes()).await.0, 201);
    let bomb = |count: usize| {
        let items = vec![json!({}); count];
        json!({"apiVersion": "example.org/v2alpha1", "kind": "Bomb", "metadata": {"name": "b"}, "spec": items})
    };
    let bombs = "/apis/example.org/v2alpha1/bombs";
    let (code, status) = ask(&endpoint, "POST", bombs, JSON, bomb(100_000).to_string().as_bytes()).await;
    assert_eq!((code, status["reason"].as_str()), (413, Some("RequestEntityTooLarge")));
    assert_eq!(ask(&endpoint, "POST", bombs, JSON, bomb(3).to_string().as_bytes()).await.0, 201);
}

#[tokio::test]
async fn a_definition_may_have_thousands_of_fields() {
    let (_, endpoint) = served().await;
    let field = |n: usize| (format!("f{n}"), json!({"type": "integer", "default": n}));
    let fields: Value = (0..10_000).map(field).collect();
    let crd = definition(json!({"type": "object", "properties": fields, "default": {}}));
    let (code, status) = ask(&endpoint, "POST", DEFINITIONS, JSON, crd.to_string().as_bytes()).await;
    assert_eq!(code, 201, "{}", status["message"]);
    let bomb = json!({"apiVersion": "example.org/v2alpha1", "kind": "Bomb", "metadata": {"name": "b"}});
    let bombs = "/apis/example.org/v2alpha1/bombs";
    let (code, made) = ask(&endpoint, "POST", bombs, JSON, bomb.to_string().as_bytes()).await;
    assert_eq!((code, &made["spec"]["f9999"]), (201, &json!(9999)));
}

#[rstest]
#[case::limit("?limit=18446744073709551615", 200)]
#[case::limit_over("?limit=18446744073709551616", 400)]
#[case::limit_under("?limit=-1", 400)]
#[case::revision_most("?resourceVersion=18446744073709551615", 504)]
#[case::revision_over("?resourceVersion=18446744073709551616", 400)]
#[case::revision_under("?resourceVersion=-1", 400)]
#[case::token("?continue=%00%00", 400)]
#[case::token_of_another("?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", 400)]
#[case::not_utf8("?labelSelector=%ff", 400)]
#[case::unbalanced("?labelSelector=a+in+((((", 400)]
#[tokio::test]
async fn numbers_and_tokens_out_of_measure(#[case] query: &str, #[case] code: u16) {
    let (_, endpoint) = served().await;
    let (found, status) = ask(&endpoint, "GET", &format!("{PODS}{query}"), "", b"").await;
    assert_eq!(found, code, "{status}");
    assert!(code == 200 || status["kind"] == "Status");
}

#[tokio::test]
async fn a_watch_may_be_asked_to_last_for_ever_and_a_pod_to_go_in_an_age() {
    let (_, endpoint) = served().await;
    assert_eq!(ask(&endpoint, "POST", PODS, JSON, nettool("p").to_string().as_bytes()).await.0, 201);
    for seconds in ["9223372036854775807", "-9223372036854775808", "-1"] {
        let path = format!("{PODS}/p?gracePeriodSeconds={seconds}&dryRun=All");
        let (code, status) = ask(&endpoint, "DELETE", &path, "", b"").await;
        assert!(matches!(code, 200 | 400 | 422), "{seconds}: {status}");
    }
    let path =
        format!("{PODS}?watch=1&timeoutSeconds=18446744073709551615&resourceVersion=18446744073709551615");
    let (code, _) = ask(&endpoint, "GET", &path, "", b"").await;
    assert_eq!(code, 200, "an end is told in the stream");
}

#[tokio::test]
async fn a_log_of_any_age_and_length() {
    let (store, endpoint) = served().await;
    let mut pod = nettool("p");
    pod["spec"]["nodeName"] = json!("worker");
    install(&store, &pod).unwrap();
    for (query, codes) in [
        ("sinceSeconds=9223372036854775807", [200, 400]),
        ("sinceSeconds=9000000000000000", [200, 200]),
        ("sinceSeconds=18446744073709551616", [400, 400]),
        ("sinceSeconds=-1", [400, 400]),
        ("sinceTime=-99999999-01-01T00:00:00Z", [400, 400]),
        ("tailLines=18446744073709551615", [200, 400]),
        ("limitBytes=0", [200, 400]),
        ("limitBytes=18446744073709551615", [200, 400]),
    ] {
        let (code, answer) = ask(&endpoint, "GET", &format!("{PODS}/p/log?{query}"), "", b"").await;
        assert!(codes.contains(&code), "{query}: {code} {answer}");
    }
}

#[tokio::test]
async fn a_selector_as_long_as_a_path_may_be() {
    let (_, endpoint) = served().await;
    for n in 0..50 {
        let pod = nettool(&format!("p{n}")).to_string();
        assert_eq!(ask(&endpoint, "POST", PODS, JSON, pod.as_bytes()).await.0, 201);
    }
    let absent: Vec<_> = (0..8000).map(|n| format!("!{n}")).collect();
    let (code, list) =
        ask(&endpoint, "GET", &format!("{PODS}?labelSelector={}", absent.join(",")), "", b"").await;
    assert_eq!((code, list["items"].as_array().map(Vec::len)), (200, Some(50)));
    let longer = format!("{PODS}?labelSelector={}", "a".repeat(70_000));
    let (code, _) = ask(&endpoint, "GET", &longer, "", b"").await;
    assert!(matches!(code, 414 | 431), "{code}");
    let many = (0..200).map(|n| format!("X-{n}: x\r\n")).collect::<String>();
    assert_eq!(ask(&endpoint, "GET", PODS, &many, b"").await.0, 431);
}

#[rstest]
#[case("..")]
#[case("..%2f..%2f..%2fetc%2fpasswd")]
#[case("%2e%2e%2fnodes")]
#[case("a%00b")]
#[case("a%0d%0aX-Y:%20z")]
#[tokio::test]
async fn a_name_leads_nowhere_else(#[case] name: &str) {
    let (_, endpoint) = served().await;
    for path in
        [format!("{PODS}/{name}"), format!("{PODS}/{name}/log"), format!("/api/v1/namespaces/{name}/pods/p")]
    {
        let (code, status) = ask(&endpoint, "GET", &path, "", b"").await;
        assert!(matches!(code, 400 | 404), "{path}: {code} {status}");
    }
    let name = name.replace("%2f", "/").replace("%2e", ".").replace("%00", "\0").replace("%0d%0a", "\r\n");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    let (code, status) = ask(&endpoint, "POST", MAPS, JSON, map.to_string().as_bytes()).await;
    assert_eq!(
        (code, status["details"]["causes"][0]["field"].as_str()),
        (422, Some("metadata.name")),
        "{status}"
    );
}
