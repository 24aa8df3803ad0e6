//! The second API, and services, as tables.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use rstest::rstest;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::cilium::{CiliumBGPPeeringPolicy, CiliumVersion, promises};

/// The objects a plan is made of, as one would write them.
#[derive(Default)]
struct World {
    config: Option<NodeConfig>,
    peers: Vec<PeerConfig>,
    advertisements: Vec<Advertisement>,
    services: Vec<Service>,
    endpoints: Vec<EndpointSlice>,
    secrets: Vec<Secret>,
    policies: Vec<CiliumBGPPeeringPolicy>,
    addresses: Addresses,
    /// `enableNoServiceEndpointsRoutable: false`.
    withdraws_empty: bool,
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn resource<T: DeserializeOwned>(kind: &str, name: &str, labels: &Value, spec: &Value) -> T {
    let metadata = json!({ "name": name, "labels": labels });
    read(json!({ "apiVersion": "cilium.io/v2", "kind": kind, "metadata": metadata, "spec": spec }))
}

fn node() -> Node {
    read(json!({
        "metadata": { "name": "worker", "labels": { "rack": "rack0" } },
        "spec": { "podCIDRs": ["10.1.1.0/24", "fd00:1::/64"] },
        "status": { "addresses": [{ "type": "InternalIP", "address": "10.0.2.2" }] },
    }))
}

fn peer(name: &str, spec: &Value) -> PeerConfig {
    resource("CiliumBGPPeerConfig", name, &json!({}), spec)
}

fn advertisement(name: &str, label: &str, list: &Value) -> Advertisement {
    let spec = json!({ "advertisements": list });
    resource("CiliumBGPAdvertisement", name, &json!({ "advertise": label }), &spec)
}

impl World {
    /// The article's rack 0: one instance, one peer, families and advertisements as asked.
    fn of(peer_config: &Value, advertisements: &Value) -> Self {
        let reference = json!({ "name": "tor" });
        let tor = json!({ "name": "tor0", "peerASN": 65010, "peerAddress": "10.0.0.1", "peerConfigRef": reference });
        let instance = json!({ "name": "rack0", "localASN": 65010, "peers": [tor] });
        Self {
            config: Some(resource(
                "CiliumBGPNodeConfig",
                "worker",
                &json!({}),
                &json!({ "bgpInstances": [instance] }),
            )),
            peers: vec![peer("tor", peer_config)],
            advertisements: vec![advertisement("all", "bgp", advertisements)],
            ..Self::default()
        }
    }

