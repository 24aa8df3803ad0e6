//! Addresses given and refused.

use std::net::IpAddr;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::plan::{Answer, Asked, give};
use super::pool::{Pool, settle_conflicts};
use super::view::{asked, ours};
use crate::cilium::{LbIpam, lb_ipam};

fn names(version: &str) -> LbIpam {
    lb_ipam(&version.parse().unwrap()).unwrap()
}

fn pools(version: &str, specs: &[Value]) -> Vec<Pool> {
    let read = |(at, spec): (usize, &Value)| {
        Pool::read(&format!("pool{at}"), &serde_json::from_value(spec.clone()).unwrap(), &names(version))
    };
    let mut pools: Vec<Pool> = specs.iter().enumerate().map(read).collect();
    settle_conflicts(&mut pools);
    pools
}

fn service(name: &str, more: Value) -> k8s_openapi::api::core::v1::Service {
    let mut service = json!({
        "metadata": {"name": name, "namespace": "default", "labels": {"color": "blue"}},
        "spec": {"type": "LoadBalancer", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "externalTrafficPolicy": "Cluster", "ports": [{"port": 80}]},
    });
    json_patch::merge(&mut service, &more);
    serde_json::from_value(service).unwrap()
}

fn want(name: &str, more: Value) -> Asked {
    asked(&service(name, more), &names("1.18.0"))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn one(pools: &[Pool], more: Value) -> Answer {
    give(pools, &[want("web", more)]).remove(0)
}

#[rstest]
#[case::first(json!({"blocks": [{"cidr": "10.0.10.0/24"}]}), Ok("10.0.10.0"))]
#[case::without_ends(json!({"blocks": [{"cidr": "10.0.10.0/24"}], "allowFirstLastIPs": "No"}), Ok("10.0.10.1"))]
#[case::small(json!({"blocks": [{"cidr": "10.0.10.0/31"}], "allowFirstLastIPs": "No"}), Ok("10.0.10.0"))]
#[case::range(json!({"blocks": [{"start": "20.0.20.100", "stop": "20.0.20.200"}], "allowFirstLastIPs": "No"}), Ok("20.0.20.100"))]
#[case::single(json!({"blocks": [{"start": "1.2.3.4"}]}), Ok("1.2.3.4"))]
#[case::selected(json!({"blocks": [{"start": "1.2.3.4"}], "serviceSelector": {"matchLabels": {"color": "blue"}}}), Ok("1.2.3.4"))]
#[case::by_name(
    json!({"blocks": [{"start": "1.2.3.4"}],
           "serviceSelector": {"matchLabels": {"io.kubernetes.service.namespace": "default"}}}),
    Ok("1.2.3.4")
)]
#[case::other(json!({"blocks": [{"start": "1.2.3.4"}], "serviceSelector": {"matchLabels": {"color": "red"}}}), Err("no_pool"))]
#[case::disabled(json!({"blocks": [{"start": "1.2.3.4"}], "disabled": true}), Err("no_pool"))]
#[case::six(json!({"blocks": [{"cidr": "2004::/64"}]}), Err("no_pool"))]
#[case::none(json!({}), Err("no_pool"))]
fn a_pool_serves_whom_it_selects(#[case] spec: Value, #[case] expected: Result<&str, &str>) {
    let answer = one(&pools("1.18.0", &[spec]), json!({}));
    match expected {
        Ok(address) => assert_eq!(answer, Answer { ips: vec![ip(address)], missing: None }),
        Err(reason) => assert_eq!(answer.missing.map(|(reason, _)| reason), Some(reason)),
    }
}

