//! Values files, and what is said of them.

use rstest::rstest;

use super::*;
use crate::lab::yaml::Severity;

fn read_for(version: Option<&str>, text: &str) -> (Option<Values>, Vec<String>) {
    let mut ctx = Diagnostics::new();
    let version: Option<CiliumVersion> = version.map(|version| version.parse().expect("a version"));
    let values = read(Path::new("values.yaml"), text, version.as_ref(), &mut ctx);
    (values, ctx.iter().map(|noted| format!("{noted:#}")).collect())
}

fn values(text: &str) -> (Option<Values>, Vec<String>) {
    read_for(None, text)
}

#[test]
fn reads_what_matters_and_keeps_the_rest() {
    let (read, noted) = values(
        "tunnel: disabled\nipam: {mode: kubernetes}\nipv4NativeRoutingCIDR: 10.0.0.0/8\nbgpControlPlane:\n  enabled: true\nk8s:\n  requireIPv4PodCIDR: true\nhubble: {relay: {enabled: false}}\n",
    );
    let read = read.expect("values");
    assert_eq!(noted, Vec::<String>::new());
    assert_eq!(read.tunnel.as_deref(), Some("disabled"));
    assert_eq!(read.ipam_mode.as_deref(), Some("kubernetes"));
    assert_eq!(read.ipv4_native_routing_cidr, "10.0.0.0/8".parse().ok());
    assert_eq!((read.bgp_control_plane, read.require_ipv4_pod_cidr), (Some(true), Some(true)));
    assert_eq!((read.routing_mode.as_deref(), read.ipv6), (None, None));
    assert_eq!(read.raw["hubble"]["relay"]["enabled"], Json::Bool(false));
    assert_eq!(read.places["tunnel"].to_string(), "values.yaml:1:9");
}

#[test]
fn wrong_types_and_wrong_case_are_noted() {
    let (read, noted) = values("bgpControlplane: {enabled: true}\nk8s: {requireIPv4PodCIDR: maybe}\n");
    assert!(read.is_none());
    assert_eq!(
        noted,
        [
            "values.yaml:1:1: warning: helm ignores `bgpControlplane`: the chart's value is called `bgpControlPlane`",
            "values.yaml:2:27: error: expected `true` or `false`, found \"maybe\"",
        ]
    );
}

#[rstest]
#[case(
    "bgpControlPlan: {enabled: true}",
    Some("1:1: warning: helm ignores `bgpControlPlan`: the chart's value is called `bgpControlPlane`")
)]
#[case(
    "bgpControlPlane: {enable: true}",
    Some("1:19: warning: helm ignores `enable`: the chart's value is called `enabled`")
)]
#[case(
    "routngMode: native",
    Some("1:1: warning: helm ignores `routngMode`: the chart's value is called `routingMode`")
)]
#[case::another_family("ipv6NativeRoutingCIDR: fd00::/16", None)]
#[case::another_value(
    "bpf: {masquerade: true}\ntunnelPort: 1\nbgp: {enabled: false}\nkubeConfigPath: x",
    None
)]
fn misspelt_values_are_noted(#[case] text: &str, #[case] expected: Option<&str>) {
    let expected: Vec<String> = expected.iter().map(|line| format!("values.yaml:{line}")).collect();
    assert_eq!(values(text).1, expected);
}

#[test]
fn nothing_and_nonsense() {
    let nothing = values("").0.expect("an empty file is one");
    assert_eq!((nothing.raw, nothing.bgp_control_plane), (Json::Null, None));
    assert!(nothing.file.is_some());
    assert!(values("- a\n").0.is_none());
    let pools = values("ipam: {operator: {clusterPoolIPv4PodCIDRList: [10.1.0.0/16]}}").0.expect("values");
    assert_eq!(pools.cluster_pool_ipv4, ["10.1.0.0/16".parse().expect("a prefix")]);
}

