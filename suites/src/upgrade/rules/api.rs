//! The two BGP APIs: which is served, what is deprecated, which wins, and states between two versions that are known to break.

use fabric_harness::cilium::bgp::CiliumBGPClusterConfigSpec;
use fabric_harness::cilium::{BgpV2, CiliumBGPPeeringPolicySpec, promises, takes_rights};
use fabric_harness::lab::Manifest;

use super::super::effect::{self, spec};
use super::super::look::fields;
use super::super::{Asked, Finding, Severity};

const POLICY: &str = "CiliumBGPPeeringPolicy";
const CLUSTER: &str = "CiliumBGPClusterConfig";
const SECOND: [&str; 5] = [
    CLUSTER,
    "CiliumBGPPeerConfig",
    "CiliumBGPAdvertisement",
    "CiliumBGPNodeConfigOverride",
    "CiliumBGPNodeConfig",
];

pub(super) fn find(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(asked.of_kind(POLICY).flat_map(|policy| of_policy(asked, policy)));
    for kind in SECOND {
        findings.extend(asked.of_kind(kind).flat_map(|object| of_second(asked, object)));
    }
    findings.extend(both(asked));
    findings.extend(rbac(asked));
    findings
}

fn of_policy(asked: &Asked, policy: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(spec) = spec::<CiliumBGPPeeringPolicySpec>(policy) else { return findings };
    let name = &policy.name;
    if asked.crosses((1, 19)) {
        let nodes = asked.selected(spec.node_selector.as_ref(), false);
        let whose = match nodes.as_slice() {
            [] => "the nodes it selects".to_owned(),
            nodes => format!("{} ({})", count(nodes.len(), "node"), nodes.join(", ")),
        };
        let what = format!(
            "Cilium 1.19 does not serve {POLICY} any more: `{name}` stays in etcd, kubectl still shows it, and nobody acts on it; \
             {whose} end every session it made, without a word in any log"
        );
        findings.push(
            Finding::new("policy-gone", Severity::Breaks, (1, 19), what)
                .of(policy, "kind")
                .instead(
                    "write CiliumBGPClusterConfig, CiliumBGPPeerConfig and CiliumBGPAdvertisement before, while 1.16 to 1.18 serves \
                     both (`fabric upgrade check --write DIR` does)",
                )
                .source("b74e51b715, 6e4f3dc47c; seen on an upgrade in place from 1.12.1 to 1.20-dev"),
        );
        if spec.virtual_routers.iter().any(|router| router.export_pod_cidr == Some(true)) {
            let what = format!(
                "in the API that is left, nothing is advertised until a CiliumBGPAdvertisement is selected by a family of the peer: \
                 `exportPodCIDR` of `{name}` has no counterpart there"
            );
            let path = fields(&policy.object, "spec.virtualRouters.[].exportPodCIDR");
            let path = path.first().map(|(path, _)| path.clone()).unwrap_or_default();
            findings.push(
                Finding::new("advertise-explicitly", Severity::Note, (1, 19), what)
                    .of(policy, &path)
                    .instead("write a CiliumBGPAdvertisement of type PodCIDR, and a family in the CiliumBGPPeerConfig that selects it")
                    .source("bgp-control-plane-v2.rst; pkg/k8s/apis/cilium.io/v2/bgp_peer_types.go"),
            );
        }
    } else if asked.crosses((1, 18)) {
        let what =
            format!("{POLICY} is deprecated since Cilium 1.18, and gone with 1.19: `{name}` still works");
        findings.push(
            Finding::new("policy-deprecated", Severity::Note, (1, 18), what)
                .of(policy, "kind")
                .instead("move to CiliumBGPClusterConfig while both are served (`fabric upgrade check --to 1.19 --write DIR`)")
                .source("b6010cd83d"),
        );
    }
    findings
}

