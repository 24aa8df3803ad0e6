//! Services as a server completes and refuses them.

use rstest::rstest;
use serde_json::{Value, json};

use crate::twin::api::patch::PatchKind;
use crate::twin::api::rules::{Part, Rules, WriteOptions};
use crate::twin::api::{ApiError, install};
use crate::twin::store::Store;

struct Cluster {
    rules: Rules,
}

impl Cluster {
    fn new(cidrs: &[&str]) -> Self {
        let store = Store::new();
        install(&store, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}))
            .unwrap();
        install(
            &store,
            &json!({"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
            "metadata": {"name": "kubernetes"}, "spec": {"cidrs": cidrs}}),
        )
        .unwrap();
        Self { rules: Rules::new(store) }
    }

    fn create(&self, name: &str, spec: Value) -> Result<Value, ApiError> {
        let resource = self.rules.registry.find("", "v1", "services").unwrap();
        let service =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
        let made = self.rules.create(&resource, "default", service, &WriteOptions::default());
        made.map(|outcome| outcome.value)
    }

    fn patch(&self, name: &str, patch: Value) -> Result<Value, ApiError> {
        let resource = self.rules.registry.find("", "v1", "services").unwrap();
        let options = WriteOptions::default();
        let done =
            self.rules.patch(&resource, "default", name, Part::Whole, PatchKind::Merge, &patch, &options);
        done.map(|outcome| outcome.value)
    }
}

fn web(more: Value) -> Value {
    let mut spec = json!({"selector": {"app": "web"}, "ports": [{"port": 80}]});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

#[test]
fn a_service_gets_an_address_of_its_own() {
    let cluster = Cluster::new(&["10.96.0.0/28"]);
    let mut seen = std::collections::BTreeSet::new();
    // 16 addresses without the first and the last.
    for number in 0..14 {
        let made = cluster.create(&format!("s{number}"), web(json!({}))).unwrap();
        let spec = &made["spec"];
        assert_eq!(spec["clusterIPs"], json!([spec["clusterIP"]]));
        assert_eq!((&spec["ipFamilies"], &spec["ipFamilyPolicy"]), (&json!(["IPv4"]), &json!("SingleStack")));
        assert!(seen.insert(spec["clusterIP"].as_str().unwrap().to_owned()));
    }
    let full = cluster.create("more", web(json!({}))).unwrap_err();
    assert!(full.message.contains("range is full"), "{}", full.message);
}

#[rstest]
#[case::prefers(json!({"ipFamilyPolicy": "PreferDualStack"}), &["IPv4", "IPv6"])]
#[case::turned(json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]}), &["IPv6", "IPv4"])]
#[case::one(json!({"ipFamilies": ["IPv6"]}), &["IPv6"])]
#[case::by_address(json!({"clusterIP": "fd00:10:96::42"}), &["IPv6"])]
fn families_follow_the_policy(#[case] more: Value, #[case] families: &[&str]) {
    let cluster = Cluster::new(&["10.96.0.0/16", "fd00:10:96::/112"]);
    let made = cluster.create("web", web(more)).unwrap();
    assert_eq!(made["spec"]["ipFamilies"], json!(families));
    assert_eq!(made["spec"]["clusterIPs"].as_array().unwrap().len(), families.len());
}

#[rstest]
#[case::outside(json!({"clusterIP": "10.0.0.1"}),
    "spec.clusterIPs: Invalid value: [\"10.0.0.1\"]: failed to allocate IP 10.0.0.1: the provided IP (10.0.0.1) is not in the \
     valid range. The range of valid IPs is 10.96.0.0/16")]
#[case::taken(json!({"clusterIP": "10.96.0.10"}),
    "spec.clusterIPs: Invalid value: [\"10.96.0.10\"]: failed to allocate IP 10.96.0.10: provided IP is already allocated")]
#[case::no_ip(json!({"clusterIP": "ten"}), "must be a valid IP address")]
#[case::port_taken(json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 30080}]}),
    "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated")]
