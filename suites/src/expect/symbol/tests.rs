use ipnet::IpNet;
use proptest::prelude::*;
use rstest::rstest;

use super::{Place, PodName, Select, ServiceAddress, Symbol};

#[rstest]
#[case("mgmt", Symbol::Management)]
#[case("default", Symbol::Default)]
#[case("podCIDR(*)", Symbol::PodCidr(Select::All))]
#[case("podCIDR(worker)", Symbol::PodCidr(Select::Of("worker".into())))]
#[case("podCIDR(rack=rack0)", Symbol::PodCidr(Select::Labels(vec![("rack".into(), "rack0".into())])))]
#[case("pod/nettool-1", Symbol::Pod(PodName { namespace: "default".into(), name: "nettool-1".into() }))]
#[case("pod/kube-system/coredns", Symbol::Pod(PodName { namespace: "kube-system".into(), name: "coredns".into() }))]
#[case("node/worker2", Symbol::Node("worker2".into()))]
#[case("service/web", service(ServiceAddress::LoadBalancer, "default", "web"))]
#[case("service/shop/web", service(ServiceAddress::LoadBalancer, "shop", "web"))]
#[case("clusterIP(web)", service(ServiceAddress::Cluster, "default", "web"))]
#[case("externalIP(shop/web)", service(ServiceAddress::External, "shop", "web"))]
#[case("gateway(nettool-1)", Symbol::Gateway("nettool-1".into()))]
#[case("router0:lo", Symbol::Interface { place: Place::Device("router0".into()), interface: "lo".into() })]
#[case("tor(nettool-2):lo", Symbol::Interface { place: Place::TorOf("nettool-2".into()), interface: "lo".into() })]
#[case(
    "node(nettool-1):cilium_host",
    Symbol::Interface { place: Place::NodeOf("nettool-1".into()), interface: "cilium_host".into() }
)]
fn reads_what_it_writes(#[case] text: &str, #[case] symbol: Symbol) {
    assert_eq!(Symbol::parse(text).unwrap(), symbol);
    assert_eq!(symbol.to_string(), text);
}

fn service(which: ServiceAddress, namespace: &str, name: &str) -> Symbol {
    Symbol::Service(which, PodName { namespace: namespace.into(), name: name.into() })
}

#[rstest]
#[case("", 1, "nothing is written here")]
#[case("service/", 9, "the service's name is missing")]
#[case("clusterIP(web", 14, "the text ends where `)` is wanted")]
#[case("router0", 8, "says which box")]
#[case("router0:", 9, "the interface is missing")]
#[case("podCDR(*)", 1, "there is no `podCDR(...)`")]
#[case("podCIDR(*", 10, "the text ends where `)` is wanted")]
#[case("podCIDR(rack=)", 14, "the label's value is missing")]
#[case("podCIDR(a=b,)", 13, "a label is missing after the comma")]
#[case("podCIDR(a=b,c)", 14, "has no value")]
#[case("node(nettool-1)", 16, "says which box")]
#[case("node(nettool-1)net0", 16, "says which box")]
#[case("10.0.1.1/24", 1, "an address with a length")]
#[case("10.0.0.300/24", 1, "neither an IPv4 address nor a prefix")]
#[case("svc/web", 1, "no kind of thing")]
#[case("mgmt now", 5, "after the end of `mgmt`")]
#[case("router0:lo x", 11, "after the end of `router0:lo`")]
#[case("größe:lo", 3, "cannot follow `gr`")]
fn says_where_it_goes_wrong(#[case] text: &str, #[case] column: usize, #[case] part: &str) {
    let error = Symbol::parse(text).unwrap_err();
    assert!(error.what.contains(part), "{error}");
    assert_eq!(error.column, column, "{error}");
    assert!(!error.help.is_empty());
}

#[test]
fn a_wrong_function_names_the_nearest() {
    assert!(Symbol::parse("podcidr(*)").unwrap_err().help.contains("`podCIDR(...)`"));
    assert!(Symbol::parse("gatway(x)").unwrap_err().help.contains("`gateway(...)`"));
}

#[test]
fn the_way_back_exchanges_the_ends() {
    let there = Symbol::parse("node(nettool-1):cilium_host").unwrap();
    assert_eq!(there.exchanged("nettool-1", "nettool-2").to_string(), "node(nettool-2):cilium_host");
    assert_eq!(there.exchanged("a", "b"), there);
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,12}"
}

fn select() -> impl Strategy<Value = Select> {
    prop_oneof![
        Just(Select::All),
        name().prop_map(Select::Of),
        proptest::collection::vec(("[a-z]{1,6}(/[a-z]{1,4})?", name()), 1..3).prop_map(Select::Labels),
    ]
}

fn symbol() -> impl Strategy<Value = Symbol> {
    let place = prop_oneof![
        name().prop_map(Place::Device),
        name().prop_map(Place::NodeOf),
        name().prop_map(Place::TorOf)
    ];
    prop_oneof![
        (any::<u32>(), 0u8..=32).prop_map(|(bits, length)| {
            let net = ipnet::Ipv4Net::new(bits.into(), length).unwrap().trunc();
            Symbol::Prefix(IpNet::V4(net))
        }),
        any::<std::net::IpAddr>().prop_map(Symbol::Address),
        Just(Symbol::Management),
        Just(Symbol::Default),
        select().prop_map(Symbol::PodCidr),
        name().prop_map(|name| Symbol::Pod(PodName { namespace: "default".into(), name })),
        (name(), name()).prop_map(|(namespace, name)| Symbol::Pod(PodName { namespace, name })),
        name().prop_map(Symbol::Node),
        (name(), name()).prop_map(|(namespace, name)| service(
            ServiceAddress::LoadBalancer,
            &namespace,
            &name
        )),
        name().prop_map(|name| service(ServiceAddress::Cluster, "default", &name)),
        name().prop_map(Symbol::Gateway),
        (place, name()).prop_map(|(place, interface)| Symbol::Interface { place, interface }),
    ]
}

proptest! {
    #[test]
    fn every_symbol_survives_being_written(symbol in symbol()) {
        prop_assert_eq!(Symbol::parse(&symbol.to_string()), Ok(symbol));
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,40}") {
        if let Err(error) = Symbol::parse(&text) {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1);
        }
    }

    #[test]
    fn nearly_right_texts_do_not_either(text in "(podCIDR|node|tor|gateway|pod|x)?[(/:]?[a-z*=,]{0,8}[):]?[a-z]{0,4}") {
        let _ = Symbol::parse(&text);
    }
}
