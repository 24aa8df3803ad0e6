//! Applying from both sides, replacing, comparing, dry runs.

use serde_json::{Value, json};

use super::super::nettool;
use super::run::{each, policy};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn managers_share_an_object_field_by_field() {
    for (kubectl, minor, _) in each().await {
        let named = |labels: Value, image: &str| {
            let mut pod = nettool("p");
            pod["metadata"]["labels"] = labels;
            pod["spec"]["containers"][0]["image"] = json!(image);
            pod
        };
        let file = kubectl.file("a.yaml", &[named(json!({"run": "p"}), "x:1")]);
        kubectl.good(&format!("apply --server-side --field-manager=a -f {file}")).await;
        let other = kubectl.file("b.yaml", &[named(json!({"team": "b"}), "x:2")]);
        let said = kubectl.bad(&format!("apply --server-side --field-manager=b -f {other}")).await;
        let words = "Apply failed with 1 conflict: conflict with \"a\": .spec.containers[name=\"p\"].image";
        assert!(said.contains(words), "kubectl 1.{minor}: {said}");
        kubectl.good(&format!("apply --server-side --field-manager=b --force-conflicts -f {other}")).await;
        // The flag came when hiding them did.
        let flag = if minor < 21 { "" } else { "--show-managed-fields" };
        let pod = kubectl.good(&format!("get pod p -o json {flag}")).await;
        let pod: Value = serde_json::from_str(&pod).unwrap();
        assert_eq!(pod["metadata"]["labels"], json!({"run": "p", "team": "b"}));
        assert_eq!(pod["spec"]["containers"][0]["image"], "x:2");
        let fields = pod["metadata"]["managedFields"].as_array().unwrap();
        let of = |manager: &str| {
            let entry =
                fields.iter().find(|entry| entry["manager"] == manager && entry["operation"] == "Apply");
            &entry.unwrap_or_else(|| panic!("{manager}: {fields:?}"))["fieldsV1"]
        };
        assert_eq!(of("a")["f:metadata"], json!({"f:labels": {"f:run": {}}}));
        let containers = r#"k:{"name":"p"}"#;
        assert_eq!(
            of("b")["f:spec"]["f:containers"],
            json!({containers: {".": {}, "f:image": {}, "f:name": {}}})
        );
        assert_eq!(of("a")["f:spec"]["f:containers"], json!({containers: {".": {}, "f:name": {}}}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_compared_replaced_and_tried_out() {
    for (kubectl, minor, _) in each().await {
        let file = kubectl.file("policy.yaml", &[policy("rack0", &json!(65010))]);
        let line = "ciliumbgppeeringpolicy.cilium.io/rack0";
        let dry = kubectl.good(&format!("apply -f {file} --dry-run=server")).await;
        assert_eq!(dry, format!("{line} created (server dry run)"), "kubectl 1.{minor}");
        assert!(kubectl.bad("get bgpp rack0").await.contains("NotFound"), "a dry run keeps nothing");
        assert_eq!(kubectl.run(&format!("diff -f {file}")).await.code, 1, "all of it is new");
        kubectl.good(&format!("create --save-config -f {file}")).await;
        assert_eq!(kubectl.good(&format!("diff -f {file}")).await, "");
        let other = kubectl.file("other.yaml", &[policy("rack0", &json!(65099))]);
        let differs = kubectl.run(&format!("diff -f {other}")).await;
        assert!(differs.code == 1 && differs.out.contains("+    localASN: 65099"), "{}", differs.out);
        assert_eq!(kubectl.good(&format!("replace -f {other}")).await, format!("{line} replaced"));
        let asn = "get bgpp rack0 -o jsonpath={.spec.virtualRouters[0].localASN}";
        assert_eq!(kubectl.good(asn).await, "65099");
        let wide = "get bgpp -o custom-columns=NAME:.metadata.name,GEN:.metadata.generation";
        assert_eq!(kubectl.good(wide).await, "NAME GEN\nrack0 2");
        if minor >= 23 {
            kubectl.good("wait --for=jsonpath={.metadata.generation}=2 bgpp/rack0 --timeout=5s").await;
        }
        let (a, b) = (policy("a", &json!(1)), policy("b", &json!(2)));
        let both = kubectl.file("both.yaml", &[a.clone(), b]);
        let word = if minor < 26 { "whitelist" } else { "allowlist" };
        let labelled = format!("--prune -l '!keep' --prune-{word}=cilium.io/v2alpha1/CiliumBGPPeeringPolicy");
        kubectl.good(&format!("apply -f {both}")).await;
        let one = kubectl.file("one.yaml", &[a]);
        let pruned = kubectl.good(&format!("apply -f {one} {labelled}")).await;
        assert!(pruned.contains("ciliumbgppeeringpolicy.cilium.io/b pruned"), "kubectl 1.{minor}: {pruned}");
        assert!(kubectl.good("delete bgpp --all --wait").await.contains("\"rack0\" deleted"));
        let mut unknown = policy("rack1", &json!(65011));
        unknown["spec"]["nodeSelectr"] = json!({});
        let unknown = kubectl.file("unknown.yaml", &[unknown]);
        if minor < 25 {
            // Those before 1.24 judge by the document of types alone, and do it themselves.
            let refused = kubectl.bad(&format!("apply -f {unknown}")).await;
            let field = if minor < 24 { "nodeSelectr\" in io.cilium.v2alpha1" } else { "spec.nodeSelectr\"" };
            assert!(refused.contains(&format!("unknown field \"{field}")), "kubectl 1.{minor}: {refused}");
            continue;
        }
        let warned = kubectl.run(&format!("apply --validate=warn -f {unknown}")).await;
        assert_eq!((warned.code, warned.err.trim()), (0, "Warning: unknown field \"spec.nodeSelectr\""));
    }
}