#[rstest]
#[case::annotation(json!({"metadata": {"annotations": {"lbipam.cilium.io/ips": "10.0.10.7"}}}), None)]
#[case::old_annotation(json!({"metadata": {"annotations": {"io.cilium/lb-ipam-ips": "10.0.10.7"}}}), None)]
#[case::field(json!({"spec": {"loadBalancerIP": "10.0.10.7"}}), None)]
#[case::outside(
    json!({"spec": {"loadBalancerIP": "10.0.99.7"}}),
    Some(("no_pool", "No pool exists with a CIDR containing '10.0.99.7'"))
)]
#[case::not_selected(
    json!({"spec": {"loadBalancerIP": "10.0.11.7"}}),
    Some(("pool_selector_mismatch", "The pool with the CIDR containing '10.0.11.7', doesn't select this service"))
)]
#[case::taken(
    json!({"spec": {"loadBalancerIP": "10.0.10.0"}}),
    Some(("already_allocated", "The IP '10.0.10.0' is already allocated to another service"))
)]
fn an_address_asked_for_is_given_or_refused(#[case] more: Value, #[case] missing: Option<(&str, &str)>) {
    let red =
        json!({"blocks": [{"cidr": "10.0.11.0/24"}], "serviceSelector": {"matchLabels": {"color": "red"}}});
    let pools = pools("1.18.0", &[json!({"blocks": [{"cidr": "10.0.10.0/24"}]}), red]);
    let first = want("first", json!({"spec": {"loadBalancerIP": "10.0.10.0"}}));
    let answer = give(&pools, &[first, want("web", more)]).remove(1);
    assert_eq!(answer.missing.as_ref().map(|(reason, message)| (*reason, message.as_str())), missing);
    assert_eq!(answer.ips, if missing.is_none() { vec![ip("10.0.10.7")] } else { vec![] });
}