fn of_second(asked: &Asked, object: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (kind, name) = (&object.kind, &object.name);
    let alpha = object.api_version == "cilium.io/v2alpha1";
    if alpha && asked.crosses((1, 18)) {
        let what = format!("cilium.io/v2alpha1 of {kind} is deprecated since Cilium 1.18, and still served");
        findings.push(
            Finding::new("v2alpha1-deprecated", Severity::Note, (1, 18), what)
                .of(object, "apiVersion")
                .instead("write `apiVersion: cilium.io/v2`")
                .source("f07d111b69, e7512dc417"),
        );
    }
    if !alpha && asked.from.line() < (1, 18) && !asked.crosses((1, 18)) {
        let what = format!("Cilium {} does not serve cilium.io/v2 of {kind}: it comes with 1.18", asked.to);
        let instead = if promises(&asked.to).is_ok_and(|row| row.bgp_v2 == BgpV2::V2alpha1) {
            "write `apiVersion: cilium.io/v2alpha1`"
        } else {
            "write CiliumBGPPeeringPolicy"
        };
        findings.push(
            Finding::new("not-served", Severity::Breaks, asked.to.line(), what)
                .of(object, "apiVersion")
                .instead(instead)
                .source("f07d111b69"),
        );
    }
    if asked.crosses((1, 18)) {
        for (path, _) in fields(&object.object, "spec.transport.localPort") {
            let what = format!(
                "`transport.localPort` of `{name}` is ignored from Cilium 1.18 on: its speakers do not listen there any more"
            );
            findings.push(
                Finding::new("local-port-ignored", Severity::Changes, (1, 18), what)
                    .of(object, &path)
                    .instead("write `localPort` in the instance of the CiliumBGPClusterConfig (or of the node's override)")
                    .source("ee59e0bfb7"),
            );
        }
    }
    for (path, address) in fields(&object.object, "spec.bgpInstances.[].peers.[].peerAddress") {
        let Some((bare, _)) = address.as_str().and_then(|address| address.split_once('/')) else { continue };
        let what = format!(
            "the API refuses `{}` of `{name}`: a {kind} takes an address, not a prefix as CiliumBGPPeeringPolicy did",
            address.as_str().unwrap_or_default()
        );
        findings.push(
            Finding::new("address-form", Severity::Breaks, asked.to.line(), what)
                .of(object, &path)
                .instead(format!("write `peerAddress: {bare}`"))
                .source("pkg/k8s/apis/cilium.io/v2/bgp_cluster_types.go"),
        );
    }
    findings
}

/// Policies and cluster configurations that select the same nodes.
fn both(asked: &Asked) -> Vec<Finding> {
    let policies: Vec<(&Manifest, Vec<&str>)> = asked
        .of_kind(POLICY)
        .filter_map(|policy| {
            let spec = spec::<CiliumBGPPeeringPolicySpec>(policy)?;
            Some((policy, asked.selected(spec.node_selector.as_ref(), false)))
        })
        .collect();
    let mut findings = Vec::new();
    for cluster in asked.of_kind(CLUSTER) {
        let Some(spec) = spec::<CiliumBGPClusterConfigSpec>(cluster) else { continue };
        let nodes = asked.selected(spec.node_selector.as_ref(), true);
        for (policy, others) in &policies {
            let shared: Vec<&str> = nodes.iter().copied().filter(|node| others.contains(node)).collect();
            if shared.is_empty() {
                continue;
            }
            let (name, theirs, whose) = (&cluster.name, &policy.name, shared.join(", "));
            let served = promises(&asked.to).map(|row| (row.peering_policy, row.bgp_v2 != BgpV2::Absent));
            if asked.crosses((1, 19)) {
                let what = format!(
                    "`{theirs}` rules on {whose} until its agent is 1.19, and `{name}` from then on: each session ends once and comes \
                     back by the other"
                );
                findings.push(
                    Finding::new("both-apis", Severity::Changes, (1, 19), what)
                        .of(cluster, "spec.nodeSelector")
                        .instead(format!(
                            "delete `{theirs}` before, at a time of your choice, and see that the routes stay"
                        ))
                        .source("pkg/bgpv1/agent/controller.go, the mode table"),
                );
            } else if served == Ok((true, true)) {
                let what = format!(
                    "`{theirs}` and `{name}` both select {whose}: the policy rules there, and `{name}` does nothing until it is deleted"
                );
                findings.push(
                    Finding::new("both-apis", Severity::Changes, asked.to.line(), what)
                        .of(cluster, "spec.nodeSelector")
                        .instead(format!("delete `{theirs}` once `{name}` says everything that it says"))
                        .source("pkg/bgpv1/agent/controller.go, the mode table; bgp-control-plane-v2.rst"),
                );
            }
        }
    }
    findings
}

/// A chart of 1.19 whose roles leave out what agents of 1.18 still watch.
fn rbac(asked: &Asked) -> Option<Finding> {
    let bad = takes_rights(&asked.from, &asked.to);
    let speaks = !effect::of(asked).speak_before.is_empty() || !asked.objects.is_empty();
    (bad && speaks).then(|| {
        let what = "while the agents are replaced, the roles of the new chart take the right to watch CiliumBGPPeeringPolicy away from \
                    agents of 1.18, which then run no BGP at all: also fabrics without any policy lose their sessions"
            .to_owned();
        Finding::new("rbac-mixed", Severity::Breaks, (1, 19), what)
            .instead(
                "upgrade to a release that has pull request 45829 (reported with 1.18.9 to 1.19.3), or keep the rule for \
                 ciliumbgppeeringpolicies in the role `cilium` until every agent is 1.19",
            )
            .source("pull request 45829")
    })
}

fn count(many: usize, what: &str) -> String {
    if many == 1 { format!("1 {what}") } else { format!("{many} {what}s") }
}
