//! Symbols on a dual-stack cluster with Services, without a fabric: objects and interfaces as they would be seen.

use std::path::Path;

use fabric_harness::lab::load;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::expect::{Expect, Resolver, WantedFamily};

fn object<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn atlas() -> Atlas {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp-dual-stack");
    let lab = load::<Expect>(&dir).unwrap_or_else(|error| panic!("{error}"));
    let node = |name: &str, number: u8| {
        object(json!({
            "metadata": {"name": format!("clab-bgp-dual-stack-{name}"), "labels": {"rack": "rack0"}},
            "spec": {"podCIDRs": [format!("10.1.{number}.0/24"), format!("fd00:10:1:{number}::/64")]},
            "status": {"addresses": [
                {"type": "InternalIP", "address": format!("10.0.{number}.2")},
                {"type": "InternalIP", "address": format!("fd00:10:0:{number}::2")},
            ]},
        }))
    };
    let service = |namespace: &str, name: &str, spec: Value, ingress: Value| {
        object(json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec,
            "status": {"loadBalancer": {"ingress": ingress}}}))
    };
    let at = |dev: &str, address: &str| LinkAddress {
        dev: dev.into(),
        address: address.parse().unwrap(),
        tentative: false,
    };
    let tor0 = vec![at("lo", "10.0.0.1/32"), at("lo", "fd00:10::1/128"), at("net0", "fe80::1/64")];
    Atlas {
        topology: Arc::new(lab.topology),
        cluster: lab.cluster.map(Arc::new),
        interfaces: BTreeMap::from([(
            "tor0".into(),
            Interfaces { addresses: tor0, ..Interfaces::default() },
        )]),
        nodes: Some(vec![node("control-plane", 1), node("worker", 2)]),
        pods: Some(Vec::new()),
        services: Some(vec![
            service(
                "default",
                "web",
                json!({"clusterIP": "10.2.0.9", "clusterIPs": ["10.2.0.9", "fd00:10:2::9"], "externalIPs": ["203.0.113.1"]}),
                json!([{"ip": "198.51.100.1"}, {"ip": "fd00:99::1"}, {"hostname": "web.example"}]),
            ),
            service("shop", "web", json!({"clusterIP": "None", "clusterIPs": ["None"]}), json!([])),
        ]),
        agents: None,
        policies: None,
        second: None,
        floors: BTreeMap::new(),
    }
}

#[rstest]
#[case("podCIDR(worker)", &["10.1.2.0/24"], &["fd00:10:1:2::/64"])]
#[case("podCIDR(*)", &["10.1.1.0/24", "10.1.2.0/24"], &["fd00:10:1:1::/64", "fd00:10:1:2::/64"])]
#[case("default", &["0.0.0.0/0"], &["::/0"])]
#[case("mgmt", &["172.20.20.0/24"], &["3fff:172:20:20::/64"])]
#[case("tor0:lo", &["10.0.0.1/32"], &["fd00:10::1/128"])]
#[case("service/web", &["198.51.100.1/32"], &["fd00:99::1/128"])]
#[case("clusterIP(web)", &["10.2.0.9/32"], &["fd00:10:2::9/128"])]
fn a_symbol_has_prefixes_of_either_family(#[case] text: &str, #[case] four: &[&str], #[case] six: &[&str]) {
    let (atlas, symbol) = (atlas(), Symbol::parse(text).unwrap());
    for (family, expected) in [(WantedFamily::Ipv4, four), (WantedFamily::Ipv6, six)] {
        let all = family.prefixes(&atlas, &symbol).unwrap();
        assert_eq!(all.iter().map(|named| named.value.to_string()).collect::<Vec<_>>(), expected);
    }
}

#[rstest]
#[case("node/worker", "fd00:10:0:2::2")]
#[case("service/web", "fd00:99::1")]
#[case("tor0:net0", "fe80::1")]
fn and_addresses(#[case] text: &str, #[case] six: &str) {
    let all = WantedFamily::Ipv6.addresses(&atlas(), &Symbol::parse(text).unwrap()).unwrap();
    assert_eq!(all[0].value.to_string(), six);
}

#[rstest]
#[case("tor0:net0", "it stands for no IPv4 address")]
#[case("service/shop/web", "no load balancer has given the service an address")]
#[case("clusterIP(shop/web)", "the service has no address in the cluster")]
#[case("service/shop/api", "there is no such service")]
fn what_is_not_there_may_still_come(#[case] text: &str, #[case] why: &str) {
    let error = WantedFamily::Ipv4.addresses(&atlas(), &Symbol::parse(text).unwrap()).unwrap_err();
    assert!(matches!(error, Unresolved::NotYet { .. }) && error.to_string().contains(why), "{error}");
}

#[rstest]
#[case("198.51.100.1", "service/web")]
#[case("fd00:10:2::9", "clusterIP(web)")]
#[case("203.0.113.1", "externalIP(web)")]
fn addresses_of_services_have_names(#[case] address: IpAddr, #[case] name: &str) {
    let atlas = atlas();
    assert_eq!(atlas.name_of_address(address).as_deref(), Some(name));
    assert_eq!(atlas.name_of_prefix(IpNet::from(address)).as_deref(), Some(name));
}

#[test]
fn the_router_of_a_node_is_at_the_other_end_of_its_link() {
    let symbol = Symbol::parse("tor(worker):lo").unwrap();
    assert_eq!(atlas().tor(&symbol, "worker").unwrap(), "tor0");
    assert_eq!(atlas().addresses(&symbol).unwrap().len(), 2);
}

#[test]
fn what_could_not_be_read_is_not_told_as_missing() {
    let mut atlas = atlas();
    let unread = Interfaces { unread: Some("`ip -json`: no such program".into()), ..Interfaces::default() };
    atlas.interfaces.insert("tor0".into(), unread);
    let symbol = Symbol::parse("tor0:lo").unwrap();
    let why = WantedFamily::Ipv4.prefixes(&atlas, &symbol).unwrap_err().to_string();
    assert!(why.contains("the interfaces of tor0 cannot be read: `ip -json`: no such program"), "{why}");
}