#[rstest]
#[case("1.13.0", "tunnel: disabled", &[])]
#[case("1.14.0", "tunnel: disabled", &["values.yaml:1:1: warning: `tunnel` is deprecated since Cilium 1.14"])]
#[case("1.15.8", "tunnel: disabled", &["values.yaml:1:1: error: the chart of Cilium 1.15 refuses this: \"tunnel was deprecated in v1.14 and has been removed in v1.15. For details please refer to https://docs.cilium.io/en/v1.15/operations/upgrade/#helm-options\""])]
#[case("1.13.0", "routingMode: native", &["values.yaml:1:1: warning: the chart of Cilium 1.13 ignores `routingMode`: it comes with 1.14"])]
#[case("1.20.0", "routingMode: native", &[])]
#[case("1.14.0", "tunnel: disabled\nroutingMode: native", &[
    "values.yaml:1:1: warning: `tunnel` is deprecated since Cilium 1.14",
    "values.yaml:2:1: error: cilium-agent of 1.14 ends: \"Option --routing-mode cannot be used in combination with --tunnel\"",
])]
#[case("1.12.1", "nativeRoutingCIDR: 10.0.0.0/8", &["values.yaml:1:1: warning: the chart of Cilium 1.12 ignores `nativeRoutingCIDR`: it was removed in 1.12"])]
#[case("1.17.0", "bgp:\n  enabled: true", &["values.yaml:2:3: warning: the chart of Cilium 1.17 ignores `bgp.enabled`: it was removed in 1.17"])]
#[case("1.17.0", "bgp:\n  enabled: false", &[])]
#[case("1.13.0", "bgp:\n  enabled: true", &["values.yaml:2:3: warning: MetalLB's speaker is not modelled"])]
#[case("1.16.0", "kubeProxyReplacement: strict", &["values.yaml:1:23: error: Cilium 1.16 refuses `strict`: \"kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue.\""])]
#[case("1.15.0", "kubeProxyReplacement: strict", &[])]
#[case("1.13.0", "kubeProxyReplacement: probe", &["values.yaml:1:23: error: Cilium 1.13 refuses `probe`: \"Invalid value for --kube-proxy-replacement: probe\""])]
#[case("1.13.0", "ipam: {mode: multi-pool}", &["values.yaml:1:14: error: cilium-agent of 1.13 ends: \"Unknown IPAM backend multi-pool\""])]
#[case("1.14.0", "ipam: {mode: multi-pool}", &["values.yaml:1:14: warning: `multi-pool` is not modelled: the twin gives pods addresses as `kubernetes` does"])]
fn what_a_version_makes_of_values(#[case] version: &str, #[case] text: &str, #[case] said: &[&str]) {
    assert_eq!(read_for(Some(version), text).1, said);
}

#[test]
fn a_refusal_shows_its_line_and_what_to_write() {
    let mut ctx = Diagnostics::new();
    let version: CiliumVersion = "1.20.0".parse().expect("a version");
    read(Path::new("values.yaml"), "# values\ntunnel: disabled\n", Some(&version), &mut ctx);
    let shown = ctx.iter().map(ToString::to_string).collect::<String>();
    assert!(shown.contains("tunnel: disabled") && shown.contains("values.yaml:2:1"), "{shown}");
    assert!(shown.contains("routingMode: native"), "{shown}");
}

/// A dual-stack cluster, shaped by a values file.
fn shaped(text: Option<&str>) -> (Vec<String>, (u8, u8), Vec<String>) {
    let values = text.map_or_else(Values::default, |text| values(text).0.expect("values"));
    let mut ctx = Diagnostics::new();
    let file = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnetworking:\n  ipFamily: dual\n  podSubnet: 10.1.0.0/16,fd00:1::/48\nnodes: [{role: control-plane}]\n";
    let mut cluster =
        crate::lab::cluster::read(Path::new("cluster.yaml"), file, None, &mut ctx).expect("a cluster");
    assert!(
        ctx.iter().all(|noted| noted.severity != Severity::Error),
        "{:?}",
        ctx.iter().collect::<Vec<_>>()
    );
    let mut ctx = Diagnostics::new();
    values.shape(&mut cluster, &mut ctx);
    let subnets = cluster.pod_subnets.iter().map(ToString::to_string).collect();
    let masks = (cluster.node_cidr_mask_v4, cluster.node_cidr_mask_v6);
    (subnets, masks, ctx.iter().map(|noted| format!("{noted:#}")).collect())
}

