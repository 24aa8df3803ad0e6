//! What nodes answer, decided.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn service(more: Value) -> Service {
    let mut spec = json!({
        "type": "LoadBalancer", "clusterIP": "10.96.0.5", "clusterIPs": ["10.96.0.5"], "externalIPs": ["192.0.2.9"],
        "ports": [{"name": "http", "port": 80, "nodePort": 30080}, {"name": "dns", "port": 53, "protocol": "UDP"}],
    });
    json_patch::merge(&mut spec, &more);
    let status = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}});
    serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": spec, "status": status})).unwrap()
}

fn slice() -> EndpointSlice {
    let endpoint = |ip: &str, node: &str, ready: bool| json!({"addresses": [ip], "nodeName": node, "conditions": {"ready": ready, "serving": ready, "terminating": false}});
    serde_json::from_value(json!({
        "metadata": {"name": "web-1"}, "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 5353, "protocol": "UDP"}],
        "endpoints": [endpoint("10.1.1.1", "worker", true), endpoint("10.1.2.1", "worker2", true),
                      endpoint("10.1.3.1", "worker3", false)],
    }))
    .unwrap()
}

fn seen(node: &str, more: Value) -> Front {
    let (service, slice) = (service(more), slice());
    let backed = Backed { service: &service, slices: vec![&slice] };
    let foreign = BTreeSet::from(["10.0.3.2".parse().unwrap()]);
    let place = Place { name: node, ips: &["10.0.2.2".parse().unwrap()], foreign: &foreign };
    front(&place, [backed].iter())
}

fn door(at: &str) -> Door {
    Door { at: at.parse().unwrap(), protocol: Protocol::Tcp }
}

fn ips(front: &Front) -> Vec<String> {
    front.addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn every_address_and_every_node_port_leads_to_ready_pods() {
    let front = seen("worker", json!({}));
    assert_eq!(ips(&front), ["10.96.0.5", "192.0.2.9", "203.0.113.1"]);
    for at in ["10.96.0.5:80", "192.0.2.9:80", "203.0.113.1:80", "10.0.2.2:30080"] {
        let backends: Vec<_> = front.doors[&door(at)].backends.iter().map(ToString::to_string).collect();
        assert_eq!(backends, ["10.1.1.1:8080", "10.1.2.1:8080"], "{at}");
    }
    let udp = Door { at: "10.96.0.5:53".parse().unwrap(), protocol: Protocol::Udp };
    assert_eq!(front.doors[&udp].backends.len(), 2);
    assert_eq!(front.doors.len(), 7);
}

#[rstest]
#[case::with_a_pod("worker", &["10.96.0.5", "192.0.2.9", "203.0.113.1"], Some("10.1.1.1:8080"))]
#[case::with_one_that_is_not_ready("worker3", &["10.96.0.5"], None)]
#[case::with_none("control-plane", &["10.96.0.5"], None)]
fn local_answers_only_where_a_pod_is(
    #[case] node: &str,
    #[case] addresses: &[&str],
    #[case] backend: Option<&str>,
) {
    let front = seen(node, json!({"externalTrafficPolicy": "Local"}));
    assert_eq!(ips(&front), addresses);
    let way = front.doors.get(&door("203.0.113.1:80"));
    assert_eq!(way.map(|way| way.backends[0].to_string()).as_deref(), backend);
    assert_eq!(way.map(|way| way.backends.len()), backend.map(|_| 1));
    assert_eq!(front.doors[&door("10.96.0.5:80")].backends.len(), 2);
}

#[test]
fn what_is_not_to_be_answered_is_not() {
    assert_eq!(seen("worker", json!({"type": "ExternalName"})), Front::default());
    assert_eq!(seen("worker", json!({"clusterIP": "None"})), Front::default());
    let own = seen("worker", json!({"externalIPs": ["10.0.2.2", "10.0.3.2"]}));
    assert_eq!(ips(&own), ["10.96.0.5", "203.0.113.1"]);
    assert!(own.doors.contains_key(&door("10.0.2.2:80")) && !own.doors.contains_key(&door("10.0.3.2:80")));
}

#[test]
fn source_ranges_and_affinity_go_along() {
    let front =
        seen("worker", json!({"loadBalancerSourceRanges": ["10.0.0.0/8"], "sessionAffinity": "ClientIP"}));
    let way = &front.doors[&door("203.0.113.1:80")];
    assert_eq!((way.sources.len(), way.sticky), (1, true));
    assert!(front.doors[&door("10.96.0.5:80")].sources.is_empty());
}
