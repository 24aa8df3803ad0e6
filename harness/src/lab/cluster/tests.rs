use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::lab::yaml::Diagnostics;

const HEADER: &str = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";

fn noted(text: &str) -> (Option<KindCluster>, Vec<String>) {
    let mut ctx = Diagnostics::new();
    let cluster = read(Path::new("cluster.yaml"), text, None, &mut ctx);
    (cluster, ctx.into_sorted().iter().map(|noted| format!("{noted:#}")).collect())
}

fn sound(rest: &str) -> KindCluster {
    let (cluster, lines) = noted(&format!("{HEADER}{rest}"));
    assert_eq!(lines, Vec::<String>::new());
    cluster.expect("a cluster")
}

#[test]
fn nothing_said_is_kinds_own_default() {
    let cluster = sound("");
    assert_eq!(cluster.name, "kind");
    assert_eq!(cluster.pod_subnets, ["10.244.0.0/16".parse().expect("a prefix")]);
    assert_eq!(cluster.service_subnets, ["10.96.0.0/16".parse().expect("a prefix")]);
    assert_eq!((cluster.nodes.len(), cluster.disable_default_cni), (1, false));
    let node = &cluster.nodes[0];
    assert_eq!(
        (node.name.as_str(), node.role, node.taints.len()),
        ("kind-control-plane", Role::ControlPlane, 0)
    );
}

#[test]
fn names_roles_and_taints() {
    let (cluster, lines) = noted(&format!(
        "{HEADER}name: x\nnodes: [{{role: worker}}, {{role: control-plane, labels: {{a: 1}}}}, {{role: worker}}, {{role: control-plane}}]\n"
    ));
    let cluster = cluster.expect("a cluster");
    let names: Vec<String> =
        cluster.nodes.iter().map(|node| format!("{} {}", node.name, node.taints.len())).collect();
    assert_eq!(names, ["x-worker 0", "x-control-plane 1", "x-worker2 0", "x-control-plane2 1"]);
    assert_eq!(cluster.nodes[1].taints[0].key, "node-role.kubernetes.io/control-plane");
    assert_eq!(cluster.nodes[1].labels["a"], "1");
    assert_eq!(cluster.node("worker2").map(|node| node.name.as_str()), Some("x-worker2"));
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("load balancer"), "{lines:?}");
}

#[rstest]
#[case("ipv4", &["10.244.0.0/16"])]
#[case("ipv6", &["fd00:10:244::/56"])]
#[case("dual", &["10.244.0.0/16", "fd00:10:244::/56"])]
fn families(#[case] family: &str, #[case] pods: &[&str]) {
    let cluster = sound(&format!("networking: {{ipFamily: {family}}}\n"));
    assert_eq!(cluster.pod_subnets.iter().map(ToString::to_string).collect::<Vec<_>>(), pods);
}

#[rstest]
#[case::up_to_v1beta3(
    "kubeletExtraArgs:\n        node-ip: 10.0.1.2,fd00::2\n        node-labels: \"rack=rack0,zone=\""
)]
#[case::v1beta4(
    "kubeletExtraArgs:\n      - {name: node-ip, value: '10.0.1.2,fd00::2'}\n      - {name: node-labels, value: 'rack=rack0,zone='}"
)]
fn kubelet_arguments(#[case] args: &str) {
    let cluster = sound(&format!(
        "nodes:\n- role: control-plane\n  kubeadmConfigPatches:\n  - |\n    kind: InitConfiguration\n    nodeRegistration:\n      {args}\n"
    ));
    let node = &cluster.nodes[0];
    assert_eq!(
        node.node_ips,
        ["10.0.1.2".parse::<std::net::IpAddr>(), "fd00::2".parse()].map(|ip| ip.expect("an address"))
    );
    assert_eq!((node.labels["rack"].as_str(), node.labels["zone"].as_str()), ("rack0", ""));
}

#[test]
fn patches_of_the_cluster_and_taints() {
    let cluster = sound(
        "nodes: [{role: control-plane}, {role: worker}]
kubeadmConfigPatches:
- |
  kind: InitConfiguration
  nodeRegistration:
    taints: []
- |
  kind: JoinConfiguration
  nodeRegistration:
    kubeletExtraArgs: {register-with-taints: 'bgp=yes:NoExecute'}
- |
  kind: ClusterConfiguration
  controllerManager:
    extraArgs: {node-cidr-mask-size: '26'}
",
    );
    assert_eq!(cluster.nodes[0].taints, []);
    let taint = Taint { key: "bgp".into(), value: "yes".into(), effect: "NoExecute".into() };
    assert_eq!(cluster.nodes[1].taints, [taint]);
    assert_eq!((cluster.node_cidr_mask_v4, cluster.node_cidr_mask_v6), (26, 64));
}