#[case::port_outside(json!({"type": "NodePort", "ports": [{"port": 1, "nodePort": 80}]}),
    "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is \
     30000-32767")]
#[case::dual(json!({"ipFamilyPolicy": "RequireDualStack"}),
    "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services")]
#[case::six(json!({"ipFamilies": ["IPv6"]}), "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster")]
#[case::nameless(json!({"ports": [{"port": 80}, {"port": 81}]}), "spec.ports[0].name: Required value")]
#[case::class(json!({"loadBalancerClass": "a/b"}),
    "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'")]
#[case::policy(json!({"externalTrafficPolicy": "Local"}), "may only be set for externally-accessible services")]
#[case::external(json!({"externalIPs": ["me"]}), "spec.externalIPs[0]: Invalid value: \"me\": must be a valid IP address")]
#[case::no_name(json!({"type": "ExternalName"}), "spec.externalName: Required value")]
#[case::headless(json!({"type": "NodePort", "clusterIP": "None"}), "may not be set to 'None' for NodePort services")]
fn what_cannot_be_is_refused(#[case] more: Value, #[case] expected: &str) {
    let cluster = Cluster::new(&["10.96.0.0/16"]);
    let first = web(
        json!({"clusterIP": "10.96.0.10", "type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}),
    );
    cluster.create("first", first).unwrap();
    let error = cluster.create("web", web(more)).unwrap_err();
    assert_eq!(error.code, 422, "{}", error.message);
    assert!(error.message.contains(expected), "{}", error.message);
}

#[test]
fn what_the_server_gave_stays_with_the_service() {
    let cluster = Cluster::new(&["10.96.0.0/16"]);
    let made = cluster
        .create("web", web(json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local"})))
        .unwrap();
    let spec = &made["spec"];
    assert!(spec["ports"][0]["nodePort"].as_i64().unwrap() >= 30_000);
    assert!(spec["healthCheckNodePort"].as_i64().unwrap() >= 30_000);
    assert_ne!(spec["healthCheckNodePort"], spec["ports"][0]["nodePort"]);
    assert_eq!(made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:clusterIP"], Value::Null);
    let same = cluster.patch("web", json!({"spec": {"clusterIP": null, "ports": [{"port": 80}]}})).unwrap();
    assert_eq!(same["spec"]["clusterIP"], spec["clusterIP"]);
    assert_eq!(same["spec"]["ports"][0]["nodePort"], spec["ports"][0]["nodePort"]);
    let error = cluster.patch("web", json!({"spec": {"clusterIP": "10.96.0.9"}})).unwrap_err();
    assert!(error.message.contains("may not change once set"), "{}", error.message);
    let plain = cluster.patch("web", json!({"spec": {"type": "ClusterIP"}})).unwrap();
    for field in ["healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"] {
        assert_eq!(plain["spec"][field], Value::Null, "{field}");
    }
    assert_eq!(plain["spec"]["ports"][0]["nodePort"], Value::Null);
}

#[test]
fn a_headless_service_has_no_address_and_an_external_name_nothing_at_all() {
    let cluster = Cluster::new(&["10.96.0.0/16"]);
    let made = cluster.create("web", web(json!({"clusterIP": "None"}))).unwrap();
    assert_eq!(made["spec"]["clusterIPs"], json!(["None"]));
    assert_eq!(made["spec"]["ipFamilyPolicy"], "SingleStack");
    let made = cluster.create("bare", json!({"clusterIP": "None"})).unwrap();
    assert_eq!(made["spec"]["ipFamilies"], json!(["IPv4", "IPv6"]));
    let made =
        cluster.create("cname", json!({"type": "ExternalName", "externalName": "example.com"})).unwrap();
    assert_eq!(
        (&made["spec"]["clusterIP"], &made["spec"]["internalTrafficPolicy"]),
        (&Value::Null, &Value::Null)
    );
    let back = cluster
        .patch("cname", json!({"spec": {"type": "ClusterIP", "externalName": null, "ports": [{"port": 1}]}}));
    assert!(back.unwrap()["spec"]["clusterIP"].as_str().unwrap().starts_with("10.96."));
}