#[test]
fn without_a_values_file_the_cluster_decides() {
    let (subnets, masks, noted) = shaped(None);
    assert_eq!(
        (subnets, masks, noted),
        (vec!["10.1.0.0/16".into(), "fd00:1::/48".into()], (24, 64), Vec::new())
    );
    assert!(Values::default().speaks_bgp());
}

#[test]
fn kubernetes_mode_leaves_out_what_is_switched_off() {
    let (subnets, _, noted) = shaped(Some("ipam: {mode: kubernetes}"));
    assert_eq!(subnets, ["10.1.0.0/16"]);
    assert_eq!(noted.len(), 1);
    assert!(
        noted[0].contains("IPv6 pod subnets") && noted[0].contains("`ipv6.enabled` is false"),
        "{noted:?}"
    );
    let (subnets, _, noted) = shaped(Some("ipam: {mode: kubernetes}\nipv6: {enabled: true}"));
    assert_eq!((subnets.len(), noted), (2, Vec::new()));
    let (_, _, noted) = shaped(Some("ipam: {mode: kubernetes}\nipv4: {enabled: false}"));
    assert!(noted[0].contains("Either IPv4 or IPv6"), "{noted:?}");
}

#[test]
fn a_cluster_pool_takes_the_place_of_the_clusters_subnets() {
    let text = "ipam:\n  mode: cluster-pool\n  operator:\n    clusterPoolIPv4PodCIDRList: 10.7.0.0/16\n    clusterPoolIPv4MaskSize: 26\n";
    assert_eq!(shaped(Some(text)), (vec!["10.7.0.0/16".into()], (26, 120), Vec::new()));
    let (subnets, _, noted) = shaped(Some("bgpControlPlane: {enabled: true}"));
    assert_eq!(subnets, ["10.0.0.0/8"]);
    assert!(noted[0].contains("the chart's default is `cluster-pool`"), "{noted:?}");
}

#[rstest]
#[case("bgpControlPlane: {enabled: true}", "kube-system", true)]
#[case("bgpControlPlane: {secretsNamespace: {name: bgp}, statusReport: {enabled: false}}", "bgp", false)]
fn settings_of_bgp_are_read(#[case] text: &str, #[case] namespace: &str, #[case] reports: bool) {
    let settings = values(text).0.expect("values").bgp_settings();
    assert_eq!((settings.secrets_namespace.as_str(), settings.status_report), (namespace, reports));
    assert!(!settings.creates_secrets_namespace);
    // Before 1.17 there is no switch.
    let of = |version: &str| crate::cilium::promises(&version.parse().unwrap()).unwrap();
    assert!(settings.reports(of("1.16.0")));
    assert_eq!(settings.reports(of("1.20.0")), reports);
}

#[test]
fn the_namespace_of_passwords_is_made_and_empty_services_go() {
    let text = "bgpControlPlane: {secretsNamespace: {create: true, name: bgp}}\nenableNoServiceEndpointsRoutable: false";
    let settings = values(text).0.expect("values").bgp_settings();
    assert!(settings.creates_secrets_namespace && settings.secrets_namespace == "bgp");
    let of = |version: &str| crate::cilium::promises(&version.parse().unwrap()).unwrap();
    // The switch came with 1.19.
    assert!(settings.keeps_empty_services(of("1.18.0")));
    assert!(!settings.keeps_empty_services(of("1.19.0")));
}

#[rstest]
#[case("bgpControlPlane: {enabled: true}", true)]
#[case("bgpControlPlane: {enabled: false}", false)]
#[case("ipam: {mode: kubernetes}", false)]
fn bgp_is_off_unless_it_is_switched_on(#[case] text: &str, #[case] speaks: bool) {
    let read = values(text).0.expect("values");
    assert_eq!(read.speaks_bgp(), speaks);
    let mut ctx = Diagnostics::new();
    read.check_bgp(["pod/nettool-1", "ciliumbgppeeringpolicy/rack0"], &mut ctx);
    assert_eq!(ctx.len(), usize::from(!speaks));
}