#[test]
fn what_a_service_has_it_keeps_while_it_may() {
    let had = json!({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.10.9"}]}}});
    let open = json!({"blocks": [{"cidr": "10.0.10.0/24"}]});
    let off = json!({"blocks": [{"cidr": "10.0.10.0/24"}], "disabled": true});
    assert_eq!(one(&pools("1.18.0", std::slice::from_ref(&open)), had.clone()).ips, [ip("10.0.10.9")]);
    assert_eq!(one(&pools("1.18.0", &[off]), had.clone()).ips, [ip("10.0.10.9")]);
    let moved = json!({"blocks": [{"cidr": "10.0.20.0/24"}]});
    assert_eq!(one(&pools("1.18.0", &[moved]), had.clone()).ips, [ip("10.0.20.0")]);
    assert_eq!(
        one(&[], had.clone()),
        Answer {
            ips: vec![],
            missing: Some((
                "no_pool",
                "There are no enabled CiliumLoadBalancerIPPools that match this service".into()
            ))
        }
    );
    // Who has an address goes before who has none, whatever the order of names.
    let both = [
        want("a", json!({})),
        want("b", json!({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.10.0"}]}}})),
    ];
    let answers = give(&pools("1.18.0", &[open]), &both);
    assert_eq!((&answers[0].ips, &answers[1].ips), (&vec![ip("10.0.10.1")], &vec![ip("10.0.10.0")]));
}

#[test]
fn a_pool_runs_dry_and_both_families_are_served() {
    let small = pools("1.18.0", &[json!({"blocks": [{"cidr": "10.0.10.0/32"}, {"cidr": "2004::/120"}]})]);
    let dual = json!({"spec": {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack"}});
    let answers = give(&small, &[want("a", dual.clone()), want("b", dual)]);
    assert_eq!(answers[0].ips, [ip("10.0.10.0"), ip("2004::")]);
    assert_eq!(
        (answers[1].ips.clone(), answers[1].missing.as_ref().unwrap().0),
        (vec![ip("2004::1")], "out_of_ips")
    );
}

#[rstest]
#[case::shared(json!({"spec": {"ports": [{"port": 443}]}}), None)]
#[case::same_port(json!({}), Some("same port and protocol"))]
#[case::other_protocol(json!({"spec": {"ports": [{"port": 80, "protocol": "UDP"}]}}), None)]
#[case::key(json!({"metadata": {"annotations": {"lbipam.cilium.io/sharing-key": "other"}}}), Some("different sharing key"))]
#[case::policy(json!({"spec": {"ports": [{"port": 443}], "externalTrafficPolicy": "Local"}}), Some("different ExternalTrafficPolicy"))]
#[case::namespace(
    json!({"metadata": {"namespace": "far"}, "spec": {"ports": [{"port": 443}]}}),
    Some("different and not permitted namespace")
)]
fn an_address_is_shared_by_key(#[case] more: Value, #[case] why: Option<&str>) {
    let shared = |more: Value| {
        let mut all = json!({"metadata": {"annotations": {"lbipam.cilium.io/sharing-key": "k", "lbipam.cilium.io/ips": "10.0.10.5"}}});
        json_patch::merge(&mut all, &more);
        all
    };
    let pools = pools("1.18.0", &[json!({"blocks": [{"cidr": "10.0.10.0/24"}]})]);
    let answers = give(&pools, &[want("a", shared(json!({}))), want("b", shared(more))]);
    let expected = why.map(|why| {
        let message =
            format!("The IP '10.0.10.5' is already allocated to an incompatible service. Reason: {why}");
        ("already_allocated_incompatible_service", message)
    });
    assert_eq!(answers[1].missing, expected);
}

#[test]
fn the_newer_of_two_pools_that_overlap_is_switched_off() {
    let pools = pools(
        "1.18.0",
        &[
            json!({"blocks": [{"cidr": "10.0.10.0/24"}]}),
            json!({"blocks": [{"start": "10.0.10.200", "stop": "10.0.11.10"}]}),
            json!({"blocks": [{"cidr": "10.0.11.0/24"}]}),
            json!({"blocks": [{"cidr": "10.0.30.0/24"}, {"cidr": "10.0.30.128/25"}]}),
        ],
    );
    let seen: Vec<_> = pools.iter().map(|pool| pool.conflict.as_deref()).collect();
    assert_eq!(seen[0], None);
    let words = "Pool conflicts since range '10.0.10.200 - 10.0.11.10' overlaps range '10.0.10.0 - 10.0.10.255' from IP Pool 'pool0'";
    assert_eq!(seen[1], Some(words));
    // The one it would conflict with does not count.
    assert_eq!(seen[2], None);
    assert!(seen[3].unwrap().ends_with("from IP Pool 'pool3'"));
}

#[test]
fn a_pool_counts_its_addresses() {
    let spec = json!({"blocks": [{"cidr": "10.0.10.0/28"}, {"start": "1.2.3.4"}], "allowFirstLastIPs": "No"});
    let pools = pools("1.18.0", &[spec]);
    assert_eq!(pools[0].count([ip("10.0.10.1"), ip("9.9.9.9")].into_iter()), (17, 3));
    // Before 1.16 the ends are kept back unless the pool says otherwise.
    let old = self::pools("1.14.2", &[json!({"cidrs": [{"cidr": "10.0.10.0/28"}]})]);
    assert_eq!(old[0].count(std::iter::empty()), (16, 2));
}

#[rstest]
#[case(json!({}), true)]
#[case(json!({"spec": {"loadBalancerClass": "io.cilium/bgp-control-plane"}}), true)]
#[case(json!({"spec": {"loadBalancerClass": "metallb.universe.tf/metallb"}}), false)]
#[case(json!({"spec": {"type": "NodePort"}}), false)]
fn classes_are_honoured(#[case] more: Value, #[case] expected: bool) {
    assert_eq!(ours(&service("web", more)), expected);
}

proptest! {
    #[test]
    fn no_two_services_without_a_key_have_one_address_and_what_is_given_stays(
        count in 1usize..40, length in 26u8..=32, asks in proptest::collection::vec(proptest::option::of(0u8..64), 40),
    ) {
        let pools = pools("1.18.0", &[json!({"blocks": [{"cidr": format!("10.0.10.0/{length}")}]})]);
        let ask = |at: usize| match asks[at] {
            Some(n) => json!({"spec": {"loadBalancerIP": format!("10.0.10.{n}")}}),
            None => json!({}),
        };
        let mut wanted: Vec<Asked> = (0..count).map(|at| want(&format!("s{at}"), ask(at))).collect();
        let answers = give(&pools, &wanted);
        let all: Vec<_> = answers.iter().flat_map(|answer| answer.ips.clone()).collect();
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        prop_assert_eq!(all.len(), distinct.len());
        for (asked, answer) in wanted.iter_mut().zip(&answers) {
            prop_assert_eq!(answer.ips.is_empty(), answer.missing.is_some());
            asked.had = answer.ips.clone();
        }
        prop_assert_eq!(give(&pools, &wanted), answers);
    }
}