    fn plan(&self, version: &str) -> Plan {
        let version: CiliumVersion = version.parse().unwrap();
        let node = node();
        let input = Input {
            policies: self.policies.iter().collect(),
            node_config: self.config.as_ref(),
            peer_configs: self.peers.iter().map(|one| (one.metadata.name.as_deref().unwrap(), one)).collect(),
            advertisements: self.advertisements.iter().collect(),
            services: self.services.iter().collect(),
            endpoints: self.endpoints.iter().collect(),
            keeps_empty_services: !self.withdraws_empty,
            secrets: self.secrets.iter().map(|one| (one.metadata.name.as_deref().unwrap(), one)).collect(),
            ..Input::of(version, promises(&version).unwrap(), &node, &self.addresses)
        };
        plan(&input)
    }
}

/// IPv4, with the advertisements labelled `advertise: bgp`.
fn selecting() -> Value {
    json!([{ "afi": "ipv4", "safi": "unicast", "advertisements": { "matchLabels": { "advertise": "bgp" } } }])
}

fn texts(plan: &Plan) -> Vec<String> {
    let neighbor = &plan.virtual_routers[0].neighbors[0];
    neighbor.exports.prefixes.keys().map(ToString::to_string).collect()
}

#[test]
fn the_article() {
    let world = World::of(&json!({ "families": selecting() }), &json!([{ "advertisementType": "PodCIDR" }]));
    let plan = world.plan("1.20.0");
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    let [router] = plan.virtual_routers.as_slice() else { panic!("{plan:?}") };
    assert_eq!((router.instance.as_deref(), router.local_asn), (Some("rack0"), 65010));
    assert_eq!(router.export, ["10.1.1.0/24".parse().unwrap()].into());
    assert!(router.rejects_inbound && router.filtered && router.local_port.is_none());
    let neighbor = &router.neighbors[0];
    assert_eq!(neighbor.families, [Family::IPV4]);
    assert!(!neighbor.exports.others);
    assert_eq!((neighbor.hold, neighbor.connect_retry), (Duration::from_secs(90), Duration::from_secs(120)));
}

/// Nothing goes out until a family selects it.
#[rstest]
#[case::no_families(json!({}), 0, 2)]
#[case::no_selector(json!({ "families": [{ "afi": "ipv4", "safi": "unicast" }] }), 0, 1)]
#[case::another_label(json!({ "families": [{ "afi": "ipv4", "safi": "unicast", "advertisements": { "matchLabels": { "advertise": "x" } } }] }), 0, 1)]
#[case::everything(json!({ "families": [{ "afi": "ipv4", "safi": "unicast", "advertisements": {} }] }), 1, 1)]
#[case::the_other_family(json!({ "families": [{ "afi": "ipv6", "safi": "unicast", "advertisements": {} }] }), 1, 1)]
#[case::both(json!({ "families": [{ "afi": "ipv4", "safi": "unicast", "advertisements": {} }, { "afi": "ipv6", "safi": "unicast", "advertisements": {} }] }), 2, 2)]
fn families_select(#[case] config: Value, #[case] prefixes: usize, #[case] families: usize) {
    let plan = World::of(&config, &json!([{ "advertisementType": "PodCIDR" }])).plan("1.20.0");
    let neighbor = &plan.virtual_routers[0].neighbors[0];
    assert_eq!((neighbor.exports.prefixes.len(), neighbor.families.len()), (prefixes, families));
}

#[test]
fn attributes_of_several_advertisements_add_up() {
    let first = json!({
        "advertisementType": "PodCIDR",
        "attributes": { "communities": { "standard": ["65010:7"], "large": ["1:2:3"] }, "localPreference": 150 },
    });
    let second = json!({
        "advertisementType": "PodCIDR",
        "attributes": { "communities": { "wellKnown": ["no-export"] }, "localPreference": 120 },
    });
    let plan = World::of(&json!({ "families": selecting() }), &json!([first, second])).plan("1.20.0");
    let said = plan.virtual_routers[0].neighbors[0].exports.prefixes.values().next().unwrap();
    assert_eq!(said.communities, ["65010:7".to_owned(), "no-export".to_owned()].into());
    assert_eq!((said.large_communities.len(), said.local_preference), (1, Some(150)));
}

#[test]
fn everything_a_peer_configuration_can_say() {
    let config = json!({
        "families": selecting(), "ebgpMultihop": 4, "authSecretRef": "bgp",
        "timers": { "connectRetryTimeSeconds": 5, "holdTimeSeconds": 9, "keepAliveTimeSeconds": 3 },
        "gracefulRestart": { "enabled": true, "restartTimeSeconds": 60 },
        "transport": { "peerPort": 1790, "sourceInterface": "net0" },
    });
    let mut world = World::of(&config, &json!([]));
    world.config.as_mut().unwrap().spec.bgp_instances[0].peers[0].peer_asn = Some(65011);
    world
        .addresses
        .interfaces
        .insert("net0".to_owned(), vec!["10.0.2.2".parse().unwrap(), "fd00::2".parse().unwrap()]);
    let plan = world.plan("1.20.0");
    let neighbor = &plan.virtual_routers[0].neighbors[0];
    assert_eq!((neighbor.port, neighbor.ebgp_ttl), (1790, 4));
    assert_eq!(neighbor.local_address, Some("10.0.2.2".parse().unwrap()));
    assert_eq!(neighbor.graceful_restart, Some(Duration::from_secs(60)));
    // No Secret: without a password, and it is said, but not as an error of the node's configuration.
    assert!(neighbor.password.is_none() && plan.instance_problems.is_empty());
    assert!(plan.problems[0].contains("kube-system/bgp"), "{:?}", plan.problems);
    world.secrets = vec![read(json!({ "metadata": { "name": "bgp" }, "data": { "password": "Z2VoZWlt" } }))];
    let plan = world.plan("1.20.0");
    assert_eq!(plan.virtual_routers[0].neighbors[0].password, Some(Password("geheim".to_owned())));
    world.secrets = vec![read(json!({ "metadata": { "name": "bgp" }, "data": {} }))];
    let plan = world.plan("1.20.0");
    assert!(plan.instance_problems[0].1.contains("no key `password`"), "{:?}", plan.instance_problems);
    assert!(plan.virtual_routers[0].neighbors.is_empty());
}

#[test]
fn what_cannot_be_is_said_by_field_and_keeps_nothing_else() {
    let config = json!({ "families": [{ "afi": "ls", "safi": "ls" }] });
    let plan = World::of(&config, &json!([])).plan("1.20.0");
    assert!(plan.instance_problems[0].1.contains("families: ls/ls is not spoken here"), "{plan:?}");
    let pools = json!([{ "advertisementType": "CiliumPodIPPool", "selector": {} }, { "advertisementType": "PodCIDR" }]);
    let plan = World::of(&json!({ "families": selecting() }), &pools).plan("1.20.0");
    assert!(plan.instance_problems[0].1.contains("advertisements[0]: advertisementType CiliumPodIPPool"));
    assert_eq!(texts(&plan), ["10.1.1.0/24"]);
}

/// Each with what is said of it, and whether the peer is dialed all the same.
#[rstest]
#[case::port("1.17.0", json!({ "transport": { "localPort": 1790 } }), "transport.localPort 1790 is not honoured: GoBGP", true)]
#[case::later("1.20.0", json!({ "transport": { "localPort": 1790 } }), "transport.localPort 1790 is not honoured: Cilium", true)]
#[case::timers("1.20.0", json!({ "timers": { "holdTimeSeconds": 9 } }), "timers.keepAliveTimeSeconds 30 is above timers.holdTimeSeconds 9", false)]
fn a_field_without_effect_is_named(
    #[case] version: &str,
    #[case] config: Value,
    #[case] said: &str,
    #[case] dialed: bool,
) {
    let plan = World::of(&config, &json!([])).plan(version);
    assert_eq!(plan.instance_problems.len(), 1, "{:?}", plan.instance_problems);
    assert!(plan.instance_problems[0].1.contains(said), "{:?}", plan.instance_problems);
    assert_eq!(plan.virtual_routers[0].neighbors.len(), usize::from(dialed));
}

#[test]
fn fields_of_a_peer_that_contradict_each_other_are_named() {
    let config = json!({ "transport": { "sourceInterface": "net0" }, "ebgpMultihop": 4 });
    let mut world = World::of(&config, &json!([]));
    let found = &mut world.config.as_mut().unwrap().spec.bgp_instances[0].peers[0];
    found.local_address = Some("10.0.2.2".to_owned());
    found.auto_discovery =
        Some(read(json!({ "mode": "DefaultGateway", "defaultGateway": { "addressFamily": "ipv4" } })));
    found.peer_config_ref.as_mut().unwrap().kind = Some("Secret".to_owned());
    let plan = world.plan("1.20.0");
    let said: Vec<&str> = plan.instance_problems.iter().map(|(_, why)| why.as_str()).collect();
    for field in ["peerConfigRef.kind `Secret`", "autoDiscovery"] {
        assert!(said.iter().any(|why| why.starts_with("peer tor0: ") && why.contains(field)), "{said:?}");
    }
    // What is overruled as Cilium documents it is no error, and told all the same.
    for field in ["transport.sourceInterface", "ebgpMultihop 4"] {
        assert!(!said.iter().any(|why| why.contains(field)), "{said:?}");
        assert!(plan.problems.iter().any(|why| why.contains(field)), "{:?}", plan.problems);
    }
    assert_eq!(plan.virtual_routers[0].neighbors[0].local_address, Some("10.0.2.2".parse().unwrap()));
    found_nowhere(&mut world);
}

fn found_nowhere(world: &mut World) {
    let peer = &mut world.config.as_mut().unwrap().spec.bgp_instances[0].peers[0];
    (peer.peer_address, peer.auto_discovery) = (None, None);
    let plan = world.plan("1.20.0");
    assert!(
        plan.problems.iter().any(|why| why.contains("neither peerAddress nor autoDiscovery")),
        "{:?}",
        plan.problems
    );
    assert!(plan.instance_problems.is_empty());
}

#[rstest]
#[case::selector(json!({ "advertisementType": "PodCIDR", "selector": {} }), "selector is not allowed")]
#[case::service(json!({ "advertisementType": "PodCIDR", "service": { "addresses": ["ClusterIP"] } }), "service is not allowed")]
#[case::interface(json!({ "advertisementType": "PodCIDR", "interface": { "name": "lo" } }), "interface is not allowed")]
#[case::no_service(json!({ "advertisementType": "Service", "selector": {} }), "service is needed")]
#[case::no_interface(json!({ "advertisementType": "Interface" }), "interface is needed")]
#[case::nowhere(json!({ "advertisementType": "Interface", "interface": { "name": "net9" } }), "interface.name: net9 has no address")]
fn an_advertisement_whose_fields_do_not_go_together_goes_to_nobody(
    #[case] advertisement: Value,
    #[case] said: &str,
) {
    let plan = World::of(&json!({ "families": selecting() }), &json!([advertisement])).plan("1.20.0");
    assert!(plan.instance_problems[0].1.contains(&format!("advertisements[0]: {said}")), "{plan:?}");
    assert!(texts(&plan).is_empty());
}

#[test]
fn an_interface_goes_out_whatever_is_selected() {
    let list = json!([{ "advertisementType": "Interface", "interface": { "name": "lo" }, "selector": {} }]);
    let mut world = World::of(&json!({ "families": selecting() }), &list);
    world.addresses.interfaces.insert("lo".to_owned(), vec!["10.0.9.9".parse().unwrap()]);
    let plan = world.plan("1.20.0");
    assert_eq!(texts(&plan), ["10.0.9.9/32"]);
    assert!(plan.instance_problems[0].1.contains("advertisements[0]: selector is not honoured"), "{plan:?}");
}

#[test]
fn a_peer_without_its_configuration_waits() {
    let mut world = World::of(&json!({ "families": selecting() }), &json!([]));
    world.peers.clear();
    let plan = world.plan("1.20.0");
    assert!(plan.virtual_routers[0].neighbors.is_empty() && plan.problems.is_empty());
    // Before there were conditions for it.
    assert!(world.plan("1.16.0").problems[0].contains("there is no CiliumBGPPeerConfig tor"));
}

#[test]
fn the_first_api_wins_where_both_select_the_node() {
    let mut world = World::of(&json!({ "families": selecting() }), &json!([]));
    let spec = json!({ "nodeSelector": { "matchLabels": { "rack": "rack0" } }, "virtualRouters": [
        { "localASN": 65010, "neighbors": [{ "peerAddress": "10.0.0.1/32", "peerASN": 65010 }] },
    ] });
    world.policies = vec![CiliumBGPPeeringPolicy::new("rack0", read(spec))];
    let both = world.plan("1.17.0");
    assert_eq!((both.virtual_routers[0].instance.clone(), both.node_config.clone()), (None, None));
    assert!(both.problems[0].contains("delete the policy"), "{:?}", both.problems);
    world.policies[0].spec.node_selector = None;
    assert_eq!(world.plan("1.17.0").virtual_routers[0].instance.as_deref(), Some("rack0"));
}

#[test]
fn a_gateway_is_found() {
    let mut world = World::of(&json!({ "families": selecting() }), &json!([]));
    let found = &mut world.config.as_mut().unwrap().spec.bgp_instances[0].peers[0];
    found.peer_address = None;
    found.auto_discovery =
        Some(read(json!({ "mode": "DefaultGateway", "defaultGateway": { "addressFamily": "ipv4" } })));
    let none = world.plan("1.20.0");
    assert!(none.instance_problems[0].1.contains("no default route of ipv4"), "{:?}", none.instance_problems);
    world.addresses.gateways = vec!["fd00::9".parse().unwrap(), "10.0.2.1".parse().unwrap()];
    let plan = world.plan("1.20.0");
    assert_eq!(plan.virtual_routers[0].neighbors[0].address.to_string(), "10.0.2.1");
}

fn service(name: &str, spec: &Value, ingress: &Value) -> Service {
    read(json!({
        "metadata": { "name": name, "namespace": "default", "labels": { "color": "blue" } },
        "spec": spec, "status": { "loadBalancer": { "ingress": ingress } },
    }))
}

fn endpoints(service: &str, node: &str, ready: bool) -> EndpointSlice {
    read(json!({
        "metadata": { "name": format!("{service}-1"), "namespace": "default", "labels": { "kubernetes.io/service-name": service } },
        "addressType": "IPv4",
        "endpoints": [{ "addresses": ["10.1.1.9"], "nodeName": node, "conditions": { "ready": ready } }],
    }))
}

#[rstest]
#[case::balancer(json!({ "type": "LoadBalancer" }), json!(["LoadBalancerIP"]), &["20.0.0.1/32"])]
#[case::ours(json!({ "type": "LoadBalancer", "loadBalancerClass": "io.cilium/bgp-control-plane" }), json!(["LoadBalancerIP"]), &["20.0.0.1/32"])]
#[case::theirs(json!({ "type": "LoadBalancer", "loadBalancerClass": "x.io/y" }), json!(["LoadBalancerIP"]), &[])]
#[case::no_balancer(json!({ "type": "ClusterIP" }), json!(["LoadBalancerIP"]), &[])]
#[case::cluster(json!({ "clusterIPs": ["10.96.0.7"] }), json!(["ClusterIP"]), &["10.96.0.7/32"])]
#[case::headless(json!({ "clusterIPs": ["None"] }), json!(["ClusterIP"]), &[])]
#[case::external(json!({ "externalIPs": ["30.0.0.1"] }), json!(["ExternalIP", "ClusterIP"]), &["30.0.0.1/32"])]
#[case::local(json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Local" }), json!(["LoadBalancerIP"]), &[])]
fn addresses_of_services(#[case] spec: Value, #[case] kinds: Value, #[case] expected: &[&str]) {
    let list = json!([{ "advertisementType": "Service", "selector": { "matchLabels": { "color": "blue" } }, "service": { "addresses": kinds } }]);
    let mut world = World::of(&json!({ "families": selecting() }), &list);
    world.services = vec![service("web", &spec, &json!([{ "ip": "20.0.0.1" }]))];
    assert_eq!(texts(&world.plan("1.20.0")), expected);
}

#[test]
fn a_local_service_goes_out_where_its_endpoints_are() {
    let advertised = json!({ "addresses": ["LoadBalancerIP"], "aggregationLengthIPv4": 24 });
    let list = json!([{ "advertisementType": "Service", "selector": {}, "service": advertised }]);
    let mut world = World::of(&json!({ "families": selecting() }), &list);
    let spec = json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Local" });
    world.services = vec![service("web", &spec, &json!([{ "ip": "20.0.0.1" }]))];
    world.endpoints = vec![endpoints("web", "worker2", true)];
    assert!(texts(&world.plan("1.20.0")).is_empty());
    world.endpoints = vec![endpoints("web", "worker", false)];
    assert!(texts(&world.plan("1.20.0")).is_empty());
    world.endpoints = vec![endpoints("web", "worker", true)];
    // Never aggregated: the other addresses may be on other nodes.
    assert_eq!(texts(&world.plan("1.20.0")), ["20.0.0.1/32"]);
    world.services[0].spec.as_mut().unwrap().external_traffic_policy = None;
    assert_eq!(texts(&world.plan("1.20.0")), ["20.0.0.0/24"]);
}

#[test]
fn a_service_without_endpoints_stays_unless_the_chart_says_otherwise() {
    let list = json!([{ "advertisementType": "Service", "selector": {}, "service": { "addresses": ["LoadBalancerIP"] } }]);
    let mut world = World::of(&json!({ "families": selecting() }), &list);
    world.services = vec![service("web", &json!({ "type": "LoadBalancer" }), &json!([{ "ip": "20.0.0.1" }]))];
    assert_eq!(texts(&world.plan("1.20.0")), ["20.0.0.1/32"]);
    world.withdraws_empty = true;
    let plan = world.plan("1.20.0");
    assert!(texts(&plan).is_empty());
    assert!(plan.silences[0].contains("give no prefix"), "{:?}", plan.silences);
    world.endpoints = vec![endpoints("web", "worker2", false)];
    assert!(texts(&world.plan("1.20.0")).is_empty(), "none that takes connections");
    world.endpoints = vec![endpoints("web", "worker2", true)];
    assert_eq!(texts(&world.plan("1.20.0")), ["20.0.0.1/32"]);
}

#[test]
fn what_is_not_said_is_explained() {
    let said = |config: Value| {
        World::of(&config, &json!([{ "advertisementType": "PodCIDR" }])).plan("1.20.0").silences
    };
    assert!(said(json!({ "families": selecting() })).is_empty());
    assert!(said(json!({}))[0].contains("peer tor0 is told nothing: its families are not given"));
    let none = json!({ "families": [{ "afi": "ipv4", "safi": "unicast" }] });
    assert!(said(none)[0].contains("ipv4/unicast: it selects no CiliumBGPAdvertisement"));
    let mut world = World::of(&json!({}), &json!([]));
    world.peers.clear();
    assert!(world.plan("1.20.0").silences[0].contains("there is no CiliumBGPPeerConfig tor"));
    world.config = None;
    assert_eq!(world.plan("1.20.0").silences, ["no CiliumBGPClusterConfig selects the node"]);
    let both = "no CiliumBGPPeeringPolicy and no CiliumBGPClusterConfig selects the node";
    assert_eq!(world.plan("1.17.0").silences, [both]);
}

#[test]
fn services_are_selected_by_label_name_and_namespace_and_never_without_a_selector() {
    let list = |selector: &Value| {
        let mut one = json!({ "advertisementType": "Service", "service": { "addresses": ["ClusterIP"] } });
        if !selector.is_null() {
            one["selector"] = selector.clone();
        }
        json!([one])
    };
    let count = |selector: Value| {
        let mut world = World::of(&json!({ "families": selecting() }), &list(&selector));
        world.services = vec![service("web", &json!({ "clusterIPs": ["10.96.0.7"] }), &json!([]))];
        texts(&world.plan("1.20.0")).len()
    };
    assert_eq!(count(json!(null)), 0);
    assert_eq!(count(json!({})), 1);
    assert_eq!(count(json!({ "matchLabels": { "io.kubernetes.service.name": "web" } })), 1);
    assert_eq!(count(json!({ "matchLabels": { "io.kubernetes.service.namespace": "kube-system" } })), 0);
    assert_eq!(
        count(
            json!({ "matchExpressions": [{ "key": "somekey", "operator": "NotIn", "values": ["never-used-value"] }] })
        ),
        1
    );
}

#[test]
fn the_first_api_advertises_load_balancers() {
    let mut world = World::default();
    let spec = json!({ "nodeSelector": {}, "virtualRouters": [{
        "localASN": 65010, "serviceSelector": {}, "neighbors": [{ "peerAddress": "10.0.0.1/32", "peerASN": 65010 }],
    }] });
    world.policies = vec![CiliumBGPPeeringPolicy::new("all", read(spec))];
    world.services = vec![service(
        "web",
        &json!({ "type": "LoadBalancer", "clusterIPs": ["10.96.0.7"] }),
        &json!([{ "ip": "20.0.0.1" }]),
    )];
    let exported = |world: &World| {
        world.plan("1.16.0").virtual_routers[0].export.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(exported(&world), ["20.0.0.1/32"]);
    world.policies[0].spec.virtual_routers[0].service_advertisements =
        vec![crate::cilium::bgp::ServiceAddress::ClusterIP];
    assert_eq!(exported(&world), ["10.96.0.7/32"]);
    let names: BTreeMap<String, String> = world.services[0].labels().clone();
    assert_eq!(names.len(), 1);
}
