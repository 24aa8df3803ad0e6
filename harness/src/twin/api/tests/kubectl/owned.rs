//! Owners and what they own, rules of definitions, and what is said twice.

use serde_json::{Value, json};

use super::super::policy_crd;
use super::run::{Kubectl, each, policy};

/// Makes a ConfigMap, owned by another or by nobody.
async fn map(kubectl: &Kubectl, name: &str, owner: Option<&str>) {
    let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
    if let Some(owner) = owner {
        let uid = kubectl.good(&format!("get cm {owner} -o jsonpath={{.metadata.uid}}")).await;
        map["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": owner,
            "uid": uid, "blockOwnerDeletion": true}]);
    }
    let file = kubectl.file("map.yaml", &[map]);
    kubectl.good(&format!("apply -f {file}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_owned_goes_with_its_owner_or_stays_without() {
    for (kubectl, minor, _) in each().await {
        for (cascade, left) in [
            ("", ""),
            ("--cascade=background", ""),
            ("--cascade=foreground", ""),
            ("--cascade=orphan", "configmap/owned"),
        ] {
            map(&kubectl, "owner", None).await;
            map(&kubectl, "owned", Some("owner")).await;
            let deleted = kubectl.good(&format!("delete cm owner {cascade} --timeout=10s")).await;
            assert!(deleted.starts_with("configmap \"owner\" deleted"), "kubectl 1.{minor}: {deleted}");
            assert_eq!(kubectl.good("get cm -o name").await, left, "kubectl 1.{minor} {cascade}");
        }
        let owners = kubectl.good("get cm owned -o jsonpath={.metadata.ownerReferences}").await;
        assert_eq!(owners, "", "kubectl 1.{minor}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_a_definition_are_asked() {
    for (kubectl, minor, _) in each().await {
        let mut crd = policy_crd();
        let router =
            "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/virtualRouters/items";
        crd.pointer_mut(router).unwrap()["x-kubernetes-validations"] = json!([
            {"rule": "self.localASN != 1", "message": "one is not for us"},
        ]);
        crd.pointer_mut(router.strip_suffix("/virtualRouters/items").unwrap()).unwrap()["fixed"] = json!({"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "may not change"}]});
        let file = kubectl.file("crd.yaml", &[crd]);
        kubectl.good(&format!("replace -f {file}")).await;
        let apply = |name: &str, fixed: &str, asn: Value| {
            let mut policy = policy(name, &asn);
            policy["spec"]["fixed"] = json!(fixed);
            let file = kubectl.file("policy.yaml", &[policy]);
            format!("apply -f {file}")
        };
        let refused = kubectl.bad(&apply("a", "x", json!(1))).await;
        let words = "The CiliumBGPPeeringPolicy \"a\" is invalid: spec.virtualRouters[0]: Invalid value: \"object\": one is not for us";
        assert_eq!(refused.trim(), words, "kubectl 1.{minor}");
        kubectl.good(&apply("a", "x", json!(2))).await;
        let refused = kubectl.bad(&apply("a", "y", json!(2))).await;
        assert!(
            refused.contains("spec.fixed: Invalid value: \"string\": may not change"),
            "kubectl 1.{minor}: {refused}"
        );
        kubectl.good(&apply("a", "x", json!(3))).await;
        // kubectl 1.24 and before judge types themselves.
        let both = kubectl.bad(&apply("b", "x", json!("many"))).await;
        let unasked = "some validation rules were not checked because the object was invalid";
        assert!(minor < 25 || both.contains(unasked), "kubectl 1.{minor}: {both}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_twice_is_refused_or_told() {
    for (kubectl, minor, _) in each().await {
        let twice = |name: &str| {
            format!(
                r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"a":"1","a":"2"}}}}"#
            )
        };
        let path = kubectl.folder.path().join("twice.json");
        std::fs::write(&path, twice("m")).unwrap();
        let raw = |validation: &str| {
            format!(
                "create --raw /api/v1/namespaces/default/configmaps?fieldValidation={validation} -f {}",
                path.display()
            )
        };
        let refused = kubectl.bad(&raw("Strict")).await;
        assert!(
            refused.contains("strict decoding error: duplicate field \"data.a\""),
            "kubectl 1.{minor}: {refused}"
        );
        let told = kubectl.run(&raw("Warn")).await;
        assert_eq!(told.code, 0, "kubectl 1.{minor}: {}", told.err);
        assert!(told.err.contains("duplicate field \"data.a\""), "kubectl 1.{minor}: {}", told.err);
        assert_eq!(kubectl.good("get cm m -o jsonpath={.data.a}").await, "2", "the last counts");
        kubectl.good("delete cm m").await;
        assert_eq!(kubectl.run(&raw("Ignore")).await.err, "", "kubectl 1.{minor}");
    }
}