fn patched(role: &str, patch: &str) -> String {
    let patch = patch.replace('\n', "\n    ");
    format!("nodes:\n- role: control-plane\n- role: {role}\n  kubeadmConfigPatches:\n  - |\n    {patch}\n")
}

#[rstest]
#[case::wrong_kind(
    "kind: Clutser",
    "cluster.yaml:1:7: error: \"Clutser\" is not the kind of a kind configuration"
)]
fn wrong_header(#[case] text: &str, #[case] message: &str) {
    let (_, lines) = noted(text);
    assert!(lines.iter().any(|line| line.starts_with(message)), "{lines:#?}");
}

#[rstest]
#[case::key("nodez: []\n", "cluster.yaml:3:1: error: a kind configuration has no key `nodez`")]
#[case::not_honoured(
    "featureGates: {A: true}\n",
    "cluster.yaml:3:1: warning: `featureGates` of a kind configuration is not honoured"
)]
#[case::role("nodes: [{role: master}]\n", "cluster.yaml:3:16: error: \"master\" is not a role")]
#[case::subnet(
    "networking: {podSubnet: 10.1.0.0}\n",
    "cluster.yaml:3:25: error: \"10.1.0.0\" is not a subnet"
)]
#[case::family(
    "networking: {podSubnet: 'fd00::/48'}\n",
    "cluster.yaml:3:25: error: \"fd00::/48\" does not fit the cluster's IP family"
)]
#[case::two_of_one_family(
    "networking: {ipFamily: dual, podSubnet: '10.1.0.0/16,10.2.0.0/16'}\n",
    "cluster.yaml:3:41: error: \"10.1.0.0/16,10.2.0.0/16\" does not fit the cluster's IP family"
)]
#[case::small(
    "networking: {podSubnet: 10.1.0.0/25}\n",
    "cluster.yaml:3:25: error: 10.1.0.0/25 is too small: each node takes a /24 of it"
)]
#[case::name("name: Upper\n", "cluster.yaml:3:7: error: \"Upper\" cannot be a cluster's name")]
#[case::workers_only("nodes: [{role: worker}]\n", "cluster.yaml:3:9: error: a cluster needs a control plane")]
#[case::ip(&patched("worker", "kind: JoinConfiguration\nnodeRegistration:\n  kubeletExtraArgs: {node-ip: 10.0.0}"), "cluster.yaml:10:35: error: \"10.0.0\" is not a node's address")]
#[case::labels(&patched("worker", "kind: JoinConfiguration\nnodeRegistration:\n  kubeletExtraArgs: {node-labels: rack}"), "cluster.yaml:10:39: error: \"rack\" are not labels")]
#[case::no_effect(&patched("worker", "kind: InitConfiguration"), "cluster.yaml:8:11: warning: this patch has no effect: this node joins the cluster")]
#[case::argument(&patched("worker", "kind: JoinConfiguration\nnodeRegistration:\n  kubeletExtraArgs: {v: '4'}"), "cluster.yaml:10:26: warning: kubelet's `v` is not honoured")]
#[case::kubelet(&patched("worker", "kind: KubeletConfiguration"), "cluster.yaml:8:11: warning: a `KubeletConfiguration` is not honoured")]
#[case::document(&patched("worker", "kind: JoinConfig"), "cluster.yaml:8:11: error: \"JoinConfig\" is not a document of kubeadm's configuration")]
#[case::syntax(&patched("worker", "kind: [Join"), "cluster.yaml:")]
#[case::not_text(
    "kubeadmConfigPatches: [{a: 1}]\n",
    "cluster.yaml:3:24: error: expected YAML inside a text block, found a mapping"
)]
#[case::effect(&patched("worker", "kind: JoinConfiguration\nnodeRegistration:\n  taints: [{key: a, effect: Never}]"), "cluster.yaml:10:33: error: \"Never\" is not an effect")]
fn remarks(#[case] rest: &str, #[case] message: &str) {
    let (_, lines) = noted(&format!("{HEADER}{rest}"));
    assert!(lines.iter().any(|line| line.starts_with(message)), "{lines:#?}");
}

proptest! {
    #[test]
    fn any_patch_is_read_or_refused(patch in "[a-zA-Z:{}=, \n]{0,60}", args in "[a-z0-9.:,=/-]{0,20}") {
        let quoted = serde_json::to_string(&patch).expect("json");
        let (cluster, lines) = noted(&format!("{HEADER}kubeadmConfigPatches: [{quoted}]\n"));
        prop_assert!(cluster.is_some() || !lines.is_empty());
        for name in ["node-ip", "node-labels", "register-with-taints"] {
            let patch = format!("kind: InitConfiguration\nnodeRegistration: {{kubeletExtraArgs: {{{name}: '{args}'}}}}");
            let (cluster, lines) = noted(&format!("{HEADER}{}", patched("control-plane", &patch)));
            prop_assert!(cluster.is_some() || !lines.is_empty());
        }
    }
}
